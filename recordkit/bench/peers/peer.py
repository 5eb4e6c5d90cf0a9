"""What a peer is: one way to load a .rec file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from recordkit.bench.workload import Work

Epochs = Callable[[], Iterator[tuple[Any, int]]]
"""A call begins an epoch: batches, ready to be used, each with how many of its samples count, those not among
them that are there to fill it up."""


class Peer(Protocol):
    """One way to load a .rec file.

    Attributes
    ----------
    title : str
        As in tables.
    note : str
        What a reader of the table has to know; may be empty.
    """

    title: str
    note: str

    def why_not(self, work: Work) -> str | None:
        """Return why it cannot do this work here, and what would help; None if it can."""

    def open(self, work: Work, threads: int, *, check: bool) -> Epochs:
        """Return its epochs.

        Parameters
        ----------
        work : Work
        threads : int
        check : bool
            In the order of the file, with a crop in the middle and no mirror: what all peers give alike.
        """

    def versions(self) -> dict[str, str]:
        """Import what does the work; return the names and versions of it."""
