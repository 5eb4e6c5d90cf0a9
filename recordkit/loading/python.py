"""The reference engine: Pillow and NumPy, one sample after the other. It is right by definition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, ImageError
from recordkit.loading.engine import Request, Room, locate
from recordkit.loading.plan import LoadPlan, apply
from recordkit.sample import Image
from recordkit.transforms import Draws

# Samples that are looked at for the size of images and the number of labels.
_N_TRIED = 100


class PythonEngine:
    """See `recordkit.loading.engine.Engine`."""

    name: ClassVar[str] = "python"

    def __init__(self, dataset: RecordDataset, plan: LoadPlan, size: tuple[int, int]) -> None:
        self._dataset = dataset
        self._plan = plan
        self._size = size

    def load(self, request: Request, room: Room) -> dict[int, Exception]:
        """Fill the room; return the error of each place whose sample cannot be had, by its number."""
        return self.load_some(range(len(request.indices)), request, room)

    def load_some(self, places: Iterable[int], request: Request, room: Room) -> dict[int, Exception]:
        """Do the same for some places."""
        failed: dict[int, Exception] = {}
        for place in places:
            try:
                self._load_one(place, request, room)
            except (FormatError, ImageError, OSError) as error:
                failed[place] = error
        return failed

    def _load_one(self, place: int, request: Request, room: Room) -> None:
        sample = self._dataset[int(request.indices[place])]
        labels = np.atleast_1d(np.asarray(sample.label, np.float32))
        if labels.size != room.labels.shape[1]:
            raise FormatError(f"expected {room.labels.shape[1]} labels as in the first sample, got {labels.size}")
        image = codec.decode(sample.payload, channels=self._plan.channels)
        image = transformed(image, self._plan, request.epoch, int(request.positions[place]))
        room.data[place] = finished(image, self._plan, self._size)
        room.labels[place] = labels


def transformed(image: Image, plan: LoadPlan, epoch: int, position: int, *, first: int = 0) -> Image:
    """Apply the transforms from number `first` on to the sample at a position of an epoch."""
    for number, step in enumerate(plan.steps[first:], first):
        image = apply(step, image, Draws(seed=plan.seed, epoch=epoch, position=position, transform=number))
    return image


def finished(image: Image, plan: LoadPlan, size: tuple[int, int]) -> NDArray[Any]:
    """Return an image as a batch has it: normalised, of its dtype and layout.

    Raises
    ------
    ImageError
        It has another height and width than `size`.
    """
    if image.shape[:2] != size:
        raise ImageError(
            f"expected {size[1]} x {size[0]} pixels after the transforms, as of the first sample, got "
            f"{image.shape[1]} x {image.shape[0]}; end with a crop, so that all samples have one size"
        )
    values = image if plan.normalize is None else plan.normalize(image)
    values = values.astype(plan.dtype, copy=False)
    return values.transpose(2, 0, 1) if plan.layout == "NCHW" else values


def first_size(dataset: RecordDataset, plan: LoadPlan) -> tuple[int, int]:
    """Return the height and width that the transforms make of the first sample that can be decoded.

    Raises
    ------
    ImageError
        None of the first samples can.
    """
    errors = []
    for index in range(min(len(dataset), _N_TRIED)):
        try:
            image = codec.decode(dataset[index].payload, channels=plan.channels)
            image = transformed(image, plan, 0, index)
        except (FormatError, ImageError) as error:
            errors.append(locate(dataset, index, error))
            continue
        return image.shape[0], image.shape[1]
    raise ImageError(f"{errors[0]}; none of the first {len(errors)} samples can be loaded")


def first_n_labels(dataset: RecordDataset) -> int:
    """Return how many labels the first sample has that can be read.

    Raises
    ------
    FormatError
        None of the first samples can.
    """
    errors = []
    for index in range(min(len(dataset), _N_TRIED)):
        try:
            return np.atleast_1d(dataset[index].label).size
        except FormatError as error:
            errors.append(error)
    raise errors[0]
