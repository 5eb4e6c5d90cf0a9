"""Extents: the bytes of an object in a store, as far as this machine has them, in files and in memory.

The compiled core reads records through its own `Extents`. `_PythonExtents` is the definition, and takes its place if
the core is not built.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]  # Windows

from recordkit import native
from recordkit.errors import TruncatedError, plural
from recordkit.formats.byte_source import LocalFile

FetchRange = Callable[[int, int], object]
"""Called with a range of bytes that no extent has, ``fetch(begin, end)``.

It adds extents that have the first byte of the range, and perhaps all, or raises an error, which the reader gets as it
is. Any thread may call it, also several at once. Code that reads may hold no lock that it takes.
"""

# Calls of `fetch` for one byte. More than one is needed only if other threads remove what was fetched.
_MAX_FETCHES = 100


class Extents(Protocol):
    """The extents of one object; see `make_extents`. Threads and forked processes may share them.

    Extents may overlap. No lock is held while bytes are read or fetched, and an extent that is removed stays readable
    for reads that have begun.

    Files stay open for the next read. If all extents of the process have half as many files open as the system allows,
    some are closed and opened again when they are read; one that is gone by then is fetched again.
    """

    @property
    def size(self) -> int:
        """Size of the object, in bytes."""

    @property
    def n_bytes_in_memory(self) -> int:
        """Bytes of the extents in memory."""

    def add_file(self, begin: int, end: int, path: str | Path, offset: int = 0) -> None:
        """Let a file have the bytes from `begin` to `end`, from `offset` on. It may be unlinked later, see above.

        Raises
        ------
        OSError
            The file cannot be opened.
        FormatError
            The file is shorter, or a pipe or a device.
        """

    def add_bytes(self, begin: int, data: bytes) -> None:
        """Keep a copy of the bytes from `begin` on in memory."""

    def remove(self, begin: int, end: int) -> None:
        """Drop the extents that lie in this range as a whole."""

    def missing(self, begins: NDArray[np.uint64], ends: NDArray[np.uint64]) -> list[tuple[int, int]]:
        """Return the parts of ranges that no extent has, merged and sorted."""

    def read(self, size: int, offset: int, at_least: int | None = None) -> bytes:
        """Return `size` bytes from an offset on, fewer only at the end of the object.

        With `at_least`, only so many are needed: the bytes behind them are left out if they would have to be fetched.
        """


def make_extents(size: int, fetch: FetchRange) -> Extents:
    """Return the extents of an object, which has none at first: those of the core, if it is built.

    Parameters
    ----------
    size : int
        Size of the object, in bytes.
    fetch : callable
        See `FetchRange`.

    Examples
    --------
    >>> extents = make_extents(10, lambda begin, end: extents.add_bytes(begin, b"0123456789"[begin:end]))
    >>> extents.read(3, 4)
    b'456'
    >>> extents.missing(np.array([0, 6], np.uint64), np.array([5, 8], np.uint64))
    [(0, 4), (7, 8)]
    """
    if native.available():
        extents: Extents = native.load().Extents(size, fetch)
        return extents
    return _PythonExtents(size, fetch)


class _OpenFile(LocalFile):
    """A file that is closed when the last extent and the last read that use it end."""

    n_open: ClassVar[int] = 0

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        _OpenFile.n_open += 1

    def __del__(self) -> None:
        if hasattr(self, "_file"):  # it was opened
            _OpenFile.n_open -= 1
            self.close()


@dataclass(eq=False)
class _Content:
    """Bytes of the object: those of a file from an offset on, or in memory."""

    data: bytes = b""
    path: str | Path | None = None
    file_offset: int = 0
    file: _OpenFile | None = None


class _Entry(NamedTuple):
    begin: int
    end: int
    content: _Content


class _Entries(NamedTuple):
    """Extents by their begins. None contains another one, so they are sorted by their ends too."""

    begins: tuple[int, ...] = ()
    entries: tuple[_Entry, ...] = ()

    def at(self, offset: int) -> _Entry | None:
        """Return the extent that has a byte."""
        n = bisect.bisect_right(self.begins, offset)
        return self.entries[n - 1] if n and offset < self.entries[n - 1].end else None

    def next_begin(self, offset: int, last: int) -> int:
        """Return the first begin behind an offset; `last` if there is none."""
        n = bisect.bisect_right(self.begins, offset)
        return self.begins[n] if n < len(self.begins) else last

    def added(self, entry: _Entry) -> _Entries:
        if any(
            other.begin <= entry.begin and entry.end <= other.end and other[:2] != entry[:2] for other in self.entries
        ):
            return self
        others = [other for other in self.entries if not (entry.begin <= other.begin and other.end <= entry.end)]
        return _Entries.of(sorted([*others, entry], key=lambda each: each.begin))

    def without(self, begin: int, end: int) -> _Entries:
        return _Entries.of([entry for entry in self.entries if not (begin <= entry.begin and entry.end <= end)])

    @classmethod
    def of(cls, entries: list[_Entry]) -> _Entries:
        return cls(tuple(entry.begin for entry in entries), tuple(entries))


class _PythonExtents:
    """See `Extents` and `make_extents`."""

    def __init__(self, size: int, fetch: FetchRange) -> None:
        self.size = size
        self._fetch = fetch
        # Both are replaced as a whole under the lock, so a reader needs no lock.
        self._files, self._memory = _Entries(), _Entries()
        self._lock = threading.Lock()
        _all.add(self)

    @property
    def n_bytes_in_memory(self) -> int:
        return sum(len(entry.content.data) for entry in self._memory.entries)

    def add_file(self, begin: int, end: int, path: str | Path, offset: int = 0) -> None:
        self._check(begin, end)
        file = _OpenFile(path)
        file_size = file.size
        if file_size < offset + end - begin:
            raise TruncatedError(
                path=file.name,
                offset=file_size,
                expected=f"{plural(end - begin, 'byte')} from byte {offset} on",
                got=f"a file of {plural(file_size, 'byte')}",
                advice="delete it",
            )
        content = _Content(path=path, file_offset=offset)
        with self._lock:
            self._keep_open(content, file)
            self._files = self._files.added(_Entry(begin, end, content))

    def add_bytes(self, begin: int, data: bytes) -> None:
        self._check(begin, begin + len(data))
        with self._lock:
            self._memory = self._memory.added(_Entry(begin, begin + len(data), _Content(bytes(data))))

    def remove(self, begin: int, end: int) -> None:
        with self._lock:
            self._files, self._memory = self._files.without(begin, end), self._memory.without(begin, end)

    def missing(self, begins: NDArray[np.uint64], ends: NDArray[np.uint64]) -> list[tuple[int, int]]:
        files, memory = self._files, self._memory
        gaps: list[tuple[int, int]] = []
        reached = 0
        for first, last in sorted(zip(begins.tolist(), ends.tolist(), strict=True)):
            begin, end = max(first, reached), min(last, self.size)
            while begin < end:
                entry = memory.at(begin) or files.at(begin)
                if entry is not None:
                    begin = entry.end
                    continue
                gap_end = min(end, memory.next_begin(begin, end), files.next_begin(begin, end))
                is_next = gaps and gaps[-1][1] == begin
                gaps[-1:] = [(gaps[-1][0], gap_end)] if is_next else [*gaps[-1:], (begin, gap_end)]
                begin = gap_end
            reached = max(reached, end)
        return gaps

    def read(self, size: int, offset: int, at_least: int | None = None) -> bytes:
        end = min(self.size, offset + size)
        needed = end if at_least is None else min(end, offset + at_least)
        pieces: list[bytes] = []
        n_fetches = 0
        while offset < end:
            if piece := self._piece(offset, end):
                pieces.append(piece)
                offset += len(piece)
                n_fetches = 0
            elif offset >= needed:
                break
            elif n_fetches == _MAX_FETCHES:
                raise RuntimeError(f"byte {offset} was fetched, and no extent has it")
            else:
                n_fetches += 1
                self._fetch(offset, needed)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _piece(self, offset: int, end: int) -> bytes:
        """Return some bytes from an offset on; none if no extent has them."""
        entry = self._memory.at(offset) or self._files.at(offset)
        if entry is None:
            return b""
        begin, size = offset - entry.begin, min(end, entry.end) - offset
        content = entry.content
        if content.path is None:
            return content.data[begin : begin + size]
        file = content.file
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if file is None:
                file = _OpenFile(content.path)
                with self._lock:
                    self._keep_open(content, file)
            if piece := file.pread(size, content.file_offset + begin):
                return piece
        with self._lock:  # the file is gone or was cut short
            if entry in self._files.entries:
                self._files = self._files.without(entry.begin, entry.end)
        return b""

    def _keep_open(self, content: _Content, file: _OpenFile) -> None:
        """Keep the file of an extent open, in place of another one if there are too many. This needs the lock."""
        if _OpenFile.n_open > _max_open_files():
            other = next((entry.content for entry in self._files.entries if entry.content.file is not None), None)
            if other is None:
                return
            other.file = None
        content.file = file

    def _check(self, begin: int, end: int) -> None:
        if not 0 <= begin < end <= self.size:
            raise ValueError(f"expected a range of an object of {plural(self.size, 'byte')}, got {begin} to {end}")


def _max_open_files() -> int:
    """Return half of the number of files that this process may have open: the rest is for others."""
    if resource is None:
        return 256
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (1 << 20 if limit == resource.RLIM_INFINITY else limit) // 2


_all: weakref.WeakSet[_PythonExtents] = weakref.WeakSet()


def _renew_locks() -> None:
    """Give a forked process new locks: a thread that it has not may hold the old ones."""
    for extents in _all:
        extents._lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_renew_locks)
