"""Transforms that change brightness, contrast and saturation at random.

The formulas are those of ``mxnet.image``: brightness, contrast and saturation each draw a factor
``f = 1 + uniform(-limit, limit)``, and the gray of a pixel is ``Y = 0.299 * R + 0.587 * G + 0.114 * B``. Factors and
offsets are computed as float64, then rounded to float32. Pixels are computed as float32, from left to right as written,
rounded to the nearest whole number (halves to even) and clipped to 0 to 255.

Alpha does not change. The value of an image of one channel is Y. Transforms that have no meaning for gray leave such an
image as it is, but draw the same numbers.

Source: python/mxnet/image/image.py, apache/mxnet 1.9.1. (ImageRecordIter has these too, but exchanges the weights of R
and B by mistake.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.sample import Image
from recordkit.transforms import checks
from recordkit.transforms.draws import Draws


@dataclass(frozen=True, slots=True)
class RandomBrightness:
    """Multiply all values by a random factor: ``x * f``.

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
    >>> import numpy as np
    >>> from recordkit.transforms import RandomBrightness, Draws
    >>> image = np.full((1, 1, 3), 100, np.uint8)
    >>> RandomBrightness(0.5)(image, Draws(seed=0, epoch=0, position=0, transform=0)).ravel().tolist()
    [90, 90, 90]
    """

    limit: float

    def __post_init__(self) -> None:
        checks.number("limit", self.limit, 0, 1)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the brighter or darker image."""
        factor = 1 + draws.uniform(-self.limit, self.limit)
        return to_bytes(image, colors(image) * np.float32(factor))

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "brightness", "limit": self.limit}


@dataclass(frozen=True, slots=True)
class RandomContrast:
    """Move all values away from or towards the image's mean gray: ``x * f + (1 - f) * mean(Y)``.

    Draws 1 number: ``f = 1 + uniform(-limit, limit)``. The mean is
    ``(0.299 * sum(R) + 0.587 * sum(G) + 0.114 * sum(B)) / (H * W)``; for a gray image ``sum(x) / (H * W)``.

    Parameters
    ----------
    limit : float, 0 to 1

    Raises
    ------
    PlanError
        `limit` is not 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomContrast, Draws
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

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "contrast", "limit": self.limit}


@dataclass(frozen=True, slots=True)
class RandomSaturation:
    """Move each pixel away from or towards its own gray: ``x * f + Y * (1 - f)``.

    Draws 1 number: ``f = 1 + uniform(-limit, limit)``. A gray image does not change.

    Parameters
    ----------
    limit : float, 0 to 1

    Raises
    ------
    PlanError
        `limit` is not 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomSaturation, Draws
    >>> image = np.array([[[200, 100, 0]]], np.uint8)
    >>> RandomSaturation(0.5)(image, Draws(seed=0, epoch=0, position=0, transform=0)).ravel().tolist()
    [192, 102, 12]
    """

    limit: float

    def __post_init__(self) -> None:
        checks.number("limit", self.limit, 0, 1)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the image with stronger or weaker colours."""
        factor = 1 + draws.uniform(-self.limit, self.limit)
        if image.shape[2] == 1:
            return image
        return to_bytes(image, colors(image) * np.float32(factor) + gray(image) * np.float32(1 - factor))

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "saturation", "limit": self.limit}


@dataclass(frozen=True, slots=True)
class RandomGray:
    """Make the image gray with a probability: each pixel becomes (Y, Y, Y) if and only if ``uniform() < probability``.

    Draws 1 number. The number of channels stays, and a gray image does not change. Decoding to one channel gives the
    same Y; ``mxnet.image.RandomGrayAug`` has the weights 0.21, 0.72 and 0.07 instead.

    Parameters
    ----------
    probability : float, 0 to 1

    Raises
    ------
    PlanError
        `probability` is not 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomGray, Draws
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

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "gray", "high": self.probability}


def colors(image: Image) -> NDArray[np.float32]:
    """Return all channels except alpha as float32."""
    return image[:, :, :3].astype(np.float32)


def gray(image: Image) -> NDArray[np.float32]:
    """Return Y for each pixel of a colour image, shape (H, W, 1)."""
    rgb = colors(image)
    y: NDArray[np.float32] = (
        np.float32(0.299) * rgb[:, :, :1] + np.float32(0.587) * rgb[:, :, 1:2] + np.float32(0.114) * rgb[:, :, 2:]
    )
    return y


def to_bytes(image: Image, values: NDArray[np.float32]) -> Image:
    """Round and clip new colours to uint8, and add the alpha of `image`."""
    rounded = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded if image.shape[2] != 4 else np.concatenate([rounded, image[:, :, 3:]], 2)
