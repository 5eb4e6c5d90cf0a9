"""What an engine is: it fills places of a batch with samples. Every engine means the same.

`recordkit.loading.python` is the definition.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, ImageError
from recordkit.loading.plan import LoadPlan


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


def name(dataset: RecordDataset, index: int) -> tuple[int, Path]:
    """Return key and file of a sample."""
    one = np.array([index])
    return int(dataset.keys_at(one)[0]), dataset.files[int(dataset.file_of(one)[0])]


def locate(dataset: RecordDataset, index: int, error: Exception) -> Exception:
    """Return what `Engine.load` said of a sample as an error that names its file and key."""
    key, file = name(dataset, index)
    if isinstance(error, FormatError | ImageError) and error.path is None:
        return error.located(path=str(file), key=key)
    return error
