"""The connections of a store: its client, opened when it is first needed, and the attempts of its requests."""

from __future__ import annotations

import threading
from typing import Any

from recordkit.storage.remote.client.attempts import Attempts, Reach
from recordkit.storage.remote.client.opening import open_client
from recordkit.storage.remote.settings import RemoteSettings

# Larger objects are read in ranges, because the limit of time is that of one request.
WHOLE_BYTES = 8 * 2**20


class Connection:
    """The connections to a root. Threads may share it.

    Parameters
    ----------
    root : str
        Root of a `Url`, such as ``s3://bucket``.
    settings : RemoteSettings
    """

    def __init__(self, root: str, settings: RemoteSettings) -> None:
        self.root = root
        self.settings = settings
        self.scheme = root.partition(":")[0]
        self._reach = Reach()
        self.reset()

    def reset(self) -> None:
        """Begin without connections, as after a fork."""
        self._client: Any = None
        self._lock = threading.Lock()
        self._free_requests = threading.BoundedSemaphore(self.settings.n_requests)

    def _obstore(self) -> Any:
        from recordkit.storage.remote.client import library

        return library.load(self.scheme)

    def _open(self, timeout_s: float, retry_s: float = 0) -> Any:
        return open_client(self.root, self.settings, timeout_s=timeout_s, retry_s=retry_s)

    def _attempts(self, *, n_bytes: int = 0, most: int | None = None, client: Any = None) -> Attempts:
        """Return the attempts of one request; one that sends many bytes has the time of as many pages."""
        timeout_s = self.settings.timeout_s * max(1, -(-n_bytes // WHOLE_BYTES))

        def get_client(seconds: float) -> Any:
            if client is not None:
                return client
            if seconds != self.settings.timeout_s:
                return self._open(seconds)
            with self._lock:
                if self._client is None:
                    self._client = self._open(seconds)
                return self._client

        total_s = max(self.settings.total_s, timeout_s)
        return Attempts(get_client, self._free_requests, timeout_s, total_s, most, self._reach)
