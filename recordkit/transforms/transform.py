"""The protocol of a transform, and the two methods by which a transform may describe itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

import numpy as np

from recordkit.sample import Image
from recordkit.transforms.draws import Draws


class Transform(Protocol):
    """A function from an image and random numbers to an image.

    Any callable with these arguments is a transform. The result depends on nothing but the transform's own attributes,
    the image and the draws. Several threads call the same transform at once.

    The documentation of a random transform states which numbers it draws and in which order, because the native engine
    draws the same ones. Real numbers are computed with Python's floats and the functions of `math`, not with NumPy's,
    whose last bit may differ.

    A class of transforms may describe itself by two methods, both optional:

    ``native_spec() -> dict[str, Any] | None``
        The arguments of the compiled engine for this step: ``"kind"``, and the arguments that this kind takes
        (native/src/module_loading.cpp). None if the compiled engine does not have the step; Python then applies it.
    ``output_size() -> tuple[int, int] | None``
        The height and width that the step makes of any image, None if they depend on the image. If a size is known,
        a loader does not decode a sample to find it.

    A method counts only in the class that defines it. A subclass may change what the step does, so it must define them
    again.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import Draws, RandomCrop, Transform
    >>> transform: Transform = RandomCrop(2)
    >>> image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    >>> transform(image, Draws(seed=0, epoch=0, position=3, transform=0))[:, :, 0]
    array([[ 5,  6],
           [ 9, 10]], dtype=uint8)
    >>> transform.native_spec(), transform.output_size()
    ({'kind': 'random_crop', 'height': 2, 'width': 2}, (2, 2))
    """

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the transformed image or a view of `image`; `image` itself must not be modified.

        Parameters
        ----------
        image : ndarray of uint8, shape (H, W, C), C 1, 3 or 4
        draws : Draws
            Random numbers for this transform and this sample. Transforms that draw nothing can be called without.

        Raises
        ------
        ImageError
            The image does not suit the transform.
        """


def takes_draws(step: Transform | Callable[[Any], Any]) -> TypeGuard[Transform]:
    """Tell a `Transform` from a function of the image alone.

    A transform has a second parameter called `draws`, or two parameters without a default.

    Examples
    --------
    >>> from recordkit.transforms import CenterCrop
    >>> takes_draws(CenterCrop()), takes_draws(lambda image, numbers: image), takes_draws(lambda image, gain=2: image)
    (True, True, False)
    """
    try:
        parameters = list(inspect.signature(step).parameters.values())
    except ValueError:  # some functions that are compiled do not tell
        return False
    if any(parameter.name == "draws" for parameter in parameters[1:]):
        return True
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.default is parameter.empty and parameter.kind in kinds for parameter in parameters) > 1


@dataclass(frozen=True, repr=False)
class FunctionOfImage:
    """A function of the image alone as a `Transform`, which ignores the draws."""

    function: Callable[..., Any]

    def __repr__(self) -> str:
        return repr(self.function)

    def __call__(self, image: Image, draws: Draws | None = None) -> Any:
        """Return the result of the function, which may change its argument: views of what others use are copied.

        OpenCV and torch do not take the negative strides of a mirrored image either.
        """
        is_array = isinstance(image, np.ndarray)
        if is_array and not (image.flags.writeable and min(image.strides, default=0) >= 0):
            image = image.copy()
        return self.function(image)


def native_spec(transform: Transform) -> dict[str, Any] | None:
    """Return the compiled engine's arguments for a transform; None if it does not have that transform."""
    spec: dict[str, Any] | None = _describe(transform, "native_spec")
    return spec


def output_size(transform: Transform) -> tuple[int, int] | None:
    """Return the height and width that a transform makes of any image; None if they depend on the image."""
    size: tuple[int, int] | None = _describe(transform, "output_size")
    return size


def _describe(transform: Transform, method: str) -> Any:
    """Call a method that the transform's own class defines; return None if it does not define it."""
    return getattr(transform, method)() if method in vars(type(transform)) else None
