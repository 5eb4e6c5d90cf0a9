"""The native engine: compiled C++ from the record to the batch, for what it knows; the reference engine for the rest.

It knows JPEG, PNG and raw images, and of the transforms those at the beginning of the list that `_STEPS` names; those
behind them are Python's. Samples that it does not decode, or that are damaged, the reference engine loads, or refuses
in its own words. Resized pixels differ from the reference's by at most 1 level, or a little more where JPEGs are scaled
down as they are decoded (`LoadPlan.exact`).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recordkit import native
from recordkit.errors import ImageError
from recordkit.reading.dataset import RecordDataset
from recordkit.reading.engine import Request, Room
from recordkit.reading.plan import LoadPlan, fixed_size
from recordkit.reading.python import PythonEngine, finished, transformed
from recordkit.transforms import CenterCrop, Flip, RandomCrop, RandomFlip, RandomResizedCrop, Resize, Transform
from recordkit.transforms.checks import height_and_width

_FILTERS = ("antialias", "bilinear")


class NativeEngine:
    """See `recordkit.reading.engine.Engine`."""

    name: ClassVar[str] = "native"

    def __init__(self, dataset: RecordDataset, plan: LoadPlan, size: tuple[int, int]) -> None:
        self._dataset = dataset
        self._plan = plan
        self._size = size
        self._reference = PythonEngine(dataset, plan, size)
        steps = [_step(step, number) for number, step in enumerate(plan.steps)]
        n_known = steps.index(None) if None in steps else len(steps)
        self._n_known = n_known
        self._whole = whole = n_known == len(steps)
        self._between = between = size if whole else fixed_size(plan.steps[:n_known])
        if between is None:  # what Python is to go on with has no fixed size
            return
        mean, factor = np.zeros(plan.channels, np.float32), np.ones(plan.channels, np.float32)
        if whole and plan.normalize is not None:
            mean, factor = plan.normalize.constants(plan.channels)
        self._loader = native.load().BatchLoader(
            steps=steps[:n_known],
            channels=plan.channels,
            scale_in_dct=not plan.exact,
            seed=plan.seed,
            dtype=plan.dtype if whole else "uint8",
            planar=whole and plan.layout == "NCHW",
            height=between[0],
            width=between[1],
            mean=mean,
            factor=factor,
        )

    def load(self, request: Request, room: Room) -> dict[int, Exception]:
        """Fill the room; return the error of each place whose sample cannot be had, by its number."""
        if self._between is None:
            return self._reference.load(request, room)
        found = self._dataset.records_at(request.indices)
        if self._whole:
            left = self._loader.load(*found, request.positions, request.epoch, room.data, room.labels)
            return self._reference.load_some(left.tolist(), request, room)
        images = np.empty((len(request.indices), *self._between, self._plan.channels), np.uint8)
        left = self._loader.load(*found, request.positions, request.epoch, images, room.labels)
        return self._go_on(images, set(left.tolist()), request, room)

    def _go_on(self, images: NDArray[np.uint8], left: set[int], request: Request, room: Room) -> dict[int, Exception]:
        """Apply the other transforms, in Python; the reference engine does all for the places in `left`."""
        positions = request.positions.tolist()
        for place in set(range(len(images))) - left:
            try:
                image = transformed(images[place], self._plan, request.epoch, positions[place], first=self._n_known)
                room.data[place] = finished(image, self._plan, self._size)
            except ImageError:
                left.add(place)  # so that it is said once, there
        return self._reference.load_some(sorted(left), request, room)


def _step(step: Transform, number: int) -> dict[str, Any] | None:
    """Return a transform as the core takes it; None if it does not know it."""
    common: dict[str, Any] = {"number": number}
    match step:
        case Resize() if step.filter in _FILTERS:
            return common | {"kind": "resize", "height": step.size, "filter": step.filter}
        case CenterCrop():
            return common | {"kind": "center_crop"} | _sides(step.size)
        case RandomCrop():
            return common | {"kind": "random_crop"} | _sides(step.size)
        case RandomResizedCrop() if step.filter in _FILTERS:
            ranges = dict(zip(("low", "high", "ratio_low", "ratio_high"), (*step.scale, *step.ratio), strict=True))
            return common | {"kind": "resized_crop", "filter": step.filter} | ranges | _sides(step.size)
        case RandomFlip():
            return common | {"kind": "flip", "high": float(step.probability)}
        case Flip():
            return common | {"kind": "flip", "high": 1.0}
    return None


def _sides(size: Any) -> dict[str, int]:
    return {} if size is None else dict(zip(("height", "width"), height_and_width("size", size), strict=True))
