"""MXNet's ImageRecordIter without MXNet: its parameters, its iteration protocol and its pixels, on top of the loader.

Without random parameters the results equal MXNet's: decoding, resize, crops, mirror, mean, std, scale, dtype, parts and
the last batch. tests/record_iter/test_iterator.py has a table of the remaining differences. Random numbers are
recordkit's, so an epoch depends on `seed` and not on the number of threads.

MXNet's faults are not reproduced: arrays are not overwritten, `pad` is correct, `index` contains the keys, an epoch
after a reset begins with the first sample, and unknown parameters are refused.
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
from recordkit.errors import PlanError, enumerate_some, plural, with_places
from recordkit.loading.batch import Batch
from recordkit.loading.loader import Loader
from recordkit.record_iter.mean_image import make_pixel_steps, open_mean_image
from recordkit.record_iter.parameters import PARAMETERS, describe, read
from recordkit.record_iter.source import open_part, read_list_labels
from recordkit.record_iter.steps import DEVIATIONS, MEANS, make_steps, means
from recordkit.sampling.order import Shuffled

# Parameters that a dtype does not use, as in MXNet.
_UNUSED = {
    "uint8": ("mean_img", *MEANS, *DEVIATIONS, "scale"),
    "int8": (*DEVIATIONS, "scale"),
}
_DEFAULTS = {parameter.name: parameter.default for parameter in PARAMETERS}


class DataDesc(NamedTuple):
    """Name, shape and dtype of an array of a batch, as MXNet describes it.

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
    """A batch with MXNet's attributes.

    Attributes
    ----------
    data : list of one ndarray, shape (B, C, H, W)
    label : list of one ndarray of float32, shape (B,) or (B, label_width)
    pad : int
        Number of samples at the end that only fill the batch.
    index : ndarray of uint64, shape (B,)
        Keys of the samples; 0 for zeros that fill the batch.
    """

    data: list[NDArray[Any]]
    label: list[NDArray[np.float32]]
    pad: int
    index: NDArray[np.uint64]


class ImageRecordIter:
    """An iterator over batches of images in .rec files, with MXNet's parameters and protocol but without MXNet.

    At the end of an epoch `next` raises StopIteration until `reset` is called. It is built on
    `recordkit.Loader`. `recordkit.interop.mxnet.ImageRecordIter` is the same with MXNet's arrays.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    loader : Loader
        The loader, with the dataset, the timing, the bad samples and the state.
    batch_size : int
    provide_data, provide_label : list of DataDesc

    Raises
    ------
    PlanError
        A parameter is unknown, refused or out of range, or contradicts other parameters or the file.
    FormatError, NotFoundError
        A file cannot be read.

    Warns
    -----
    UserWarning
        A combination of parameters is probably a mistake, or float32 cannot represent the exact labels of the file.

    Examples
    --------
    >>> import numpy as np, recordkit as rk, tempfile
    >>> prefix = tempfile.mkdtemp() + "/digits"
    >>> _ = rk.pack((np.zeros((6, 28, 28), np.uint8), np.arange(6)), prefix)
    >>> batches = rk.ImageRecordIter(path_imgrec=prefix + ".rec", data_shape=(1, 28, 28), batch_size=4, mean_r=128)
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
            raise PlanError(argument="data_shape", expected="(1, 3 or 4, height, width)", got=values["data_shape"])
        if values["mxnet_epochs"] and (values["shuffle"] or not values["round_batch"]):
            raise PlanError("expected `round_batch=True` and `shuffle=False` with it", argument="mxnet_epochs")
        dtype = np.dtype(values["dtype"] or "float32")
        steps = make_steps(values)
        dataset = open_part(values)
        seed = values["seed"] if values["seed_aug"] is None else values["seed_aug"]
        self._mean_image = open_mean_image(dataset, values, seed)
        if self._mean_image is not None:
            steps = make_pixel_steps(values)
        self.loader = Loader(
            dataset,
            batch_size=values["batch_size"],
            transforms=steps,
            shuffle=Shuffled(len(dataset), values["seed"]) if values["shuffle"] else False,
            seed=seed,
            threads=values["preprocess_threads"],
            engine=values["engine"],
            dtype="uint8" if dtype == np.int8 or self._mean_image is not None else dtype.name,
            layout="NCHW",
            channels=values["data_shape"][0],
            last_batch="pad" if values["round_batch"] else "keep",
            on_error=values["on_error"],
            exact=True,
        )
        self._labels_from_list = read_list_labels(dataset, values)
        if self._labels_from_list is None and (n_large := _count_inexact(dataset)):
            warnings.warn(
                f"labels: {n_large} exact labels are beyond 2**24, where float32 rounds integers; recordkit.Loader "
                "returns them exactly",
                UserWarning,
                stacklevel=2,
            )
        self.batch_size: int = values["batch_size"]
        width = values["label_width"]
        self.provide_data = [DataDesc(values["data_name"], (self.batch_size, *values["data_shape"]), dtype)]
        label_shape = (self.batch_size,) if width == 1 else (self.batch_size, width)
        self.provide_label = [DataDesc(values["label_name"], label_shape, np.dtype(np.float32))]
        self._int8_table = _int8_table(values) if dtype == np.int8 else None
        self._mxnet_epochs: bool = values["mxnet_epochs"]
        self._epoch_start = 0
        self._batches: Iterator[Batch] | None = None
        self._current: DataBatch | None = None

    def __repr__(self) -> str:
        (data,), (label,), dataset = self.provide_data, self.provide_label, self.loader.dataset
        return with_places(
            f"<ImageRecordIter of {plural(len(dataset), 'sample')} in {plural(len(self), 'batch')}: "
            f"{data.name} {data.dtype} {data.shape}, {label.name} {label.dtype} {label.shape}: "
            f"{enumerate_some(dataset.files, limit=3)}>"
        )

    def __iter__(self) -> ImageRecordIter:
        return self

    def __next__(self) -> DataBatch:
        return self.next()

    def __len__(self) -> int:
        """Return the number of batches of an epoch that begins with the first sample."""
        return len(self.loader)

    def __enter__(self) -> ImageRecordIter:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the epoch and close the files. A second call does nothing."""
        self.loader.close()

    def reset(self) -> None:
        """Begin the next epoch. If no batch was loaded since the last reset, this does nothing."""
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
        return self._require_batch()

    def iter_next(self) -> bool:
        """Load the next batch. Return False at the end of the epoch."""
        if self._batches is None:
            self._batches = iter(self.loader)
            self._epoch_start = self._position()
        batch = next(self._batches, None)
        if batch is None:
            return False
        self._current = self._to_data_batch(batch)
        if self._mxnet_epochs:
            self._start_next_epoch_as_mxnet()
        return True

    def getdata(self) -> NDArray[Any]:
        """Return the images of the current batch, as an array and not a list, like MXNet."""
        return self._require_batch().data[0]

    def getlabel(self) -> NDArray[np.float32]:
        """Return the labels of the current batch, as an array."""
        return self._require_batch().label[0]

    def getpad(self) -> int:
        """Return the number of samples at the end of the current batch that only fill it."""
        return self._require_batch().pad

    def getindex(self) -> NDArray[np.uint64]:
        """Return the keys of the current batch."""
        return self._require_batch().index

    def _require_batch(self) -> DataBatch:
        if self._current is None:
            raise PlanError(expected="a call of next() or iter_next() first", got="none since the start or the reset")
        return self._current

    def _to_data_batch(self, batch: Batch) -> DataBatch:
        data = batch.data
        label = batch.label if self._labels_from_list is None else self._labels_from_list[batch.index]
        if self._mean_image is not None:
            data = self._mean_image.apply(data, batch.index, self.loader.epoch)
        elif self._int8_table is not None:
            data = np.stack([table[data[:, channel]] for channel, table in enumerate(self._int8_table)], 1)
        return DataBatch(
            data=[_append_zeros(data, self.provide_data[0].shape)],
            label=[_append_zeros(label.astype(np.float32, copy=False), self.provide_label[0].shape)],
            pad=self.batch_size - batch.n_valid,
            index=_append_zeros(batch.key, (self.batch_size,)),
        )

    def _position(self) -> int:
        return int(self.loader.state_dict()["position"])

    def _start_next_epoch_as_mxnet(self) -> None:
        """At the end of an epoch, begin the next one after the samples that filled the last batch."""
        n = len(self.loader.dataset)
        if self._position() < n:
            return
        n_borrowed = (self._epoch_start - n) % self.batch_size  # `pad` also counts skipped samples
        state = self.loader.state_dict()
        self.loader.load_state_dict(state | {"epoch": self.loader.epoch + 1, "position": n_borrowed % n})
        self._batches = iter(())


ImageRecordIter.__doc__ = inspect.cleandoc(ImageRecordIter.__doc__ or "").replace("{parameters}", describe())


def _warn(values: Mapping[str, Any]) -> None:
    """Warn of combinations of parameters that are probably mistakes."""
    texts = []
    small = [mean for mean in means(values) if 0 < abs(mean) < 1]
    if small and values["scale"] < 1:
        texts.append(f"{', '.join(MEANS)}: means are subtracted before scale, in units of 0 to 255; got {small[0]:g}")
    unused = [(name, f"dtype {values['dtype']}") for name in _UNUSED.get(values["dtype"], ())]
    if values["mean_img"] and values["dtype"] != "uint8":
        unused += [(name, "mean_img") for name in MEANS]
    texts += [f"{name}: it has no effect with {cause}" for name, cause in unused if values[name] != _DEFAULTS[name]]
    if values["shuffle_chunk_size"] and not values["shuffle"]:
        texts.append("shuffle_chunk_size: it has no effect here, and samples stay in order without shuffle=True")
    aspect = values["max_aspect_ratio"] or values["min_aspect_ratio"] is not None
    if values["random_resized_crop"] and values["min_random_area"] == values["max_random_area"] == 1 and not aspect:
        texts.append("random_resized_crop: it crops the centre without min_random_area or max_aspect_ratio")
    for text in texts:
        warnings.warn(text, UserWarning, stacklevel=3)


def _count_inexact(dataset: RecordDataset) -> int:
    """Return the number of exact labels that float32 may round."""
    exact = dataset.exact_labels(np.arange(len(dataset)))
    return 0 if exact is None else int(np.count_nonzero((exact > 2**24) | (exact < -(2**24))))


def _int8_table(values: Mapping[str, Any]) -> NDArray[np.int8]:
    """Return the int8 value of each pixel value, the pixel minus the channel's rounded mean; shape (C, 256)."""
    rounded = [np.floor(abs(mean) + 0.5) * np.sign(mean) for mean in means(values)]  # half away from zero
    table: NDArray[np.int8] = np.clip(np.arange(256) - np.array(rounded)[:, None], -128, 127).astype(np.int8)
    return table


def _append_zeros(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the array, extended with zeros at its end to `shape`."""
    if array.shape == shape:
        return array
    whole = np.zeros(shape, array.dtype)
    whole[: len(array)] = array
    return whole
