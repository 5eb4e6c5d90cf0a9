"""The settings that decide how samples become the items of a batch, checked together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.arguments import dtype_name
from recordkit.errors import PlanError
from recordkit.transforms import Normalize, Transform
from recordkit.transforms.transform import FunctionOfImage, takes_draws

DTYPES = ("uint8", "float16", "float32")
LAYOUTS = ("NHWC", "NCHW")
CHANNELS = (3, 1, 4, "keep")


class ItemFormat(NamedTuple):
    """Shape and dtype of a sample in a batch, the same for all.

    Attributes
    ----------
    shape : tuple of int
        (H, W, C) or (C, H, W); any shape if a function makes the items.
    dtype : dtype
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class LoadPlan:
    """The conversion of samples to numbers.

    Parameters
    ----------
    transforms : sequence of Transform, Normalize or callable, default ()
        Steps in the order of their application; a `Normalize` only at the end. A callable with one parameter gets the
        image, uint8 of shape (H, W, C). Before another step it returns such an image too; the last callables, if no
        `Normalize` follows them, may return arrays of any shape and dtype.
    dtype : {"uint8", "float16", "float32"} or a type of NumPy or PyTorch, optional
        By default uint8, float32 after a `Normalize`, or the dtype that the last callable returns.
    layout : {"NHWC", "NCHW"}, default "NHWC"
    channels : {3, 1, 4, "keep"}, default 3
        3: RGB, where gray is repeated and alpha dropped. 1: gray. 4: RGB and alpha, which is 255 if an image has none.
        "keep": as many as `normalize` has numbers for; without them 3 until `recordkit.loading.probe.find_channels` has
        looked at the images.
    seed : int, 0 to 2**64 - 1, default 0
        Seed of all random draws.
    exact : bool, default False
        Decode JPEGs in full before a resize. By default the native engine lets the decoder do a part of a large
        reduction, which changes pixels a little.
    gray_only : bool, default False
        An image with colours cannot be loaded; for `channels` 1.

    Attributes
    ----------
    steps : tuple of Transform
        The transforms from image to image.
    normalize : Normalize or None
    channels : {3, 1, 4}
    keeps_channels : bool
        The images decide about `channels`.
    functions : tuple of Transform
        The callables behind the steps, whose results need not be images; empty if there is a normalisation.

    Raises
    ------
    PlanError
        A value is not allowed, or two values contradict each other.
    """

    transforms: Sequence[object] = ()  # what type checkers infer for a list of several transforms
    dtype: Any = None
    layout: str = "NHWC"
    channels: Any = 3
    seed: int = 0
    exact: bool = False
    gray_only: bool = False
    steps: tuple[Transform, ...] = field(init=False)
    normalize: Normalize | None = field(init=False)
    keeps_channels: bool = field(init=False)
    functions: tuple[FunctionOfImage, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.dtype is not None:
            object.__setattr__(self, "dtype", _allowed_value("dtype", dtype_name(self.dtype), DTYPES))
        for name, allowed in (("layout", LAYOUTS), ("channels", CHANNELS)):
            object.__setattr__(self, name, _allowed_value(name, getattr(self, name), allowed))
        if not (isinstance(self.seed, Integral) and 0 <= int(self.seed) < 2**64):
            raise PlanError(argument="seed", expected="0 to 2**64 - 1", got=repr(self.seed))
        object.__setattr__(self, "seed", int(self.seed))  # a Python int, because JSON cannot hold NumPy's
        steps, normalize = _split(self.transforms)
        is_kept = self.channels == "keep"
        n_constants = None if normalize is None else normalize.n_channels
        if is_kept:
            object.__setattr__(self, "channels", n_constants or 3)
        object.__setattr__(self, "keeps_channels", is_kept and n_constants is None)
        functions: list[FunctionOfImage] = []
        if normalize is not None:
            object.__setattr__(self, "dtype", self.dtype or "float32")
            _check_result(normalize, self.channels, str(self.dtype))
        else:
            while steps and isinstance(last := steps[-1], FunctionOfImage):
                functions.insert(0, last)
                steps.pop()
            if not functions:
                object.__setattr__(self, "dtype", self.dtype or "uint8")
        object.__setattr__(self, "steps", tuple(steps))
        object.__setattr__(self, "normalize", normalize)
        object.__setattr__(self, "functions", tuple(functions))

    def image_format(self, size: tuple[int, int]) -> ItemFormat:
        """Return the format in a batch of one image of this height and width; only for a plan without functions."""
        shape = (self.channels, *size) if self.layout == "NCHW" else (*size, self.channels)
        return ItemFormat(shape, np.dtype(self.dtype))

    def image_size(self, item: ItemFormat) -> tuple[int, int]:
        """Return height and width of the images of a format; only for a plan without functions."""
        height, width = item.shape[1:] if self.layout == "NCHW" else item.shape[:2]
        return height, width

    def to_layout(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return an image, of shape (H, W, C), as a view in the plan's layout; an array of another rank unchanged."""
        return values.transpose(2, 0, 1) if self.layout == "NCHW" and values.ndim == 3 else values


def _split(transforms: Sequence[object]) -> tuple[list[Transform], Normalize | None]:
    """Check the transforms, and split the normalisation from the others."""
    if not isinstance(transforms, Sequence) or isinstance(transforms, str):
        raise PlanError(
            argument="transforms",
            expected="a list of transforms",
            got=repr(transforms),
            advice="put it between brackets: [...]" if callable(transforms) else None,
        )
    last = transforms[-1] if transforms else None
    normalize = last if isinstance(last, Normalize) else None
    steps: list[Transform] = []
    for number, step in enumerate(transforms[: len(transforms) - (normalize is not None)]):
        if isinstance(step, Normalize):
            raise _not_a_step(number, "Normalize at the end", repr(step), "move it to the end of the list")
        if isinstance(step, type):
            raise _not_a_step(number, "a transform", f"the class {step.__name__}", f"call it: {step.__name__}(...)")
        if not callable(step):
            raise _not_a_step(number, "a transform or another callable", repr(step))
        if _is_module_of_torch(step):
            raise _not_a_step(
                number,
                "a function of an array",
                f"the PyTorch module {type(step).__name__}",
                "recordkit.interop.torch.Loader gives its transforms tensors, and takes the same arguments",
            )
        steps.append(step if takes_draws(step) else FunctionOfImage(step))
    return steps, normalize


def _not_a_step(number: int, expected: str, got: str, advice: str | None = None) -> PlanError:
    return PlanError(argument="transforms", expected=expected, got=f"{got} as number {number}", advice=advice)


def _is_module_of_torch(step: object) -> bool:
    """Tell a torch.nn.Module without importing torch. Those of torchvision return an array as it is, without a word."""
    return any((kind.__module__, kind.__name__) == ("torch.nn.modules.module", "Module") for kind in type(step).mro())


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
