"""What an engine is: it fills places of a batch with samples. Every engine means the same.

`recordkit.reading.python` is the definition.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recordkit.reading.dataset import RecordDataset
from recordkit.reading.plan import LoadPlan


class Request(NamedTuple):
    """Which samples.

    Attributes
    ----------
    epoch : int
    positions : ndarray of int64, shape (n,)
        In the order of the epoch, over all ranks: what random draws depend on.
    indices : ndarray of int64, shape (n,)
        In the dataset.
    """

    epoch: int
    positions: NDArray[np.int64]
    indices: NDArray[np.int64]


class Room(NamedTuple):
    """Where they go.

    Attributes
    ----------
    data : ndarray, shape (n, H, W, C) or (n, C, H, W)
    labels : ndarray of float32, shape (n, w)
    """

    data: NDArray[Any]
    labels: NDArray[np.float32]


class Engine(Protocol):
    """Fills places of a batch. Threads share it.

    Parameters
    ----------
    dataset : RecordDataset
    plan : LoadPlan
    size : (int, int)
        Height and width of what the transforms make.

    Attributes
    ----------
    name : str
    """

    name: ClassVar[str]

    def __init__(self, dataset: RecordDataset, plan: LoadPlan, size: tuple[int, int]) -> None: ...

    def load(self, request: Request, room: Room) -> dict[int, Exception]:
        """Fill the room; return the error of each place whose sample cannot be had, by its number."""
