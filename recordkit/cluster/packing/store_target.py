"""An object store as the place at which shards are published; see `recordkit.cluster.packing.target`."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recordkit.cluster.packing.scratch import locked_folder
from recordkit.cluster.packing.target import MAX_READ_BYTES
from recordkit.errors import NotFoundError
from recordkit.storage.remote.publish import parse_prefix, publish_files
from recordkit.storage.remote.settings import RemoteSettings, current
from recordkit.storage.remote.store import Store, open_store
from recordkit.storage.remote.urls import Url

# The planning of a pack looks for files beside the prefix, and none are in this folder.
_NO_FOLDER = Path("/nonexistent/recordkit")


class StoreTarget:
    """A folder of an object store.

    Parameters
    ----------
    url : str, Path or Url
        The prefix, such as ``s3://bucket/train``.

    Raises
    ------
    PublishError
        It is a web server, to which nothing can be published, or has no name after the bucket.
    """

    def __init__(self, url: Any) -> None:
        self.url = parse_prefix(url)
        self.prefix_name = self.url.name
        self.prefix = _NO_FOLDER / self.prefix_name
        self._settings: RemoteSettings = current()  # the tasks have the same

    def hold(self) -> contextlib.AbstractContextManager[None]:
        """See `Target.hold`. A store has no locks: two drivers of one plan do the same, and others are refused."""
        return contextlib.nullcontext()

    def location(self, name: str) -> Url:
        """See `Target.location`."""
        return self.url.with_name(name)

    def names(self) -> set[str]:
        """See `Target.names`."""
        return set(self._store().list_folder(self.url.parent.key) or ())

    def read(self, name: str) -> bytes | None:
        """See `Target.read`."""
        with contextlib.suppress(NotFoundError):
            return self._store().read(self._key(name), max_bytes=MAX_READ_BYTES)[0]
        return None

    def size(self, name: str) -> int | None:
        """See `Target.size`."""
        facts = self._store().find(self._key(name))
        return None if facts is None else facts.size

    def create(self, name: str, content: bytes) -> bool:
        """See `Target.create`."""
        return self._store().create(self._key(name), content)

    def remove(self, name: str) -> None:
        """See `Target.remove`."""
        self._store().delete(self._key(name))

    def scratch(self, folder: Path | None) -> contextlib.AbstractContextManager[Path]:
        """See `Target.scratch`."""
        return locked_folder(folder or Path(tempfile.gettempdir()))

    def publish(self, files: Sequence[Path]) -> None:
        """See `Target.publish`."""
        publish_files(files, self.url.parent, settings=self._settings)

    def _store(self) -> Store:
        return open_store(self.url, self._settings)

    def _key(self, name: str) -> str:
        return self.location(name).key
