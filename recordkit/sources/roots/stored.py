"""Folders of an object store, which is listed once.

A store has no folders, only keys with slashes; so a folder without an object does not exist. Some programs write an
object of 0 bytes in place of a folder: it counts as none if other objects are below it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence

from recordkit.dataset.packed_sets import already_packed
from recordkit.errors import NotFoundError, SourceError
from recordkit.sources.roots.facts import FactTable
from recordkit.sources.roots.local import Names
from recordkit.sources.roots.reader import StoredReader
from recordkit.storage.names import MANIFEST_SUFFIX
from recordkit.storage.remote.client.facts import ObjectFacts
from recordkit.storage.remote.lookup import mirror_of
from recordkit.storage.remote.settings import current
from recordkit.storage.remote.store import open_store
from recordkit.storage.remote.urls import Url

_HEAD_BYTES = 16


class StoredFolders:
    """A folder of a store and those below it.

    Parameters
    ----------
    url : Url
    suffixes : sequence of str
        Suffixes of images, whose facts are kept.
    progress : callable, optional
        Called with the number of images found since its last call.

    Raises
    ------
    NotFoundError
        There is no object in the folder, or no such bucket.
    SourceError
        The URL is that of an object.
    RemoteError
        The store does not answer or refuses, or it has no list.
    """

    def __init__(self, url: Url, suffixes: Sequence[str], progress: Callable[[int], None] | None = None) -> None:
        self.root = str(url)
        self._url = url
        self._settings = current()
        self._store = open_store(url, self._settings)
        self._suffixes = tuple(suffix.lower() for suffix in suffixes)
        self._names: dict[str, Names] = {"": Names([], [], set())}
        self._markers: set[str] = set()
        self.facts = FactTable()
        for page in self._store.list_tree(url.key):
            n_images = sum(self._add(name, facts) for name, facts in page if name)
            if progress is not None and n_images:
                progress(n_images)
        for marker in self._markers & self._names.keys():
            folder, _, name = marker.rpartition("/")
            self._names[folder].files.remove(name)
        if len(self._names) == 1 and not self._names[""].files:
            raise self._nothing_error()

    def _add(self, path: str, facts: ObjectFacts) -> bool:
        """Add an object, and return whether it is an image by its name."""
        folder, _, name = path.rpartition("/")
        self._folder(folder).files.append(name)
        is_image = name.lower().endswith(self._suffixes)
        if is_image:
            self.facts.add(path, facts)
        if not facts.size:
            self._markers.add(path)
        return is_image

    def _folder(self, path: str) -> Names:
        names = self._names.get(path)
        if names is None:
            names = self._names[path] = Names([], [], set())
            parent, _, name = path.rpartition("/")
            self._folder(parent).folders.append(name)
        return names

    def _nothing_error(self) -> SourceError | NotFoundError:
        mirror, name, expected = mirror_of(self._url), self._url.name, "a folder or a .lst file"
        packed = [name] if name.endswith((".rec", MANIFEST_SUFFIX)) else [f"{name}.rec", f"{name}{MANIFEST_SUFFIX}"]
        for each in packed:
            if name and mirror.facts(each) is not None:
                return already_packed(str(self._url.with_name(each)), expected)
        if name and mirror.facts(name) is not None:
            return SourceError(path=self.root, expected=expected, got="another object")
        return NotFoundError(path=self.root, expected="objects in this folder", got="none", advice="check the URL")

    def _relative(self, path: str) -> str:
        return path[len(self.root) :].lstrip("/")

    def names(self, path: str) -> Names:
        """See `recordkit.sources.roots.local.Folders`."""
        return self._names[self._relative(path)]

    def identity(self, path: str) -> Hashable:
        """See `recordkit.sources.roots.local.Folders`."""
        return path

    def problem(self, _path: str) -> str | None:
        """See `recordkit.sources.roots.local.Folders`."""
        return None

    def walk(self, path: str) -> Iterator[str]:
        """See `recordkit.sources.roots.local.Folders`."""
        names = self.names(path)
        yield from names.files
        for folder in names.folders:
            yield from (f"{folder}/{name}" for name in self.walk(f"{path}/{folder}"))

    def exists(self, path: str) -> bool:
        """See `recordkit.sources.roots.local.Folders`."""
        folder, _, name = self._relative(path).rpartition("/")
        return folder in self._names and name in itertools.chain(*self._names[folder][:2])

    def head(self, path: str) -> bytes:
        """See `recordkit.sources.roots.local.Folders`."""
        key = self._url.join(self._relative(path)).key
        try:
            facts = self._store.facts(key)
            return self._store.read_range(key, 0, min(_HEAD_BYTES, facts.size), None)
        except NotFoundError:
            return b""

    @property
    def name(self) -> str:
        """See `recordkit.sources.roots.local.Folders`."""
        return self._url.name

    @property
    def parent(self) -> str:
        """See `recordkit.sources.roots.local.Folders`."""
        return str(self._url.parent)

    def inner(self, path: str) -> dict[str, str]:
        """See `recordkit.sources.roots.local.Folders`."""
        url = Url.parse(path)
        return {name: str(url.join(name)) for name in sorted(self._store.list_folders(url.key))}

    def reader(self) -> StoredReader:
        """See `recordkit.sources.roots.local.Folders`."""
        return StoredReader(self._url, self._settings, self.facts)
