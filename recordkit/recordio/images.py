"""Images in records, as OpenCV encodes and decodes them for MXNet.

Pillow encodes and decodes, so JPEG bytes equal OpenCV's, and other formats have the same pixels in other bytes. Images
are BGR arrays. Pillow is imported by `pack_img` and `unpack_img` only.

Source: `pack_img` and `unpack_img`, python/mxnet/recordio.py of MXNet 1.9, with OpenCV 4.11's `imencode` and
`imdecode`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recordkit import codec
from recordkit.errors import ImageError
from recordkit.formats.images import deep_png
from recordkit.recordio.records import IRHeader, pack, unpack

_ENCODINGS = {
    ".jpg": "jpg",
    ".jpeg": "jpg",
    ".png": "png",
    ".bmp": "bmp",
    ".webp": "webp",
    ".tiff": "tiff",
    ".tif": "tiff",
}
# Pillow's options for the formats without a quality.
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "bmp": {},
    "webp": {"lossless": True, "exact": True},
    "tiff": {"compression": "tiff_lzw"},
}
_LARGEST_QUALITY = {"jpg": 100, "png": 9}
# Floats that are so far outside 0 to 255 are no fault: resizing with a cubic filter makes them.
_OVERSHOOT = 64
# OpenCV's flags of imdecode; 0 is gray.
_UNCHANGED, _COLOR, _ANY_DEPTH, _ANY_COLOR, _IGNORE_ORIENTATION = -1, 1, 2, 4, 128
_FLAGS = {_UNCHANGED, *range(7), *range(_IGNORE_ORIENTATION, _IGNORE_ORIENTATION + 7)}
# The reverse of what an EXIF orientation does to an image.
_AS_STORED: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, 1),
    7: lambda image: np.rot90(image.swapaxes(0, 1), 2),
    8: lambda image: np.rot90(image, -1),
}


def unpack_img(s: bytes, iscolor: int = -1) -> tuple[IRHeader, NDArray[Any] | None]:
    """Split a record into a header and a decoded image.

    Parameters
    ----------
    s : bytes
    iscolor : int, default -1
        -1 as stored, 0 gray, 1 BGR. OpenCV's other flags may be added up: 2 keeps 16 bits, 4 keeps gray images gray,
        and 128 ignores the EXIF orientation, as -1 does. Flags that reduce the size are refused.

    Returns
    -------
    header : IRHeader
    image : ndarray of uint8, shape (H, W), (H, W, 3) BGR or (H, W, 4) BGRA
        With -1 or flag 2, uint16 for 16-bit PNG and gray TIFF, and float32 or int32 for gray TIFF of these types. None
        if the bytes do not decode, or are such a TIFF and another flag is given, as in MXNet.

    Raises
    ------
    ImageError
        The record has no image, or `iscolor` is another flag of OpenCV.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.recordio import IRHeader, pack_img, unpack_img
    >>> deep = np.array([[0, 1000], [40000, 65535]], np.uint16)
    >>> unpack_img(pack_img(IRHeader(0, 1.0, 7, 0), deep, img_fmt=".png"))[1].tolist()
    [[0, 1000], [40000, 65535]]
    """
    header, payload = unpack(s)
    if not payload:
        raise ImageError(
            key=header.id, expected="an image", got="0 bytes", advice="skip metadata records, whose image is empty"
        )
    if iscolor not in _FLAGS:
        raise ImageError(
            argument="iscolor",
            expected="-1 (as stored), 0 (gray), 1 (BGR), or a sum of 1, 2, 4 and 128 without 7",
            got=iscolor,
            advice="for another size or order of channels, unpack with 1 and convert the array",
        )
    try:
        image = _decode(payload, iscolor)
    except ImageError:
        return header, None
    return header, _swap_red_and_blue(image) if image.shape[2] > 1 else image[:, :, 0].copy()


def _decode(payload: bytes, flags: int) -> NDArray[Any]:
    """Decode to (H, W, C), RGB."""
    deep = _decode_deep(payload)
    if deep is not None and flags != _UNCHANGED and not flags & _ANY_DEPTH:
        if deep.dtype != np.uint16:
            raise ImageError(expected="8 or 16 bits per sample", got=str(deep.dtype))
        deep = None
    if flags == _UNCHANGED:
        return codec.decode(payload, channels="keep") if deep is None else deep
    n_channels = 3 if flags & _COLOR else 1
    if flags & _ANY_COLOR and (codec.decode(payload, channels="keep") if deep is None else deep).shape[2] > 1:
        n_channels = 3
    if deep is not None:
        return _deep_to_channels(deep, n_channels)
    image = codec.decode(payload, channels=n_channels)
    return _AS_STORED[codec.orientation(payload)](image) if flags & _IGNORE_ORIENTATION else image


def _decode_deep(payload: bytes) -> NDArray[Any] | None:
    """Decode an image of more than 8 bits to (H, W, C); None for other images."""
    gray = codec.decode_deep_gray(payload)
    return deep_png.decode(payload) if gray is None else gray[:, :, None]


def _deep_to_channels(image: NDArray[Any], n_channels: int) -> NDArray[Any]:
    if image.shape[2] == 1:
        return np.repeat(image, n_channels, axis=2)
    if n_channels == 3:
        return image[:, :, :3]
    gray: NDArray[Any] = np.rint(image[:, :, :3] @ np.array([[0.299], [0.587], [0.114]])).astype(image.dtype)
    return gray


def pack_img(header: IRHeader | tuple[Any, ...], img: ArrayLike, quality: int = 95, img_fmt: str = ".jpg") -> bytes:
    """Encode an image and join it with a header into a record.

    Parameters
    ----------
    header : IRHeader
    img : array-like of numbers, shape (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA
        uint16 is kept by ``.png``, and by ``.tiff`` for gray images, as are float32 and int32 by ``.tiff``. All other
        values are rounded, half to even, and clipped to 0 to 255. ``.jpg`` and ``.bmp`` drop alpha.
    quality : int, default 95
        JPEG quality, 0 to 100, or PNG compression level, 0 to 9; values outside count as the nearest. Other formats
        are lossless and do not use it.
    img_fmt : {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tiff", ".tif"}, default ".jpg"
        In upper or lower case.

    Returns
    -------
    record : bytes

    Raises
    ------
    ImageError
        `img_fmt` has no encoder, or the encoder does not support the image.

    Warns
    -----
    UserWarning
        All values of a float image are from 0 to 1, or from -1 to 1, so that rounding leaves black and almost black. Or
        values are not finite, or outside 0 to 255; floats may be outside by up to 64.
    """
    encoding = _ENCODINGS.get(img_fmt.lower())
    if encoding is None:
        raise ImageError(argument="img_fmt", expected=f"one of {', '.join(_ENCODINGS)}", got=repr(img_fmt))
    if type(img).__module__.startswith("PIL."):
        advice = "give np.asarray(img.convert('RGB'))[:, :, ::-1]"
        raise ImageError(expected="an array in the order BGR", got="an image of Pillow, which is RGB", advice=advice)
    if img is None:
        raise ImageError(expected="an array", got="None", advice="OpenCV's imread returns it for a file it cannot read")
    image = np.asarray(img)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
        expected = "an array of shape (H, W), (H, W, 3) or (H, W, 4)"
        raise ImageError(expected=expected, got=f"{image.dtype} {np.shape(img)}")
    if image.dtype.kind not in "uif":
        advice = "multiply a mask by 255" if image.dtype == bool else "convert it with astype"
        raise ImageError(expected="an array of integers or floats", got=str(image.dtype), advice=advice)
    image = _to_depth(image, encoding)
    return pack(header, _encode(_swap_red_and_blue(image) if image.shape[2] > 1 else image, encoding, quality))


def _to_depth(image: NDArray[Any], encoding: str) -> NDArray[Any]:
    """Return the image with the type of the samples that a format stores."""
    if image.dtype == np.uint16 and encoding == "png":
        return image
    if encoding == "tiff" and image.dtype != np.uint8:
        return _check_tiff(image)
    return image if image.dtype == np.uint8 else _to_8_bits(image)


def _check_tiff(image: NDArray[Any]) -> NDArray[Any]:
    if image.shape[2] > 1 or image.dtype not in (np.uint16, np.float32, np.int32):
        raise ImageError(
            expected="uint8, or a gray image of uint16, float32 or int32, for TIFF",
            got=f"{image.dtype} {image.shape}",
            advice="convert it with astype, or use .png for uint16",
        )
    return image


def _to_8_bits(image: NDArray[Any]) -> NDArray[np.uint8]:
    floats = image.dtype.kind == "f"
    low, high = image.min(), image.max()
    margin = _OVERSHOOT if floats else 0
    if floats and not np.isfinite(image).all():
        _warn("values that are not finite are packed as 0 or 255")
    elif floats and low >= 0 and 0 < high <= 1:
        _warn("all values are from 0 to 1 and are rounded to 0 or 1; multiply them by 255")
    elif floats and -1 <= low < 0 <= high <= 1:
        _warn("all values are from -1 to 1 and are packed as 0 or 1; scale them to 0 to 255")
    elif low < -margin:
        _warn(f"values down to {low} are packed as 0; scale them to 0 to 255")
    elif high > 255 + margin:
        _warn(f"values up to {high} are packed as 255; .png keeps uint16")
    rounded = np.rint(np.nan_to_num(image, nan=0)) if floats else image
    clipped: NDArray[np.uint8] = np.clip(rounded, 0, 255).astype(np.uint8)
    return clipped


def _warn(text: str) -> None:
    warnings.warn(f"img: {text}", UserWarning, stacklevel=5)


def _encode(image: NDArray[Any], encoding: str, quality: int) -> bytes:
    if encoding in _LARGEST_QUALITY:
        quality = max(0, min(quality, _LARGEST_QUALITY[encoding]))
        if image.dtype == np.uint16:
            return deep_png.encode(image, level=quality)
        return codec.encode(image, encoding, quality=quality)
    from PIL import Image as Pillow

    if encoding == "bmp":
        image = image[:, :, :3]
    file = io.BytesIO()
    try:
        Pillow.fromarray(np.ascontiguousarray(image if image.shape[2] > 1 else image[:, :, 0])).save(
            file, encoding.upper(), **_SAVE_OPTIONS[encoding]
        )
    except (OSError, ValueError, KeyError) as error:
        got = f"{image.shape[1]} x {image.shape[0]} ({error})"
        raise ImageError(expected=f"an image that {encoding} can hold", got=got) from None
    return file.getvalue()


def _swap_red_and_blue(image: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(image[:, :, [2, 1, 0, 3][: image.shape[2]]])
