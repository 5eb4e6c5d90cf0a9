"""Decoding and augmentation of the images of a Ray dataset, with the transforms and engines of recordkit.

Random draws depend on the seed, the epoch and the key of a sample, which takes the place of its position in a loader's
epoch. So they do not depend on blocks, batches, actors or machines, or on the order in which Ray runs them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recordkit.cluster.record_table import IMAGE, KEY
from recordkit.errors import FormatError, ImageError, PlanError, plural
from recordkit.loading.native import choose_engine
from recordkit.loading.payloads import PayloadDecoder, Payloads
from recordkit.loading.plan import LoadPlan
from recordkit.loading.probe import find_fixed_size
from recordkit.sampling.state import check_epoch
from recordkit.threads import count_threads

DATA = "data"


class Decode:
    """A function for `map_batches` of a Ray dataset: the column "image" becomes "data", a batch of arrays.

    An object of the class runs in Ray's tasks, which read and decode a block in one go. The class itself runs in
    actors, as Ray's other classes do; they start anew with each execution, which takes seconds. The other columns, such
    as "key" and "label", stay as they are. Give ``batch_format="pyarrow"``, which passes the images without a copy and
    without an object for each. Random draws depend on `seed`, `epoch` and the key of each sample alone; samples with
    the same key draw the same numbers.

    Parameters
    ----------
    transforms : sequence of Transform, default ()
        As for `recordkit.Loader`. They must make all images one size, unless `size` is given.
    epoch : int, 0 to 2**32 - 1, default 0
        Number of the epoch. A training makes a new dataset for each.
    size : (int, int), optional
        Height and width of the images after the transforms, if these do not fix it.
    engine : {"auto", "native", "python"}, default "auto"
    threads : int, default 1
        Number of threads of one task or actor; give Ray the same `num_cpus`. 0: the number of CPUs a process may use.
    on_error : {"raise", "skip"}, default "raise"
        An image that cannot be decoded is an error that names its key, or its row is left out and a warning is given.
    memory : int or str, optional
        Most memory that images under way may take; see `recordkit.Loader`.
    **plan
        The other fields of `recordkit.loading.plan.LoadPlan`: dtype, layout, channels, seed and exact.

    Raises
    ------
    PlanError
        Arguments are out of range, or the size of the images is not known.
    MissingError
        The engine is not built.

    Examples
    --------
    >>> import ray, recordkit.cluster
    >>> from recordkit.transforms import RandomFlip, RandomResizedCrop
    >>> dataset = recordkit.cluster.read("train.manifest.json")  # doctest: +SKIP
    >>> decode = recordkit.cluster.Decode([RandomResizedCrop(224), RandomFlip()], layout="NCHW", epoch=3)
    >>> images = dataset.map_batches(decode, batch_format="pyarrow", batch_size=256)  # doctest: +SKIP
    """

    def __init__(
        self,
        transforms: Sequence[object] = (),
        *,
        epoch: int = 0,
        size: tuple[int, int] | None = None,
        engine: str = "auto",
        threads: int = 1,
        on_error: str = "raise",
        memory: int | str | None = None,
        **plan: Any,
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise PlanError(argument="on_error", expected="raise or skip", got=repr(on_error))
        check_epoch(epoch)
        load_plan = LoadPlan(transforms, **plan)
        if load_plan.keeps_channels:
            raise PlanError(argument="channels", expected="1, 3 or 4, the same in all tasks", got="'keep'")
        fixed_size = find_fixed_size(load_plan) or size
        if fixed_size is None:
            raise PlanError(
                argument="size",
                expected="a height and width, because the transforms do not make all images one size",
                got="none",
                advice="end the transforms with a crop, or give `size`",
            )
        if size is not None and tuple(size) != fixed_size:
            raise PlanError(argument="size", expected=f"{fixed_size}, which the transforms make", got=size)
        self._epoch = epoch
        self._on_error = on_error
        self._arguments = load_plan, (fixed_size[0], fixed_size[1]), engine, threads, memory
        self._decoder: PayloadDecoder | None = None
        choose_engine(engine)  # raises if it is not built

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_decoder": None}  # the core's objects cannot be pickled

    def __call__(self, batch: Any) -> dict[str, Any]:
        """Return a batch with decoded images.

        Parameters
        ----------
        batch : pyarrow.Table, or dict of str to ndarray
            With the columns "image" (encoded images) and "key" (whole numbers).

        Returns
        -------
        batch : dict of str to ndarray
            "data" has the shape (B, H, W, C) or (B, C, H, W).

        Raises
        ------
        ImageError
            An image cannot be decoded.
        PlanError
            A column is missing or of another type.
        """
        columns = _columns(batch)
        payloads = Payloads(*_encoded_images(columns[IMAGE]), _keys(columns[KEY]))
        if self._decoder is None:
            plan, size, engine, threads, memory = self._arguments
            self._decoder = PayloadDecoder(plan, size, engine, count_threads(threads), memory)
        data, errors = self._decoder.decode(payloads, self._epoch)
        others = {name: _as_array(column) for name, column in columns.items() if name != IMAGE}
        if errors:
            rows = self._rows_without(errors, payloads.positions)
            data, others = data[rows], {name: column[rows] for name, column in others.items()}
        return {**others, DATA: data}

    def _rows_without(self, errors: Mapping[int, Exception], keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the rows that have no error; raise the first error if none may be left out."""
        plan_errors = [row for row, error in errors.items() if isinstance(error, PlanError)]  # faults of a transform
        row = min(plan_errors or errors)
        error = errors[row]
        if isinstance(error, FormatError | ImageError | PlanError):
            error = error.located(key=int(keys[row]))
        if self._on_error == "raise" or plan_errors:
            raise error
        warnings.warn(f"{plural(len(errors), 'image')} left out; the first: {error}", UserWarning, stacklevel=3)
        return np.setdiff1d(np.arange(len(keys)), list(errors))


def _columns(batch: Any) -> dict[str, Any]:
    """Return the columns of a batch in the format "pyarrow" or "numpy"."""
    if isinstance(batch, pa.Table):
        columns = {name: batch[name] for name in batch.column_names}
    elif isinstance(batch, Mapping):
        columns = dict(batch)
    else:
        raise PlanError(
            argument="batch_format",
            expected="pyarrow or numpy",
            got=type(batch).__name__,
            advice="give `batch_format=pyarrow` to map_batches",
        )
    for name in (IMAGE, KEY):
        if name not in columns:
            raise PlanError(
                expected=f"a column {name!r}",
                got=", ".join(columns),
                advice="rename one with rename_columns, or add keys, on which random draws depend, with map_batches",
            )
    return columns


def _encoded_images(column: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Return the bytes of all images, concatenated, and the bounds between them; without a copy of an Arrow column."""
    if isinstance(column, np.ndarray):
        column = pa.array(column.tolist(), pa.large_binary())
    if isinstance(column, pa.ChunkedArray):
        column = (
            column.chunk(0)
            if column.num_chunks == 1
            else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
        )
    if pa.types.is_binary(column.type):
        column = column.cast(pa.large_binary())
    if not pa.types.is_large_binary(column.type) or column.null_count:
        got = f"{column.null_count} nulls" if column.null_count else str(column.type)
        raise PlanError(expected=f"encoded images as the column {IMAGE!r}", got=got)
    _, bounds, data = column.buffers()
    first, last = column.offset, column.offset + len(column)
    offsets = np.frombuffer(bounds, np.uint64)[first : last + 1] if len(column) else np.zeros(1, np.uint64)
    return np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8), offsets


def _keys(column: Any) -> NDArray[np.uint64]:
    keys = _as_array(column)
    if keys.dtype.kind not in "iu":
        raise PlanError(expected=f"whole numbers as the column {KEY!r}", got=str(keys.dtype))
    return keys.astype(np.uint64)


def _as_array(column: Any) -> NDArray[Any]:
    """Return a column as NumPy has it; lists of one length become the rows of an array."""
    if isinstance(column, np.ndarray):
        return column
    array: NDArray[Any] = column.to_numpy()
    if array.dtype == object and len({len(row) for row in array if isinstance(row, np.ndarray)}) == 1:
        return np.stack(array.tolist())
    return array
