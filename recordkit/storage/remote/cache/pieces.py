"""The pieces of an object that are here or on their way: whole pages, and ranges in memory.

The caller holds its lock while it uses a table. A piece stays as long as somebody has pinned it. After that a range is
dropped, and a page stays open until too many other pages are.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from concurrent.futures import Future


class Piece:
    """A page or a range in memory.

    Parameters
    ----------
    begin, end : int
    page : int or None
        Number of the page; None for a range in memory.
    """

    __slots__ = ("begin", "end", "future", "is_here", "n_pins", "page")

    def __init__(self, begin: int, end: int, page: int | None = None) -> None:
        self.begin = begin
        self.end = end
        self.page = page
        self.n_pins = 0
        self.is_here = False
        self.future: Future[None]

    def __lt__(self, other: Piece) -> bool:
        return self.begin < other.begin


class PieceTable:
    """The pieces of one object. Ranges in memory do not overlap each other."""

    def __init__(self) -> None:
        self.pages: dict[int, Piece] = {}
        self._ranges: list[Piece] = []
        self._idle: dict[int, Piece] = {}  # in the order in which they were released

    def add(self, piece: Piece) -> None:
        """Add a piece."""
        if piece.page is None:
            insort(self._ranges, piece)
        else:
            self.pages[piece.page] = piece

    def discard(self, piece: Piece) -> None:
        """Remove a piece, if it is there."""
        if piece.page is not None:
            if self.pages.get(piece.page) is piece:
                del self.pages[piece.page]
            self._idle.pop(piece.page, None)
            return
        place = bisect_left(self._ranges, piece)
        if place < len(self._ranges) and self._ranges[place] is piece:
            del self._ranges[place]

    def overlapping(self, begin: int, end: int) -> Iterator[Piece]:
        """Yield the ranges in memory that overlap with a range, in their order."""
        place = bisect_left(self._ranges, begin, key=lambda piece: piece.end - 1)
        while place < len(self._ranges) and self._ranges[place].begin < end:
            yield self._ranges[place]
            place += 1

    def pin(self, piece: Piece) -> None:
        """Keep a piece."""
        piece.n_pins += 1
        if piece.page is not None:
            self._idle.pop(piece.page, None)

    def rest(self, piece: Piece, max_idle_pages: int) -> list[Piece]:
        """Let a page that nobody has pinned stay for a while. Returns the pages that must be closed instead.

        Parameters
        ----------
        piece : Piece
        max_idle_pages : int
            Number of pages that stay open though nobody has pinned them.
        """
        if piece.page is None:
            raise ValueError("a range in memory does not stay")
        self._idle[piece.page] = piece
        surplus = list(self._idle.values())[: max(0, len(self._idle) - max_idle_pages)]
        for other in surplus:
            self.discard(other)
        return surplus

    def idle_pages(self) -> list[Piece]:
        """Return the open pages that nobody has pinned."""
        return list(self._idle.values())

    def all(self) -> list[Piece]:
        """Return all pieces."""
        return [*self.pages.values(), *self._ranges]
