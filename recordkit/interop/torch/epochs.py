"""The epoch of an iteration that several worker processes share, without a message between them.

The workers of a DataLoader are started again for each iteration, from the same loader, so none of them knows how many
iterations there were before. They write down what they begin in memory that all of them share.
"""

from __future__ import annotations

import zlib
from typing import Any

import torch

# Workers beyond so many share a row. Iterations of a worker that are remembered.
_N_ROWS, _N_REMEMBERED = 1024, 4
# An entry is one number, so that it is written at once: number of the call of `set`, of the iteration since, from 1,
# and digest of the iteration's identity.
_SET_BITS, _COUNT_BITS, _IDENTITY_BITS = 16, 24, 23


class SharedEpochs:
    """Epochs that follow each other in all workers, from the position that was set last.

    All workers of an iteration call `begin` with the same identity. The first one finds none with this identity and
    takes the next epoch; the others find its entry, or, if they look at the same time, the same entries as it did. So
    all take the same epoch without a lock. An identity comes again if the program seeds torch before each epoch; an
    entry that a worker wrote itself is of an earlier iteration.

    Examples
    --------
    >>> epochs = SharedEpochs()
    >>> epochs.begin(0, "first"), epochs.begin(1, "first"), epochs.begin(1, "second")
    ((0, 0), (0, 0), (1, 0))
    >>> epochs.set(7, position=64)
    >>> epochs.begin(0, "third"), epochs.begin(0, "fourth")
    ((7, 64), (8, 0))
    """

    def __init__(self) -> None:
        self._position = torch.zeros(3, dtype=torch.int64).share_memory_()  # calls of `set`, epoch, position
        self._entries = torch.zeros((_N_ROWS, _N_REMEMBERED), dtype=torch.int64).share_memory_()

    def set(self, epoch: int, *, position: int) -> None:
        """Let the next iteration begin at a position of an epoch, also in processes that run already."""
        self._position[1:] = torch.tensor([epoch, position])
        self._position[0] += 1

    def begin(self, worker: int, identity: str) -> tuple[int, int]:
        """Return the epoch of an iteration, and the position at which it begins.

        Parameters
        ----------
        worker : int
        identity : str
            The same in all workers of an iteration.
        """
        n_set, epoch, position = self._position.tolist()
        digest = zlib.crc32(identity.encode()) % 2**_IDENTITY_BITS
        entries = self._read(self._entries, n_set)
        own_entries = self._read(self._entries[worker % _N_ROWS], n_set)
        last = max((count for count, other in own_entries if other == digest), default=0)
        counts = [count for count, other in entries if other == digest and count > last]
        count = max(counts) if counts else max((count for count, _ in entries), default=0) + 1
        self._write(worker, n_set, count, digest)
        return (epoch, position) if count == 1 else (epoch + count - 1, 0)

    def note(self, worker: int, identity: str, epoch: int) -> None:
        """Write down the epoch of an iteration that began at a position of its own, so that the next one follows it."""
        n_set, first, _ = self._position.tolist()
        self._write(worker, n_set, max(1, epoch - first + 1), zlib.crc32(identity.encode()) % 2**_IDENTITY_BITS)

    @staticmethod
    def _read(entries: torch.Tensor, n_set: int) -> list[tuple[int, int]]:
        """Return count and digest of the entries that were written since the last call of `set`."""
        divided = map(_divide, entries.ravel().tolist())
        return [(count, digest) for n, count, digest in divided if count and n == n_set % 2**_SET_BITS]

    def _write(self, worker: int, n_set: int, count: int, digest: int) -> None:
        entry = (n_set % 2**_SET_BITS << _COUNT_BITS | count % 2**_COUNT_BITS) << _IDENTITY_BITS | digest
        self._entries[worker % _N_ROWS, count % _N_REMEMBERED] = entry

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for tensor in (self._position, self._entries):  # they are shared in a worker, but not in a copy
            tensor.share_memory_()


def _divide(entry: int) -> tuple[int, int, int]:
    """Return the parts of an entry; the count is 0 where there is none."""
    count = entry >> _IDENTITY_BITS & (1 << _COUNT_BITS) - 1
    return entry >> _IDENTITY_BITS + _COUNT_BITS, count, entry & (1 << _IDENTITY_BITS) - 1
