"""Changing the light and the strength of colours at random.

The formulas are those of ``mxnet.image``: brightness, contrast and saturation each draw a factor
``f = 1 + uniform(-limit, limit)``, and the gray of a pixel is ``Y = 0.299 * R + 0.587 * G + 0.114 * B``. Factors and
offsets are computed as float64, then rounded to float32; pixels are computed as float32, from left to right as written,
rounded to the nearest whole number (a half to the even one) and clipped to 0 to 255.

Alpha stays as it is. A gray image, of one channel, has Y for its value; what has no meaning for it leaves it as it is,
and draws the same numbers.

Source: python/mxnet/image/image.py, apache/mxnet 1.9.1. (ImageRecordIter has these too, with the weights of R and B
exchanged by mistake.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recordkit.sample import Image
from recordkit.transforms import checks
from recordkit.transforms.draws import Draws


@dataclass(frozen=True, slots=True)
class RandomBrightness:
    """Multiply by a random factor: ``x * f``.

    Draws 1 number: ``f = 1 + uniform(-limit, limit)``.

    Parameters
    ----------
    limit : float, 0 to 1

    Raises
    ------
    PlanError
        `limit` is not 0 to 1.

    Examples
    --------
    >>> image = np.full((1, 1, 3), 100, np.uint8)
    >>> RandomBrightness(0.5)(image, Draws(seed=0, epoch=0, position=0, transform=0)).ravel().tolist()
    [90, 90, 90]
    """

    limit: float

    def __post_init__(self) -> None:
        checks.number("limit", self.limit, 0, 1)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the image, brighter or darker."""
        factor = 1 + draws.uniform(-self.limit, self.limit)
        return to_bytes(image, colors(image) * np.float32(factor))


@dataclass(frozen=True, slots=True)
class RandomContrast:
    """Move all values away from the image's mean gray, or towards it: ``x * f + (1 - f) * mean(Y)``.

    Draws 1 number: ``f = 1 + uniform(-limit, limit)``. The mean is
    ``(0.299 * sum(R) + 0.587 * sum(G) + 0.114 * sum(B)) / (H * W)``, and of a gray image ``sum(x) / (H * W)``.

    Parameters
    ----------
    limit : float, 0 to 1

    Raises
    ------
    PlanError
        `limit` is not 0 to 1.

    Examples
    --------
    >>> image = np.array([[[50], [150]]], np.uint8)
    >>> RandomContrast(0.5)(image, Draws(seed=0, epoch=0, position=0, transform=0)).ravel().tolist()
    [55, 145]
    """

    limit: float

    def __post_init__(self) -> None:
        checks.number("limit", self.limit, 0, 1)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the image with more or less contrast."""
        factor = 1 + draws.uniform(-self.limit, self.limit)
        sums = [int(total) for total in image[:, :, :3].sum((0, 1), np.int64)]
        total = sums[0] if len(sums) == 1 else 0.299 * sums[0] + 0.587 * sums[1] + 0.114 * sums[2]
        mean = total / (image.shape[0] * image.shape[1])
        return to_bytes(image, colors(image) * np.float32(factor) + np.float32((1 - factor) * mean))


@dataclass(frozen=True, slots=True)
class RandomSaturation:
    """Move each pixel away from its own gray, or towards it: ``x * f + Y * (1 - f)``.

    Draws 1 number: ``f = 1 + uniform(-limit, limit)``. A gray image stays as it is.

    Parameters
    ----------
    limit : float, 0 to 1

    Raises
    ------
    PlanError
        `limit` is not 0 to 1.

    Examples
    --------
    >>> image = np.array([[[200, 100, 0]]], np.uint8)
    >>> RandomSaturation(0.5)(image, Draws(seed=0, epoch=0, position=0, transform=0)).ravel().tolist()
    [192, 102, 12]
    """

    limit: float

    def __post_init__(self) -> None:
        checks.number("limit", self.limit, 0, 1)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the image with stronger or paler colours."""
        factor = 1 + draws.uniform(-self.limit, self.limit)
        if image.shape[2] == 1:
            return image
        return to_bytes(image, colors(image) * np.float32(factor) + gray(image) * np.float32(1 - factor))


@dataclass(frozen=True, slots=True)
class RandomGray:
    """Make the image gray, or not: each pixel becomes (Y, Y, Y) if and only if ``uniform() < probability``.

    Draws 1 number. The number of channels stays. A gray image stays as it is. Y is the gray of this module, which is
    also that of decoding to one channel; ``mxnet.image.RandomGrayAug`` weighs 0.21, 0.72 and 0.07.

    Parameters
    ----------
    probability : float, 0 to 1

    Raises
    ------
    PlanError
        `probability` is not 0 to 1.

    Examples
    --------
    >>> image = np.array([[[200, 100, 0]]], np.uint8)
    >>> RandomGray(1)(image, Draws(seed=0, epoch=0, position=0, transform=0)).ravel().tolist()
    [118, 118, 118]
    """

    probability: float

    def __post_init__(self) -> None:
        checks.number("probability", self.probability, 0, 1)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the gray image, or `image` itself."""
        if draws.uniform() >= self.probability or image.shape[2] == 1:
            return image
        return to_bytes(image, np.repeat(gray(image), 3, 2))


def colors(image: Image) -> NDArray[np.float32]:
    """Return all channels but alpha, as float32."""
    return image[:, :, :3].astype(np.float32)


def gray(image: Image) -> NDArray[np.float32]:
    """Return Y of each pixel of a colour image, shape (H, W, 1)."""
    rgb = colors(image)
    y: NDArray[np.float32] = (
        np.float32(0.299) * rgb[:, :, :1] + np.float32(0.587) * rgb[:, :, 1:2] + np.float32(0.114) * rgb[:, :, 2:]
    )
    return y


def to_bytes(image: Image, changed: NDArray[np.float32]) -> Image:
    """Return the changed colours, rounded and clipped, with the alpha of `image`."""
    rounded = np.clip(np.rint(changed), 0, 255).astype(np.uint8)
    return rounded if image.shape[2] != 4 else np.concatenate([rounded, image[:, :, 3:]], 2)
