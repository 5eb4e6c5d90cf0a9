"""Transforms from ImageRecordIter's parameters, in MXNet's order.

Order: resize; rotation, shear, scale and aspect in one warp; pad; one of three crops; colours; mirror; normalise.

Source: ``DefaultImageAugmenter::Process``, src/io/image_aug_default.cc, apache/mxnet 1.9.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recordkit.errors import PlanError
from recordkit.transforms import (
    Flip,
    Normalize,
    Pad,
    RandomBrightness,
    RandomContrast,
    RandomFlip,
    RandomHSL,
    RandomLighting,
    RandomResizedCrop,
    RandomSaturation,
    RandomSizeCrop,
    Resize,
    Transform,
)
from recordkit.transforms.mxnet_augmenter import Affine, CenterSizeCrop, FittingCenterCrop, FittingRandomCrop
from recordkit.transforms.resize import INTER_METHODS, Filter

# In the order of the channels. Gray images use those of red.
MEANS = ("mean_r", "mean_g", "mean_b", "mean_a")
DEVIATIONS = ("std_r", "std_g", "std_b", "std_a")


def make_steps(values: Mapping[str, Any]) -> list[Transform | Normalize]:
    """Return the transforms for some parameters.

    Parameters
    ----------
    values : mapping
        Values of all parameters, see `recordkit.record_iter.parameters.read`.

    Returns
    -------
    steps : list of Transform or Normalize

    Raises
    ------
    PlanError
        Values contradict each other, or a transform refuses a value.

    Examples
    --------
    >>> from recordkit.record_iter.parameters import read
    >>> needed = {"path_imgrec": "a.rec", "batch_size": 1, "data_shape": (1, 24, 24)}
    >>> make_steps(read(needed | {"resize": 28, "mirror": True, "scale": 1 / 256}))  # doctest: +ELLIPSIS
    [Resize(size=28, filter='bilinear'), FittingCenterCrop(size=(24, 24), filter='bilinear'), Flip(), Normalize(...)]
    """
    name = INTER_METHODS.get(values["inter_method"])
    if name is None:
        raise PlanError(argument="inter_method", expected="0 to 4, 9 or 10", got=values["inter_method"])
    steps: list[Transform | Normalize] = []
    if values["resize"] != -1:
        steps.append(Resize(values["resize"], name))
    steps += _warps(values)
    if values["pad"]:
        steps.append(Pad(values["pad"], values["fill_value"]))
    steps.append(_crop(values, name))
    for parameter, kind in (
        ("brightness", RandomBrightness),
        ("contrast", RandomContrast),
        ("saturation", RandomSaturation),
    ):
        if values[parameter]:
            steps.append(kind(values[parameter]))
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
            argument="max_aspect_ratio",
            expected="a range above 0",
            got=f"{low:g} to {high:g}",
            advice="give `min_aspect_ratio` and `max_aspect_ratio`",
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
            raise PlanError(
                argument="rotate_list", expected="angles between commas", got=repr(values["rotate_list"])
            ) from None
    scale = values["min_random_scale"], values["max_random_scale"]
    if not 0 < scale[0] <= scale[1]:
        raise _not_below("min_random_scale", "max_random_scale", scale[0])
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
            raise PlanError("expected no rand_crop, crop size or random scale with it", argument="random_resized_crop")
        area, aspect = (values["min_random_area"], values["max_random_area"]), _aspect(values)
        if not 0 < area[0] <= area[1]:
            raise _not_below("min_random_area", "max_random_area", area[0])
        if (area, aspect) != ((1, 1), (1, 1)):
            return RandomResizedCrop(size, area, aspect, name)
    if sides:
        if not 0 < sides[0] <= sides[-1]:
            raise _not_below("min_crop_size", "max_crop_size", sides[0])
        kind = RandomSizeCrop if values["rand_crop"] else CenterSizeCrop
        return kind(size, sides[0], sides[-1], name)
    return (FittingRandomCrop if values["rand_crop"] else FittingCenterCrop)(size, name)


def _not_below(low: str, high: str, got: float) -> PlanError:
    return PlanError(argument=low, expected=f"above 0 and at most {high}", got=f"{got:g}")


def factors(values: Mapping[str, Any]) -> list[float]:
    """Return the factor of each channel after the mean is subtracted: the scale over the standard deviation.

    Raises
    ------
    PlanError
        A value is not above 0.
    """
    names = DEVIATIONS[: values["data_shape"][0]]
    for name in ("scale", *names):
        if values[name] <= 0:
            raise PlanError(argument=name, expected="a number above 0", got=f"{values[name]:g}")
    return [float(np.float32(values["scale"]) / np.float32(values[name])) for name in names]


def _normalize(values: Mapping[str, Any]) -> list[Normalize]:
    if values["dtype"] in ("uint8", "int8"):
        return []
    # MXNet multiplies by float32(scale) / float32(std). Inverting that number twice in float64 gives it back.
    channel_factors = factors(values)
    if set(channel_factors) == {1.0} and not any(means(values)):
        return []
    return [Normalize(means(values), [1 / factor for factor in channel_factors], scale=1)]
