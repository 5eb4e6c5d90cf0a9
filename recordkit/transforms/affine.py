"""Transforms that rotate, shear, scale and stretch an image about its centre: one warp, as in ImageRecordIter.

With the angle t in degrees (counter-clockwise on the screen), shear s, scale z and aspect r, an image of H x W pixels
becomes one of ``trunc(z * H)`` x ``trunc(z * W)``, at least 1 x 1, and the point (x, y) moves to ``M (x, y, 1)``::

    a = cos(t * (pi / 180))    b = sin(t * (pi / 180))    hs = 2 * z / (1 + r)    ws = r * hs

    M = [ hs * a - s * b * ws    hs * b + s * a * ws    tx ]      tx = (z * W - (M00 * W + M01 * H)) / 2
        [ -b * ws                a * ws                 ty ]      ty = (z * H - (M10 * W + M11 * H)) / 2

where pixels lie at whole numbers. So the centre is (W / 2, H / 2), half a pixel below and to the right of the centre of
the picture, and an aspect above 1 stretches vertically; ImageRecordIter does both. The size depends on the scale alone:
corners that leave the image are lost, and pixels from outside the image are `fill`, with alpha 0.

A result pixel is the bilinear mean of the 4 pixels around its source point, rounded down. If the point lies beyond the
centres of the outermost pixels, the nearest pixel counts; if it lies beyond the image, the result is fill. This is
Pillow's ``transform(AFFINE, BILINEAR)``. OpenCV's warpAffine, which ImageRecordIter uses, differs: it rounds the point
to 1/32 of a pixel and the mean to the nearest number, and mixes the fill with the image along the image's edges.

Source: ``DefaultImageAugmenter::Process``, src/io/image_aug_default.cc, apache/mxnet 1.9.1; Geometry.c of Pillow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recordkit.sample import Image, check_size
from recordkit.transforms import checks
from recordkit.transforms.draws import Draws


@dataclass(frozen=True, slots=True)
class RandomAffine:
    """Rotate, shear, scale and stretch at random, in one warp.

    Draws 4 numbers: ``shear = uniform(-shear, shear)``, ``angle = uniform(-degrees, degrees)``,
    ``scale = uniform(scale)``, ``aspect = uniform(aspect)``. `recordkit.transforms.affine` defines them.

    Parameters
    ----------
    degrees : float, 0 to 180, default 0
        Largest angle, either way; ImageRecordIter's ``max_rotate_angle``, which draws whole degrees.
    shear : float, 0 to 10, default 0
        Largest shear, either way; ImageRecordIter's ``max_shear_ratio``.
    scale : (float, float), default (1, 1)
        Range of the scale; ImageRecordIter's ``min_random_scale`` and ``max_random_scale``.
    aspect : (float, float), default (1, 1)
        Range of height over width; ImageRecordIter's ``min_aspect_ratio`` and ``max_aspect_ratio``.
    fill : int, 0 to 255, default 0
        Value of pixels from outside the image; ImageRecordIter's ``fill_value``, whose default is 255.

    Raises
    ------
    PlanError
        A number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomAffine, Draws
    >>> transform = RandomAffine(degrees=10, shear=0.1, scale=(0.5, 0.5))
    >>> transform(np.zeros((50, 80, 3), np.uint8), Draws(seed=0, epoch=0, position=0, transform=0)).shape
    (25, 40, 3)
    """

    degrees: float = 0.0
    shear: float = 0.0
    scale: Sequence[float] = (1.0, 1.0)
    aspect: Sequence[float] = (1.0, 1.0)
    fill: int = 0

    def __post_init__(self) -> None:
        checks.number("degrees", self.degrees, 0, 180)
        checks.number("shear", self.shear, 0, 10)
        checks.positive_range("scale", self.scale)
        checks.positive_range("aspect", self.aspect)
        checks.whole_number("fill", self.fill, 0, 255)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the warped image.

        Raises
        ------
        ImageError
            The result would have more than `recordkit.sample.MAX_PIXELS`.
        """
        shear = draws.uniform(-self.shear, self.shear)
        angle = draws.uniform(-self.degrees, self.degrees)
        scale = draws.uniform(*self.scale)
        return warp(image, angle, shear, scale, draws.uniform(*self.aspect), fill=self.fill)

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {
            "kind": "warp",
            "shear": (-self.shear, self.shear),
            "angle": (-self.degrees, self.degrees),
            "scale": tuple(self.scale),
            "aspect": tuple(self.aspect),
            "fill": self.fill,
        }


@dataclass(frozen=True, slots=True)
class RandomRotation:
    """Rotate by a random angle about the centre; the size stays, so corners are lost.

    Draws 1 number: ``angle = uniform(-degrees, degrees)``.

    Parameters
    ----------
    degrees : float, 0 to 180
        Largest angle, either way.
    fill : int, 0 to 255, default 0
        Value of pixels from outside the image.

    Raises
    ------
    PlanError
        A number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomRotation, Draws
    >>> transform = RandomRotation(30)
    >>> transform(np.zeros((50, 80, 3), np.uint8), Draws(seed=0, epoch=0, position=0, transform=0)).shape
    (50, 80, 3)
    """

    degrees: float
    fill: int = 0

    def __post_init__(self) -> None:
        checks.number("degrees", self.degrees, 0, 180)
        checks.whole_number("fill", self.fill, 0, 255)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the rotated image."""
        return warp(image, angle=draws.uniform(-self.degrees, self.degrees), fill=self.fill)

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "warp", "angle": (-self.degrees, self.degrees), "fill": self.fill}


@dataclass(frozen=True, slots=True)
class RandomShear:
    """Move each row sideways by a random multiple of its distance from the middle row.

    Draws 1 number: ``shear = uniform(-ratio, ratio)``.

    Parameters
    ----------
    ratio : float, 0 to 10
        Largest shift in columns per row, either way.
    fill : int, 0 to 255, default 0
        Value of pixels from outside the image.

    Raises
    ------
    PlanError
        A number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomShear, Draws
    >>> transform = RandomShear(0.2)
    >>> transform(np.zeros((50, 80, 3), np.uint8), Draws(seed=0, epoch=0, position=0, transform=0)).shape
    (50, 80, 3)
    """

    ratio: float
    fill: int = 0

    def __post_init__(self) -> None:
        checks.number("ratio", self.ratio, 0, 10)
        checks.whole_number("fill", self.fill, 0, 255)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the sheared image."""
        return warp(image, shear=draws.uniform(-self.ratio, self.ratio), fill=self.fill)

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "warp", "shear": (-self.ratio, self.ratio), "fill": self.fill}


@dataclass(frozen=True, slots=True)
class RandomScale:
    """Enlarge or reduce by a random factor, bilinear and without antialias; meant for factors near 1.

    Draws 1 number: ``scale = uniform(low, high)``.

    Parameters
    ----------
    low, high : float, above 0
        Range of the factor.

    Raises
    ------
    PlanError
        A factor is not above 0, or `high` is below `low`.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomScale, Draws
    >>> transform = RandomScale(0.5, 0.5)
    >>> transform(np.zeros((50, 80, 3), np.uint8), Draws(seed=0, epoch=0, position=0, transform=0)).shape
    (25, 40, 3)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        checks.positive_range("scale", (self.low, self.high))

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the scaled image.

        Raises
        ------
        ImageError
            The result would have more than `recordkit.sample.MAX_PIXELS`.
        """
        return warp(image, scale=draws.uniform(self.low, self.high))

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "warp", "scale": (self.low, self.high)}


@dataclass(frozen=True, slots=True)
class RandomAspect:
    """Stretch in one direction and squeeze in the other by a random ratio of height to width; the size stays.

    Draws 1 number: ``aspect = uniform(low, high)``. Heights grow by ``2 * aspect / (1 + aspect)``, widths by
    ``2 / (1 + aspect)``.

    Parameters
    ----------
    low, high : float, above 0
        Range of the ratio.
    fill : int, 0 to 255, default 0
        Value of pixels from outside the image.

    Raises
    ------
    PlanError
        A ratio is not above 0, `high` is below `low`, or `fill` is not 0 to 255.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomAspect, Draws
    >>> transform = RandomAspect(3 / 4, 4 / 3)
    >>> transform(np.zeros((50, 80, 3), np.uint8), Draws(seed=0, epoch=0, position=0, transform=0)).shape
    (50, 80, 3)
    """

    low: float
    high: float
    fill: int = 0

    def __post_init__(self) -> None:
        checks.positive_range("aspect", (self.low, self.high))
        checks.whole_number("fill", self.fill, 0, 255)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the stretched image."""
        return warp(image, aspect=draws.uniform(self.low, self.high), fill=self.fill)

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "warp", "aspect": (self.low, self.high), "fill": self.fill}


def warp(
    image: Image, angle: float = 0.0, shear: float = 0.0, scale: float = 1.0, aspect: float = 1.0, *, fill: int = 0
) -> Image:
    """Return an image after the warp of the module's formula.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, C)
    angle : float
        Angle in degrees, counter-clockwise on the screen.
    shear, scale, aspect : float
    fill : int, 0 to 255, default 0
        Value of pixels from outside the image; their alpha is 0.

    Raises
    ------
    ImageError
        The result would have more than `recordkit.sample.MAX_PIXELS`.

    Examples
    --------
    >>> image = np.arange(1, 10, dtype=np.uint8).reshape(3, 3, 1)
    >>> warp(image, angle=-90)[:, :, 0].tolist()  # the centre is (1.5, 1.5), so one column is lost
    [[0, 7, 4], [0, 8, 5], [0, 9, 6]]
    """
    from PIL import Image as Pillow

    height, width, n_channels = image.shape
    new_height, new_width = max(int(scale * height), 1), max(int(scale * width), 1)
    check_size(new_width, new_height, advice="enlarge it less")
    cos, sin = math.cos(angle * (math.pi / 180)), math.sin(angle * (math.pi / 180))
    hs = 2 * scale / (1 + aspect)
    ws = aspect * hs
    m00, m01, m10, m11 = hs * cos - shear * sin * ws, hs * sin + shear * cos * ws, -sin * ws, cos * ws
    tx = (scale * width - (m00 * width + m01 * height)) / 2
    ty = (scale * height - (m10 * width + m11 * height)) / 2
    # The inverse maps a result pixel to its source point. The determinant is hs * ws.
    i00, i01, i10, i11 = m11 / (hs * ws), -m01 / (hs * ws), -m10 / (hs * ws), m00 / (hs * ws)
    # Pillow's pixels lie at halves, the formula's at whole numbers.
    x0 = 0.5 - i00 * (0.5 + tx) - i01 * (0.5 + ty)
    y0 = 0.5 - i10 * (0.5 + tx) - i11 * (0.5 + ty)
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[n_channels]  # CMYK, because Pillow would weight RGBA's colours by alpha
    picture = Pillow.frombytes(mode, (width, height), image.tobytes())
    warped = picture.transform(
        (new_width, new_height),
        Pillow.Transform.AFFINE,
        (i00, i01, x0, i10, i11, y0),
        Pillow.Resampling.BILINEAR,
        fillcolor=fill if n_channels == 1 else (fill, fill, fill, 0)[:n_channels],
    )
    return np.asarray(warped).reshape(new_height, new_width, n_channels)
