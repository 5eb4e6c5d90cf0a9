"""Batches of a .rec file read by Gluon's ImageRecordDataset and DataLoader, whose workers are processes.

This reader supports only `shift`, `fill`, `random_crop` and `random_mirror` of `Augment`. OpenCV decodes some damaged
images to black ones here, without an error.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError
from recordkit.training.augment import Augment
from recordkit.training.data.batches import BatchReader, one_line_errors, plain_name
from recordkit.training.data.normalization import Normalization
from recordkit.training.data.shuffle import Shuffle
from recordkit.transforms.resize import resize_to

_SUPPORTED = ("rand_crop", "rand_mirror", "pad", "fill_value")


class GluonReader(BatchReader):
    """Reads with ``gluon.data.vision.ImageRecordDataset`` and ``gluon.data.DataLoader``."""

    def _batches(self, shuffle: Shuffle | None) -> Generator[Any, None, None]:
        data = self._mx.gluon.data
        n = len(self.survey)
        order = np.arange(n)
        if shuffle is not None:
            order = np.random.default_rng(shuffle.seeds()[0]).permutation(n)
        order = np.concatenate([order, order[: -n % self.batch_size]])
        with plain_name(self.survey) as (records, _), one_line_errors(self._mx, self.survey.path):
            images = data.vision.ImageRecordDataset(records, flag=0 if self.batch_shape[1] == 1 else 1)
            with _default_sigterm():
                loader = data.DataLoader(
                    _AugmentedDataset(images, self.batch_shape[1:], self.normalization, self.survey.border, shuffle),
                    batch_size=self.batch_size,
                    sampler=order.tolist(),
                    num_workers=self._n_threads,
                )
            shape = (self.batch_size, -1) if len(self.survey.labels) > 1 else (-1,)
            for pixels, label in loader:
                yield self._mx.io.DataBatch(data=[pixels], label=[label.astype("float32").reshape(shape)])


def check_augment(augment: Augment) -> None:
    """Refuse an augmentation that this reader does not support.

    Raises
    ------
    PlanError
        The augmentation is more than crops, mirrors and shifts.
    """
    unsupported = sorted(augment.iterator_options(border=0).keys() - set(_SUPPORTED))
    if unsupported:
        raise PlanError(
            argument="iterator", expected="crops, mirrors and shifts alone with gluon", got=", ".join(unsupported)
        )


@contextlib.contextmanager
def _default_sigterm() -> Iterator[None]:
    """Restore the default action of SIGTERM while processes start: Gluon ends its workers by SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signal handlers
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _AugmentedDataset:
    """Gluon's dataset with augmentation and normalization; Gluon's loader asks it for samples by index."""

    def __init__(
        self,
        images: Any,
        shape: tuple[int, ...],
        normalization: Normalization,
        border: int,
        shuffle: Shuffle | None,
    ) -> None:
        if shuffle:
            check_augment(shuffle.augment)
        options = shuffle.augment.iterator_options(border=border) if shuffle else {}
        self._images, self._shape, self._shuffle, self._options = images, shape, shuffle, options
        self._normalization = normalization

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Any]:
        array, label = self._images[index]
        image: NDArray[np.uint8] = array.asnumpy()
        if pad := self._options.get("pad"):
            image = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), constant_values=self._options["fill_value"])
        _, height, width = self._shape
        if image.shape[0] < height or image.shape[1] < width:
            image = resize_to(image, max(height, image.shape[0]), max(width, image.shape[1]), "bilinear")
        n_cut_rows, n_cut_columns = image.shape[0] - height, image.shape[1] - width
        top, left = n_cut_rows // 2, n_cut_columns // 2
        if self._shuffle is not None:
            rng = np.random.default_rng([self._shuffle.seeds()[1], index])
            if self._options.get("rand_crop"):
                top, left = rng.integers(0, (n_cut_rows, n_cut_columns), endpoint=True)
            if self._options.get("rand_mirror") and rng.random() < 0.5:
                image, left = image[:, ::-1], n_cut_columns - left
        return self._normalization.pixels(image[top : top + height, left : left + width]), label
