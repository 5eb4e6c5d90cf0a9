"""The transform that resizes the short side of an image to a length, and its filters.

antialias  Bilinear over the whole area that a result pixel covers: Pillow's ``resize(BILINEAR)``. No moire.
bilinear   Bilinear between the 4 nearest pixels, whatever the reduction: OpenCV's INTER_LINEAR, which im2rec
           and ImageRecordIter use. The filters below are OpenCV's too, for im2rec's option ``inter_method``:
nearest    The pixel at floor(x * in / out).
cubic      4 x 4 pixels, Keys' kernel with a = -0.75.
area       The mean over the area that a result pixel covers; for an enlargement see `_taps`.
lanczos4   8 x 8 pixels.
auto       cubic if both sides grow, area if both shrink, otherwise bilinear.
random     One of the five from nearest to lanczos4, drawn at random.

The centre of result pixel x lies at ``(x + 0.5) * in / out - 0.5``; the edge pixels repeat beyond the border.

Source: modules/imgproc/src/resize.cpp of OpenCV 4.6; src/libImaging/Resample.c and Geometry.c of Pillow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError
from recordkit.sample import Image, check_size
from recordkit.transforms.draws import Draws

Filter = Literal["antialias", "bilinear", "nearest", "cubic", "area", "lanczos4", "auto", "random"]
FILTERS: tuple[str, ...] = get_args(Filter)

# Filters that the native engine has.
NATIVE_FILTERS = ("antialias", "bilinear")

# Filters by im2rec's numbers, which are OpenCV's.
INTER_METHODS: dict[int, Filter] = {
    0: "nearest",
    1: "bilinear",
    2: "cubic",
    3: "area",
    4: "lanczos4",
    9: "auto",
    10: "random",
}


@dataclass(frozen=True, slots=True)
class Resize:
    """Resize the short side to a length; the other side keeps the aspect, rounded down.

    Draws 1 number for the filter "random" (`draw_filter`), nothing for the other filters.

    Parameters
    ----------
    size : int, at least 1
        Length of the short side in pixels. Smaller images are enlarged.
    filter : str, default "antialias"
        Name of a filter of this module.

    Raises
    ------
    PlanError
        `size` is not a whole number of at least 1, or `filter` is not a filter.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import Resize
    >>> Resize(256)(np.zeros((375, 500, 3), np.uint8)).shape
    (256, 341, 3)
    """

    size: int
    filter: Filter = "antialias"

    def __post_init__(self) -> None:
        if not isinstance(self.size, Integral) or self.size < 1:
            raise PlanError(
                argument="resize",
                expected="a length of at least 1 pixel",
                got=repr(self.size),
                advice="a crop after it makes a height and a width" if isinstance(self.size, Sequence) else None,
            )
        check_filter(self.filter)

    def __call__(self, image: Image, draws: Draws | None = None, *, key: int = 0) -> Image:
        """Return the resized image; `image` itself if it has the size already.

        Parameters
        ----------
        image : ndarray of uint8, shape (H, W, C)
        draws : Draws, optional
            Random numbers for the filter "random".
        key : int, default 0
            Key of the sample, which chooses the filter "random" if there are no `draws`.

        Raises
        ------
        ImageError
            The result would have more than `recordkit.sample.MAX_PIXELS`.
        """
        height, width = image.shape[:2]
        if height > width:
            new_width, new_height = self.size, height * self.size // width
        else:
            new_width, new_height = width * self.size // height, self.size
        name = self.filter
        if draws is not None:
            name = draw_filter(name, draws)
        elif name == "random":
            # A fixed odd multiplier scatters neighbouring keys. The choice depends on nothing but the key.
            name = INTER_METHODS[(key * 0x9E3779B97F4A7C15 >> 32) % 5]
        return resize_to(image, new_height, new_width, name)

    def native_spec(self) -> dict[str, Any] | None:
        """See `Transform`."""
        if self.filter not in NATIVE_FILTERS:
            return None
        return {"kind": "resize", "height": self.size, "filter": self.filter}


def check_filter(name: str) -> None:
    """Check the name of a filter.

    Raises
    ------
    PlanError
    """
    if name not in FILTERS:
        raise PlanError(argument="filter", expected=f"one of {', '.join(FILTERS)}", got=repr(name))


def draw_filter(name: Filter, draws: Draws) -> Filter:
    """Return the filter itself, but for "random" draw one: number ``below(5)`` of `INTER_METHODS`."""
    return INTER_METHODS[draws.below(5)] if name == "random" else name


def resize_to(image: Image, height: int, width: int, name: Filter) -> Image:
    """Resize an image to a height and a width.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, C)
    height, width : int
        Size of the result in pixels.
    name : str
        Name of the filter, any but "random".

    Returns
    -------
    ndarray of uint8, shape (height, width, C)
        `image` itself if it has the size already.

    Raises
    ------
    ImageError
        The result would have no pixel, or more than `recordkit.sample.MAX_PIXELS`.

    Examples
    --------
    >>> resize_to(np.zeros((375, 500, 3), np.uint8), 64, 32, "antialias").shape
    (64, 32, 3)
    """
    check_size(width, height, advice="resize to fewer pixels")
    if (height, width) == image.shape[:2]:
        return image
    if name == "auto":
        name = _auto_filter(image, height, width)
    if name in ("antialias", "bilinear"):
        return _pillow(image, height, width, antialias=name == "antialias")
    return _separable(image, height, width, name)


def _auto_filter(image: Image, height: int, width: int) -> Filter:
    if height > image.shape[0] and width > image.shape[1]:
        return "cubic"
    return "area" if height < image.shape[0] and width < image.shape[1] else "bilinear"


def _pillow(image: Image, height: int, width: int, *, antialias: bool) -> Image:
    from PIL import Image as Pillow

    picture = Pillow.fromarray(image[:, :, 0] if image.shape[2] == 1 else np.ascontiguousarray(image))
    if picture.mode == "RGBA":
        # Pillow would weight RGBA's colours by alpha; OpenCV and ImageRecordIter treat the four channels alike.
        picture = Pillow.frombytes("CMYK", picture.size, picture.tobytes())
    if antialias:
        picture = picture.resize((width, height), Pillow.Resampling.BILINEAR)
    else:
        scale = (image.shape[1] / width, 0.0, 0.0, 0.0, image.shape[0] / height, 0.0)
        picture = picture.transform((width, height), Pillow.Transform.AFFINE, scale, Pillow.Resampling.BILINEAR)
    return np.asarray(picture).reshape(height, width, image.shape[2])


def _separable(image: Image, height: int, width: int, name: str) -> Image:
    """Resize rows, then columns; each result line is a weighted sum of a few lines."""
    if name == "area" and (height > image.shape[0] or width > image.shape[1]):
        name = "bilinear-area"  # OpenCV enlarges by a bilinear filter that is special to its area
    rows = _combine(image.astype(np.float32), *_taps(image.shape[0], height, name))
    result = _combine(rows.swapaxes(0, 1), *_taps(image.shape[1], width, name)).swapaxes(0, 1)
    return np.ascontiguousarray(np.clip(np.rint(result), 0, 255).astype(np.uint8))


def _combine(lines: NDArray[np.float32], positions: NDArray[Any], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    total: NDArray[np.float32] = lines[positions[:, 0]] * weights[:, 0, None, None]
    for tap in range(1, positions.shape[1]):
        total += lines[positions[:, tap]] * weights[:, tap, None, None]
    return total


def _taps(n_in: int, n_out: int, name: str) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the input lines of each result line, and their weights; both of shape (n_out, taps)."""
    growth = n_out / n_in
    scale = 1 / growth  # n_in / n_out may differ by one bit, and floor() below must give what OpenCV's gives
    out = np.arange(n_out)
    if name == "nearest":
        return np.minimum((out * scale).astype(int), n_in - 1)[:, None], np.ones((n_out, 1), np.float32)
    if name == "area":
        return _area_taps(n_in, n_out)
    if name == "bilinear-area":
        # The fraction counts from the edge of the input pixel, not from its centre.
        left = np.floor(out * scale).astype(int)
        fraction = ((out + 1) - (left + 1) * growth).astype(np.float32)  # OpenCV's float32 rounds 1 - 1e-16 to 1
        fraction = np.where(fraction <= 0, 0.0, fraction - np.floor(fraction))
        weights = np.stack([1 - fraction, fraction], 1)
        return np.clip(left[:, None] + np.arange(2), 0, n_in - 1), weights.astype(np.float32)
    centre = (out + 0.5) * scale - 0.5
    left = np.floor(centre).astype(int)
    offsets = np.arange(-1, 3) if name == "cubic" else np.arange(-3, 5)
    distance = (centre - left)[:, None] - offsets
    kernel = _cubic(np.abs(distance)) if name == "cubic" else _lanczos4(distance)
    return np.clip(left[:, None] + offsets, 0, n_in - 1), kernel.astype(np.float32)


def _lanczos4(x: NDArray[np.float64]) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.sinc(x) * np.sinc(x / 4)
    weights /= weights.sum(1, keepdims=True)
    return weights


def _cubic(x: NDArray[np.float64], a: float = -0.75) -> NDArray[np.float64]:
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, far)


def _area_taps(n_in: int, n_out: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
    scale = n_in / n_out
    begin = np.arange(n_out) * scale
    end = np.minimum(begin + scale, n_in)
    positions = np.floor(begin).astype(int)[:, None] + np.arange(int(np.ceil(scale)) + 1)
    weights = np.minimum(positions + 1, end[:, None]) - np.maximum(positions, begin[:, None])
    weights = np.clip(weights, 0, None)
    weights /= weights.sum(1, keepdims=True)
    return np.minimum(positions, n_in - 1), weights.astype(np.float32)
