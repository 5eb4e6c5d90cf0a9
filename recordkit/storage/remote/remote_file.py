"""One object of a store as a file that is read by position.

::

    Store  ──requests──>  pages in the cache  ──┐
       └──────requests──>  ranges in memory   ──┴──>  Extents  ──>  reads

A page that the cache has room for is fetched whole and stored; other ranges are fetched as they are and stay in memory
for as long as somebody has asked for them. `RemoteFile.start_fetching` asks for ranges ahead of reading. A read of
bytes that are not here fetches them by itself, and some more if reads go forward through the file.

All requests demand the ETag with which the file was opened, so an object that has changed is an error, never a mixture.
"""

from __future__ import annotations

import contextlib
import os
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock, RLock
from typing import Protocol

from numpy.typing import ArrayLike

from recordkit.errors import PlanError, plural
from recordkit.storage.remote.cache.next_use import FileUses
from recordkit.storage.remote.cache.pages import PageCache
from recordkit.storage.remote.cache.pieces import Piece, PieceTable
from recordkit.storage.remote.cache.policy import Policy
from recordkit.storage.remote.cache.ranges import Ranges, bytes_in_pages, divide, merge, pages_of, subtract
from recordkit.storage.remote.extents import make_extents
from recordkit.storage.remote.fetch import Fetch
from recordkit.storage.remote.missed_reads import MissedReads
from recordkit.storage.remote.request_pool import request_pool
from recordkit.storage.remote.settings import RemoteSettings
from recordkit.storage.remote.transfers import Counters, StoredObject, Transfers

# Ranges with gaps below this part of a page (64 KiB) share a request. With 256 KiB, which cost the processor as much as
# a request, a full shuffle of 430 MB of photographs fetched half as many bytes again as it needed.
_GAP_PART = 128
# Pages that stay open for later reads, over all files of this process.
_MAX_IDLE_PAGES = 512
_MIN_IDLE_PAGES = 4
# Open pages are compared with the folder once in this time.
_REMOVED_S = 1.0


class Facts(Protocol):
    """Size and ETag of an object; `recordkit.storage.remote.client.facts.ObjectFacts` has them."""

    @property
    def size(self) -> int:
        """Bytes of the object."""

    @property
    def etag(self) -> str | None:
        """Identity of its content, if the store gives one."""


class RemoteFile:
    """One object of a store, read by position. Threads may share it, and so may forked processes.

    Parameters
    ----------
    store : Store
    key : str
        Name of the object in the store.
    facts : ObjectFacts
        Its size and ETag.
    cache : PageCache
    settings : RemoteSettings

    Attributes
    ----------
    name : str
        URL for errors.
    extents : Extents
        The bytes that are here; the native core reads through it.
    """

    def __init__(self, store: StoredObject, key: str, facts: Facts, cache: PageCache, settings: RemoteSettings) -> None:
        self.name = f"{store.root}/{key}"
        self._facts = facts
        self._cache = cache
        self._settings = settings
        self._request = partial(_request, store, key, facts.etag)
        self.extents = make_extents(facts.size, _weak_call(self))
        self._is_closed = self._is_forked = False
        self._uses: FileUses | None = None
        _open_files.add(self)
        self._open()

    def _open(self) -> None:
        """Begin with nothing here: in a new file, and in a forked process, which has none of the parent's threads."""
        self._lock = RLock()  # of a pool without threads, in which the caller runs the job
        self._table = PieceTable()
        self._next_comparison_s = 0.0
        self._missed_reads = MissedReads(self.size, self._cache.page_bytes)
        self._pages = self._cache.open_object(self.name, self._facts.etag, self.size)
        self._pages.is_in_use, self._pages.on_removal = _page_callbacks(self)
        self._policy = Policy(self._pages)
        self._policy.plan(self._uses)
        self._transfers = Transfers(
            self._request, self._pages, self._policy, self.extents, max_wait_s=self._settings.total_s
        )

    @property
    def size(self) -> int:
        """Bytes of the object."""
        return self._facts.size

    @property
    def page_bytes(self) -> int:
        """Size of the pages of the cache."""
        return self._cache.page_bytes

    @property
    def counters(self) -> Counters:
        """Requests and bytes since the file was opened, or since this process was forked."""
        return Counters() if self._is_forked else self._transfers.counters

    def pread(self, size: int, offset: int, at_least: int | None = None) -> bytes:
        """Return `size` bytes from an offset on, fewer only at the end of the object.

        With `at_least`, only so many are needed: the bytes behind them are left out if they would have to be fetched.

        Raises
        ------
        RemoteError
            The store does not give the bytes, or the object has changed since it was opened.
        """
        self._check_open()
        return self.extents.read(size, offset, at_least)

    def start_fetching(self, begins: ArrayLike, ends: ArrayLike) -> Fetch:
        """Begin to fetch ranges.

        Parameters
        ----------
        begins, ends : array_like of int, shape (n,)
            Ranges of bytes, in any order; they may overlap.

        Returns
        -------
        fetch : Fetch
            The caller releases it when it has read the bytes.
        """
        self._check_open()
        self._cache.warn()
        begin, end = merge(begins, ends)
        if end.size and (begin[0] < 0 or end[-1] > self.size):
            raise PlanError(
                path=self.name, expected=f"ranges of {plural(self.size, 'byte')}", got=f"{begin[0]} to {end[-1]}"
            )
        return Fetch(self, (begin, end))

    @contextlib.contextmanager
    def fetched(self, begins: ArrayLike, ends: ArrayLike) -> Iterator[None]:
        """Have ranges here while a block runs.

        Parameters
        ----------
        begins, ends : array_like of int, shape (n,)

        Raises
        ------
        RemoteError
            The store does not give the bytes, or the object has changed since it was opened.
        """
        fetch = self.start_fetching(begins, ends)
        try:
            fetch.wait()
            yield
        finally:
            fetch.release()

    def plan(self, uses: FileUses | None) -> None:
        """Say when pages will be used, so that the cache keeps those of the nearest next use. None ends the plan.

        Parameters
        ----------
        uses : FileUses or None
            Of a `UsePlan`, to which the caller says where reading is.
        """
        self._uses = uses
        self._policy.plan(uses)

    def close(self) -> None:
        """Drop all bytes that are here; pages stay in the cache. A second call does nothing."""
        if self._is_closed or self._is_forked:  # the pieces are those of another process
            self._is_closed = True
            return
        with self._lock:
            self._is_closed = True
            for piece in self._table.all():
                piece.future.cancel()
            self.extents.remove(0, self.size)
            self._pages.close()

    def pin(self, ranges: Ranges, *, exactly: bool = False) -> list[Piece]:
        """Return pieces that cover ranges, and begin to fetch those that are not here. `Fetch` calls it.

        Parameters
        ----------
        ranges : tuple of ndarray
        exactly : bool, default False
            Fetch no page that is not here.
        """
        self._check_open()
        with self._lock:
            pieces, exact_pages = [], set()
            pages = pages_of(ranges, self._pages.page_bytes)
            n_needed = bytes_in_pages(ranges, pages, self._pages.page_bytes)
            self._policy.note_needed(0 if exactly else int(n_needed.sum()))
            for page, n_bytes in zip(pages.tolist(), n_needed.tolist(), strict=True):
                piece = self._page(page, None if exactly else n_bytes)
                if piece is None:
                    exact_pages.add(page)
                else:
                    pieces.append(piece)
            return pieces + self._pin_ranges(self._parts_in(ranges, exact_pages)) if exact_pages else pieces

    def unpin(self, pieces: list[Piece]) -> None:
        """Give back what `pin` returned."""
        with self._lock:
            for piece in pieces:
                piece.n_pins -= 1
                if not piece.n_pins:
                    self._drop(piece)

    def forget(self, begin: int, end: int) -> None:
        """Forget the pieces of a range, whose bytes turned out not to be here: a page file was cut short."""
        with self._lock:
            for piece in self._table.all():
                if piece.is_here and piece.begin < end and begin < piece.end:
                    self._table.discard(piece)
                    self.extents.remove(piece.begin, piece.end)

    def _check_open(self) -> None:
        if self._is_closed:
            raise PlanError(path=self.name, expected="an open file", got="a closed one")
        if self._is_forked:
            with _fork_lock:
                if self._is_forked:
                    self._open()
                    self._is_forked = False

    def _page(self, page: int, n_needed: int | None) -> Piece | None:
        """Pin the piece of a page that is here, on its way, in the cache or to be stored there; otherwise None.

        `n_needed` is the number of bytes of the page that a caller needs; with None, only a page that is here will do.
        """
        piece = self._table.pages.get(page)
        if piece is not None and (piece.is_here or n_needed is not None):
            self._table.pin(piece)
            return piece
        if n_needed is None or not (self._pages.has(page) or self._policy.admits(page, n_needed)):
            return None
        return self._start(Piece(*self._pages.range_of(page), page))

    def _parts_in(self, ranges: Ranges, pages: set[int]) -> Ranges:
        """Return the parts of ranges that are in some pages."""
        parts = []
        for begin, end in _pairs(ranges):
            for page in range(begin // self._pages.page_bytes, (end - 1) // self._pages.page_bytes + 1):
                if page in pages:
                    page_begin, page_end = self._pages.range_of(page)
                    parts.append((max(begin, page_begin), min(end, page_end)))
        return merge([begin for begin, _ in parts], [end for _, end in parts])

    def _pin_ranges(self, ranges: Ranges) -> list[Piece]:
        """Pin ranges in memory that cover some ranges, and start those that are missing."""
        held: dict[int, Piece] = {}
        missing: list[tuple[int, int]] = []
        for begin, end in _pairs(ranges):
            held.update((piece.begin, piece) for piece in self._table.overlapping(begin, end))
            missing += self._gaps(begin, end)
        for piece in held.values():
            self._table.pin(piece)
        pieces = list(held.values())
        # A joined range may have a piece between two missing parts.
        gap_bytes = self._pages.page_bytes // _GAP_PART
        joined = merge([begin for begin, _ in missing], [end for _, end in missing], gap=gap_bytes)
        for gap in [gap for begin, end in _pairs(joined) for gap in self._gaps(begin, end)]:
            pieces += [self._start(Piece(*part)) for part in divide(*gap, self._pages.page_bytes)]
        return pieces

    def _gaps(self, begin: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of a range that no piece in memory has."""
        return subtract(begin, end, [(piece.begin, piece.end) for piece in self._table.overlapping(begin, end)])

    def _start(self, piece: Piece) -> Piece:
        """Pin a new piece and begin to fetch it."""
        self._table.add(piece)
        self._table.pin(piece)
        piece.future = request_pool(self._settings.n_requests).submit(self._bring, piece)
        return piece

    def _bring(self, piece: Piece) -> None:
        """Bring a piece; a thread of the pool runs this."""
        is_here, data = False, b""
        try:
            if piece.page is None:
                data = self._transfers.fetch(piece.begin, piece.end)
            else:
                is_here = self._transfers.bring_page(piece)
        except BaseException:
            with self._lock:
                self._table.discard(piece)
            raise
        with self._lock:
            if data and piece.n_pins and not self._is_closed:
                self.extents.add_bytes(piece.begin, data)
                is_here = True
            piece.is_here = is_here
            if piece.page is not None:
                self._close_removed()
            if not is_here:
                self._table.discard(piece)
            elif self._is_closed or not piece.n_pins:
                self._drop(piece)

    def _close_removed(self) -> None:
        """Close pages that another process has removed: their bytes stay on the disk as long as a file is open."""
        if time.monotonic() < self._next_comparison_s:
            return
        self._next_comparison_s = time.monotonic() + _REMOVED_S
        for piece in self._table.idle_pages():
            if piece.page is not None and not self._pages.has(piece.page):
                self._close_idle(piece.page)

    def _close_idle(self, page: int) -> None:
        with self._lock:
            piece = self._table.pages.get(page)
            if piece is not None and piece.is_here and not piece.n_pins:
                self._table.discard(piece)
                self.extents.remove(piece.begin, piece.end)

    def _is_in_use(self, page: int) -> bool:
        piece = self._table.pages.get(page)
        return piece is not None and piece.n_pins > 0

    def _drop(self, piece: Piece) -> None:
        """Drop a piece that nobody has pinned. A page may stay open for a while."""
        if not piece.is_here:
            if piece.future.cancel():
                self._table.discard(piece)
            return
        if piece.page is not None and not self._is_closed:
            surplus = self._table.rest(piece, max(_MIN_IDLE_PAGES, _MAX_IDLE_PAGES // len(_open_files)))
        else:
            self._table.discard(piece)
            surplus = [piece]
        for other in surplus:
            self.extents.remove(other.begin, other.end)

    def _read_missing(self, begin: int, end: int) -> None:
        """Fetch bytes that a read needs now; the extents call it."""
        self._missed_reads.fetch(self, begin, end)


def _pairs(ranges: Ranges) -> Iterator[tuple[int, int]]:
    return zip(ranges[0].tolist(), ranges[1].tolist(), strict=True)


def _request(store: StoredObject, key: str, etag: str | None, begin: int, end: int) -> bytes:
    return store.read_range(key, begin, end, etag)


def _weak_call(file: RemoteFile) -> Callable[[int, int], None]:
    """Return a function for the extents that does not keep the file alive, which keeps the extents."""
    reference = weakref.ref(file)

    def fetch(begin: int, end: int) -> None:
        target = reference()
        if target is None:
            raise PlanError(expected="an open file", got="a closed one")
        target._check_open()
        target._read_missing(begin, end)

    return fetch


def _page_callbacks(file: RemoteFile) -> tuple[Callable[[int], bool], Callable[[int], None]]:
    """Return functions for the pages of a file that do not keep it alive."""
    reference = weakref.ref(file)

    def is_in_use(page: int) -> bool:
        target = reference()
        return target is not None and target._is_in_use(page)

    def close_idle(page: int) -> None:
        target = reference()
        if target is not None:
            target._close_idle(page)

    return is_in_use, close_idle


_open_files: weakref.WeakSet[RemoteFile] = weakref.WeakSet()


_fork_lock = Lock()


def _after_fork() -> None:
    """Let the files of a forked process begin anew when they are read next."""
    global _fork_lock
    _fork_lock = Lock()
    for file in list(_open_files):
        file._is_forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
