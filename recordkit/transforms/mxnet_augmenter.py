"""Steps of MXNet's image augmenter that the other transforms do not cover.

`recordkit.record_iter.steps` makes them from ImageRecordIter's parameters.

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
from recordkit.transforms.checks import Size, height_and_width
from recordkit.transforms.crop import RandomSizeCrop, crop_spec, cut_at_random, cut_center
from recordkit.transforms.draws import Draws
from recordkit.transforms.resize import NATIVE_FILTERS, Filter, draw_filter, resize_to


@dataclass(frozen=True, slots=True)
class FittingCenterCrop:
    """`CenterCrop` that first enlarges an image that is too small; see `enlarge_to_fit`.

    Parameters
    ----------
    size : int or (height, width)
        Size in pixels.
    filter : str, default "bilinear"
        Filter of the enlargement; see `recordkit.transforms.resize`.

    Examples
    --------
    >>> FittingCenterCrop((4, 4), filter="bilinear")(np.zeros((2, 3, 1), np.uint8)).shape
    (4, 4, 1)
    """

    size: Size
    filter: Filter = "bilinear"

    def __post_init__(self) -> None:
        height_and_width("size", self.size)

    def __call__(self, image: Image, draws: Draws | None = None) -> Image:
        """Return the central part."""
        height, width = height_and_width("size", self.size)
        return cut_center(enlarge_to_fit(image, height, width, self.filter, draws), height, width)

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`. The reference engine loads the images that are too small for a plain crop."""
        return crop_spec("center_crop", self.size)

    def output_size(self) -> tuple[int, int]:
        """See `Transform`."""
        return height_and_width("size", self.size)


@dataclass(frozen=True, slots=True)
class FittingRandomCrop:
    """`RandomCrop` that first enlarges an image that is too small; see `enlarge_to_fit`.

    Parameters
    ----------
    size : int or (height, width)
        Size in pixels.
    filter : str, default "bilinear"
        Filter of the enlargement; see `recordkit.transforms.resize`.
    """

    size: Size
    filter: Filter = "bilinear"

    def __post_init__(self) -> None:
        height_and_width("size", self.size)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the part."""
        height, width = height_and_width("size", self.size)
        return cut_at_random(enlarge_to_fit(image, height, width, self.filter, draws), height, width, draws)

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`. The reference engine loads the images that are too small for a plain crop."""
        return crop_spec("random_crop", self.size)

    def output_size(self) -> tuple[int, int]:
        """See `Transform`."""
        return height_and_width("size", self.size)


@dataclass(frozen=True, slots=True)
class CenterSizeCrop:
    """Cut out the central square of a random side, and resize it to a fixed size.

    Draws 1 number, ``side = low + below(high - low + 1)``, and the filter, if it is "random".

    Parameters
    ----------
    size : (height, width)
        Size of the result in pixels.
    low, high : int
        Range of the side in pixels, both ends included.
    filter : str
        See `recordkit.transforms.resize`.

    Raises
    ------
    PlanError
        `size` or `low` is below 1, `high` is below `low`, or `filter` is not a filter.
    """

    size: Sequence[int]
    low: int
    high: int
    filter: Filter

    def __post_init__(self) -> None:
        RandomSizeCrop(self.size, self.low, self.high, self.filter)  # checks the same arguments

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the resized square.

        Raises
        ------
        ImageError
            The image is smaller than `high`, even if the side that is drawn would fit.
        """
        if min(image.shape[:2]) < self.high:
            raise ImageError(
                argument="max_crop_size",
                expected=f"at least {self.high} rows and columns",
                got=f"{image.shape[0]} and {image.shape[1]}",
                advice="resize or pad the images first",
            )
        side = self.low + draws.below(self.high - self.low + 1)
        height, width = self.size
        return resize_to(cut_center(image, side, side), height, width, draw_filter(self.filter, draws))

    def native_spec(self) -> dict[str, Any] | None:
        """See `Transform`."""
        if self.filter not in NATIVE_FILTERS:
            return None
        return crop_spec("center_size_crop", self.size, filter=self.filter, side_low=self.low, side_high=self.high)

    def output_size(self) -> tuple[int, int]:
        """See `Transform`."""
        return height_and_width("size", self.size)


@dataclass(frozen=True, slots=True)
class Affine:
    """The warp of `recordkit.transforms.affine` with angles from a list of whole degrees.

    Draws 4 numbers: ``shear = uniform(-shear, shear)``, ``angle = angles[below(len(angles))]``,
    ``scale = uniform(scale)``, ``aspect = uniform(aspect)``.

    Parameters
    ----------
    angles : sequence of int
        Angles in degrees.
    shear : float
        Largest shear, either way.
    scale, aspect : (float, float)
        Ranges.
    fill : int, 0 to 255
        Value of pixels from outside the image.
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

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {
            "kind": "warp",
            "shear": (-self.shear, self.shear),
            "angles": list(self.angles),
            "scale": self.scale,
            "aspect": self.aspect,
            "fill": self.fill,
        }


def enlarge_to_fit(image: Image, height: int, width: int, name: Filter, draws: Draws | None = None) -> Image:
    """Enlarge an image that is smaller than a size; return a larger image as it is.

    An image whose height is too small is enlarged to the height; then, if its width is too small, to the width. The
    filter "random" is drawn only if the image is too small.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, C)
    height, width : int
        Smallest size of the result in pixels.
    name : str
        Filter. For "auto" the size of the original image decides.
    draws : Draws, optional
    """
    old_height, old_width = image.shape[:2]
    if old_height >= height and old_width >= width:
        return image
    if name == "auto":
        name = "cubic" if old_height < height and old_width < width else "bilinear"
    elif draws is not None:
        name = draw_filter(name, draws)
    # The ratios are float32 as in MXNet, because they decide whether the result has one column more or less.
    if old_height < height:
        image = resize_to(image, height, int(np.float32(height) / np.float32(old_height) * np.float32(old_width)), name)
    old_height, old_width = image.shape[:2]
    if old_width < width:
        image = resize_to(image, int(np.float32(width) / np.float32(old_width) * np.float32(old_height)), width, name)
    return image
