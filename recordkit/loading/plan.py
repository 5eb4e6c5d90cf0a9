"""What becomes of every sample on its way into a batch: values only, checked when they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from recordkit.errors import PlanError
from recordkit.sample import Image
from recordkit.transforms import (
    CenterCrop,
    Draws,
    Normalize,
    RandomCrop,
    RandomResizedCrop,
    RandomSizeCrop,
    Transform,
)
from recordkit.transforms.checks import height_and_width

DTYPES = ("uint8", "float16", "float32")
LAYOUTS = ("NHWC", "NCHW")

# How often random transforms behind a crop are tried, to see whether they change the size.
_N_DRAWN = 4


@dataclass(frozen=True)
class LoadPlan:
    """How samples become numbers.

    Parameters
    ----------
    transforms : sequence of Transform, default ()
        In this order; a `Normalize` only at the end.
    dtype : {"uint8", "float16", "float32"}, default "uint8"
    layout : {"NHWC", "NCHW"}, default "NHWC"
    channels : {3, 1, 4}, default 3
        RGB, gray repeated and alpha dropped; gray; or RGB and alpha, 255 where an image has none.
    seed : int, 0 to 2**64 - 1, default 0
        Of all random draws.
    exact : bool, default False
        Decode JPEGs in full before they are resized. By default the native engine lets the decoder do a part of a
        large reduction, which changes pixels a little.

    Attributes
    ----------
    steps : tuple of Transform
        The transforms before the normalisation.
    normalize : Normalize or None

    Raises
    ------
    PlanError
        A value is none of these, or they contradict each other.
    """

    transforms: Sequence[Transform | Normalize] = ()
    dtype: str = "uint8"
    layout: str = "NHWC"
    channels: int = 3
    seed: int = 0
    exact: bool = False
    steps: tuple[Transform, ...] = field(init=False)
    normalize: Normalize | None = field(init=False)

    def __post_init__(self) -> None:
        for name, allowed in (("dtype", DTYPES), ("layout", LAYOUTS), ("channels", (3, 1, 4))):
            object.__setattr__(self, name, _one_of(name, getattr(self, name), allowed))
        if not (isinstance(self.seed, Integral) and 0 <= int(self.seed) < 2**64):
            raise PlanError(f"seed: expected 0 to 2**64 - 1, got {self.seed!r}")
        object.__setattr__(self, "seed", int(self.seed))  # Python's own, which a state in JSON can hold
        if not isinstance(self.transforms, Sequence):
            raise PlanError(f"transforms: expected a list of them, got {self.transforms!r}")
        last = self.transforms[-1] if self.transforms else None
        normalize = last if isinstance(last, Normalize) else None
        steps = tuple(self.transforms)[: len(self.transforms) - (normalize is not None)]
        for number, step in enumerate(steps):
            if isinstance(step, Normalize | type) or not callable(step):
                wanted = "Normalize at the end" if isinstance(step, Normalize) else "a transform"
                raise PlanError(f"transforms: expected {wanted}, got {step!r} as number {number}")
        if normalize is not None:
            if self.dtype == "uint8":
                raise PlanError("dtype: expected float32 or float16 with Normalize, which makes fractions, got uint8")
            _check_range(normalize, self.channels, self.dtype)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "normalize", normalize)

    def item_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return the shape of one sample of this height and width in a batch."""
        return (self.channels, *size) if self.layout == "NCHW" else (*size, self.channels)


def _check_range(normalize: Normalize, channels: int, dtype: str) -> None:
    """Refuse another number of channels, and numbers that the dtype cannot hold."""
    with np.errstate(over="ignore", invalid="ignore"):
        ends = np.array([normalize(np.full((1, 1, channels), value, np.uint8)) for value in (0, 255)]).astype(dtype)
    if not np.isfinite(ends).all():
        raise PlanError(f"dtype: expected one that holds what {normalize} makes of 0 and 255, got {dtype}")


def _one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """Return what is allowed and equal to a value, which may be NumPy's: a dtype is equal to its name."""
    for one in allowed:
        if value == one:
            return one
    raise PlanError(f"{name}: expected {' or '.join(map(repr, allowed))}, got {value!r}")


def apply(step: Transform, image: Image, draws: Draws) -> Image:
    """Apply a transform, which is anybody's, and see that it returns an image.

    Raises
    ------
    PlanError
        It is no ndarray of uint8, or has another number of channels.
    """
    changed = step(image, draws)
    if isinstance(changed, np.ndarray) and changed.dtype == np.uint8 and changed.shape[2:] == image.shape[2:]:
        return changed
    got = f"{changed.dtype} of shape {changed.shape}" if isinstance(changed, np.ndarray) else type(changed).__name__
    raise PlanError(
        f"transforms: expected uint8 of shape (H, W, {image.shape[2]}) from {step!r}, got {got}; "
        "only a Normalize, at the end, makes fractions"
    )


def fixed_size(steps: Sequence[Transform], channels: int = 3) -> tuple[int, int] | None:
    """Return the height and width that these transforms make of any image; None if that depends on the image.

    Parameters
    ----------
    steps : sequence of Transform
    channels : {3, 1, 4}, default 3
        Of the images: those behind the last crop are tried on one.

    Examples
    --------
    >>> from recordkit.transforms import CenterCrop, RandomCrop, RandomFlip, Resize
    >>> fixed_size([Resize(256), RandomCrop(224), RandomFlip()])
    (224, 224)
    >>> fixed_size([CenterCrop(), Resize(256)])
    """
    fixed = [number for number, step in enumerate(steps) if _fixes_size(step)]
    if not fixed:
        return None
    height, width = height_and_width("size", steps[fixed[-1]].size)  # type: ignore[attr-defined]
    behind = list(enumerate(steps))[fixed[-1] + 1 :]
    sizes = {_size_behind(behind, (height, width, channels), position) for position in range(_N_DRAWN if behind else 1)}
    return sizes.pop() if len(sizes) == 1 else None


def _size_behind(steps: Sequence[tuple[int, Transform]], shape: tuple[int, int, int], position: int) -> tuple[int, int]:
    image = np.zeros(shape, np.uint8)
    for number, step in steps:
        image = apply(step, image, Draws(seed=0, epoch=0, position=position, transform=number))
    return image.shape[0], image.shape[1]


def _fixes_size(step: Transform) -> bool:
    return isinstance(step, (CenterCrop, RandomCrop, RandomResizedCrop, RandomSizeCrop)) and step.size is not None
