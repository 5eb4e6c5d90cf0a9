"""The transfer of pieces of an object: from the store, or from the cache, to the extents that reads use.

The threads of the request pool run these functions. An error becomes that of the piece's future, so that it reaches
everybody who waits for the piece.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Protocol

from recordkit.storage.remote.cache.pages import CachedObject, Claim, Refusal
from recordkit.storage.remote.cache.pieces import Piece
from recordkit.storage.remote.cache.policy import Policy
from recordkit.storage.remote.extents import Extents

_POLL_S = 0.01
# A page may be removed by another process as soon as it is stored, but hardly so often in a row.
_MAX_ATTEMPTS = 5


class StoredObject(Protocol):
    """The methods of a store that a file needs; `recordkit.storage.remote.store.Store` has them."""

    @property
    def root(self) -> str:
        """Scheme and bucket."""

    def read_range(self, key: str, begin: int, end: int, etag: str | None) -> bytes:
        """Return the bytes of an object from `begin` to `end`."""


class Counters(NamedTuple):
    """Numbers since a file was opened.

    Attributes
    ----------
    n_requests : int
        Ranges that were asked for from the store.
    n_bytes_fetched : int
        Bytes that came from the store.
    n_bytes_from_cache : int
        Bytes of pages that this file has opened in the cache without fetching them.
    """

    n_requests: int = 0
    n_bytes_fetched: int = 0
    n_bytes_from_cache: int = 0


class Transfers:
    """Brings pages and ranges of one object.

    Parameters
    ----------
    request : callable
        ``request(begin, end)`` returns these bytes of the object in the store.
    pages : CachedObject
    policy : Policy
    extents : Extents
    max_wait_s : float
        Longest time to wait for a page that another process fetches.
    """

    def __init__(
        self,
        request: Callable[[int, int], bytes],
        pages: CachedObject,
        policy: Policy,
        extents: Extents,
        *,
        max_wait_s: float,
    ) -> None:
        self._request = request
        self._pages = pages
        self._policy = policy
        self._extents = extents
        self._max_wait_s = max_wait_s
        self._lock = Lock()
        self.counters = Counters()

    def fetch(self, begin: int, end: int) -> bytes:
        """Return bytes from the store and count them."""
        data = self._request(begin, end)
        self._count(n_requests=1, n_bytes_fetched=len(data))
        return data

    def bring_page(self, piece: Piece) -> bool:
        """Open a page, from the cache or from the store. False if it can be neither found nor stored."""
        page = piece.page
        if page is None:
            raise ValueError("not a page")
        deadline_s = time.monotonic() + self._max_wait_s
        n_attempts = 0
        while n_attempts < _MAX_ATTEMPTS and time.monotonic() < deadline_s:
            path = self._pages.find(page)
            if path is not None and self._open(piece, path):
                self._count(n_bytes_from_cache=piece.end - piece.begin)
                return True
            claim = self._pages.claim(page, lambda: self._policy.victims(page))
            if isinstance(claim, Claim):
                with claim:
                    if not claim.write(self.fetch(piece.begin, piece.end)):
                        return False
                if self._open(piece, self._pages.path(page)):
                    return True
            elif claim is Refusal.FULL:
                self._policy.note_full()
                return False
            elif claim is Refusal.BUSY:
                time.sleep(_POLL_S)
                continue
            n_attempts += 1
        return False

    def _open(self, piece: Piece, path: Path) -> bool:
        try:
            self._extents.add_file(piece.begin, piece.end, str(path))
        except FileNotFoundError:  # removed by another process in the meantime
            return False
        return True

    def _count(self, **changes: int) -> None:
        with self._lock:
            added = {name: getattr(self.counters, name) + change for name, change in changes.items()}
            self.counters = self.counters._replace(**added)
