"""The native engine: compiled C++ from the record to the batch, for what it knows; the reference engine for the rest.

It knows JPEG, PNG and raw images, and of the transforms those at the beginning of the list that `_step` knows; those
behind them are Python's. Samples that it does not decode, or that are damaged, the reference engine loads, or refuses
in its own words. Resized pixels differ from the reference's by at most 1 level, or a little more where JPEGs are scaled
down as they are decoded (`LoadPlan.exact`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recordkit import native
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import ImageError
from recordkit.loading.engine import Request, Room
from recordkit.loading.plan import LoadPlan
from recordkit.loading.python import PythonEngine, finished, transformed
from recordkit.sample import MAX_PIXELS
from recordkit.transforms import (
    CenterCrop,
    Flip,
    Normalize,
    Pad,
    RandomAffine,
    RandomAspect,
    RandomCrop,
    RandomFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomScale,
    RandomShear,
    RandomSizeCrop,
    Resize,
    Transform,
)
from recordkit.transforms.checks import height_and_width
from recordkit.transforms.mxnet_augmenter import Affine, CenterSizeCrop, FittingCenterCrop, FittingRandomCrop

_FILTERS = ("antialias", "bilinear")
# Not their subclasses, which may do something else.
_STEPS = {
    *(CenterCrop, FittingCenterCrop, RandomCrop, FittingRandomCrop, RandomResizedCrop, RandomSizeCrop, CenterSizeCrop),
    *(Affine, RandomAffine, RandomAspect, RandomRotation, RandomScale, RandomShear),
    *(Flip, Pad, RandomFlip, Resize),
}
# What the core has 32 bits for.
_SIDES = ("height", "width", "margin", "side_high")


class NativeEngine:
    """See `recordkit.loading.engine.Engine`."""

    name: ClassVar[str] = "native"

    def __init__(self, dataset: RecordDataset, plan: LoadPlan, size: tuple[int, int]) -> None:
        self._dataset = dataset
        self._plan = plan
        self._size = size
        self._reference = PythonEngine(dataset, plan, size)
        steps = [_step(step, number) for number, step in enumerate(plan.steps)]
        self._n_known = steps.index(None) if None in steps else len(steps)
        known = self._n_known == len(steps) and type(plan.normalize) in (Normalize, type(None))
        self._whole = known and size[0] * size[1] <= MAX_PIXELS
        height, width = size if self._whole else (1, 1)
        mean, factor = np.zeros(plan.channels, np.float32), np.ones(plan.channels, np.float32)
        if self._whole and plan.normalize is not None:
            mean, factor = plan.normalize.constants(plan.channels)
        self._loader = native.load().BatchLoader(
            steps=steps[: self._n_known],
            channels=plan.channels,
            scale_in_dct=not plan.exact,
            seed=plan.seed,
            dtype=plan.dtype,
            planar=plan.layout == "NCHW",
            height=height,
            width=width,
            mean=mean,
            factor=factor,
        )

    def load(self, request: Request, room: Room) -> dict[int, Exception]:
        """Fill the room; return the error of each place whose sample cannot be had, by its number."""
        found = self._dataset.records_at(request.indices)
        records = native.load().Records(*found, request.positions, request.epoch)
        if self._whole:
            left = self._loader.load(records, room.data, room.labels).tolist()
        else:
            left = self._go_on(self._loader.images(records, room.labels), request, room)
        return self._reference.load_some(left, request, room)

    def _go_on(self, images: list[NDArray[np.uint8] | None], request: Request, room: Room) -> list[int]:
        """Apply the other transforms, in Python; return the places that are left to the reference engine."""
        left = []
        for place, (image, position) in enumerate(zip(images, request.positions.tolist(), strict=True)):
            if image is None:
                left.append(place)
                continue
            try:
                changed = transformed(image, self._plan, request.epoch, position, first=self._n_known)
                room.data[place] = finished(changed, self._plan, self._size)
            except ImageError:
                left.append(place)  # so that it is said once, there
        return left


def _step(step: Transform, number: int) -> dict[str, Any] | None:
    """Return a transform as the core takes it; None if it does not know it."""
    if type(step) not in _STEPS:
        return None
    arguments = _arguments(step)
    if arguments is None or max(arguments.get(side, 0) for side in _SIDES) > MAX_PIXELS:
        return None
    return arguments | {"number": number}


def _arguments(step: Transform) -> dict[str, Any] | None:
    match step:
        case Resize() if step.filter in _FILTERS:
            return {"kind": "resize", "height": step.size, "filter": step.filter}
        case CenterCrop():
            return {"kind": "center_crop"} | _sides(step.size)
        case RandomCrop():
            return {"kind": "random_crop"} | _sides(step.size)
        case RandomResizedCrop() if step.filter in _FILTERS:
            ranges = dict(zip(("low", "high", "ratio_low", "ratio_high"), (*step.scale, *step.ratio), strict=True))
            return {"kind": "resized_crop", "filter": step.filter} | ranges | _sides(step.size)
        case RandomSizeCrop() | CenterSizeCrop() if step.filter in _FILTERS:
            kind = "size_crop" if isinstance(step, RandomSizeCrop) else "center_size_crop"
            sides = {"side_low": step.low, "side_high": step.high}
            return {"kind": kind, "filter": step.filter} | sides | _sides(step.size)
        case Pad():
            wanted = _sides(step.pixels) if isinstance(step.pixels, Sequence) else {"margin": step.pixels}
            return {"kind": "pad", "fill": step.fill} | wanted
        case RandomFlip():
            return {"kind": "flip", "high": float(step.probability)}
        case Flip():
            return {"kind": "flip", "high": 1.0}
    return _warp(step)


def _warp(step: Transform) -> dict[str, Any] | None:
    """Return a warp: what it draws from, in the order shear, angle, scale, aspect; None if it is no warp."""
    match step:
        case Affine():
            ranges = {"shear": (-step.shear, step.shear), "scale": step.scale, "aspect": step.aspect}
            return {"kind": "warp", "angles": list(step.angles), "fill": step.fill} | ranges
        case RandomAffine():
            turns = {"shear": (-step.shear, step.shear), "angle": (-step.degrees, step.degrees)}
            sizes = {"scale": tuple(step.scale), "aspect": tuple(step.aspect)}
            return {"kind": "warp", "fill": step.fill} | turns | sizes
        case RandomRotation():
            return {"kind": "warp", "angle": (-step.degrees, step.degrees), "fill": step.fill}
        case RandomShear():
            return {"kind": "warp", "shear": (-step.ratio, step.ratio), "fill": step.fill}
        case RandomScale():
            return {"kind": "warp", "scale": (step.low, step.high)}
        case RandomAspect():
            return {"kind": "warp", "aspect": (step.low, step.high), "fill": step.fill}
    return None


def _sides(size: Any) -> dict[str, int]:
    return {} if size is None else dict(zip(("height", "width"), height_and_width("size", size), strict=True))
