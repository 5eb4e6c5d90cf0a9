"""Ranges that somebody has asked for: the wait for them, and their release."""

from __future__ import annotations

import copy
import os
from concurrent.futures import CancelledError, Future
from threading import Event, Lock
from typing import TYPE_CHECKING

import numpy as np

from recordkit.errors import PlanError
from recordkit.storage.remote.cache.pieces import Piece
from recordkit.storage.remote.cache.ranges import Ranges, merge

if TYPE_CHECKING:
    from recordkit.storage.remote.remote_file import RemoteFile

# Attempts to get bytes as pages or ranges before a wait gives up; the second one asks for ranges only.
_MAX_ATTEMPTS = 4


class Fetch:
    """Ranges of a file that are here or on their way, until they are released.

    Parameters
    ----------
    file : RemoteFile
    ranges : tuple of ndarray
        Merged ranges.
    """

    def __init__(self, file: RemoteFile, ranges: Ranges) -> None:
        self._file = file
        self._ranges = ranges
        self._pid = os.getpid()
        self._lock = Lock()
        self._is_released = False
        self._waits: set[Event] = set()
        self._pieces = file.pin(ranges)

    @property
    def end(self) -> int:
        """End of the last piece, which may be after that of the last range."""
        return max((piece.end for piece in self._pieces), default=0)

    @property
    def n_bytes(self) -> int:
        """Bytes of the ranges; those of pages are on the disk, the others are in memory."""
        return int((self._ranges[1] - self._ranges[0]).sum())

    def wait(self) -> None:
        """Wait until all ranges are here, or until another thread releases them.

        Raises
        ------
        RemoteError
            The store does not give the bytes, or the object has changed since it was opened.
        """
        for _ in range(_MAX_ATTEMPTS):
            if self._pid != os.getpid():  # reads of a forked process fetch for themselves
                return
            for piece in self._pieces:
                self._wait_for(piece.future)
            if self._is_released:
                return
            lost = [piece for piece in self._pieces if not piece.is_here]
            if not lost:
                return
            self._replace(lost, self._file.pin(self._parts_of(lost), exactly=True))

    def _replace(self, lost: list[Piece], pieces: list[Piece]) -> None:
        """Take new pieces in place of pages that could not be stored."""
        with self._lock:
            if not self._is_released:
                self._pieces = [piece for piece in self._pieces if piece not in lost] + pieces
                return
        self._file.unpin(pieces)

    def _wait_for(self, future: Future[None]) -> None:
        """Wait for a piece, at most until the release, and raise its error."""
        woken = Event()
        self._waits.add(woken)
        if not future.done():
            future.add_done_callback(lambda _future: woken.set())
            if not self._is_released:
                woken.wait()
        self._waits.discard(woken)
        if not self._is_released:
            try:
                error = future.exception()
            except CancelledError:
                raise PlanError(path=self._file.name, expected="an open file", got="a closed one") from None
            if error is not None:
                # A copy: the future keeps its error, and an error that is raised keeps the frames it passes and their
                # open files.
                raise copy.copy(error) from error.__cause__

    def _parts_of(self, pieces: list[Piece]) -> Ranges:
        """Return the parts of the ranges that are in some pieces."""
        begins, ends = self._ranges
        parts = [(np.maximum(begins, piece.begin), np.minimum(ends, piece.end)) for piece in pieces]
        return merge(np.concatenate([begin for begin, _ in parts]), np.concatenate([end for _, end in parts]))

    def release(self) -> None:
        """Let the ranges go, also if they are still on their way. A second call does nothing."""
        if self._pid != os.getpid():
            return
        with self._lock:
            self._is_released = True
            pieces, self._pieces = self._pieces, []
        for woken in list(self._waits):
            woken.set()
        if pieces:
            self._file.unpin(pieces)
