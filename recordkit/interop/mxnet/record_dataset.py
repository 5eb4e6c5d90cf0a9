"""The decoded images of .rec files as one of Gluon's datasets, for its ``DataLoader``."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from recordkit import codec
from recordkit.dataset.dataset import RecordDataset as PayloadDataset
from recordkit.errors import ImageError, PlanError
from recordkit.interop.mxnet.arrays import copy_array
from recordkit.interop.mxnet.bridge import load
from recordkit.loading.engine import with_sample_location

Function = Callable[[Any, Any], Any]

_CHANNELS = "`channels=1` stands for Gluon's flag=0, and `channels=3` for flag=1"


def RecordDataset(  # noqa: N802 (it stands for a class of Gluon)
    path: str | Path | Sequence[str | Path], channels: int = 3, transform: Function | None = None, *, flag: None = None
) -> Any:
    """Return a dataset in place of ``gluon.data.vision.ImageRecordDataset(filename, flag, transform)``.

    Parameters
    ----------
    path : str, Path, or sequence of them
        Path as for `recordkit.RecordDataset`: a .rec file, its prefix or a pattern, or several. No .idx file is needed.
    channels : {1, 3}, default 3
        1 for gray images, 3 for RGB: Gluon's `flag` 0 and 1. The pixels of a PNG are Gluon's; the gray of a colour PNG
        may differ by 1 level, and a JPEG by few, because other decoders round them.
    transform : callable, optional
        Function of image and label, whose result is the sample.
    flag : None
        Gluon's name for `channels`, which is refused with the value to write.

    Returns
    -------
    dataset : gluon.data.Dataset
        Its samples are pairs of image and label. The image is an ``mx.nd.NDArray`` of uint8 and shape (H, W, channels)
        on the CPU; the label is a float, an int if the file has exact labels, or an array if it has several. It has
        Gluon's `transform`, `transform_first`, `filter`, `shard` and `take`, and can be pickled. Its attribute
        `dataset` is the `recordkit.RecordDataset`. An image that cannot be decoded is an `ImageError` with its file
        and key.

    Raises
    ------
    MissingError
        MXNet cannot be loaded.
    PlanError
        `flag` was given, or `channels` is neither 1 nor 3.
    FormatError, FileNotFoundError
        See `recordkit.RecordDataset`.

    Examples
    --------
    >>> images = RecordDataset("train.rec").transform_first(
    ...     mx.gluon.data.vision.transforms.ToTensor()
    ... )  # doctest: +SKIP
    >>> batches = mx.gluon.data.DataLoader(images, batch_size=256, shuffle=True, num_workers=4)  # doctest: +SKIP
    """
    if flag is not None:
        raise PlanError(argument="flag", expected="`channels` in its place", got=f"flag={flag}", advice=_CHANNELS)
    if channels not in (1, 3):
        raise PlanError(argument="channels", expected="1 or 3", got=channels, advice=_CHANNELS)
    return _dataset_class()(PayloadDataset(path), channels, transform)


def _unpickle(dataset: PayloadDataset, channels: int, transform: Function | None) -> Any:
    return _dataset_class()(dataset, channels, transform)


@functools.cache
def _dataset_class() -> Any:
    """Return the class, which can be defined only once MXNet is loaded, because it is derived from MXNet's."""
    mx = load()

    class RecordDataset(mx.gluon.data.Dataset):  # type: ignore[misc, name-defined]  # MXNet has no types
        """Decoded samples of a `recordkit.RecordDataset`."""

        def __init__(self, dataset: PayloadDataset, channels: int, transform: Function | None) -> None:
            self.dataset = dataset
            self._channels = channels
            self._transform = transform

        def __len__(self) -> int:
            return len(self.dataset)

        def __getitem__(self, index: int) -> Any:
            sample = self.dataset[operator.index(index)]
            try:
                pixels = codec.decode(sample.payload, channels=self._channels)
            except ImageError as error:
                raise with_sample_location(error, self.dataset, index % len(self)) from None
            image = copy_array(mx, pixels)
            return (image, sample.label) if self._transform is None else self._transform(image, sample.label)

        def __reduce__(self) -> tuple[Any, ...]:  # pickle cannot find this class by its name
            return _unpickle, (self.dataset, self._channels, self._transform)

    return RecordDataset
