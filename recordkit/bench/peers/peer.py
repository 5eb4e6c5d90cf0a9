"""The interface of a peer: one way to load a .rec file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from recordkit.bench.workload import Workload

StartEpoch = Callable[[], Iterator[tuple[Any, int]]]
"""Starts an epoch and returns an iterator over its batches. Each item is a batch that is ready to be used, and the
number of its samples that count: samples that only fill up the last batch do not."""


class Peer(Protocol):
    """One way to load a .rec file.

    Attributes
    ----------
    title : str
        Name in tables.
    """

    title: str

    def note(self, workload: Workload) -> str:
        """Return a remark for readers of the table, such as how the batches differ from the workload; often ""."""

    def unavailable_reason(self, workload: Workload) -> str | None:
        """Return why the peer cannot do this workload here, and the remedy; None if it can."""

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """Open the file and return the function that starts an epoch.

        Parameters
        ----------
        workload : Workload
        threads : int
            Number of decoding threads or worker processes.
        check : bool
            Load in file order with a centre crop and no mirror, so that all peers give the same batches.
        """

    def versions(self) -> dict[str, str]:
        """Import the libraries that do the work and return their names and versions."""
