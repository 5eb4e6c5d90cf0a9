"""The table of all parameters of MXNet's ImageRecordIter, with recordkit's support for each.

`read` checks arguments against the table, and `describe` formats it for the docstring of `recordkit.ImageRecordIter`.

Source: the parameter structures in src/io/iter_image_recordio_2.cc, image_iter_common.h and image_aug_default.cc,
apache/mxnet 1.9.1. ``rotate_list`` is not in MXNet's documentation, and ``data_name`` and ``label_name`` are read by
its Python code.
"""

# ruff: noqa: FBT003 (the defaults are a column of the table, also those that are booleans)

from __future__ import annotations

import difflib
import math
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from recordkit.errors import PlanError

Kind = Literal["bool", "int", "float", "str", "shape", "dtype"]
Support = Literal["implemented", "no effect", "refused", "recordkit"]

_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_DTYPES = ("float32", "float16", "uint8", "int8")
# Kinds of values whose name alone does not say what is expected.
_EXPECTED = {"dtype": " or ".join(_DTYPES), "shape": "(channels, height, width)"}


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name : str
    kind : {"bool", "int", "float", "str", "shape", "dtype"}
    default : object
        MXNet's default; ``...`` if the parameter is required.
    support : {"implemented", "no effect", "refused", "recordkit"}
        "no effect" accepts and ignores every value, "refused" accepts only the default, and "recordkit" marks a
        parameter that MXNet does not have.
    note : str
        Meaning, or the reason why it has no effect or is refused.
    low, high : float
        Range of a number, both ends included.
    """

    name: str
    kind: Kind
    default: Any
    support: Support
    note: str
    low: float = -math.inf
    high: float = math.inf


def _implemented(
    name: str, kind: Kind, default: Any, note: str, low: float = -math.inf, high: float = math.inf
) -> Parameter:
    return Parameter(name, kind, default, "implemented", note, low, high)


_FACTOR = "by a random factor 1 + U(-v, v), with the correct weights of red and blue"

PARAMETERS: tuple[Parameter, ...] = (
    _implemented("path_imgrec", "str", ..., "The .rec file or its prefix, a folder of .rec files, or a glob "
                 "pattern or regular expression of their names, read in the order of the names. Semicolons separate "
                 "several of these."),
    _implemented("path_imgidx", "str", "", "An .idx file, which must exist. With it, parts have equal numbers of "
                 "records instead of bytes. Its content is not used: samples are found with the .idx beside the "
                 ".rec file, or without one."),
    _implemented("path_imglist", "str", "", "A .lst file (tabs or blanks); its labels replace the records' by key."),
    _implemented("label_width", "int", 1, "Number of labels of a sample.", 1),
    _implemented("data_shape", "shape", ..., "(channels, height, width) of a sample, in pixels. Channels: 3 RGB, 1 "
                 "gray, 4 RGB and alpha. Alpha is 255 in images without it, and colour changes leave it unchanged."),
    _implemented("batch_size", "int", ..., "Number of samples in a batch.", 1),
    _implemented("preprocess_threads", "int", 4, "Number of threads that load; 0 uses all CPUs of this process. "
                 "Results do not depend on it.", 0),
    Parameter("prefetch_buffer", "int", 4, "no effect", "Two batches per thread are prefetched, and arrays are "
              "never reused.", 0),
    Parameter("device_id", "int", 0, "no effect", "Arrays are in ordinary memory."),
    Parameter("ctx", "str", "gpu", "no effect", "In MXNet it selects one of two implementations."),
    _implemented("dtype", "dtype", None, "float32 (also None), float16, uint8 or int8. uint8 gives the pixels, "
                 "without mean, std and scale. int8 gives the pixels minus the rounded mean, clipped to -128 to "
                 "127, without std and scale."),
    Parameter("verbose", "bool", True, "no effect", "Nothing is printed."),
    _implemented("num_parts", "int", 1, "Number of parts of the dataset, divided as MXNet does.", 1),
    _implemented("part_index", "int", 0, "Part that this iterator reads, 0 to num_parts - 1.", 0),
    Parameter("aug_seq", "str", "aug_default", "refused", "The other augmenter belongs to ImageDetRecordIter."),
    _implemented("shuffle", "bool", False, "Read the whole part in a new random order each epoch, with or without "
                 "an index."),
    _implemented("seed", "int", 0, "Seed of the order and, unless seed_aug is given, of all other random numbers. "
                 "At least 0.", 0),
    Parameter("shuffle_chunk_size", "int", 0, "no effect", "`shuffle` covers the whole part, without using memory.", 0),
    Parameter("shuffle_chunk_seed", "int", 0, "no effect", "See shuffle_chunk_size.", 0),
    _implemented("seed_aug", "int", None, "Seed of all random numbers except the order; `seed` by default. The "
                 "numbers differ between samples and between epochs.", 0),
    _implemented("round_batch", "bool", True, "Fill the last batch with the first samples of the epoch's order. If "
                 "False, fill it with zeros. `pad` counts the fill. The next epoch begins with its first sample, "
                 "unless mxnet_epochs is set."),
    _implemented("resize", "int", -1, "Length in pixels to which the short side is resized before all other steps; "
                 "-1 does not resize.", -1),
    _implemented("rand_crop", "bool", False, "Crop at a random position. If False, crop the centre."),
    _implemented("random_resized_crop", "bool", False, "Crop a random area with a random aspect ratio (width / "
                 "height, uniform in its logarithm), and resize it to data_shape. Without an area or aspect range, "
                 "crop the centre, as MXNet does."),
    _implemented("max_rotate_angle", "int", 0, "Rotate by a random number of whole degrees, at most this many in "
                 "either direction.", 0, 180),
    _implemented("rotate", "int", -1, "Rotate by this many degrees, counter-clockwise, if above 0.", -1, 360),
    _implemented("rotate_list", "str", "", "Angles in degrees, separated by commas. Each image is rotated by one "
                 "of them at random."),
    _implemented("max_shear_ratio", "float", 0.0, "Shear by U(-v, v) columns per row.", 0, 10),
    _implemented("max_aspect_ratio", "float", 0.0, "Largest random aspect ratio if min_aspect_ratio is given; "
                 "otherwise the ratio is from 1 - v to 1 + v. It is height / width, or width / height with "
                 "random_resized_crop, as in MXNet.", 0),
    _implemented("min_aspect_ratio", "float", None, "Smallest random aspect ratio, see max_aspect_ratio.", 0),
    _implemented("max_random_scale", "float", 1.0, "Largest random factor of both sides.", 0),
    _implemented("min_random_scale", "float", 1.0, "Smallest random factor of both sides.", 0),
    Parameter("max_img_size", "float", 1e10, "refused", "In MXNet it limits the canvas, which cuts the image off; "
              "use resize."),
    Parameter("min_img_size", "float", 0.0, "refused", "In MXNet it enlarges the canvas with fill_value; use pad."),
    _implemented("max_crop_size", "int", -1, "Largest side in pixels of a random square that is cropped and "
                 "resized to data_shape; -1 crops data_shape itself.", -1),
    _implemented("min_crop_size", "int", -1, "Smallest side in pixels of that square. If only one of the two is "
                 "given, it is the side.", -1),
    _implemented("max_random_area", "float", 1.0, "Largest fraction of the area for random_resized_crop.", 0, 1),
    _implemented("min_random_area", "float", 1.0, "Smallest fraction of the area for random_resized_crop.", 0, 1),
    _implemented("pad", "int", 0, "Width in pixels of a border that is added before the crop.", 0),
    _implemented("fill_value", "int", 255, "Value of the border of pad and of pixels outside a warped image. Alpha "
                 "is 0 there.", 0, 255),
    _implemented("inter_method", "int", 1, "Filter of a resize: 0 nearest, 1 bilinear, 2 cubic, 3 area, 4 "
                 "lanczos4, 9 auto, 10 random. Rotation, shear, scale and aspect always use bilinear."),
    _implemented("brightness", "float", 0.0, f"Change the brightness {_FACTOR}.", 0, 1),
    _implemented("contrast", "float", 0.0, f"Change the contrast {_FACTOR}.", 0, 1),
    _implemented("saturation", "float", 0.0, f"Change the saturation {_FACTOR}.", 0, 1),
    _implemented("random_h", "int", 0, "Largest change of the hue, in units of 2 degrees; it wraps around.", 0, 180),
    _implemented("random_s", "int", 0, "Largest change of the saturation, in units of 1/255.", 0, 255),
    _implemented("random_l", "int", 0, "Largest change of the lightness, in units of 1/255.", 0, 255),
    _implemented("pca_noise", "float", 0.0, "Standard deviation of PCA lighting noise.", 0, 10),
    _implemented("mirror", "bool", False, "Flip every image left to right."),
    _implemented("rand_mirror", "bool", False, "Flip each image left to right with probability 1/2. No effect with "
                 "mirror."),
    _implemented("mean_img", "str", "", "A file of mx.nd.save with the mean of each pixel, subtracted in place of "
                 "mean_r to mean_a. If it does not exist, the mean is computed from the samples and written there."),
    _implemented("mean_r", "float", 0.0, "Mean of red, or of gray, on a scale of 0 to 255. It is subtracted."),
    _implemented("mean_g", "float", 0.0, "Mean of green."),
    _implemented("mean_b", "float", 0.0, "Mean of blue."),
    _implemented("mean_a", "float", 0.0, "Mean of alpha."),
    _implemented("std_r", "float", 1.0, "Standard deviation of red, or of gray. It divides (x - mean) * scale. "
                 "Above 0."),
    _implemented("std_g", "float", 1.0, "Standard deviation of green."),
    _implemented("std_b", "float", 1.0, "Standard deviation of blue."),
    _implemented("std_a", "float", 1.0, "Standard deviation of alpha."),
    _implemented("scale", "float", 1.0, "Factor that is applied after the mean is subtracted. Above 0."),
    Parameter("max_random_contrast", "float", 0.0, "refused", "MXNet scales normalised values with it; use contrast."),
    Parameter("max_random_illumination", "float", 0.0, "refused", "MXNet shifts normalised values with it; use "
              "random_l or brightness."),
    _implemented("data_name", "str", "data", "Name of the images in `provide_data`."),
    _implemented("label_name", "str", "softmax_label", "Name of the labels in `provide_label`."),
    Parameter("engine", "str", "auto", "recordkit", "Same as in `recordkit.Loader`."),
    Parameter("on_error", "str", "raise", "recordkit", "Same as in `recordkit.Loader`. `pad` also counts the "
              'samples that "skip" leaves out.'),
    Parameter("mxnet_epochs", "bool", False, "recordkit", "Begin each epoch after the samples that filled the last "
              "batch of the epoch before, as MXNet does. An epoch may then have one batch less. It needs "
              "round_batch without shuffle."),
)  # fmt: skip

_BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def read(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of all parameters, converted to their types and with defaults filled in.

    Parameters
    ----------
    arguments : mapping of str to object
        Values by parameter name. A string is converted as in MXNet, such as "True" or "(3, 224, 224)".

    Returns
    -------
    values : dict of str to object

    Raises
    ------
    PlanError
        A name is unknown, a required parameter is missing, or a value has the wrong type, is out of range or is
        refused.

    Examples
    --------
    >>> values = read({"path_imgrec": "a.rec", "data_shape": (3, 224, 224), "batch_size": "8", "shuffle": "True"})
    >>> values["batch_size"], values["shuffle"], values["resize"]
    (8, True, -1)
    >>> read({"rand_mirorr": True})
    Traceback (most recent call last):
        ...
    recordkit.errors.PlanError: rand_mirorr: ImageRecordIter has no such parameter; is it rand_mirror?
    """
    for name in arguments:
        if name not in _BY_NAME:
            close = difflib.get_close_matches(name, _BY_NAME, n=1)
            advice = f"is it {close[0]}?" if close else "help(recordkit.ImageRecordIter) lists them"
            raise PlanError("ImageRecordIter has no such parameter", argument=name, advice=advice)
    return {parameter.name: _value(parameter, arguments) for parameter in PARAMETERS}


def describe() -> str:
    """Format the table as the Parameters section of a docstring.

    Examples
    --------
    >>> print(describe()[:49])
    path_imgrec : str
        The .rec file or its prefix
    """
    headings = {"no effect": "No effect. ", "refused": "Refused. ", "recordkit": "Not in MXNet. "}
    lines = []
    for parameter in PARAMETERS:
        default = "" if parameter.default is ... else f", default {parameter.default!r}"
        lines.append(f"{parameter.name} : {parameter.kind}{default}")
        text = headings.get(parameter.support, "") + parameter.note
        lines += textwrap.wrap(text, 112, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def _value(parameter: Parameter, arguments: Mapping[str, Any]) -> Any:
    name, default = parameter.name, parameter.default
    if name not in arguments:
        if default is ...:
            raise PlanError(argument=name, expected="a value", got="none", advice="ImageRecordIter needs it")
        return default
    argument = arguments[name]
    if argument is None and default is None:
        return None
    if name == "path_imgrec" and not isinstance(argument, (str, os.PathLike)):
        raise PlanError(
            argument=name, expected="a path", got=repr(argument), advice="join several paths with semicolons"
        )
    try:
        value = _convert(parameter.kind, argument)
    except (KeyError, TypeError, ValueError):
        expected = _EXPECTED.get(parameter.kind, parameter.kind)
        raise PlanError(argument=name, expected=expected, got=repr(argument)) from None
    if parameter.kind in ("int", "float") and not parameter.low <= value <= parameter.high:
        at_least = f"at least {parameter.low:g}"
        expected = at_least if math.isinf(parameter.high) else f"{parameter.low:g} to {parameter.high:g}"
        raise PlanError(argument=name, expected=expected, got=repr(argument))
    if parameter.support == "refused" and value != default:
        raise PlanError(argument=name, expected=repr(default), got=repr(argument), advice=parameter.note)
    return value


def _convert(kind: Kind, argument: Any) -> Any:
    if argument is None:
        raise TypeError
    match kind:
        case "bool":
            return _BOOLS[str(argument).lower()]
        case "int":
            return int(str(argument))
        case "float":
            value = float(str(argument))
            if not math.isfinite(value):
                raise ValueError
            return value
        case "shape":
            return _shape(argument)
        case "dtype":
            name = np.dtype(argument).name
            if name not in _DTYPES:
                raise ValueError
            return name
    return str(argument)


def _shape(argument: str | Sequence[int]) -> tuple[int, int, int]:
    sides = argument.strip("()[] ").split(",") if isinstance(argument, str) else argument
    channels, height, width = (int(str(side)) for side in sides)
    return channels, height, width
