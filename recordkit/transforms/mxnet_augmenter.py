"""The steps of MXNet's image augmenter that no other transform covers.

ImageRecordIter uses them (`recordkit.record_iter.steps`), and the native engine knows them.

Source: ``DefaultImageAugmenter::Process``, src/io/image_aug_default.cc, apache/mxnet 1.9.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recordkit.errors import ImageError
from recordkit.sample import Image
from recordkit.transforms.affine import warp
from recordkit.transforms.checks import height_and_width
from recordkit.transforms.crop import CenterCrop, RandomCrop, RandomSizeCrop
from recordkit.transforms.draws import Draws
from recordkit.transforms.resize import Filter, draw_filter, resize_to


@dataclass(frozen=True, slots=True)
class FittingCenterCrop(CenterCrop):
    """`CenterCrop` of an image that is enlarged first if it is too small: `enlarged`.

    Engines may take it for a `CenterCrop` wherever the image is large enough.

    Examples
    --------
    >>> FittingCenterCrop((4, 4), filter="bilinear")(np.zeros((2, 3, 1), np.uint8)).shape
    (4, 4, 1)
    """

    filter: Filter = "bilinear"

    def __call__(self, image: Image, draws: Draws | None = None) -> Image:
        """Return the central part."""
        return CenterCrop.__call__(self, enlarged(image, self.size, self.filter, draws))


@dataclass(frozen=True, slots=True)
class FittingRandomCrop(RandomCrop):
    """`RandomCrop` of an image that is enlarged first if it is too small: `enlarged`.

    Engines may take it for a `RandomCrop` wherever the image is large enough.
    """

    filter: Filter = "bilinear"

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the part."""
        return RandomCrop.__call__(self, enlarged(image, self.size, self.filter, draws), draws)


@dataclass(frozen=True, slots=True)
class CenterSizeCrop:
    """Cut out the central square of a random side, and resize it to a fixed size.

    Draws 1 number, ``side = low + below(high - low + 1)``, and the filter, if that is "random".

    Parameters
    ----------
    size : (height, width)
        Of the result, in pixels.
    low, high : int
        Range of the side, in pixels.
    filter : str
    """

    size: Sequence[int]
    low: int
    high: int
    filter: Filter

    def __post_init__(self) -> None:
        RandomSizeCrop(self.size, self.low, self.high, self.filter)  # refuses what it would refuse

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the square, resized.

        Raises
        ------
        ImageError
            The image is smaller than `high`, whichever side is drawn.
        """
        if min(image.shape[:2]) < self.high:
            height, width = image.shape[:2]
            raise ImageError(
                f"max_crop_size: expected at least {self.high} rows and columns, got {height} and {width}; "
                "give resize or pad too"
            )
        side = self.low + draws.below(self.high - self.low + 1)
        height, width = self.size
        return resize_to(CenterCrop(side)(image), height, width, draw_filter(self.filter, draws))


@dataclass(frozen=True, slots=True)
class Affine:
    """The warp of `recordkit.transforms.affine` with whole degrees.

    Draws 4 numbers: ``shear = uniform(-shear, shear)``, ``angle = angles[below(len(angles))]``,
    ``scale = uniform(scale)``, ``aspect = uniform(aspect)``.

    Parameters
    ----------
    angles : sequence of int
        In degrees.
    shear : float
    scale, aspect : (float, float)
    fill : int, 0 to 255
    """

    angles: Sequence[int]
    shear: float
    scale: tuple[float, float]
    aspect: tuple[float, float]
    fill: int

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the warped image."""
        shear = draws.uniform(-self.shear, self.shear)
        angle = self.angles[draws.below(len(self.angles))]
        scale = draws.uniform(*self.scale)
        return warp(image, angle, shear, scale, draws.uniform(*self.aspect), fill=self.fill)


def enlarged(image: Image, size: Any, name: Filter, draws: Draws | None = None) -> Image:
    """Return an image of at least `size`: if it is too low enlarged to the height, then if too narrow to the width.

    Draws the filter, if that is "random" and the image too small.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, C)
    size : (height, width)
    name : str
        The filter. That of "auto" is chosen by the image's first size.
    draws : Draws, optional
    """
    height, width = height_and_width("size", size)
    old_height, old_width = image.shape[:2]
    if old_height >= height and old_width >= width:
        return image
    if name == "auto":
        name = "cubic" if old_height < height and old_width < width else "bilinear"
    elif draws is not None:
        name = draw_filter(name, draws)
    # In float32 like MXNet, whose last column may come or go by it.
    if old_height < height:
        image = resize_to(image, height, int(np.float32(height) / np.float32(old_height) * np.float32(old_width)), name)
    old_height, old_width = image.shape[:2]
    if old_width < width:
        image = resize_to(image, int(np.float32(width) / np.float32(old_width) * np.float32(old_height)), width, name)
    return image
