"""Which pages are fetched whole and stored, and which make room for them.

The rules, for a page that is not in the cache:

- The cache has free bytes. A reader with a plan stores pages of which it uses much soon, and others as long as whole
  pages are not more than four times what it needs: a full shuffle then fills the cache during the first part of an
  epoch, and is not slow at its begin. A reader without a plan stores a page when it comes to it for the second time, or
  needs much of it: a look at single records fetches nothing else.
- The cache is full. A page is stored if half of it is used before the next use of another one, which makes room: that
  with the farthest next use. So a pass from begin to end keeps the first pages and puts all others, one after another,
  in the place of the last one. In a full shuffle all pages have the same next use, and none changes.

Other pages are not stored; exactly the bytes that are needed are fetched.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recordkit.storage.remote.cache.next_use import NEVER, FileUses
from recordkit.storage.remote.cache.pages import CachedObject

# A full cache is asked again after this time, because another process may have closed its objects.
_FULL_S = 1.0
_MUCH = 0.5
_MUCH_SOON = 0.25
_MAX_WHOLE_RATIO = 4
_N_FREE_PAGES = 8


class Policy:
    """The policy of one object.

    Parameters
    ----------
    pages : CachedObject
    """

    def __init__(self, pages: CachedObject) -> None:
        self._pages = pages
        self._full_until_s = 0.0
        self._touched: set[int] = set()
        self._needed_bytes = 0
        self._whole_bytes = 0

    def plan(self, uses: FileUses | None) -> None:
        """Set or end the plan of the reader."""
        self._pages.uses = uses

    def note_needed(self, n_bytes: int) -> None:
        """Count bytes that a reader asks for."""
        self._needed_bytes += n_bytes

    def admits(self, page: int, n_needed: int) -> bool:
        """Tell whether a page should be fetched whole.

        Parameters
        ----------
        page : int
        n_needed : int
            Bytes of it that are asked for now.
        """
        cache = self._pages.cache
        size = self._pages.stored_size(page)
        if size > cache.max_bytes or not cache.is_usable:
            return False
        if time.monotonic() < self._full_until_s:
            return self._is_worth(page, self._farthest_use())
        is_admitted = self._is_welcome(page, n_needed, size)
        if is_admitted:
            self._whole_bytes += size
        return is_admitted

    def note_full(self) -> None:
        """Remember that the cache had no room for a page that was admitted."""
        self._full_until_s = time.monotonic() + _FULL_S

    def victims(self, page: int) -> Iterator[tuple[CachedObject, int]]:
        """Yield the stored pages that may be removed for another one, that of the farthest next use first."""
        uses, objects, pages = _stored(self._pages)
        for number in np.argsort(-uses, kind="stable").tolist():
            if not self._is_worth(page, float(uses[number])):
                return
            yield objects[number], int(pages[number])

    def _is_welcome(self, page: int, n_needed: int, size: int) -> bool:
        """Tell whether a page should be stored if the cache has room."""
        uses = self._pages.uses
        if uses is None:
            is_known = page in self._touched
            self._touched.add(page)
            return is_known or n_needed >= _MUCH * (size - 4)
        if uses.bytes_soon(page) >= _MUCH_SOON * size:
            return True
        return self._whole_bytes <= _MAX_WHOLE_RATIO * self._needed_bytes + _N_FREE_PAGES * self._pages.page_bytes

    def _is_worth(self, page: int, use_of_other: float) -> bool:
        """Tell whether a page should be stored in place of another one, which is used next at some time."""
        uses = self._pages.uses
        return uses is not None and uses.bytes_before(page, use_of_other) >= _MUCH * self._pages.stored_size(page)

    def _farthest_use(self) -> float:
        """Return the farthest next use of a stored page. It is computed once per position of the reader."""
        uses = self._pages.uses
        if uses is None:
            return 0.0
        cache = self._pages.cache
        moment = (*uses.now, cache.n_changes)
        if cache.farthest_use is None or cache.farthest_use[0] != moment:
            times, _, _ = _stored(self._pages)
            cache.farthest_use = (moment, max(times.tolist(), default=0.0))
        return cache.farthest_use[1]


def _stored(reader: CachedObject) -> tuple[NDArray[np.float64], list[CachedObject], NDArray[np.int64]]:
    """Return next use, object and number of all stored pages that this process may remove, those in use left out."""
    objects: dict[str, CachedObject] = {}
    for pages in reader.cache.open_objects():
        if pages.uses is not None or pages.folder.name not in objects:
            objects[pages.folder.name] = pages
    times, owners, numbers = [], [], []
    for pages in objects.values():
        stored = np.array([page for page in pages.known_pages() if not pages.is_in_use(page)], np.int64)
        times.append(np.full(len(stored), NEVER) if pages.uses is None else pages.uses.next_use(stored))
        owners += [pages] * len(stored)
        numbers.append(stored)
    return np.concatenate([np.empty(0), *times]), owners, np.concatenate([np.empty(0, np.int64), *numbers])
