"""The choice of the iterator that reads batches: recordkit's, MXNet's or Gluon's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, PlanError
from recordkit.loading.native import choose_engine
from recordkit.storage.remote.urls import is_url
from recordkit.training.data.batches import BatchReader, MxnetReader, RecordkitReader
from recordkit.training.data.gluon_batches import GluonReader
from recordkit.training.data.normalization import Normalization
from recordkit.training.data.survey import Survey

ITERATORS = ("auto", "recordkit", "mxnet", "gluon")


def resolve_iterator(iterator: str, *paths: Path | None) -> str:
    """Return the iterator for "auto"; any other name is returned unchanged.

    Parameters
    ----------
    iterator : {"auto", "recordkit", "mxnet", "gluon"}
    *paths : Path or None
        The files to read. MXNet's iterator cannot read InsightFace's, and only recordkit's reads URLs.

    Raises
    ------
    PlanError
        A path is a URL, and the iterator is one of MXNet's.
    """
    is_remote = any(path is not None and is_url(path) for path in paths)
    if is_remote and iterator not in ("auto", "recordkit"):
        raise PlanError(argument="iterator", expected="recordkit, which alone reads URLs", got=iterator)
    if iterator != "auto":
        return iterator
    if is_remote or choose_engine("auto").name == "native":
        return "recordkit"
    return "recordkit" if any(path is not None and _has_metadata(path) for path in paths) else "mxnet"


def _has_metadata(path: Path) -> bool:
    """Return whether a file has InsightFace's layout; False for a file that cannot be read, which `survey` reports."""
    with contextlib.suppress(FormatError, OSError), RecordDataset(path) as dataset:
        return dataset.has_metadata
    return False


def open_batches(
    mx: Any,
    survey: Survey,
    *,
    iterator: str,
    shape: tuple[int, int, int],
    normalization: Normalization,
    batch_size: int,
    threads: int,
) -> BatchReader:
    """Return a reader of a .rec file.

    Parameters
    ----------
    mx : module
        MXNet, from `recordkit.interop.mxnet.load`.
    survey : Survey
    iterator : {"recordkit", "mxnet", "gluon"}
    shape : tuple of int
        (C, H, W) of an image in a batch. Smaller images are scaled up, larger ones are cropped.
    normalization : Normalization
    batch_size : int
        At most the number of images is used: MXNet cannot fill a batch from fewer.
    threads : int
        Decoding threads; MXNet uses at most half of the CPUs.
    """
    readers: dict[str, Callable[..., BatchReader]] = {
        "recordkit": RecordkitReader,
        "mxnet": MxnetReader,
        "gluon": GluonReader,
    }
    return readers[iterator](
        mx, survey, shape=shape, normalization=normalization, batch_size=batch_size, threads=threads
    )
