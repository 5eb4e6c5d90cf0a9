"""The parameters of MXNet's ImageRecordIter, and what recordkit does with each: the one table of them.

`read` checks arguments against it, and `describe` writes it into the docstring of `recordkit.ImageRecordIter`.

Source: the parameter structures of src/io/iter_image_recordio_2.cc, image_iter_common.h and image_aug_default.cc,
apache/mxnet 1.9.1; ``rotate_list`` is not in its documentation, ``data_name`` and ``label_name`` are read in Python.
"""

# ruff: noqa: FBT003 (the table has defaults in a column, whatever their type)

from __future__ import annotations

import difflib
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from recordkit.errors import PlanError

Kind = Literal["bool", "int", "float", "str", "shape", "dtype"]
Does = Literal["implemented", "no effect", "refused", "recordkit"]

_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_DTYPES = ("float32", "float16", "uint8", "int8")


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name : str
    kind : {"bool", "int", "float", "str", "shape", "dtype"}
    default : object
        MXNet's; ``...`` if there is none.
    does : {"implemented", "no effect", "refused", "recordkit"}
        What recordkit does with it: as `note` says; nothing, whatever its value is; it refuses every value but the
        default; or MXNet has no such parameter.
    note : str
        What it means, or why it has no effect or is refused.
    low, high : float
        Range of a number, both ends included.
    """

    name: str
    kind: Kind
    default: Any
    does: Does
    note: str
    low: float = -math.inf
    high: float = math.inf


def _yes(name: str, kind: Kind, default: Any, note: str, low: float = -math.inf, high: float = math.inf) -> Parameter:
    return Parameter(name, kind, default, "implemented", note, low, high)


_COLOR = "Factor 1 + U(-v, v), with the right weights of red and blue. 0 to 1."

PARAMETERS: tuple[Parameter, ...] = (
    _yes("path_imgrec", "str", ..., "A .rec file or its prefix; several between semicolons; or a pattern as of glob."),
    _yes("path_imgidx", "str", "", "With it, parts are equal numbers of records instead of bytes. It has to be there; "
         "samples are found by the .idx beside the .rec file, or without one."),
    _yes("path_imglist", "str", "", "A .lst file whose labels replace those in the records, found by key."),
    _yes("label_width", "int", 1, "Labels a sample.", 1),
    _yes("data_shape", "shape", ..., "(channels, height, width) of a sample: 3 channels, RGB; 1, gray; or 4, RGB and "
         "alpha, which is 255 where an image has none, and which changes of colour leave as it is."),
    _yes("batch_size", "int", ..., "Samples in a batch.", 1),
    _yes("preprocess_threads", "int", 4, "Threads that load; 0: as many as CPUs this process may use. Results do not "
         "depend on it.", 0),
    Parameter("prefetch_buffer", "int", 4, "no effect", "Arrays are the caller's own and are never written again; two "
              "batches a thread are prefetched.", 0),
    Parameter("device_id", "int", 0, "no effect", "Arrays are in ordinary memory."),
    Parameter("ctx", "str", "gpu", "no effect", "It chooses between two implementations in MXNet."),
    _yes("dtype", "dtype", None, "float32 (None too), float16, uint8 or int8. uint8 are the pixels, without mean, std "
         "and scale; int8 the pixels minus the rounded mean, at most 127, without std and scale."),
    Parameter("verbose", "bool", True, "no effect", "Nothing is printed."),
    _yes("num_parts", "int", 1, "Of how many parts of the file ...", 1),
    _yes("part_index", "int", 0, "... this iterator reads which, from 0 on; the parts are MXNet's.", 0),
    Parameter("aug_seq", "str", "aug_default", "refused", "The other augmenter is that of ImageDetRecordIter."),
    _yes("shuffle", "bool", False, "In a new random order each epoch, over the whole part, with or without an index."),
    _yes("seed", "int", 0, "Of the order, and of all other random numbers too. At least 0.", 0),
    Parameter("shuffle_chunk_size", "int", 0, "no effect", "`shuffle` is over the whole part, in no memory.", 0),
    Parameter("shuffle_chunk_seed", "int", 0, "no effect", "As shuffle_chunk_size."),
    _yes("seed_aug", "int", None, "Of all random numbers but the order; `seed` by default. They differ from sample to "
         "sample and from epoch to epoch.", 0),
    _yes("round_batch", "bool", True, "The last batch is filled up with the first samples of the epoch's order; else "
         "with zeros. `pad` counts them. The next epoch begins at the beginning, unless mxnet_epochs."),
    _yes("resize", "int", -1, "Length of the short side, before everything else; -1: as it is.", -1),
    _yes("rand_crop", "bool", False, "The crop is anywhere instead of in the middle."),
    _yes("random_resized_crop", "bool", False, "A part of random area and aspect (width over height, uniform in its "
         "logarithm), resized. Without an area or aspect range a crop in the middle, as in MXNet."),
    _yes("max_rotate_angle", "int", 0, "Whole degrees, either way.", 0, 180),
    _yes("rotate", "int", -1, "A fixed angle in degrees, counter-clockwise, if above 0.", -1, 360),
    _yes("rotate_list", "str", "", "Angles between commas, one of which each image gets."),
    _yes("max_shear_ratio", "float", 0.0, "U(-v, v) columns a row.", 0, 10),
    _yes("max_aspect_ratio", "float", 0.0, "Of the range from min_aspect_ratio on; without that, 1 - v to 1 + v. "
         "Height over width unless random_resized_crop, as in MXNet.", 0),
    _yes("min_aspect_ratio", "float", None, "See max_aspect_ratio.", 0),
    _yes("max_random_scale", "float", 1.0, "Largest factor of both sides.", 0),
    _yes("min_random_scale", "float", 1.0, "Smallest factor of both sides.", 0),
    Parameter("max_img_size", "float", 1e10, "refused", "It limits the canvas, not the image, which loses a part; use "
              "resize."),
    Parameter("min_img_size", "float", 0.0, "refused", "It fills the canvas up with fill_value; use pad."),
    _yes("max_crop_size", "int", -1, "Largest side of a square that is cut out and resized to data_shape.", -1),
    _yes("min_crop_size", "int", -1, "Smallest side of it; if only one of the two is given, both are.", -1),
    _yes("max_random_area", "float", 1.0, "Of random_resized_crop: largest fraction of the area.", 0, 1),
    _yes("min_random_area", "float", 1.0, "Smallest fraction of it.", 0, 1),
    _yes("pad", "int", 0, "Pixels around the image, before the crop.", 0),
    _yes("fill_value", "int", 255, "Of pad, and where a turned image is not; alpha is 0 there.", 0, 255),
    _yes("inter_method", "int", 1, "0 nearest, 1 bilinear, 2 cubic, 3 area, 4 lanczos4, 9 auto, 10 random; rotation, "
         "shear, scale and aspect are bilinear always."),
    _yes("brightness", "float", 0.0, _COLOR, 0, 1),
    _yes("contrast", "float", 0.0, _COLOR, 0, 1),
    _yes("saturation", "float", 0.0, _COLOR, 0, 1),
    _yes("random_h", "int", 0, "Hue, in units of 2 degrees; it goes round.", 0, 180),
    _yes("random_s", "int", 0, "Saturation, of 255.", 0, 255),
    _yes("random_l", "int", 0, "Lightness, of 255.", 0, 255),
    _yes("pca_noise", "float", 0.0, "Standard deviation.", 0, 10),
    _yes("mirror", "bool", False, "Left and right exchanged, always."),
    _yes("rand_mirror", "bool", False, "By chance; `mirror` wins."),
    Parameter("mean_img", "str", "", "refused", "A mean for each pixel, which MXNet makes after scale and std and "
              "subtracts before them; give the means of the channels as mean_r, mean_g and mean_b."),
    _yes("mean_r", "float", 0.0, "Subtracted, in units of 0 to 255; of gray images too."),
    _yes("mean_g", "float", 0.0, "Subtracted."),
    _yes("mean_b", "float", 0.0, "Subtracted."),
    _yes("mean_a", "float", 0.0, "Subtracted, from alpha."),
    _yes("std_r", "float", 1.0, "Divides (x - mean) * scale; of gray images too. Above 0."),
    _yes("std_g", "float", 1.0, "Divides."),
    _yes("std_b", "float", 1.0, "Divides."),
    _yes("std_a", "float", 1.0, "Divides alpha."),
    _yes("scale", "float", 1.0, "Multiplies after the mean was subtracted. Above 0."),
    Parameter("max_random_contrast", "float", 0.0, "refused", "It scales what is normalised already; use contrast."),
    Parameter("max_random_illumination", "float", 0.0, "refused", "It shifts what is normalised already; use random_l "
              "or brightness."),
    _yes("data_name", "str", "data", "In `provide_data`."),
    _yes("label_name", "str", "softmax_label", "In `provide_label`."),
    Parameter("engine", "str", "auto", "recordkit", "As of `recordkit.Loader`."),
    Parameter("on_error", "str", "raise", "recordkit", "As of `recordkit.Loader`; what \"skip\" leaves out is `pad`."),
    Parameter("mxnet_epochs", "bool", False, "recordkit", "With round_batch and without shuffle, an epoch begins after "
              "the samples that the one before borrowed, and may have a batch less: MXNet's way."),
)  # fmt: skip

_BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def read(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every parameter, of its type, with defaults where none is given.

    Values may be the strings that MXNet makes of them.

    Raises
    ------
    PlanError
        A name is unknown, one that is needed is missing, a value is of another type or out of range, or it is refused.

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
            hint = f"is it {close[0]}?" if close else "help(recordkit.ImageRecordIter) lists them"
            raise PlanError(f"{name}: ImageRecordIter has no such parameter; {hint}")
    return {parameter.name: _value(parameter, arguments) for parameter in PARAMETERS}


def describe() -> str:
    """Return the table as the Parameters of a docstring.

    Examples
    --------
    >>> print(describe()[:65])
    path_imgrec : str
        A .rec file or its prefix; several between
    """
    headings = {"no effect": "No effect. ", "refused": "Refused. ", "recordkit": "recordkit's own. "}
    lines = []
    for each in PARAMETERS:
        default = "" if each.default is ... else f", default {each.default!r}"
        lines.append(f"{each.name} : {each.kind}{default}")
        lines += textwrap.wrap(
            headings.get(each.does, "") + each.note, 112, initial_indent="    ", subsequent_indent="    "
        )
    return "\n".join(lines)


def _value(parameter: Parameter, arguments: Mapping[str, Any]) -> Any:
    name, default = parameter.name, parameter.default
    if name not in arguments:
        if default is ...:
            raise PlanError(f"{name}: expected one, got none; ImageRecordIter needs it")
        return default
    given = arguments[name]
    if given is None and default is None:
        return None
    try:
        value = _converted(parameter.kind, given)
    except (KeyError, TypeError, ValueError):
        expected = " or ".join(_DTYPES) if parameter.kind == "dtype" else parameter.kind
        raise PlanError(f"{name}: expected {expected}, got {given!r}") from None
    if parameter.kind in ("int", "float") and not parameter.low <= value <= parameter.high:
        limits = f"at least {parameter.low:g}"
        limits = limits if math.isinf(parameter.high) else f"{parameter.low:g} to {parameter.high:g}"
        raise PlanError(f"{name}: expected {limits}, got {given!r}")
    if parameter.does == "refused" and value != default:
        raise PlanError(f"{name}: expected {default!r}, got {given!r}: {parameter.note}")
    return value


def _converted(kind: Kind, given: Any) -> Any:
    if given is None:
        raise TypeError
    match kind:
        case "bool":
            return _BOOLS[str(given).lower()]
        case "int":
            return int(str(given))
        case "float":
            value = float(str(given))
            if not math.isfinite(value):
                raise ValueError
            return value
        case "shape":
            return _shape(given)
        case "dtype":
            name = np.dtype(given).name
            if name not in _DTYPES:
                raise ValueError
            return name
    return str(given)


def _shape(given: str | Sequence[int]) -> tuple[int, int, int]:
    sides = given.strip("()[] ").split(",") if isinstance(given, str) else given
    channels, height, width = (int(str(side)) for side in sides)
    return channels, height, width
