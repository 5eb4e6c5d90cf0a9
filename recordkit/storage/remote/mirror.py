"""Mirrors: folders of this machine that stand for folders of a store, so that sets are read alike near and far.

::

    s3://bucket/faces/           train.rec              train.idx   train.json   ...
    CACHE/sets/81f2c0.../        train.rec              train.idx   train.json
                                 sparse, never read     copies, made when they are first needed

A placeholder in place of a record file has its size, and no content: `recordkit.formats.byte_source` gives whoever
opens it the bytes of the object, a range at a time. An index that was built because the store has none is kept beside.

An opening lists the objects of the folder once, and then uses the list for some seconds. Meanwhile a newer object may
replace one; but each read names the ETag from the list, so the store refuses the read, and the set is opened again.
A web server, and a store that lets the reader not list, is asked about each name instead, by many requests at once.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Lock, RLock
from weakref import WeakSet

from recordkit.errors import NotFoundError, RecordkitError, RefusedError, RemoteError, name_place
from recordkit.formats.byte_source import register
from recordkit.storage.names import is_file_name
from recordkit.storage.remote.cache.pages import PageCache
from recordkit.storage.remote.client.facts import ObjectFacts
from recordkit.storage.remote.copies import Copy, CopyFolder
from recordkit.storage.remote.lookup import temporary_folder
from recordkit.storage.remote.remote_file import RemoteFile
from recordkit.storage.remote.request_pool import call_at_once
from recordkit.storage.remote.settings import RemoteSettings
from recordkit.storage.remote.store import open_store
from recordkit.storage.remote.urls import Url

# Time for which a list is used: this, or ten times as long as the list of a very large folder takes.
_LIST_S = 2.0
_LIST_RATIO = 10
# Time for which answers about single names are used: thousands of shards take thousands of them.
_ANSWERS_S = 60.0
# Larger companions, such as the index of 10^8 records, are copied in pieces of this size.
_PIECE_BYTES = 1 << 23
_BUILT = ".built"
# Errors of a folder that takes no files, or of its disk.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

_all: WeakSet[Mirror] = WeakSet()  # also those that another one with other settings has replaced
_caches: dict[tuple[Path, int], PageCache] = {}
_caches_lock = Lock()


class Mirror:
    """The local copies of one folder of a store.

    Parameters
    ----------
    url : Url
        The folder.
    folder : Path
        The folder of the copies, which is made.
    settings : RemoteSettings
    """

    def __init__(self, url: Url, folder: Path, settings: RemoteSettings) -> None:
        self.url = url
        self.folder = folder
        self.settings = settings
        self._store = open_store(url, settings)
        self._renew_locks()
        self._facts: dict[str, ObjectFacts | None] = {}
        self._is_whole = False  # `_facts` has all names of the folder
        self._refusal: RefusedError | None = None  # of the list
        self._facts_end_s = 0.0
        self._opening = secrets.token_hex(8)
        _all.add(self)
        self._copies = CopyFolder(folder)
        name_place(str(folder), str(url))

    def _renew_locks(self) -> None:
        """Make new locks, also in a forked process: a thread that it has not may hold the old ones."""
        self._lock = RLock()
        self._name_locks: dict[str, Lock] = {}

    def names(self) -> list[str]:
        """Return the names of the objects in the folder, sorted.

        Raises
        ------
        RemoteError
            The store cannot list, as a plain web server, or the reader may not.
        """
        with self._lock:
            self._refresh()
            if self._refusal is not None:
                raise self._refusal
            if not self._is_whole:
                raise RemoteError(
                    path=str(self.url),
                    expected="a store that lists its objects",
                    got="one that does not",
                    advice="name the .rec files or the manifest",
                )
            return sorted(filter(is_file_name, self._facts))

    def facts(self, name: str) -> ObjectFacts | None:
        """Return size and ETag of an object in the folder; None if there is none."""
        with self._lock:
            self._refresh()
            known = self._facts
            if name in known or self._is_whole:
                return known.get(name)
        known[name] = answer = self._ask(name)  # without the lock, so that many threads ask at once
        return answer

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return those of some names that no object has."""
        with self._lock:
            self._refresh()
            is_whole = self._is_whole
        facts = map(self.facts, names) if is_whole else call_at_once(self.facts, names, self.settings.n_requests)
        return [name for name, each in zip(names, facts, strict=True) if each is None]

    def _refresh(self) -> None:
        begin_s = time.monotonic()
        if begin_s < self._facts_end_s:
            return
        listed: dict[str, ObjectFacts] | None = None
        self._refusal = None
        try:
            listed = self._store.list_folder(self.url.key)
        except RefusedError as error:  # single objects may be readable
            self._refusal = error
        self._facts, self._is_whole = dict(listed or {}), listed is not None
        end_s = time.monotonic()
        self._facts_end_s = end_s + (max(_LIST_S, _LIST_RATIO * (end_s - begin_s)) if self._is_whole else _ANSWERS_S)

    def _ask(self, name: str) -> ObjectFacts | None:
        try:
            return self._store.find(self.url.join(name).key)
        except RefusedError:  # of a missing object some stores say so, see `RefusedError`
            return None

    def forget_list(self, *, is_retry: bool = False) -> None:
        """List the folder again at the next use; `is_retry` as for `forget_lists`."""
        with self._lock:
            self._facts_end_s = 0.0
            if not is_retry:
                self._opening = secrets.token_hex(8)

    def not_found(self, name: str) -> NotFoundError:
        """Return the error about an object that does not exist, which names a similar one.

        Raises
        ------
        RefusedError
            The store does not allow to read it, or to learn that it does not exist.
        """
        try:
            self._store.facts(self.url.join(name).key)
        except NotFoundError as error:
            return error
        return NotFoundError(path=str(self.url.join(name)), expected="a .rec file", got="nothing of that name")

    def fetch(self, name: str, *, is_records: bool = False) -> Path:
        """Return the local path of an object, after copying it or making its placeholder; no file if there is none.

        Parameters
        ----------
        name : str
        is_records : bool, default False
            The object is a record file, which gets a placeholder.

        Raises
        ------
        RemoteError
            The store does not answer, or the object was replaced meanwhile.
        """
        return self.fetch_copy(name, is_records=is_records).path

    def fetch_copy(self, name: str, *, is_records: bool = False) -> Copy:
        """Do what `fetch` does, and return the file with its inode: other processes may replace it."""
        facts = self.facts(name)
        with self._lock:
            name_lock = self._name_locks.setdefault(name, Lock())
        with name_lock:
            return self._with_room(name, lambda: self._fetch(name, facts, is_records=is_records))

    def _with_room(self, name: str, make: Callable[[], Copy]) -> Copy:
        """Make a copy, and if the cache has no room for it, make it in a folder of this process."""
        try:
            return make()
        except OSError as error:
            if isinstance(error, RecordkitError) or error.errno not in _NO_ROOM:
                raise
            self._leave_cache(error)
        try:
            return make()
        except OSError as error:
            if isinstance(error, RecordkitError) or error.errno not in _NO_ROOM:
                raise
            raise RemoteError(
                path=str(self.url.join(name)),
                expected="room for a copy of it",
                got=os.strerror(error.errno),
                advice=f"make room in {self.settings.cache_folder}",
            ) from None

    def _fetch(self, name: str, facts: ObjectFacts | None, *, is_records: bool) -> Copy:
        if facts is None:
            return self._copies.drop(name)
        if is_records:
            return self._place(name, facts)
        return self._copies.find(name, self._identity(facts)) or self._copy(name, facts)

    def _leave_cache(self, error: OSError) -> None:
        """Make copies in a folder of this process from now on; the cache warns when it is read."""
        with self._lock:
            if self._copies.path == self.folder:
                folder = temporary_folder(self.folder.name)
                self._copies = CopyFolder(folder)
                name_place(str(folder), str(self.url))
        _open_cache(self.settings).note_problem(error)

    def _identity(self, facts: ObjectFacts) -> str:
        """Return the identity of an object for its copy. A copy of one without an ETag serves one opening only."""
        return f"{facts.size} {facts.etag or self._opening}"

    def _place(self, name: str, facts: ObjectFacts) -> Copy:
        """Make a placeholder, unless there is one, and register the object for its path."""
        identity = f"{facts.size} {facts.etag}"
        placeholder = self._copies.find(name, identity) or self._copies.replace(
            name, identity, lambda descriptor: os.truncate(descriptor, facts.size), is_safe=False
        )
        key, store, settings = self.url.join(name).key, self._store, self.settings
        register(str(placeholder.path), lambda: RemoteFile(store, key, facts, _open_cache(settings), settings))
        return placeholder

    def _copy(self, name: str, facts: ObjectFacts) -> Copy:
        key = self.url.join(name).key
        begins = range(0, facts.size, _PIECE_BYTES)

        def write(descriptor: int) -> None:
            def copy(begin: int) -> None:
                end = min(begin + _PIECE_BYTES, facts.size)
                _write_at(descriptor, self._store.read_range(key, begin, end, facts.etag), begin)

            if len(begins) > 1:
                call_at_once(copy, begins, self.settings.n_requests)
            else:
                copy(0)

        return self._copies.replace(name, self._identity(facts), write, keeps_same=facts.etag is None)

    def built_index(self, rec_name: str) -> Copy | None:
        """Return the index that `keep_index` kept for a record file; None if there is none for this very object."""
        facts = self.facts(rec_name)
        return None if facts is None else self._copies.find(rec_name + _BUILT, self._identity(facts))

    def keep_index(self, rec_name: str, content: Iterable[bytes]) -> None:
        """Keep the lines of an index that was built from a record file."""
        facts = self.facts(rec_name)
        if facts is not None:
            name, identity = rec_name + _BUILT, self._identity(facts)
            lines = list(content)
            self._with_room(
                name, lambda: self._copies.replace(name, identity, lambda descriptor: _write_all(descriptor, lines))
            )


def _open_cache(settings: RemoteSettings) -> PageCache:
    with _caches_lock:
        key = settings.cache_folder, settings.cache_bytes
        if key not in _caches:
            _caches[key] = PageCache(*key)
        return _caches[key]


def _write_at(descriptor: int, content: bytes, offset: int) -> None:
    """Write all bytes; on a disk that becomes full, the first call may write some of them without an error."""
    with memoryview(content) as rest:
        n_written = 0
        while n_written < len(rest):
            n_written += os.pwrite(descriptor, rest[n_written:], offset + n_written)


def _write_all(descriptor: int, content: Iterable[bytes]) -> None:
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.writelines(content)


def fetch_ahead(paths: Sequence[tuple[Mirror, str]]) -> None:
    """Copy several objects at once, so that the delays of many shards do not add up."""
    call_at_once(lambda item: item[0].fetch(item[1]), paths, paths[0][0].settings.n_requests)


def _renew_locks() -> None:
    global _caches_lock
    _caches_lock = Lock()
    for mirror in list(_all):
        mirror._renew_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
