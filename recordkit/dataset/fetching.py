"""Fetching the records of samples that lie in a store, all at once and before they are read."""

from __future__ import annotations

from collections.abc import Sequence

from recordkit.storage.remote.fetch import Fetch as FileFetch


class Fetch:
    """Records on their way: those of some samples, in one file or several.

    Parameters
    ----------
    handles : sequence of recordkit.storage.remote.fetch.Fetch
        One for each file.

    Attributes
    ----------
    n_bytes : int
        Bytes that the records keep in memory, or that are requested for them.
    """

    def __init__(self, handles: Sequence[FileFetch]) -> None:
        self._handles = handles

    @property
    def n_bytes(self) -> int:
        """See above."""
        return sum(handle.n_bytes for handle in self._handles)

    def wait(self) -> None:
        """Wait until all records are here.

        Raises
        ------
        RemoteError
            One could not be fetched, or its object was replaced.
        """
        for handle in self._handles:
            handle.wait()

    def release(self) -> None:
        """Give the records up: their memory is free, requests that have not begun are dropped, and `wait` returns."""
        for handle in self._handles:
            handle.release()
