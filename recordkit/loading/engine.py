"""The contract of an engine, which loads samples into the rows of a batch's arrays.

All engines give the same result; `recordkit.loading.python` defines it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, ImageError, PlanError
from recordkit.loading.plan import ItemFormat, LoadPlan
from recordkit.memory import MemoryBudget

_Error = TypeVar("_Error", bound=Exception)


class Request(NamedTuple):
    """The samples to load.

    Attributes
    ----------
    epoch : int
    positions : ndarray of int64, shape (n,)
        Position of each sample in the order of the epoch, over all ranks; random draws depend on it.
    indices : ndarray of int64, shape (n,)
        Index of each sample in the dataset.
    stopped : bytearray
        The first byte becomes 1 if nobody waits for the samples any more; the engine then returns early.
    """

    epoch: int
    positions: NDArray[np.int64]
    indices: NDArray[np.int64]
    stopped: bytearray


class BatchArrays(NamedTuple):
    """The arrays to fill, with one row for each requested sample.

    Attributes
    ----------
    data : ndarray, shape (n, H, W, C) or (n, C, H, W)
    labels : ndarray of float32, shape (n, w)
        With w = 0 no labels are read.
    """

    data: NDArray[Any]
    labels: NDArray[np.float32]


class Engine(Protocol):
    """Loads samples. Several threads share one engine.

    Parameters
    ----------
    dataset : RecordDataset
    plan : LoadPlan
    item : ItemFormat
        Shape and dtype of a row of a batch.
    budget : MemoryBudget
        Memory of the images under way, which the threads share.

    Attributes
    ----------
    name : str
    """

    name: ClassVar[str]

    def __init__(self, dataset: RecordDataset, plan: LoadPlan, item: ItemFormat, budget: MemoryBudget) -> None: ...

    def load(self, request: Request, arrays: BatchArrays) -> dict[int, Exception]:
        """Load the samples into the arrays; return the errors of those that cannot be loaded, by row.

        A FormatError, an ImageError or an OSError means that the sample is bad; a PlanError, that a transform is.
        """


def sample_location(dataset: RecordDataset, index: int) -> tuple[int, Path]:
    """Return the key of a sample and the .rec file that holds it."""
    indices = np.array([index])
    return int(dataset.keys_at(indices)[0]), dataset.files[int(dataset.file_indices(indices)[0])]


def with_sample_location(error: _Error, dataset: RecordDataset, index: int) -> _Error:
    """Return an error from `Engine.load` with the file and the key of its sample, unless it names a file already."""
    if isinstance(error, FormatError | ImageError | PlanError) and error.path is None:
        key, path = sample_location(dataset, index)
        located_error = error.located(path=str(path), key=key)
        located_error.__cause__ = error.__cause__ or error
        return located_error  # type: ignore[return-value]  # it has the type of `error`
    return error
