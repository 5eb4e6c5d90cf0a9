"""MXNet's ImageRecordIter on top of the loader: its parameters, its way of iterating, its pixels, without MXNet.

Pixels are MXNet's for settings that leave nothing to chance: decoding, resize, crops, mirror, mean, std, scale, dtype,
parts and the last batch; tests/record_iter/test_iterator.py has a table of what remains. What is drawn at random is
drawn as everywhere in recordkit, so that an epoch depends on `seed` and not on threads.

What MXNet does wrong it does not do: arrays are not written again, `pad` is right, `index` has the keys, a reset begins
at the beginning, unknown parameters are refused.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError
from recordkit.loading.batch import Batch
from recordkit.loading.loader import Loader
from recordkit.record_iter.parameters import describe, read
from recordkit.record_iter.source import listed_labels, open_part
from recordkit.record_iter.steps import DEVIATIONS, MEANS, make_steps, means
from recordkit.sampling.order import Shuffled

# What a dtype leaves out, in MXNet too.
_IGNORED = {
    "uint8": (*MEANS, *DEVIATIONS, "scale"),
    "int8": (*DEVIATIONS, "scale"),
}


class DataDesc(NamedTuple):
    """What an array of a batch looks like.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dtype : dtype
    layout : str
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    layout: str = "NCHW"


@dataclass(frozen=True, eq=False)
class DataBatch:
    """A batch, as MXNet has it.

    Attributes
    ----------
    data : list of one ndarray, shape (B, C, H, W)
    label : list of one ndarray of float32, shape (B,) or (B, label_width)
    pad : int
        How many samples, the last ones, are there only to fill the batch up.
    index : ndarray of uint64, shape (B,)
        Keys; 0 where zeros fill the batch up.
    """

    data: list[NDArray[Any]]
    label: list[NDArray[np.float32]]
    pad: int
    index: NDArray[np.uint64]


class ImageRecordIter:
    """Batches of the images in a .rec file, by MXNet's parameters and in MXNet's way, without MXNet.

    An epoch ends with StopIteration, once and again until `reset`. `recordkit.Loader` is the same with parameters of
    its own; `recordkit.interop.mxnet.ImageRecordIter` gives MXNet's arrays.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    loader : Loader
        What loads; it has the dataset, the timing, the bad samples and the state.
    batch_size : int
    provide_data, provide_label : list of DataDesc

    Raises
    ------
    PlanError
        A parameter is unknown, refused, out of range, or contradicts others or the file.
    FormatError, FileNotFoundError
        A file cannot be read.

    Warns
    -----
    UserWarning
        Parameters probably do not mean what they were meant to, or float32 does not hold the exact labels of the file.

    Examples
    --------
    >>> import recordkit, tempfile
    >>> from pathlib import Path
    >>> from recordkit.formats import ubyte
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "train-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((6, 28, 28), np.uint8)))
    >>> _ = (folder / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(np.arange(6, dtype=np.uint8)))
    >>> _ = recordkit.pack(folder, folder / "digits")
    >>> batches = recordkit.ImageRecordIter(
    ...     path_imgrec=folder / "digits_train.rec", data_shape=(1, 28, 28), batch_size=4, mean_r=128
    ... )
    >>> for batch in batches:
    ...     print(batch.data[0].shape, batch.data[0].max(), batch.label[0].tolist(), batch.pad)
    (4, 1, 28, 28) -128.0 [0.0, 1.0, 2.0, 3.0] 0
    (4, 1, 28, 28) -128.0 [4.0, 5.0, 0.0, 1.0] 2
    >>> batches.reset()
    """

    def __init__(self, **arguments: Any) -> None:
        values = read(arguments)
        _warn(values)
        if values["data_shape"][0] not in (1, 3, 4) or min(values["data_shape"]) < 1:
            raise PlanError(f"data_shape: expected (1, 3 or 4, height, width), got {values['data_shape']}")
        if values["mxnet_epochs"] and (values["shuffle"] or not values["round_batch"]):
            raise PlanError("mxnet_epochs: expected round_batch=True and shuffle=False with it")
        dtype = np.dtype(values["dtype"] or "float32")
        steps = make_steps(values)
        dataset = open_part(values)
        self.loader = Loader(
            dataset,
            batch_size=values["batch_size"],
            transforms=steps,
            shuffle=Shuffled(len(dataset), values["seed"]) if values["shuffle"] else False,
            seed=values["seed"] if values["seed_aug"] is None else values["seed_aug"],
            threads=values["preprocess_threads"],
            engine=values["engine"],
            dtype="uint8" if dtype == np.int8 else dtype.name,
            layout="NCHW",
            channels=values["data_shape"][0],
            last_batch="pad" if values["round_batch"] else "keep",
            on_error=values["on_error"],
            exact=True,
        )
        self._labels = listed_labels(dataset, values)
        if self._labels is None and (n_large := _count_inexact(dataset)):
            warnings.warn(
                f"labels: {n_large} exact ones are beyond 2**24, where float32 cannot tell whole numbers apart; "
                "recordkit.Loader gives them as they are",
                UserWarning,
                stacklevel=2,
            )
        self.batch_size: int = values["batch_size"]
        width = values["label_width"]
        self.provide_data = [DataDesc(values["data_name"], (self.batch_size, *values["data_shape"]), dtype)]
        label_shape = (self.batch_size,) if width == 1 else (self.batch_size, width)
        self.provide_label = [DataDesc(values["label_name"], label_shape, np.dtype(np.float32))]
        self._signed = _minus_means(values) if dtype == np.int8 else None
        self._mxnet_epochs: bool = values["mxnet_epochs"]
        self._begin = 0
        self._batches: Iterator[Batch] | None = None
        self._current: DataBatch | None = None

    def __iter__(self) -> ImageRecordIter:
        return self

    def __next__(self) -> DataBatch:
        return self.next()

    def __len__(self) -> int:
        """Return the number of batches of an epoch that begins at the beginning."""
        return len(self.loader)

    def __enter__(self) -> ImageRecordIter:
        return self

    def __exit__(self, *_about: object) -> None:
        self.close()

    def close(self) -> None:
        """End the epoch, and close the files. A second call does nothing."""
        self.loader.close()

    def reset(self) -> None:
        """Begin the next epoch; this one again, if no batch of it was asked for."""
        self._batches = self._current = None

    def next(self) -> DataBatch:
        """Return the next batch.

        Raises
        ------
        StopIteration
            The epoch is over; `reset` begins the next.
        """
        if not self.iter_next():
            raise StopIteration
        return self._got()

    def iter_next(self) -> bool:
        """Go to the next batch; return whether there is one."""
        if self._batches is None:
            self._batches = iter(self.loader)
            self._begin = self._position()
        batch = next(self._batches, None)
        if batch is None:
            return False
        self._current = self._made(batch)
        if self._mxnet_epochs:
            self._begin_behind_what_is_borrowed()
        return True

    def getdata(self) -> NDArray[Any]:
        """Return the data of the batch that `iter_next` went to: the array itself, no list of it, as MXNet's does."""
        return self._got().data[0]

    def getlabel(self) -> NDArray[np.float32]:
        """Return its labels, also as an array."""
        return self._got().label[0]

    def getpad(self) -> int:
        """Return how many of its samples only fill it up."""
        return self._got().pad

    def getindex(self) -> NDArray[np.uint64]:
        """Return its keys."""
        return self._got().index

    def _got(self) -> DataBatch:
        if self._current is None:
            raise PlanError("expected next() or iter_next() before it, got neither since the beginning or the reset")
        return self._current

    def _made(self, batch: Batch) -> DataBatch:
        data, label = batch.data, batch.label if self._labels is None else self._labels[batch.index]
        if self._signed is not None:
            data = np.stack([table[data[:, channel]] for channel, table in enumerate(self._signed)], 1)
        shapes = self.provide_data[0].shape, self.provide_label[0].shape
        arrays = _filled(data, shapes[0]), _filled(label.astype(np.float32, copy=False), shapes[1])
        keys = _filled(batch.key, (self.batch_size,))
        return DataBatch([arrays[0]], [arrays[1]], self.batch_size - batch.n_valid, keys)

    def _position(self) -> int:
        return int(self.loader.state_dict()["position"])

    def _begin_behind_what_is_borrowed(self) -> None:
        """At the end of the epoch, let the next one begin behind the samples that filled the last batch up."""
        n = len(self.loader.dataset)
        if self._position() < n:
            return
        n_borrowed = (self._begin - n) % self.batch_size  # not `pad`, which also counts samples that were left out
        state = self.loader.state_dict()
        self.loader.load_state_dict(state | {"epoch": self.loader.epoch + 1, "position": n_borrowed % n})
        self._batches = iter(())


ImageRecordIter.__doc__ = inspect.cleandoc(ImageRecordIter.__doc__ or "").replace("{parameters}", describe())


def _warn(values: Mapping[str, Any]) -> None:
    """Say what is probably a mistake."""
    found = []
    small = [mean for mean in means(values) if 0 < abs(mean) < 1]
    if small and values["scale"] < 1:
        found.append(f"{', '.join(MEANS)}: they are subtracted before scale, in units of 0 to 255; got {small[0]:g}")
    for name in _IGNORED.get(values["dtype"], ()):
        if values[name] != (0 if name.startswith("mean") else 1):
            found.append(f"{name}: it has no effect with dtype {values['dtype']}")
    if values["shuffle_chunk_size"] and not values["shuffle"]:
        found.append("shuffle_chunk_size: it has no effect here, and samples stay in order without shuffle=True")
    aspect = values["max_aspect_ratio"] or values["min_aspect_ratio"] is not None
    if values["random_resized_crop"] and values["min_random_area"] == values["max_random_area"] == 1 and not aspect:
        found.append("random_resized_crop: it is a crop in the middle without min_random_area or max_aspect_ratio")
    for text in found:
        warnings.warn(text, UserWarning, stacklevel=3)


def _count_inexact(dataset: RecordDataset) -> int:
    """Return how many exact labels there are that float32 may change."""
    exact = dataset.exact_labels(np.arange(len(dataset)))
    return 0 if exact is None else int(np.count_nonzero((exact > 2**24) | (exact < -(2**24))))


def _minus_means(values: Mapping[str, Any]) -> NDArray[np.int8]:
    """Return what becomes of each byte of each channel as int8, shape (C, 256)."""
    rounded = [np.floor(abs(mean) + 0.5) * np.sign(mean) for mean in means(values)]  # half away from zero
    table: NDArray[np.int8] = np.clip(np.arange(256) - np.array(rounded)[:, None], -128, 127).astype(np.int8)
    return table


def _filled(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an array with zeros at its end, where it is shorter than it has to be."""
    if array.shape == shape:
        return array
    whole = np.zeros(shape, array.dtype)
    whole[: len(array)] = array
    return whole
