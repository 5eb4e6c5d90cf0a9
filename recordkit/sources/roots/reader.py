"""Fetching the images of a store: those of a block at once, as many as have room in its memory.

The images of a tree have the sizes and ETags with which their folder was listed. Those of a list have none, so each is
asked for, and the size comes with the answer, before the bytes. An image that is missing or was replaced is a failed
one; a store that does not answer is an error, which ends the pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from itertools import accumulate
from threading import Lock
from typing import NamedTuple

from recordkit.errors import ImageError, RemoteError, plural
from recordkit.formats.frame import MAX_RECORD_BYTES
from recordkit.formats.irheader import HEADER_SIZE
from recordkit.sample import Entry
from recordkit.sources.roots.facts import FactTable
from recordkit.storage.remote.client.facts import ObjectFacts
from recordkit.storage.remote.request_pool import request_pool
from recordkit.storage.remote.settings import RemoteSettings
from recordkit.storage.remote.store import GoneError, Store, open_store
from recordkit.storage.remote.urls import Url
from recordkit.threads import is_stopped

_MAX_IMAGE_BYTES = MAX_RECORD_BYTES - HEADER_SIZE
# A thread whose pack was stopped waits no longer than this for a store that hangs.
_POLL_S = 0.2


class Request(NamedTuple):
    """An image to fetch.

    Attributes
    ----------
    keys : sequence of str
        Keys that it may have; the first that exists counts.
    facts : ObjectFacts or None
    problem : ImageError or None
        The reason why it cannot be fetched.
    """

    keys: Sequence[str]
    facts: ObjectFacts | None = None
    problem: ImageError | None = None


def read_first(store: Store, requests: Sequence[Request], max_bytes: int | None) -> list[bytes | ImageError]:
    """Read the first images, as many as have at most `max_bytes` together; possibly none.

    Parameters
    ----------
    store : Store
    requests : sequence of Request
    max_bytes : int or None
        None reads all.

    Returns
    -------
    contents : list of (bytes or ImageError)

    Raises
    ------
    RemoteError, NotFoundError
        The store does not answer or refuses, or there is no such bucket.
    """
    if max_bytes is not None:
        known = [request.facts.size if request.facts else 0 for request in requests]
        known = [0 if size > _MAX_IMAGE_BYTES else size for size in known]
        requests = requests[: _count_fitting(known, max_bytes)]
    room = _Room(max_bytes, len(requests))
    contents = _read_all(store, requests, room)
    if max_bytes is not None and any(content is None for content in contents):
        n = _count_fitting(room.sizes, max_bytes)
        contents = contents[:n]
        left = [row for row in range(n) if contents[row] is None]
        read = _read_all(store, [requests[row] for row in left], _Room(None, len(left)))
        for row, content in zip(left, read, strict=True):
            contents[row] = content
    return [ImageError("it was replaced while it was read") if content is None else content for content in contents]


def any_exists(store: Store, requests: Sequence[Request]) -> bool:
    """Tell whether any image exists. The first one is asked for alone, because mostly it does."""
    return any(
        content is None  # it was not admitted, because there is no room for any
        for some in (requests[:1], requests[1:])
        for content in _read_all(store, some, _Room(-1, len(some)))
    )


class StoredReader:
    """Reads the images of a folder of a store. It can be pickled; it has no credentials.

    Parameters
    ----------
    url : Url
        The folder.
    settings : RemoteSettings
    facts : FactTable
        Facts of the images by name.
    """

    def __init__(self, url: Url, settings: RemoteSettings, facts: FactTable) -> None:
        self._url = url
        self._settings = settings
        self._facts = facts

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes | ImageError]:
        """See `recordkit.sample.BoundedSource`."""
        requests = [Request([self._url.join(entry.name).key], self._facts[entry.name]) for entry in entries]
        return read_first(open_store(self._url, self._settings), requests, max_bytes)

    def part(self, names: Sequence[str]) -> StoredReader:
        """See `recordkit.sources.roots.local.Reader`."""
        return StoredReader(self._url, self._settings, self._facts.part(names))


class _Room:
    """The memory that images take whose sizes are not known before they are asked for."""

    def __init__(self, max_bytes: int | None, n: int) -> None:
        self.sizes = [0] * n
        self._reserved = [0] * n
        self._left = max_bytes
        self._lock = Lock()

    def admit(self, row: int, size: int) -> bool:
        """Tell whether an image still has room. One that no record can hold raises ImageError."""
        if size > _MAX_IMAGE_BYTES:
            raise _too_large(size)
        with self._lock:
            self.sizes[row] = size
            if self._left is None:
                return True
            left = self._left + self._reserved[row]  # a request that was repeated has its room already
            is_admitted = size <= left
            self._reserved[row] = size if is_admitted else 0
            self._left = left - self._reserved[row]
            return is_admitted


def _too_large(size: int) -> ImageError:
    return ImageError(expected="a file that fits in a record (2**29 bytes)", got=plural(size, "byte"))


def _count_fitting(sizes: Sequence[int], max_bytes: int) -> int:
    return sum(total <= max_bytes for total in accumulate(sizes))


def _read_all(store: Store, requests: Sequence[Request], room: _Room) -> list[bytes | ImageError | None]:
    """Read images at once; None in place of one that has no room."""
    pool = request_pool(store.settings.n_requests)
    futures = [pool.submit(_read, store, request, room, row) for row, request in enumerate(requests)]
    try:
        _wait(futures)
    finally:
        for future in futures:
            future.cancel()
    return [future.result() for future in futures]


def _wait(futures: Sequence[Future[bytes | ImageError | None]]) -> None:
    """Wait until all are done, or one has failed, which raises its error."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        if is_stopped():
            raise RemoteError("the pack was stopped")


def _read(store: Store, request: Request, room: _Room, row: int) -> bytes | ImageError | None:
    facts, reason = request.facts, ""
    if request.problem is not None:
        return request.problem
    try:
        if facts is not None and facts.size > _MAX_IMAGE_BYTES:
            raise _too_large(facts.size)
        for key in request.keys:
            try:
                return store.read_object(key, facts, lambda size: room.admit(row, size))
            except GoneError as error:
                reason = reason or str(error)
    except ImageError as error:
        return error
    return ImageError(reason)
