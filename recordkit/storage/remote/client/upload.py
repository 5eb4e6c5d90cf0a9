"""One file on its way to a store: whole if it is small, otherwise in parts, with its progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from recordkit.storage.remote.client.interrupt import Call

_PART_BYTES = 16 * 2**20
_MOST_PARTS = 9_000  # of S3's 10,000
_PARTS_AT_ONCE = 4
_BLOCK_BYTES = 2**20
_LOOK_S = 0.1  # between two looks at the progress
_ABORT_S = 5.0


class StoppedError(Exception):
    """The upload was interrupted, so its parts are removed."""


def part_bytes(size: int) -> int:
    """Return the size of a file's parts: 16 MiB, or more if these were more than S3 takes.

    Examples
    --------
    >>> part_bytes(10**9), part_bytes(10**12)
    (16777216, 111149056)
    """
    blocks = -(-size // _MOST_PARTS // _BLOCK_BYTES)
    return max(_PART_BYTES, blocks * _BLOCK_BYTES)


class Upload:
    """The upload of a file, which may take several attempts.

    Parameters
    ----------
    obstore : module
    path : Path
    size : int
        Its size in bytes.
    progress : callable, optional
        It gets the number of new bytes, in the caller's thread. An attempt that begins anew adds nothing until it has
        passed the furthest one before.
    """

    def __init__(self, obstore: Any, path: Path, size: int, progress: Callable[[int], object] | None) -> None:
        self._obstore = obstore
        self._path = path
        self._size = size
        self._progress = progress or (lambda n_bytes: None)
        self._n_read = self._n_shown = 0
        self._stopped = False

    def put_whole(self, client: Any, key: str) -> None:
        """Write the file by one request."""
        self._obstore.put(client, key, self._path.read_bytes(), use_multipart=False)
        self._n_read = self._size
        self._show()

    def put_parts(self, client: Any, key: str) -> None:
        """Write the file in parts. Four at a time are in memory."""
        self._n_read = 0
        call = Call(self._put_parts, client, key)
        try:
            while not call.wait(_LOOK_S):
                self._show()
        except BaseException:
            self._stopped = True
            call.wait(_ABORT_S)
            raise
        call.result()
        self._show()

    def _put_parts(self, client: Any, key: str) -> None:
        size = part_bytes(self._size)
        self._obstore.put(
            client, key, self._blocks(), use_multipart=True, chunk_size=size, max_concurrency=_PARTS_AT_ONCE
        )

    def _blocks(self) -> Iterator[bytes]:
        with open(self._path, "rb", buffering=0) as file:
            while block := file.read(_BLOCK_BYTES):
                if self._stopped:
                    raise StoppedError
                yield block
                self._n_read += len(block)
            if os.fstat(file.fileno()).st_size != self._size:
                raise StoppedError

    def _show(self) -> None:
        n_new = self._n_read - self._n_shown
        if n_new > 0:
            self._n_shown += n_new
            self._progress(n_new)
