"""Which pages are fetched whole and stored, and which make room for them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from recordkit.storage.remote.cache.pages import CachedObject

# A full cache is asked again after this time, because another process may have closed its objects.
_FULL_S = 1.0


class FillPolicy:
    """Store pages until the cache is full.

    Parameters
    ----------
    pages : CachedObject
    """

    def __init__(self, pages: CachedObject) -> None:
        self._pages = pages
        self._full_until_s = 0.0

    def admits(self, page: int) -> bool:
        """Tell whether a page should be fetched whole, because the cache has room for it."""
        cache = self._pages.cache
        fits = self._pages.stored_size(page) <= cache.max_bytes
        return fits and cache.is_usable and time.monotonic() >= self._full_until_s

    def note_full(self) -> None:
        """Remember that the cache had no room for a page that was admitted."""
        self._full_until_s = time.monotonic() + _FULL_S

    def victims(self, page: int) -> Iterable[tuple[CachedObject, int]]:
        """Return the pages that may be removed for another one, the best choice first."""
        return ()
