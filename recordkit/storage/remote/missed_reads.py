"""Fetching for reads that nobody has announced: the bytes themselves, and more if reads go forward through the file."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from recordkit.storage.remote.fetch import Fetch
    from recordkit.storage.remote.remote_file import RemoteFile

# A read fetches at least this part of a page (64 KiB), because the next one is often near.
_MIN_READ_PART = 128
# Fetched bytes stay until there are more than these, or more fetches.
_MAX_RECENT_BYTES = 1 << 27
_MAX_RECENT = 64
# Largest number of pages ahead of a reader.
_MAX_PAGES_AHEAD = 8
# Number of readers at different places of the file whose progress is known.
_MAX_READERS = 32


class MissedReads:
    """The recent reads of one file that found no bytes.

    A read that begins where an earlier one ended is part of a pass over the file. Then a page ahead of it is fetched
    too, at the next such read two pages, and so on up to eight.

    Parameters
    ----------
    size : int
        Bytes of the object.
    page_bytes : int
    """

    def __init__(self, size: int, page_bytes: int) -> None:
        self._size = size
        self._page_bytes = page_bytes
        self._lock = Lock()
        self._recent: deque[Fetch] = deque()
        # Ends of what was fetched for readers, each with the number of pages to fetch ahead next time.
        self._ends: dict[int, int] = {}

    def fetch(self, file: RemoteFile, begin: int, end: int) -> None:
        """Fetch bytes for a read, and begin to fetch those of the next reads."""
        with self._lock:
            n_pages = self._ends.pop(begin, 0)
        end = max(end, begin + self._page_bytes // _MIN_READ_PART)
        if n_pages:
            end = -(-end // self._page_bytes) * self._page_bytes
        end = min(end, self._size)
        fetches = [file.start_fetching([begin], [end])]
        reached = max(end, fetches[0].end)
        if n_pages and reached < self._size:
            ahead = min(reached + n_pages * self._page_bytes, self._size)
            fetches.append(file.start_fetching([reached], [ahead]))
            reached = max(ahead, fetches[1].end)
        try:
            fetches[0].wait()
        except BaseException:
            for fetch in fetches:
                fetch.release()
            raise
        self._keep(fetches)
        if file.extents.missing(np.array([begin], np.uint64), np.array([begin + 1], np.uint64)):
            file.forget(begin, end)  # the next attempt of the read fetches it
        with self._lock:
            self._ends[reached] = min(2 * n_pages, _MAX_PAGES_AHEAD) or 1
            while len(self._ends) > _MAX_READERS:
                del self._ends[next(iter(self._ends))]

    def _keep(self, fetches: list[Fetch]) -> None:
        """Keep fetched bytes until many others have been fetched."""
        with self._lock:
            self._recent.extend(fetches)
            n_bytes = sum(fetch.n_bytes for fetch in self._recent)
            released = []
            while len(self._recent) > len(fetches) and (n_bytes > _MAX_RECENT_BYTES or len(self._recent) > _MAX_RECENT):
                released.append(self._recent.popleft())
                n_bytes -= released[-1].n_bytes
        for fetch in released:
            fetch.release()
