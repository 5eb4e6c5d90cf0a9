"""Transforms that cut a part out of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recordkit.errors import ImageError
from recordkit.sample import Image
from recordkit.transforms import checks
from recordkit.transforms.checks import Size, height_and_width
from recordkit.transforms.draws import Draws
from recordkit.transforms.resize import NATIVE_FILTERS, Filter, check_filter, draw_filter, resize_to


@dataclass(frozen=True, slots=True)
class CenterCrop:
    """Keep the central part.

    The offsets are ``(H - height) // 2`` and ``(W - width) // 2``, as in im2rec and ImageRecordIter. So if two margins
    cannot be equal, the smaller one is above or to the left.

    Parameters
    ----------
    size : int or (height, width), optional
        Size in pixels; by default a square whose side is the image's short side.

    Raises
    ------
    PlanError
        `size` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import CenterCrop
    >>> image = np.zeros((5, 8, 3), np.uint8)
    >>> CenterCrop()(image).shape, CenterCrop((2, 6))(image).shape
    ((5, 5, 3), (2, 6, 3))
    """

    size: Size | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            height_and_width("size", self.size)

    def __call__(self, image: Image, draws: Draws | None = None) -> Image:
        """Return the central part, a view of `image`.

        Raises
        ------
        ImageError
            The image is smaller than `size`.
        """
        height, width = height_and_width("size", min(image.shape[:2]) if self.size is None else self.size)
        _check_large_enough("CenterCrop", image, height, width)
        return cut_center(image, height, width)

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        if self.size is None:
            return {"kind": "center_crop"}
        return crop_spec("center_crop", self.size)

    def output_size(self) -> tuple[int, int] | None:
        """See `Transform`."""
        return None if self.size is None else height_and_width("size", self.size)


@dataclass(frozen=True, slots=True)
class RandomCrop:
    """Cut out a part of fixed size at a random position.

    Draws 2 numbers: ``top = below(H - height + 1)``, then ``left = below(W - width + 1)``.

    Parameters
    ----------
    size : int or (height, width)
        Size in pixels.

    Raises
    ------
    PlanError
        `size` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomCrop, Draws
    >>> RandomCrop(3)(np.zeros((5, 8, 3), np.uint8), Draws(seed=0, epoch=0, position=0, transform=0)).shape
    (3, 3, 3)
    """

    size: Size

    def __post_init__(self) -> None:
        height_and_width("size", self.size)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the part, a view of `image`.

        Raises
        ------
        ImageError
            The image is smaller than `size`.
        """
        height, width = height_and_width("size", self.size)
        _check_large_enough("RandomCrop", image, height, width)
        return cut_at_random(image, height, width, draws)

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return crop_spec("random_crop", self.size)

    def output_size(self) -> tuple[int, int]:
        """See `Transform`."""
        return height_and_width("size", self.size)


@dataclass(frozen=True, slots=True)
class RandomResizedCrop:
    """Cut out a part of random area, aspect and position, and resize it to a fixed size.

    There are up to 10 tries, each of which draws 2 numbers::

        area   = (H * W) * uniform(scale)
        aspect = exp(uniform(log(ratio[0]), log(ratio[1])))
        w = floor(sqrt(area * aspect) + 0.5)
        h = floor(sqrt(area / aspect) + 0.5)

    The first try with 0 < w <= W and 0 < h <= H draws ``top = below(H - h + 1)``, then ``left = below(W - w + 1)``. If
    no try fits, the part is the largest central one whose aspect is within `ratio`, and nothing more is drawn. The
    filter "random" is drawn last. So 4 to 22 numbers are drawn, and 1 more for that filter.

    Source: ``RandomResizedCrop`` of torchvision.

    Parameters
    ----------
    size : int or (height, width)
        Size of the result in pixels.
    scale : (float, float), default (0.08, 1.0)
        Range of the area as a fraction of the image's area: above 0, at most 1.
    ratio : (float, float), default (3/4, 4/3)
        Range of width / height; above 0.
    filter : str, default "antialias"
        See `recordkit.transforms.resize`.

    Raises
    ------
    PlanError
        `size` is below 1, a range is empty or beyond its limits, or `filter` is not a filter.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomResizedCrop, Draws
    >>> RandomResizedCrop(4)(np.zeros((50, 80, 3), np.uint8), Draws(seed=0, epoch=0, position=0, transform=0)).shape
    (4, 4, 3)
    """

    size: Size
    scale: Sequence[float] = (0.08, 1.0)
    ratio: Sequence[float] = (3 / 4, 4 / 3)
    filter: Filter = "antialias"

    def __post_init__(self) -> None:
        height_and_width("size", self.size)
        checks.positive_range("scale", self.scale, 1.0)
        checks.positive_range("ratio", self.ratio)
        check_filter(self.filter)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the resized part; a view of `image` if the part has the size already."""
        top, left, height, width = self.box(image.shape[0], image.shape[1], draws)
        cut = image[top : top + height, left : left + width]
        return resize_to(cut, *height_and_width("size", self.size), draw_filter(self.filter, draws))

    def native_spec(self) -> dict[str, Any] | None:
        """See `Transform`."""
        if self.filter not in NATIVE_FILTERS:
            return None
        (low, high), (ratio_low, ratio_high) = self.scale, self.ratio
        return crop_spec(
            "resized_crop",
            self.size,
            filter=self.filter,
            low=low,
            high=high,
            ratio_low=ratio_low,
            ratio_high=ratio_high,
        )

    def output_size(self) -> tuple[int, int]:
        """See `Transform`."""
        return height_and_width("size", self.size)

    def box(self, height: int, width: int, draws: Draws) -> tuple[int, int, int, int]:
        """Draw the top, left, height and width of the part of an image of `height` x `width`."""
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        for _ in range(10):
            area = (height * width) * draws.uniform(*self.scale)
            aspect = math.exp(draws.uniform(low, high))
            w = math.floor(math.sqrt(area * aspect) + 0.5)
            h = math.floor(math.sqrt(area / aspect) + 0.5)
            if 0 < w <= width and 0 < h <= height:
                top = draws.below(height - h + 1)
                return top, draws.below(width - w + 1), h, w
        h, w = height, width
        if width / height < self.ratio[0]:
            h = max(math.floor(width / self.ratio[0] + 0.5), 1)
        elif width / height > self.ratio[1]:
            w = max(math.floor(height * self.ratio[1] + 0.5), 1)
        return (height - h) // 2, (width - w) // 2, h, w


@dataclass(frozen=True, slots=True)
class RandomSizeCrop:
    """Cut out a square of random side and position, and resize it to a fixed size.

    Draws 3 numbers: ``side = low + below(high - low + 1)``, ``top = below(H - side + 1)``,
    ``left = below(W - side + 1)``; then the filter, if it is "random". ImageRecordIter does this for ``min_crop_size``
    and ``max_crop_size`` with ``rand_crop``.

    Parameters
    ----------
    size : int or (height, width)
        Size of the result in pixels.
    low, high : int
        Range of the side in pixels, both ends included.
    filter : str, default "antialias"
        See `recordkit.transforms.resize`.

    Raises
    ------
    PlanError
        `size` or `low` is below 1, `high` is below `low`, or `filter` is not a filter.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomSizeCrop, Draws
    >>> image = np.zeros((50, 80, 3), np.uint8)
    >>> RandomSizeCrop(4, 10, 50)(image, Draws(seed=0, epoch=0, position=0, transform=0)).shape
    (4, 4, 3)
    """

    size: Size
    low: int
    high: int
    filter: Filter = "antialias"

    def __post_init__(self) -> None:
        height_and_width("size", self.size)
        checks.whole_number("low", self.low, 1)
        checks.whole_number("high", self.high, self.low)
        check_filter(self.filter)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the resized square; a view of `image` if the square has the size already.

        Raises
        ------
        ImageError
            The image is smaller than `high`, even if the side that is drawn would fit.
        """
        _check_large_enough("RandomSizeCrop", image, self.high, self.high)
        side = self.low + draws.below(self.high - self.low + 1)
        square = cut_at_random(image, side, side, draws)
        return resize_to(square, *height_and_width("size", self.size), draw_filter(self.filter, draws))

    def native_spec(self) -> dict[str, Any] | None:
        """See `Transform`."""
        if self.filter not in NATIVE_FILTERS:
            return None
        return crop_spec("size_crop", self.size, filter=self.filter, side_low=self.low, side_high=self.high)

    def output_size(self) -> tuple[int, int]:
        """See `Transform`."""
        return height_and_width("size", self.size)


def cut_center(image: Image, height: int, width: int) -> Image:
    """Return the central part of an image that is large enough, as a view."""
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def cut_at_random(image: Image, height: int, width: int, draws: Draws) -> Image:
    """Return a part of an image that is large enough, as a view; draws ``top``, then ``left``."""
    top = draws.below(image.shape[0] - height + 1)
    left = draws.below(image.shape[1] - width + 1)
    return image[top : top + height, left : left + width]


def crop_spec(kind: str, size: Size, **arguments: Any) -> dict[str, Any]:
    """Return the native spec of a crop with a fixed size: its kind, the size, and its other arguments."""
    height, width = height_and_width("size", size)
    return {"kind": kind, "height": height, "width": width, **arguments}


def _check_large_enough(transform: str, image: Image, height: int, width: int) -> None:
    if image.shape[0] < height or image.shape[1] < width:
        raise ImageError(
            transform,
            expected=f"at least {height} rows and {width} columns",
            got=f"{image.shape[0]} and {image.shape[1]}",
            advice="resize or pad the images first",
        )
