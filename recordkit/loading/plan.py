"""The settings that decide how samples become the items of a batch, checked together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from recordkit.errors import PlanError
from recordkit.transforms import Normalize, Transform

DTYPES = ("uint8", "float16", "float32")
LAYOUTS = ("NHWC", "NCHW")
CHANNELS = (3, 1, 4)


@dataclass(frozen=True)
class LoadPlan:
    """The conversion of samples to numbers.

    Parameters
    ----------
    transforms : sequence of Transform, default ()
        Transforms in the order of their application; a `Normalize` only at the end.
    dtype : {"uint8", "float16", "float32"}, default "uint8"
    layout : {"NHWC", "NCHW"}, default "NHWC"
    channels : {3, 1, 4}, default 3
        3: RGB, where gray is repeated and alpha dropped. 1: gray. 4: RGB and alpha, which is 255 if an image has none.
    seed : int, 0 to 2**64 - 1, default 0
        Seed of all random draws.
    exact : bool, default False
        Decode JPEGs in full before a resize. By default the native engine lets the decoder do a part of a large
        reduction, which changes pixels a little.

    Attributes
    ----------
    steps : tuple of Transform
        The transforms without the normalisation.
    normalize : Normalize or None

    Raises
    ------
    PlanError
        A value is not allowed, or two values contradict each other.
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
        for name, allowed in (("dtype", DTYPES), ("layout", LAYOUTS), ("channels", CHANNELS)):
            object.__setattr__(self, name, _allowed_value(name, getattr(self, name), allowed))
        if not (isinstance(self.seed, Integral) and 0 <= int(self.seed) < 2**64):
            raise PlanError(argument="seed", expected="0 to 2**64 - 1", got=repr(self.seed))
        object.__setattr__(self, "seed", int(self.seed))  # a Python int, because JSON cannot hold NumPy's
        steps, normalize = _split(self.transforms)
        if normalize is not None:
            _check_result(normalize, self.channels, self.dtype)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "normalize", normalize)

    def item_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return the shape in a batch of one image of this height and width."""
        return (self.channels, *size) if self.layout == "NCHW" else (*size, self.channels)


def _split(transforms: Sequence[Transform | Normalize]) -> tuple[tuple[Transform, ...], Normalize | None]:
    """Check the transforms, and split the normalisation from the others."""
    if not isinstance(transforms, Sequence):
        raise PlanError(argument="transforms", expected="a list of them", got=repr(transforms))
    last = transforms[-1] if transforms else None
    normalize = last if isinstance(last, Normalize) else None
    steps: list[Transform] = []
    for number, step in enumerate(transforms[: len(transforms) - (normalize is not None)]):
        if isinstance(step, Normalize | type) or not callable(step):
            expected = "Normalize at the end" if isinstance(step, Normalize) else "a transform"
            raise PlanError(argument="transforms", expected=expected, got=f"{step!r} as number {number}")
        steps.append(step)
    return tuple(steps), normalize


def _check_result(normalize: Normalize, channels: int, dtype: str) -> None:
    """Refuse another number of channels, and numbers that the dtype cannot hold."""
    if dtype == "uint8":
        raise PlanError(
            argument="dtype", expected="float32 or float16 with Normalize, which makes fractions", got=dtype
        )
    with np.errstate(over="ignore", invalid="ignore"):
        extremes = np.array([normalize(np.full((1, 1, channels), value, np.uint8)) for value in (0, 255)])
        fits = np.isfinite(extremes.astype(dtype)).all()
    if not fits:
        raise PlanError(argument="dtype", expected=f"one that holds what {normalize} makes of 0 and 255", got=dtype)


def _allowed_value(name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """Return the allowed value that equals `value`, which may be NumPy's: a dtype equals its name."""
    for candidate in allowed:
        if value == candidate:
            return candidate
    raise PlanError(argument=name, expected=" or ".join(map(repr, allowed)), got=repr(value))
