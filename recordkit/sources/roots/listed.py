"""A folder of an object store from which the paths of a list start, and a local copy of a list in a store.

Paths are those of `recordkit.sources.outside`: they stay below the folder unless the caller allows others, and one with
a ``/`` at its beginning is taken below it. Nothing is above the bucket.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from recordkit.errors import ImageError
from recordkit.sources.classes import class_file_names
from recordkit.sources.outside import ImageRoot
from recordkit.sources.roots.facts import FactTable
from recordkit.sources.roots.reader import Request, any_exists, read_first
from recordkit.storage.remote.lookup import mirror_of
from recordkit.storage.remote.settings import RemoteSettings, current
from recordkit.storage.remote.store import Store, open_store
from recordkit.storage.remote.urls import Url

_CONTROLS = re.compile("[\0-\x1f\x7f]")


def open_stored_root(folder: str | Path, *, allow_outside: bool, listed: bool) -> StoredRoot:
    """Return the folder of a store that the paths of a list start from; see `recordkit.sources.roots.opening`."""
    url, settings = Url.parse(folder), current()
    facts = None
    if listed:
        facts = FactTable()
        for page in open_store(url, settings).list_tree(url.key):
            for name, object_facts in page:
                facts.add(name, object_facts)
    return StoredRoot(url, settings, allow_outside=allow_outside, facts=facts)


class StoredRoot(ImageRoot):
    """A folder of a store.

    Parameters
    ----------
    url : Url
    settings : RemoteSettings
    allow_outside : bool
        Allow paths that lead out of the folder.
    facts : FactTable, optional
        Facts of all objects below the folder. Without it, they come with each image.
    """

    def __init__(
        self, url: Url, settings: RemoteSettings, *, allow_outside: bool, facts: FactTable | None = None
    ) -> None:
        super().__init__(str(url), allow_outside=allow_outside)
        self._url = url
        self._settings = settings
        self._allow_outside = allow_outside
        self._allows_all = False  # nothing is above the bucket
        self._facts = facts

    def without_rows(self) -> StoredRoot:
        """See `ImageRoot.without_rows`."""
        return StoredRoot(self._url, self._settings, allow_outside=self._allow_outside, facts=self._facts)

    def part(self, names: Sequence[str]) -> StoredRoot:
        """See `ImageRoot.part`."""
        facts = None
        if self._facts is not None:
            found = (self._listed(name) for name in names)
            facts = self._facts.part(dict.fromkeys(name for name in found if name is not None))
        return StoredRoot(self._url, self._settings, allow_outside=self._allow_outside, facts=facts)

    def check(self, path: Path, name_of: Callable[[int], str]) -> None:
        """See `ImageRoot.check`."""
        if not self._allow_outside:
            lines = zip(self._lines, map(name_of, self._indices), strict=True)
            self._refuse(path, [(line, name) for line, name in lines if not self._keys(name)])

    def has(self, name: str) -> bool:
        """See `ImageRoot.has`."""
        return self.has_any([name])

    def has_any(self, names: Sequence[str]) -> bool:
        """See `ImageRoot.has_any`."""
        if self._facts is not None:
            return any(self._listed(name) is not None for name in names)
        exists = any_exists(self._store, [self._request(name) for name in names])
        if not exists and self._url.scheme not in ("http", "https"):
            next(self._store.list_tree(self._url.key), None)  # raises an error if there is no such bucket
        return exists

    def read(self, names: Sequence[str], max_bytes: int | None = None) -> list[bytes | ImageError]:
        """See `ImageRoot.read`."""
        return read_first(self._store, [self._request(name) for name in names], max_bytes)

    @property
    def _store(self) -> Store:
        return open_store(self._url, self._settings)

    def _request(self, name: str) -> Request:
        if _CONTROLS.search(name):
            return Request((), problem=ImageError(expected="a path without control characters", got=repr(name)))
        keys = self._keys(name)
        if not keys:
            return Request((), problem=self._outside_error())
        if self._facts is None:
            return Request(keys)
        listed = self._listed(name)
        if listed is None:
            return Request((), problem=ImageError(os.strerror(errno.ENOENT)))
        return Request([self._url.join(listed).key], self._facts[listed])

    def _listed(self, name: str) -> str | None:
        """Return the name of the list of the folder that a path means."""
        start = len(self._url.key) + 1 if self._url.key else 0
        names = (key[start:] for key in self._keys(name))
        return next((name for name in names if self._facts is not None and name in self._facts), None)

    def _keys(self, name: str) -> list[str]:
        """Return the keys that a path may mean: the path itself, then that without blanks and backslashes."""
        texts = (name, name.strip().replace("\\", "/").lstrip("/"))
        keys = (self._key(text) for text in texts)
        return [key for key in dict.fromkeys(keys) if key is not None]

    def _key(self, name: str) -> str | None:
        """Return the key of a path, without ``.`` and ``..``; None if the path leads out of the folder."""
        root = self._url.key.split("/") if self._url.key else []
        parts = list(root)
        for part in name.split("/"):
            if part == ".." and not parts:
                return None
            if part == "..":
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        return "/".join(parts) if self._allow_outside or parts[: len(root)] == root else None


def copy_list(url: Url) -> Path:
    """Return the path of a copy of a list on this machine, which has the class map that is beside the list too.

    Raises
    ------
    NotFoundError, RemoteError
        There is no such list, or the store does not answer.
    """
    mirror, name = mirror_of(url), url.name
    mirror.forget_list()
    if mirror.facts(name) is None:
        raise mirror.not_found(name)
    for companion in class_file_names(Path(name)):
        mirror.fetch(companion)
    return mirror.fetch(name)
