"""Encoded images to uint8 pixels and back, with Pillow.

Packing and reading share these rules:

- 3 channels are RGB: alpha is dropped, gray is repeated, palettes and CMYK are converted. 1 channel is gray: the luma
  plane of a colour JPEG, otherwise 0.299 R + 0.587 G + 0.114 B. "keep" is as stored: 1 gray, 3 RGB, 4 with alpha.
- 16-bit samples keep their high byte. TIFFs of 32-bit or signed integers, or of floats, are refused, because nothing
  says which of their values is white.
- EXIF orientation is applied for 3 and 1 channels and not for "keep", as in OpenCV's ``imread``.
- Animations are decoded to their first frame.
- An image of more than `recordkit.sample.MAX_PIXELS` is refused before memory is allocated.

JPEGs are decoded by libjpeg-turbo with the accurate integer DCT and smooth chroma upsampling, and encoded as 4:2:0
with standard Huffman tables. OpenCV does the same, so a re-encoded file has the same bytes.

A raw image is binary Netpbm (`recordkit.formats.netpbm`): P5 (gray), P6 (RGB) or P7 (four channels). Images with
comments, and with other maximums than 255, are read and not written.

Only the formats that `sniff` detects are decoded, each by its own decoder of Pillow: others, such as EPS, may start
programs. Of the others, `decode` takes those that a caller names and `OTHER_DECODERS` has; none of these starts one.
The decoder is given the parts of a file that decide its pixels (`recordkit.formats.images.image_parts`), so that a PNG
whose ancillary chunk is damaged is read without that chunk, as by libpng.

Pillow is imported inside the functions, because reading records does not need it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import struct
import zlib
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recordkit.errors import ImageError, plural
from recordkit.formats import netpbm
from recordkit.formats.images import image_header, image_parts
from recordkit.formats.signatures import detect, image_format
from recordkit.sample import MAX_PIXELS, Image, check_size

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

ENCODINGS = ("jpg", "png", "raw")

Channels = int | Literal["keep"]
"""1 gray, 3 RGB, 4 RGB and alpha, "keep" as stored."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"P5", "raw"),
    (b"P6", "raw"),
    (b"P7\n", "raw"),
    (b"BM", "bmp"),
    (b"GIF8", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),  # BigTIFF
    (b"MM\x00+", "tiff"),
)
# The usual suffix of each format first; "raw" by the first bytes of a payload.
_SUFFIXES = {
    "jpg": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "png": (".png",),
    "bmp": (".bmp",),
    "gif": (".gif",),
    "tiff": (".tiff", ".tif"),
    "webp": (".webp",),
    b"P5": (".pgm", ".pnm"),
    b"P6": (".ppm", ".pnm"),
    b"P7": (".pam",),
}
PILLOW_FORMATS = {"jpg": "JPEG", "png": "PNG", "bmp": "BMP", "gif": "GIF", "tiff": "TIFF", "webp": "WEBP"}
"""The decoder of Pillow for each format that `sniff` detects, except "raw"."""
_FORMAT_NAMES = "JPEG, PNG, BMP, GIF, TIFF, WebP or binary Netpbm"
OTHER_DECODERS = {
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
    "PCX": (".pcx",),
    "PSD": (".psd",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
}
"""Decoders of Pillow that `decode` uses if they are named, each with the suffixes of its files.

None starts a program, each says the size of an image before it decodes it, and none decodes pixels in Python: those of
DDS and QOI take seconds per million.
"""
IMAGE_SUFFIXES = frozenset(itertools.chain.from_iterable(_SUFFIXES.values()))
"""Suffixes of the formats that `sniff` detects."""
# Pillow's decoders have raised all of these for damaged files. Warnings are raised if the user's filters make them
# errors.
_PILLOW_ERRORS = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError,
    RuntimeError, struct.error, zlib.error, Warning,
)  # fmt: skip
_EXIF_ORIENTATION = 0x0112
# Most bytes per pixel that `decode` holds at once: Pillow's image, of 4 bytes per pixel, converted and turned, and the
# array with the pieces that it is joined from. Pillow reads WebP files through an animation of two images.
_DECODE_BYTES_PER_PIXEL = {"jpg": 18, "webp": 24}
_OTHER_DECODE_BYTES_PER_PIXEL = 20
# OpenJPEG holds 4 bytes per sample.
_NAMED_DECODER_BYTES_PER_PIXEL = 36
# EXIF orientation to the Pillow transpose that makes the image upright.
_TRANSPOSE_BY_ORIENTATION = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def sniff(payload: bytes | memoryview) -> str:
    """Detect an image format by the first bytes.

    Parameters
    ----------
    payload : bytes-like

    Returns
    -------
    format : {"jpg", "png", "raw", "bmp", "gif", "tiff", "webp", "empty", "unknown"}

    Examples
    --------
    >>> sniff(bytes.fromhex("ffd8ffe0")), sniff(b"")
    ('jpg', 'empty')
    """
    head = bytes(payload[:12])
    for magic, name in _SIGNATURES:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return "webp"
    return "unknown" if head else "empty"


def is_gray(payload: bytes | memoryview) -> bool:
    """Tell whether ``decode(payload, channels="keep")`` has one channel, without decoding the pixels.

    Raises
    ------
    ImageError
        `payload` is not an image, or its header is damaged.

    Examples
    --------
    >>> [is_gray(encode(np.zeros((2, 3, n), np.uint8), "png")) for n in (1, 3, 4)]
    [True, False, False]
    """
    if payload[:2] in netpbm.MAGICS:
        return payload[:2] == b"P5"
    with _open_picture(payload) as (picture, _):
        return picture.mode in ("1", "L", "F") or picture.mode.startswith("I")


def file_suffixes(payload: bytes | memoryview) -> tuple[str, ...]:
    """Return the suffixes of files with an image's format, the usual one first; none if the format is unknown.

    Examples
    --------
    >>> file_suffixes(bytes.fromhex("ffd8ffe0")), file_suffixes(b"hello")
    (('.jpg', '.jpeg', '.jpe', '.jfif', '.mpo'), ())
    """
    kind = sniff(payload)
    return _SUFFIXES.get(bytes(payload[:2]) if kind == "raw" else kind, ())


def decode(payload: bytes | memoryview, *, channels: Channels = 3, decoders: Collection[str] = ()) -> Image:
    """Decode an image.

    Parameters
    ----------
    payload : bytes-like
        JPEG, PNG, BMP, GIF, TIFF, WebP or raw.
    channels : {3, 1, 4, "keep"}, default 3
        RGB, gray, RGB and alpha, or as stored.
    decoders : collection of str
        Names in `OTHER_DECODERS` of further formats to decode.

    Returns
    -------
    image : ndarray of uint8, shape (H, W, C)

    Raises
    ------
    ImageError
        `payload` is not an image, is truncated or damaged, or has more than `MAX_PIXELS` pixels.

    Examples
    --------
    >>> decode(encode(np.zeros((2, 3, 1), np.uint8), "png")).shape
    (2, 3, 3)
    """
    if not payload:
        raise ImageError(expected="an image", got="0 bytes")
    if payload[:2] in netpbm.MAGICS:
        return to_channels(netpbm.unpack(payload), channels)
    with _open_picture(payload, decoders) as (picture, exif):
        if channels == 1 and picture.format == "JPEG":
            picture.draft("L", picture.size)  # decodes only the luma plane, as OpenCV does
        picture.load()
        if picture.mode == "F" or (picture.mode == "I" and picture.format != "PNG"):
            got = "32 bits or signed numbers" if picture.mode == "I" else "floats"
            raise ImageError(expected="samples of 8 or 16 bits", got=got, advice="convert the image to 8 bits")
        return _pixels(picture if channels == "keep" else _upright(picture, exif), channels)


def decode_ycbcr(payload: bytes | memoryview, *, channels: Channels = 3) -> Image | None:
    """Decode a JPEG to the planes that it is stored as, Y, Cb and Cr, with chroma enlarged to the size of the image.

    Parameters
    ----------
    payload : bytes-like
    channels : {3, "keep"}, default 3
        With "keep", EXIF orientation is not applied.

    Returns
    -------
    image : ndarray of uint8, shape (H, W, 3), or None
        None if `payload` is no JPEG of these planes, or is damaged: `decode` has the pixels, or the error.

    Examples
    --------
    >>> decode_ycbcr(encode(np.full((2, 3, 3), 255, np.uint8), "jpg"))[0, 0].tolist()
    [255, 128, 128]
    >>> decode_ycbcr(encode(np.zeros((2, 3, 1), np.uint8), "jpg")) is None
    True
    """
    if sniff(payload) != "jpg":
        return None
    with contextlib.suppress(ImageError), _open_picture(payload) as (picture, exif):
        if picture.mode == "RGB":
            picture.draft("YCbCr", picture.size)
            picture.load()
            return np.asarray(picture if channels == "keep" else _upright(picture, exif))
    return None


@contextlib.contextmanager
def _open_picture(payload: bytes | memoryview, decoders: Collection[str] = ()) -> Iterator[tuple[PillowImage, bytes]]:
    """Open an image with Pillow, and turn its errors, also those inside the block, into ImageErrors.

    The second value is the EXIF block.
    """
    from PIL import Image as Pillow

    payload = bytes(payload)
    kind = sniff(payload)
    if kind in PILLOW_FORMATS:
        formats: Collection[str] = (PILLOW_FORMATS[kind],)
        pixels, exif = image_parts.split(payload, kind)
        header = image_header.read(payload, kind)
        if header is None or header.width * header.height < 1:
            raise _decode_error(payload, "its header is damaged")
        check_size(header.width, header.height)
        check_size(header.n_pixels, 1)
    else:
        formats, pixels, exif = [name for name in OTHER_DECODERS if name in decoders], payload, b""
        if not formats:
            raise _unknown_format_error(payload)
    try:
        with Pillow.open(io.BytesIO(pixels), formats=list(formats)) as picture:
            check_size(picture.width, picture.height)
            yield picture, exif or picture.info.get("exif", b"").removeprefix(b"Exif\0\0")
    except ImageError:
        raise
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise ImageError(expected=f"at most {MAX_PIXELS} pixels", got="more", advice="make the image smaller") from None
    except _PILLOW_ERRORS as error:
        text = str(error) or type(error).__name__
        raise _decode_error(payload, "its header is damaged" if "cannot identify" in text else text) from None


def _decode_error(payload: bytes, reason: str) -> ImageError:
    return ImageError(expected="an image", got=f"{plural(len(payload), 'byte')} that do not decode ({reason})")


def _unknown_format_error(payload: bytes) -> ImageError:
    if name := image_format(payload):
        return ImageError(expected=_FORMAT_NAMES, got=name, advice="convert the image to one of these formats")
    kind = detect(payload)
    return _decode_error(payload, "no known format" if kind in ("bytes", "text") else f"{kind}, no image format")


def _upright(picture: PillowImage, exif: bytes) -> PillowImage:
    number = _exif_orientation(exif)
    if number == 1:
        return picture
    from PIL import Image as Pillow

    return picture.transpose(getattr(Pillow.Transpose, _TRANSPOSE_BY_ORIENTATION[number]))


def _exif_orientation(block: bytes) -> int:
    """Return the EXIF orientation, 1 to 8."""
    byte_order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if byte_order is None:
        return 1
    try:
        (begin,) = struct.unpack_from(f"{byte_order}I", block, 4)
        (n_fields,) = struct.unpack_from(f"{byte_order}H", block, begin)
        for field in range(n_fields):
            tag, _type, _count, value = struct.unpack_from(f"{byte_order}HHIH", block, begin + 2 + 12 * field)
            if tag == _EXIF_ORIENTATION:
                return int(value) if value in _TRANSPOSE_BY_ORIENTATION else 1
    except struct.error:
        pass  # a truncated block counts as no orientation
    return 1


def _pixels(picture: PillowImage, channels: Channels) -> Image:
    if picture.mode.startswith("I"):  # 16-bit gray, which Pillow may also hold as 32-bit
        wide: np.ndarray[Any, Any] = np.asarray(picture).astype(np.int64)
        return to_channels((np.clip(wide, 0, 65535) >> 8).astype(np.uint8)[:, :, None], channels)
    if picture.mode in ("P", "PA", "LA", "La", "RGBa"):
        # A conversion by RGBA keeps the colours of transparent pixels when alpha is dropped.
        picture = picture.convert("RGBA" if _has_alpha(picture) else "RGB")
    if channels in ("keep", 4):
        if picture.mode == "RGB" and "transparency" in picture.info:
            picture = picture.convert("RGBA")
        mode = {"1": "L", "L": "L", "RGBA": "RGBA"}.get(picture.mode, "RGB")
    else:
        mode = "RGB" if channels == 3 else "L"
        if picture.mode in ("RGBA", "LAB", "HSV") and mode == "L":
            picture = picture.convert("RGB")
    image = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    return to_channels(image if image.ndim == 3 else image[:, :, None], channels)


def _has_alpha(picture: PillowImage) -> bool:
    return "transparency" in picture.info or picture.mode != "P"


def to_channels(image: Image, channels: Channels) -> Image:
    """Convert an image to RGB (3), gray (1) or RGB and alpha (4), or return it unchanged ("keep").

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, C)
        C 1, 3 or 4.
    channels : {3, 1, 4, "keep"}

    Returns
    -------
    image : ndarray of uint8, shape (H, W, `channels`), or that of `image` for "keep"

    Examples
    --------
    >>> to_channels(np.zeros((2, 3, 1), np.uint8), 3).shape
    (2, 3, 3)
    """
    if channels in ("keep", image.shape[2]):
        return image
    if channels == 4:
        return np.dstack([to_channels(image, 3), np.full(image.shape[:2], 255, np.uint8)])
    if image.shape[2] == 1:
        return np.repeat(image, 3, axis=2)
    if channels == 3:
        return np.ascontiguousarray(image[:, :, :3])
    from PIL import Image as Pillow

    return np.asarray(Pillow.fromarray(np.ascontiguousarray(image[:, :, :3])).convert("L"))[:, :, None]


def encode(image: Image, encoding: str, *, quality: int | None = None, ycbcr: bool = False) -> bytes:
    r"""Encode an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, C)
        C 1, 3 or 4; JPEG drops the fourth channel.
    encoding : {"jpg", "png", "raw"}
    quality : int, optional
        JPEG quality, 1 to 100, default 95. PNG compression level, 0 to 9, default 3; higher values count as 9.
    ycbcr : bool, default False
        The channels of `image` are Y, Cb and Cr, as `decode_ycbcr` gives them. Only for JPEG.

    Returns
    -------
    payload : bytes

    Raises
    ------
    ImageError
        The image is too large for the encoding: JPEG allows sides of up to 65,500 pixels.

    Examples
    --------
    >>> encode(np.zeros((2, 3, 1), np.uint8), "raw")
    b'P5\n3 2\n255\n\x00\x00\x00\x00\x00\x00'
    """
    height, width, channels = image.shape
    if encoding == "raw":
        return netpbm.write_header(width, height, channels) + image.tobytes()
    from PIL import Image as Pillow

    if encoding == "jpg" and channels == 4:
        image, channels = image[:, :, :3], 3
    if ycbcr:
        picture = Pillow.frombytes("YCbCr", (width, height), image.tobytes())
    else:
        picture = Pillow.fromarray(image[:, :, 0] if channels == 1 else np.ascontiguousarray(image))
    file = io.BytesIO()
    try:
        if encoding == "jpg":
            # OpenCV writes 4:4:4 into the header of a gray JPEG, which has no chroma.
            chroma = "4:4:4" if channels == 1 else "4:2:0"
            picture.save(file, "JPEG", quality=95 if quality is None else quality, subsampling=chroma)
        else:
            picture.save(file, "PNG", compress_level=3 if quality is None else min(quality, 9))
    except OSError as error:
        got = f"{width} x {height} ({error})"
        raise ImageError(expected=f"an image that {encoding} can hold", got=got) from None
    return file.getvalue()


def decode_bytes(payload: bytes | memoryview, *, decoders: Collection[str] = ()) -> int:
    """Return the most memory that `decode` takes for an image, by its header.

    Parameters
    ----------
    payload : bytes-like
    decoders : collection of str
        As for `decode`.

    Returns
    -------
    n_bytes : int
        In addition to `payload`; at most about 5 times as much as `decode` really takes. 0 for an image that `decode`
        refuses by its header: of an unknown format, of a damaged header, or of more than `MAX_PIXELS` pixels.

    Examples
    --------
    >>> decode_bytes(encode(np.zeros((200, 300, 3), np.uint8), "jpg"))
    1080000
    """
    kind = sniff(payload)
    if kind == "unknown" and decoders:
        with contextlib.suppress(ImageError), _open_picture(payload, decoders) as (picture, _):
            return picture.width * picture.height * _NAMED_DECODER_BYTES_PER_PIXEL
        return 0
    header = netpbm.size(payload) if kind == "raw" else image_header.read(payload, kind)
    if header is None or not 0 < header.n_pixels <= MAX_PIXELS:
        return 0
    bytes_per_pixel = _DECODE_BYTES_PER_PIXEL.get(kind, _OTHER_DECODE_BYTES_PER_PIXEL)
    # Coefficients are freed before the image is converted.
    return max(header.n_pixels * bytes_per_pixel, 4 * header.n_pixels + header.coefficient_bytes)


def has_several_pictures(payload: bytes) -> bool:
    """Tell whether an image is animated or has several pages; `decode` returns the first picture.

    Only GIF, WebP, TIFF and PNG files are looked at. A damaged image has one picture; `decode` reports the damage.
    """
    return image_header.has_several_pictures(payload, sniff(payload))


def orientation(payload: bytes) -> int:
    """Return the EXIF orientation of an image, 1 (upright) to 8; 1 if the image has none or is damaged."""
    kind = sniff(payload)
    if kind == "jpg" and image_parts.EXIF not in payload:  # walking the segments costs more than a copy of the image
        return 1
    try:
        return _exif_orientation(image_parts.split(payload, kind).exif)
    except ImageError:
        return 1


def decode_deep_gray(payload: bytes) -> np.ndarray[Any, Any] | None:
    """Decode a gray image of more than 8 bits per sample without loss.

    Returns
    -------
    image : ndarray of uint16, int32 or float32, shape (H, W), or None
        None if `payload` is neither a 16-bit gray PNG nor a gray TIFF of one of these types.
    """
    # The bit depth of a PNG is in its IHDR chunk.
    if sniff(payload) != "tiff" and not (sniff(payload) == "png" and payload[24:25] == b"\x10"):
        return None
    with _open_picture(payload) as (picture, _):
        if picture.mode.startswith("I") and (picture.format == "PNG" or ";16" in picture.mode):
            return np.asarray(picture).astype(np.uint16)
        return np.asarray(picture) if picture.mode in ("I", "F") else None
