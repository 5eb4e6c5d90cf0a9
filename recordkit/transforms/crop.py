"""Cutting a part out of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from recordkit.errors import ImageError
from recordkit.sample import Image
from recordkit.transforms import checks
from recordkit.transforms.checks import Size, height_and_width
from recordkit.transforms.draws import Draws
from recordkit.transforms.resize import Filter, check_filter, draw_filter, resize_to


@dataclass(frozen=True, slots=True)
class CenterCrop:
    """Keep the central part.

    Where two margins cannot be equal, the smaller one is above or to the left: the offsets are
    ``(H - height) // 2`` and ``(W - width) // 2``, as in im2rec and ImageRecordIter.

    Parameters
    ----------
    size : int or (height, width), optional
        In pixels. By default the square whose side is the image's short side.

    Raises
    ------
    PlanError
        `size` is below 1.

    Examples
    --------
    >>> import numpy as np
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
        size = min(image.shape[:2]) if self.size is None else self.size
        height, width = _fitting("CenterCrop", image, size)
        return _cut(image, (image.shape[0] - height) // 2, (image.shape[1] - width) // 2, height, width)


@dataclass(frozen=True, slots=True)
class RandomCrop:
    """Cut out a part of fixed size, anywhere.

    Draws 2 numbers: ``top = below(H - height + 1)``, then ``left = below(W - width + 1)``.

    Parameters
    ----------
    size : int or (height, width)
        In pixels.

    Raises
    ------
    PlanError
        `size` is below 1.

    Examples
    --------
    >>> import numpy as np
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
        return _cut_anywhere(image, *_fitting("RandomCrop", image, self.size), draws)


@dataclass(frozen=True, slots=True)
class RandomResizedCrop:
    """Cut out a part of random area and aspect, anywhere, and resize it to a fixed size.

    Up to 10 tries, each of which draws 2 numbers::

        area   = (H * W) * uniform(scale)
        aspect = exp(uniform(log(ratio[0]), log(ratio[1])))
        w = floor(sqrt(area * aspect) + 0.5)
        h = floor(sqrt(area / aspect) + 0.5)

    The first with 0 < w <= W and 0 < h <= H draws ``top = below(H - h + 1)``, then ``left = below(W - w + 1)``. If none
    fits, it is the largest central part whose aspect is within `ratio`, nothing drawn. Last, and for the filter
    "random" only, the filter is drawn. So 4 to 22 numbers, and 1 more for that filter.

    Source: ``RandomResizedCrop`` of torchvision.

    Parameters
    ----------
    size : int or (height, width)
        Of the result, in pixels.
    scale : (float, float), default (0.08, 1.0)
        Range of the area, as a fraction of the image's: above 0, at most 1.
    ratio : (float, float), default (3/4, 4/3)
        Range of width / height, above 0.
    filter : str, default "antialias"
        See `recordkit.transforms.resize`.

    Raises
    ------
    PlanError
        `size` is below 1, a range is empty or beyond its limits, or there is no such filter.

    Examples
    --------
    >>> import numpy as np
    >>> RandomResizedCrop(4)(np.zeros((50, 80, 3), np.uint8), Draws(seed=0, epoch=0, position=0, transform=0)).shape
    (4, 4, 3)
    """

    size: Size
    scale: Sequence[float] = (0.08, 1.0)
    ratio: Sequence[float] = (3 / 4, 4 / 3)
    filter: Filter = "antialias"

    def __post_init__(self) -> None:
        height_and_width("size", self.size)
        checks.span("scale", self.scale, 1.0)
        checks.span("ratio", self.ratio)
        check_filter(self.filter)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the part, resized; a view of `image` if it has the size already."""
        part = _cut(image, *self.box(image.shape[0], image.shape[1], draws))
        return resize_to(part, *height_and_width("size", self.size), draw_filter(self.filter, draws))

    def box(self, height: int, width: int, draws: Draws) -> tuple[int, int, int, int]:
        """Return top, left, height and width of the part of an image of `height` x `width`."""
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
    """Cut out a square of random side, anywhere, and resize it to a fixed size.

    Draws 3 numbers: ``side = low + below(high - low + 1)``, ``top = below(H - side + 1)``,
    ``left = below(W - side + 1)``; and the filter, if that is "random". ImageRecordIter's ``min_crop_size`` and
    ``max_crop_size`` with ``rand_crop``.

    Parameters
    ----------
    size : int or (height, width)
        Of the result, in pixels.
    low, high : int
        Range of the side, in pixels; both ends belong to it.
    filter : str, default "antialias"
        See `recordkit.transforms.resize`.

    Raises
    ------
    PlanError
        `size` or `low` is below 1, `high` is below `low`, or there is no such filter.

    Examples
    --------
    >>> import numpy as np
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
        checks.whole("low", self.low, 1)
        checks.whole("high", self.high, self.low)
        check_filter(self.filter)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the square, resized; a view of `image` if it has the size already.

        Raises
        ------
        ImageError
            The image is smaller than `high`, whichever side is drawn.
        """
        _fitting("RandomSizeCrop", image, self.high)
        side = self.low + draws.below(self.high - self.low + 1)
        part = _cut_anywhere(image, side, side, draws)
        return resize_to(part, *height_and_width("size", self.size), draw_filter(self.filter, draws))


def _fitting(name: str, image: Image, size: Size) -> tuple[int, int]:
    """Return the height and width of a crop that the image is large enough for."""
    height, width = height_and_width("size", size)
    if image.shape[0] < height or image.shape[1] < width:
        raise ImageError(
            f"{name}: expected at least {height} rows and {width} columns, got {image.shape[0]} and {image.shape[1]}; "
            "put Resize or Pad before it"
        )
    return height, width


def _cut_anywhere(image: Image, height: int, width: int, draws: Draws) -> Image:
    top = draws.below(image.shape[0] - height + 1)
    return _cut(image, top, draws.below(image.shape[1] - width + 1), height, width)


def _cut(image: Image, top: int, left: int, height: int, width: int) -> Image:
    return image[top : top + height, left : left + width]
