"""ImageRecordIter's parameters as transforms, in its order, and those of its steps that only it has.

Its order: resize; rotation, shear, scale and aspect in one warp; pad; one of three crops; colours; mirror; normalise.

Source: ``DefaultImageAugmenter::Process``, src/io/image_aug_default.cc, apache/mxnet 1.9.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recordkit.errors import ImageError, PlanError
from recordkit.sample import Image
from recordkit.transforms import (
    CenterCrop,
    Draws,
    Flip,
    Normalize,
    Pad,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomHSL,
    RandomLighting,
    RandomResizedCrop,
    RandomSaturation,
    RandomSizeCrop,
    Resize,
    Transform,
)
from recordkit.transforms.affine import warp
from recordkit.transforms.checks import height_and_width
from recordkit.transforms.resize import INTER_METHODS, Filter, draw_filter, resize_to

# In the order of channels; those of red are those of gray too.
MEANS = ("mean_r", "mean_g", "mean_b", "mean_a")
DEVIATIONS = ("std_r", "std_g", "std_b", "std_a")


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


def make_steps(values: Mapping[str, Any]) -> list[Transform | Normalize]:
    """Return the transforms that parameters ask for.

    Parameters
    ----------
    values : mapping
        What `recordkit.reading.record_iter_parameters.read` returns.

    Raises
    ------
    PlanError
        Values contradict each other, or a transform refuses one.

    Examples
    --------
    >>> from recordkit.reading.record_iter_parameters import read
    >>> needed = {"path_imgrec": "a.rec", "batch_size": 1, "data_shape": (1, 24, 24)}
    >>> make_steps(read(needed | {"resize": 28, "mirror": True, "scale": 1 / 256}))  # doctest: +ELLIPSIS
    [Resize(size=28, filter='bilinear'), FittingCenterCrop(size=(24, 24), filter='bilinear'), Flip(), Normalize(...)]
    """
    name = INTER_METHODS.get(values["inter_method"])
    if name is None:
        raise PlanError(f"inter_method: expected 0 to 4, 9 or 10, got {values['inter_method']}")
    steps: list[Transform | Normalize] = []
    if values["resize"] != -1:
        steps.append(Resize(values["resize"], name))
    steps += _warps(values)
    if values["pad"]:
        steps.append(Pad(values["pad"], values["fill_value"]))
    steps.append(_crop(values, name))
    for option, kind in (
        ("brightness", RandomBrightness),
        ("contrast", RandomContrast),
        ("saturation", RandomSaturation),
    ):
        if values[option]:
            steps.append(kind(values[option]))
    if values["random_h"] or values["random_s"] or values["random_l"]:
        steps.append(RandomHSL(values["random_h"], values["random_s"], values["random_l"]))
    if values["pca_noise"]:
        steps.append(RandomLighting(values["pca_noise"]))
    if values["mirror"]:
        steps.append(Flip())
    elif values["rand_mirror"]:
        steps.append(RandomFlip())
    return steps + _normalize(values)


def means(values: Mapping[str, Any]) -> list[float]:
    """Return the mean of each channel."""
    return [values[name] for name in MEANS[: values["data_shape"][0]]]


def _aspect(values: Mapping[str, Any]) -> tuple[float, float]:
    low, high = values["min_aspect_ratio"], values["max_aspect_ratio"]
    if low is None:
        low, high = 1 - high, 1 + high
    if not 0 < low <= high:
        raise PlanError(
            f"min_aspect_ratio, max_aspect_ratio: expected a range above 0, got {low:g} to {high:g}; give both"
        )
    return low, high


def _warps(values: Mapping[str, Any]) -> list[Transform]:
    angles: Sequence[int] = range(-values["max_rotate_angle"], values["max_rotate_angle"] + 1)
    if values["rotate"] > 0:
        angles = (values["rotate"],)
    if values["rotate_list"]:
        try:
            angles = tuple(int(angle) for angle in values["rotate_list"].strip("()[] ").split(","))
        except ValueError:
            raise PlanError(f"rotate_list: expected angles between commas, got {values['rotate_list']!r}") from None
    scale = values["min_random_scale"], values["max_random_scale"]
    if not 0 < scale[0] <= scale[1]:
        raise PlanError(f"min_random_scale: expected above 0 and at most max_random_scale, got {scale[0]:g}")
    aspect = (1.0, 1.0) if values["random_resized_crop"] else _aspect(values)
    shear = values["max_shear_ratio"]
    if tuple(angles) == (0,) and not shear and scale == aspect == (1.0, 1.0):
        return []
    return [Affine(angles, shear, scale, aspect, values["fill_value"])]


def _crop(values: Mapping[str, Any], name: Filter) -> Transform:
    size = values["data_shape"][1:]
    sides = [side for side in (values["min_crop_size"], values["max_crop_size"]) if side != -1]
    if values["random_resized_crop"]:
        if values["rand_crop"] or sides or (values["min_random_scale"], values["max_random_scale"]) != (1, 1):
            raise PlanError("random_resized_crop: expected no rand_crop, crop size or random scale with it")
        area, aspect = (values["min_random_area"], values["max_random_area"]), _aspect(values)
        if not 0 < area[0] <= area[1]:
            raise PlanError(f"min_random_area: expected above 0 and at most max_random_area, got {area[0]:g}")
        if (area, aspect) != ((1, 1), (1, 1)):
            return RandomResizedCrop(size, area, aspect, name)
    if sides:
        if not 0 < sides[0] <= sides[-1]:
            raise PlanError(f"min_crop_size: expected above 0 and at most max_crop_size, got {sides[0]}")
        kind = RandomSizeCrop if values["rand_crop"] else CenterSizeCrop
        return kind(size, sides[0], sides[-1], name)
    return (FittingRandomCrop if values["rand_crop"] else FittingCenterCrop)(size, name)


def _normalize(values: Mapping[str, Any]) -> list[Normalize]:
    if values["dtype"] in ("uint8", "int8"):
        return []
    scale, deviations = values["scale"], [values[name] for name in DEVIATIONS[: values["data_shape"][0]]]
    if min(scale, *deviations) <= 0:
        raise PlanError(f"scale and std: expected numbers above 0, got {scale:g} and {deviations}")
    # MXNet multiplies by float32(scale) / float32(std); the reciprocal of a float64's reciprocal is that number again.
    factors = [float(np.float32(scale) / np.float32(std)) for std in deviations]
    if set(factors) == {1.0} and not any(means(values)):
        return []
    return [Normalize(means(values), [1 / factor for factor in factors])]
