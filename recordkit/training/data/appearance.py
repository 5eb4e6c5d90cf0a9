"""Appearance of images: the level of their background, and the size and place of the object on it.

A network that learned white digits on black, all of one size and in the middle, fails on a photograph of a small digit
on white paper. Therefore a run records how its training images look, and a prediction compares its images with them.

The background is the median gray level of an image's edge. The object consists of the pixels that differ from it by
more than half of the largest difference. Images are compared only if the training images have one background:
photographs have backgrounds of all levels, so no image differs from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.errors import ImageError, TrainError
from recordkit.formats import irheader
from recordkit.formats.frame import RecordReader
from recordkit.training.data.survey import Survey
from recordkit.training.data.transparency import decode_with_alpha, has_transparency
from recordkit.transforms.mxnet_augmenter import FittingCenterCrop

# Images that are measured, evenly spaced over the file.
_N_MEASURED = 256
# Shares of the training images below and above which a value is rare.
_RARE = (0.01, 0.99)
# Levels: smaller differences are no object; differences of two backgrounds that do not matter.
MIN_CONTRAST, _SAME_LEVEL = 24, 48
# Share of the training images that decides whether objects are lighter than their background.
_AGREED = 0.95
# An object is small or large below and above these multiples of the rare sizes, and off-centre beyond this much more.
_SMALL, _LARGE, _OFF = 0.75, 1.25, 0.1
_NOTHING_SEEN = {
    "blank": "the image is blank",
    "hidden": "the ink has the level of their background",
    "shrunk": "the object is lost when the image is shrunk",
}
_GRAY = np.array([0.299, 0.587, 0.114], np.float32)


class Measures(NamedTuple):
    """Measures of some images, one value an image.

    Attributes
    ----------
    background : ndarray of float, levels from 0 to 255
    contrast : ndarray of float
        Largest difference from the background.
    is_light : ndarray of bool
        The object is lighter than the background.
    extent : ndarray of float, 0 to 1
        Larger share of a side that the object's bounding box takes; NaN if nothing stands out.
    offset : ndarray of float, 0 to 0.5
        Larger distance of the box's centre from the image's, as a share of the side; NaN if nothing stands out.
    """

    background: NDArray[Any]
    contrast: NDArray[Any]
    is_light: NDArray[Any]
    extent: NDArray[Any]
    offset: NDArray[Any]


def gray_levels(images: NDArray[Any]) -> NDArray[np.float32]:
    """Return the gray levels of images of shape (..., C), without a fourth channel."""
    if images.shape[-1] == 1:
        return images[..., 0].astype(np.float32)
    gray: NDArray[np.float32] = images[..., :3].astype(np.float32) @ _GRAY
    return gray


def measure(images: NDArray[np.uint8]) -> Measures:
    """Measure images of one size.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, H, W, C)

    Returns
    -------
    measures : Measures

    Examples
    --------
    >>> paper = np.full((1, 20, 20, 1), 240, np.uint8)
    >>> paper[0, 2:7, 8:12] = 20
    >>> measures = measure(paper)
    >>> float(measures.background[0]), bool(measures.is_light[0]), float(measures.extent[0]), float(measures.offset[0])
    (240.0, False, 0.25, 0.275)
    """
    gray = gray_levels(images)
    edges = np.concatenate([gray[:, 0], gray[:, -1], gray[:, :, 0], gray[:, :, -1]], axis=1)
    background = np.median(edges, axis=1)
    difference = gray - background[:, None, None]
    contrast = np.abs(difference).max(axis=(1, 2))
    mask = np.abs(difference) > contrast[:, None, None] / 2
    rows, columns = (_box(mask.any(axis=axis)) for axis in (2, 1))
    stands_out = contrast >= MIN_CONTRAST
    extent, offset = (
        np.where(stands_out, np.maximum(of_rows, of_columns), np.nan)
        for of_rows, of_columns in zip(rows, columns, strict=True)
    )
    is_light = (difference * mask).sum(axis=(1, 2)) > 0
    return Measures(background, contrast, is_light, extent, offset)


def _box(has_object: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the length of each row's True part and the distance of its centre from the middle, as shares."""
    size = has_object.shape[1]
    begin = has_object.argmax(axis=1)
    end = size - has_object[:, ::-1].argmax(axis=1)
    return (end - begin) / size, np.abs(begin + end - size) / 2 / size


@dataclass(frozen=True, slots=True)
class Difference:
    """One respect in which an image is unlike the training images.

    Attributes
    ----------
    what : {"background", "polarity", "extent", "offset", "blank", "hidden", "shrunk", "transparency"}
        "blank": nothing stands out. "hidden": the ink of a transparent image is seen only if the image is inverted.
        "shrunk": the object is lost when the image becomes as small as the network's input.
    got, training : float
        Value of the image, and the typical one of the training images: a level, or a share of the side. For "polarity"
        1 if the object is lighter than the background, otherwise 0. For "blank", "hidden" and "shrunk" the largest
        difference from the background.
    """

    what: str
    got: float
    training: float

    def __str__(self) -> str:
        if self.what == "background":
            return f"background {self.got:.0f} instead of {self.training:.0f}"
        if self.what == "polarity":
            return "light on dark" if self.got else "dark on light"
        if self.what == "extent":
            return f"object of {self.got:.0%} of the side instead of {self.training:.0%}"
        if self.what == "offset":
            return f"object off the centre by {self.got:.0%} of the side"
        if self.what in _NOTHING_SEEN:
            return _NOTHING_SEEN[self.what]
        return "transparency is ignored, because the background of the training images is unknown"


@dataclass(frozen=True, slots=True)
class Appearance:
    """How the training images of a model look, after their conversion to its input.

    Attributes
    ----------
    background, extent, offset : tuple of (float, float, float)
        See `Measures`: the 1st percentile, the median and the 99th percentile.
    contrast : float
        Median.
    light_on_dark : float, 0 to 1
        Share of the images whose object is lighter than the background.
    transparent : float, 0 to 1
        Share of the images that have transparent pixels, which training ignores.
    """

    background: tuple[float, float, float]
    extent: tuple[float, float, float]
    offset: tuple[float, float, float]
    contrast: float
    light_on_dark: float
    transparent: float

    @classmethod
    def of(cls, images: NDArray[np.uint8], transparent: float = 0.0) -> Appearance:
        """Measure training images of shape (n, H, W, C)."""
        measures = measure(images)
        return cls(
            _percentiles(measures.background),
            _percentiles(measures.extent),
            _percentiles(measures.offset),
            round(float(np.median(measures.contrast)), 1),
            round(float(measures.is_light.mean()), 4),
            round(transparent, 4),
        )

    @classmethod
    def from_facts(cls, facts: object) -> Appearance | None:
        """Return what `facts` gave; None for a model whose record does not have it, or has something else."""
        if not isinstance(facts, Mapping):
            return None
        try:
            background, extent, offset = (_triple(facts[name]) for name in ("background", "extent", "offset"))
            contrast, light, transparent = (float(facts[name]) for name in ("contrast", "light_on_dark", "transparent"))
        except (KeyError, TypeError, ValueError):
            return None
        return cls(background, extent, offset, contrast, light, transparent)

    def facts(self) -> dict[str, Any]:
        """Return the attributes as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @property
    def is_plain(self) -> bool:
        """The training images have one background level, and something on it."""
        low, _, high = self.background
        return high - low <= _SAME_LEVEL and self.contrast >= 2 * MIN_CONTRAST

    @property
    def polarity(self) -> bool | None:
        """True if objects are lighter than the background, False if they are darker, None if both occur."""
        if self.light_on_dark >= _AGREED:
            return True
        return False if self.light_on_dark <= 1 - _AGREED else None

    def is_inverse(self, background: float) -> bool:
        """Tell whether a background is that of the training images in an inverted image rather than in an image."""
        level = self.background[1]
        return self.is_plain and abs(255 - background - level) + _SAME_LEVEL < abs(background - level)

    def differences(self, images: NDArray[np.uint8]) -> list[tuple[Difference, ...]]:
        """Compare images of shape (n, H, W, C), converted as the training images were."""
        if not self.is_plain:
            return [()] * len(images)
        return [tuple(self._compare(*map(float, row))) for row in zip(*measure(images), strict=True)]

    def _compare(
        self, background: float, contrast: float, is_light: float, extent: float, offset: float
    ) -> list[Difference]:
        if contrast < MIN_CONTRAST:
            return [Difference("blank", round(contrast, 1), self.contrast)]
        differences = []
        low, level, high = self.background
        if self.polarity is not None and bool(is_light) != self.polarity:
            differences.append(Difference("polarity", is_light, float(self.polarity)))
        if not low - _SAME_LEVEL <= background <= high + _SAME_LEVEL:
            differences.append(Difference("background", round(background, 1), level))
        small, size, large = self.extent
        if not _SMALL * small <= extent <= max(_LARGE * large, large + _OFF):
            differences.append(Difference("extent", round(extent, 4), size))
        if offset > self.offset[2] + _OFF:
            differences.append(Difference("offset", round(offset, 4), self.offset[1]))
        return differences


def _percentiles(values: NDArray[Any]) -> tuple[float, float, float]:
    values = values[~np.isnan(values)]
    if not values.size:
        return 0.0, 0.0, 0.0
    low, middle, high = np.quantile(values, [_RARE[0], 0.5, _RARE[1]])
    return round(float(low), 4), round(float(middle), 4), round(float(high), 4)


def _triple(values: Any) -> tuple[float, float, float]:
    low, middle, high = map(float, values)
    return low, middle, high


def survey_appearance(data: Survey, shape: tuple[int, int, int]) -> Appearance:
    """Measure some of the images of a .rec file as a network of this input gets them without augmentation.

    Parameters
    ----------
    data : Survey
    shape : tuple of int
        (C, H, W).

    Raises
    ------
    TrainError
        An image cannot be decoded.
    """
    crop = FittingCenterCrop(shape[1:])
    images, n_transparent = [], 0
    offsets = data.offsets[np.linspace(0, len(data) - 1, min(len(data), _N_MEASURED)).astype(np.int64)]
    with RecordReader(data.path) as reader:
        for offset in offsets.tolist():
            header, payload = irheader.unpack(reader.read(offset)[0])
            try:
                stored = decode_with_alpha(bytes(payload))
            except ImageError as error:
                raise TrainError(error.problem, path=str(data.path), key=header.id) from None
            n_transparent += has_transparency(stored)
            images.append(crop(codec.to_channels(stored, shape[0])))
    return Appearance.of(np.stack(images), n_transparent / len(images))
