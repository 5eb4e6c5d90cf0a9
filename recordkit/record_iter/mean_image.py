"""``mean_img``: the mean of each pixel, read from a file or computed from the samples, and subtracted from batches.

As in MXNet, the mean is that of the images after all augmentation, the mirror included, and a file that does not exist
is written for later runs; the mean is subtracted before an image is mirrored, so it is mirrored too. Two faults of
MXNet are not reproduced: it computes the mean from values to which mean_r, std_r and scale were applied already,
although it subtracts it from plain pixels; and it adds up in float32, which rounds beyond 65,793 images.

Source: ``ImageRecordIOParser2::CreateMeanImg`` and ``ProcessImage``, src/io/iter_image_recordio_2.cc, apache/mxnet
1.9.1.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, PlanError, plural
from recordkit.formats.files import open_file
from recordkit.loading.loader import Loader
from recordkit.record_iter import ndarray_file
from recordkit.record_iter.steps import factors, make_steps
from recordkit.storage.replacement import write_atomically
from recordkit.transforms import Normalize, Transform
from recordkit.transforms.draws import philox

_NAME = "mean_img"  # of the array in the file
# An array of another shape is read, to be named, unless it is larger by this.
_SMALL_BYTES = 1 << 26
_OTHER_FILE = "give another file, or the name of a new one, which is then computed and written"
_32_BITS = 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class MeanImage:
    """The last steps of an image: subtract the mean of each pixel, scale, and mirror.

    Attributes
    ----------
    mean : ndarray of float32, shape (C, H, W)
    factors : ndarray of float32, shape (C, 1, 1)
    dtype : dtype
        float32, float16 or int8. int8 rounds the mean, clips the difference, and does not use the factors.
    mirror_probability : float
    seed : int
        Seed of the random mirror.
    step : int
        Number of the mirror among the transforms, see `recordkit.transforms.draws`.
    """

    mean: NDArray[np.float32]
    factors: NDArray[np.float32]
    dtype: np.dtype[Any]
    mirror_probability: float
    seed: int
    step: int

    def apply(self, data: NDArray[np.uint8], index: NDArray[np.int64], epoch: int) -> NDArray[Any]:
        """Return the finished images of a batch.

        Parameters
        ----------
        data : ndarray of uint8, shape (B, C, H, W)
            Images that are not mirrored yet.
        index : ndarray of int64, shape (B,)
            Index of each sample in the dataset.
        epoch : int

        Returns
        -------
        data : ndarray of `dtype`, shape (B, C, H, W)
        """
        if self.dtype == np.int8:
            rounded = np.floor(np.abs(self.mean) + 0.5) * np.sign(self.mean)  # half away from zero
            result: NDArray[Any] = np.clip(data - rounded, -128, 127).astype(np.int8)
        else:
            result = ((data - self.mean) * self.factors).astype(self.dtype, copy=False)
        mirrored = self._draw(index, epoch) < self.mirror_probability
        result[mirrored] = result[mirrored][..., ::-1]
        return result

    def _draw(self, index: NDArray[np.int64], epoch: int) -> NDArray[np.float64]:
        """Return a number from 0 to below 1 for each sample."""
        words = index.astype(np.uint64)
        counter = (
            words & _32_BITS,
            words >> 32,
            np.full_like(words, epoch),
            np.full_like(words, self.step << 16),
        )
        return philox(counter, (self.seed & _32_BITS, self.seed >> 32))[0] * 2.0**-32


def open_mean_image(dataset: RecordDataset, values: Mapping[str, Any], seed: int) -> MeanImage | None:
    """Read the mean of each pixel, or compute it and write its file.

    Parameters
    ----------
    dataset : RecordDataset
        The samples from which a mean is computed.
    values : mapping
        Values of all parameters, see `recordkit.record_iter.parameters.read`.
    seed : int
        Seed of the augmentation.

    Returns
    -------
    mean_image : MeanImage or None
        None if there is no ``mean_img``, or for uint8, which has no mean.

    Raises
    ------
    PlanError
        The file has another shape than `data_shape`.
    FormatError
        The file is not one of ``mx.nd.save`` with one array.
    """
    path, dtype = values["mean_img"], np.dtype(values["dtype"] or "float32")
    if not path or dtype == np.uint8:
        return None
    mean = _read(path, values["data_shape"]) if Path(path).exists() else _create(path, dataset, values, seed)
    return MeanImage(
        mean=mean,
        factors=np.array(factors(values), np.float32)[:, None, None],
        dtype=dtype,
        mirror_probability=1.0 if values["mirror"] else 0.5 if values["rand_mirror"] else 0.0,
        seed=seed,
        step=len(make_pixel_steps(values)),
    )


def make_pixel_steps(values: Mapping[str, Any]) -> list[Transform | Normalize]:
    """Return the transforms before the mean is subtracted, which is before the mirror."""
    return make_steps({**values, "dtype": "uint8", "mirror": False, "rand_mirror": False})


def _read(path: str, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    max_bytes = _SMALL_BYTES + 8 * math.prod(shape)  # of the longest numbers
    with open_file(path, max_bytes=max_bytes, what="the mean of each pixel", advice=_OTHER_FILE) as file:
        content = file.read(len(ndarray_file.MAGIC))
        if content == ndarray_file.MAGIC:  # no other file is read whole, because it may be huge
            content += file.read()
    try:
        arrays = ndarray_file.unpack(content)
    except FormatError as error:
        raise error.located(path=path, advice=_OTHER_FILE) from None
    if len(arrays) != 1:
        raise FormatError(
            path=path,
            expected="one array, the mean of each pixel",
            got=plural(len(arrays), "array"),
            advice=_OTHER_FILE,
        )
    mean: NDArray[np.float32] = arrays[0][1].astype(np.float32)
    if mean.shape != shape:
        raise PlanError(
            argument="mean_img",
            expected=f"an array of shape {shape} in {path}, as `data_shape` says",
            got=mean.shape,
            advice=_OTHER_FILE,
        )
    return mean


def _create(path: str, dataset: RecordDataset, values: Mapping[str, Any], seed: int) -> NDArray[np.float32]:
    """Compute the mean of the augmented images, and write it."""
    if values["num_parts"] > 1:
        warnings.warn(
            f"mean_img: {path} is computed from part {values['part_index']} of {values['num_parts']} only, as in "
            "MXNet; make the file first, with num_parts=1",
            UserWarning,
            stacklevel=4,
        )
    total = np.zeros(values["data_shape"], np.int64)
    n = 0
    # It is not closed, because that would close the dataset; its threads end with the epoch.
    loader = Loader(
        dataset,
        batch_size=values["batch_size"],
        transforms=make_steps({**values, "dtype": "uint8"}),
        seed=seed,
        threads=values["preprocess_threads"],
        engine=values["engine"],
        layout="NCHW",
        channels=values["data_shape"][0],
        on_error=values["on_error"],
        exact=True,
    )
    for batch in loader:
        total += batch.data[: batch.n_valid].sum(0, dtype=np.int64)
        n += batch.n_valid
    if not n:
        raise FormatError(
            path=str(dataset.files[0]), expected="images to compute the mean from", got="only bad samples"
        )
    mean: NDArray[np.float32] = total.astype(np.float32) * (np.float32(1) / np.float32(n))
    write_atomically(Path(path), lambda file: file.write(ndarray_file.pack({_NAME: mean})))
    return mean
