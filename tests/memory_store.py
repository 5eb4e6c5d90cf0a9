"""A store in memory with the methods that a remote file needs, and a log of its requests."""

import threading
from typing import NamedTuple

from recordkit.errors import RemoteError


class Facts(NamedTuple):
    size: int
    etag: str | None


class MemoryStore:
    """One object, whose requests can be counted, held up and made to fail."""

    root = "s3://bucket"

    def __init__(self, data: bytes, etag: str | None = "1") -> None:
        self.data = data
        self.etag = etag
        self.error: Exception | None = None
        self.requests: list[tuple[int, int]] = []
        self.gate = threading.Event()  # requests wait for it
        self.gate.set()
        self.n_at_once = self.max_at_once = 0
        self._lock = threading.Lock()

    @property
    def facts(self) -> Facts:
        return Facts(len(self.data), self.etag)

    def read_range(self, key, begin, end, etag):
        with self._lock:
            self.requests.append((begin, end))
            self.n_at_once += 1
            self.max_at_once = max(self.max_at_once, self.n_at_once)
        try:
            assert self.gate.wait(30)
            if self.error is not None:
                raise self.error
            if etag is not None and etag != self.etag:
                raise RemoteError(path=f"{self.root}/{key}", expected=f"the object of ETag {etag}", got=self.etag)
            return self.data[begin:end]
        finally:
            with self._lock:
                self.n_at_once -= 1

    @property
    def n_bytes(self) -> int:
        return sum(end - begin for begin, end in self.requests)
