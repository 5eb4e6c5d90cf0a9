"""Encoded images to uint8 pixels and back, with Pillow.

Every conversion has one rule here, for packing and reading alike:

- 3 channels are RGB (alpha dropped, gray repeated, palettes and CMYK converted), 1 is gray (a colour JPEG's own
  luma plane; otherwise 0.299 R + 0.587 G + 0.114 B), "keep" means as stored: 1 for gray, 3 for RGB, 4 with alpha;
- 16-bit samples keep their high byte;
- EXIF orientation is applied for 3 and 1 channels and not for "keep", as OpenCV's ``imread`` does;
- of an animation the first frame counts;
- an image of more than `recordkit.sample.MAX_PIXELS` is refused before memory is asked for.

JPEG decoding is libjpeg-turbo's accurate integer DCT with smooth chroma upsampling, encoding is 4:2:0 with
standard Huffman tables: both as OpenCV does it, so that a re-encoded file has the same bytes.

A raw image is binary Netpbm: P5 (gray), P6 (RGB) or P7 (four channels), maximum 255, without comments.

Pillow is imported inside the functions: reading records needs none.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recordkit.errors import ImageError
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
)
# What Pillow's decoders have been seen to raise on damaged files; each of them means the same here. Its warnings
# are raised only where the user has made them errors.
_PILLOW_ERRORS = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError,
    NotImplementedError, struct.error, zlib.error, Warning,
)  # fmt: skip
_PNM = re.compile(rb"P([56])\s(\d{1,9})\s(\d{1,9})\s255\s")
_PAM = re.compile(rb"P7\nWIDTH (\d{1,9})\nHEIGHT (\d{1,9})\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n")
_EXIF_ORIENTATION = 0x0112
# What makes an image upright, by its EXIF orientation.
_UPRIGHT_BY = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def sniff(payload: bytes | memoryview) -> str:
    """Tell an image's format by its first bytes.

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
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return "webp"
    if not head:
        return "empty"
    return next((name for magic, name in _SIGNATURES if head.startswith(magic)), "unknown")


def decode(payload: bytes | memoryview, *, channels: Channels = 3) -> Image:
    """Decode an image.

    Parameters
    ----------
    payload : bytes-like
        JPEG, PNG, raw, or anything else Pillow opens.
    channels : {3, 1, 4, "keep"}, default 3
        RGB, gray, RGB and alpha, or as stored.

    Returns
    -------
    image : ndarray of uint8, shape (H, W, C)

    Raises
    ------
    ImageError
        It is not an image, it is cut short or damaged, or it has more than `MAX_PIXELS`.

    Examples
    --------
    >>> decode(encode(np.zeros((2, 3, 1), np.uint8), "png")).shape
    (2, 3, 3)
    """
    if not payload:
        raise ImageError("expected an image, got 0 bytes")
    if payload[:2] in (b"P5", b"P6", b"P7"):
        return to_channels(_decode_raw(payload), channels)
    with _opened(payload) as picture:
        if channels == 1 and picture.format == "JPEG":
            picture.draft("L", picture.size)  # the luma plane itself, as OpenCV reads it
        picture.load()
        return _pixels(picture if channels == "keep" else _upright(picture), channels)


@contextlib.contextmanager
def _opened(payload: bytes | memoryview) -> Iterator[PillowImage]:
    """Open an image with Pillow; whatever goes wrong with it, also inside the block, becomes an ImageError."""
    from PIL import Image as Pillow

    try:
        with Pillow.open(io.BytesIO(payload)) as picture:
            check_size(picture.width, picture.height)
            yield picture
    except ImageError:
        raise
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise ImageError(f"expected at most {MAX_PIXELS} pixels, got more; make the image smaller") from None
    except _PILLOW_ERRORS as error:
        raise ImageError(f"expected an image, got {len(payload)} bytes that do not decode ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return "no known format" if "cannot identify image file" in text else text


def _upright(picture: PillowImage) -> PillowImage:
    turned = _exif_orientation(picture)
    if turned == 1:
        return picture
    from PIL import Image as Pillow

    return picture.transpose(getattr(Pillow.Transpose, _UPRIGHT_BY[turned]))


def _exif_orientation(picture: PillowImage) -> int:
    """Read one number, without Pillow's `getexif`: that also believes XMP, and warns of damage that is none of ours."""
    block = picture.info.get("exif", b"").removeprefix(b"Exif\0\0")
    mark = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if mark is None:
        return 1
    try:
        (begin,) = struct.unpack_from(f"{mark}I", block, 4)
        (n_fields,) = struct.unpack_from(f"{mark}H", block, begin)
        for field in range(n_fields):
            tag, _type, _count, value = struct.unpack_from(f"{mark}HHIH", block, begin + 2 + 12 * field)
            if tag == _EXIF_ORIENTATION:
                return int(value) if value in _UPRIGHT_BY else 1
    except struct.error:
        pass  # cut short: it says nothing
    return 1


def _pixels(picture: PillowImage, channels: Channels) -> Image:
    if picture.mode.startswith("I"):  # 16-bit gray, which Pillow may also hold as 32-bit
        wide: np.ndarray[Any, Any] = np.asarray(picture).astype(np.int64)
        return to_channels((np.clip(wide, 0, 65535) >> 8).astype(np.uint8)[:, :, None], channels)
    if picture.mode in ("P", "PA", "LA", "La", "RGBa"):
        # Through RGBA, so that colours under transparent pixels stay what they are when alpha is dropped.
        picture = picture.convert("RGBA" if _transparent(picture) else "RGB")
    if channels in ("keep", 4):
        if picture.mode == "RGB" and "transparency" in picture.info:
            picture = picture.convert("RGBA")
        mode = {"1": "L", "L": "L", "RGBA": "RGBA"}.get(picture.mode, "RGB")
    else:
        mode = "RGB" if channels == 3 else "L"
        if picture.mode == "RGBA" and mode == "L":
            picture = picture.convert("RGB")
    image = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    return to_channels(image if image.ndim == 3 else image[:, :, None], channels)


def _transparent(picture: PillowImage) -> bool:
    return "transparency" in picture.info or picture.mode != "P"


def to_channels(image: Image, channels: Channels) -> Image:
    """Convert an image to RGB (3), gray (1) or RGB and alpha (4), or leave it as it is ("keep").

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


def _decode_raw(payload: bytes | memoryview) -> Image:
    head = bytes(payload[:128])
    if match := _PNM.match(head):
        channels = 1 if match[1] == b"5" else 3
        width, height = int(match[2]), int(match[3])
    elif match := _PAM.match(head):
        channels, width, height = 4, int(match[1]), int(match[2])
    else:
        raise ImageError(f"expected a P5, P6 or P7 header with a maximum of 255, got {head[:24]!r}")
    check_size(width, height)
    data = memoryview(payload)[match.end() :]
    expected = width * height * channels
    if len(data) != expected:
        raise ImageError(f"expected {expected} bytes behind the raw header, got {len(data)}")
    return np.frombuffer(data, np.uint8).reshape(height, width, channels)


def encode(image: Image, encoding: str, *, quality: int | None = None) -> bytes:
    r"""Encode an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, C)
        C 1, 3 or 4; JPEG drops the fourth channel.
    encoding : {"jpg", "png", "raw"}
    quality : int, optional
        JPEG quality 1 to 100, default 95; PNG compression level 0 to 9, default 3, higher values count as 9.

    Returns
    -------
    payload : bytes

    Raises
    ------
    ImageError
        The encoder cannot take the image: JPEG sides end at 65,500 pixels.

    Examples
    --------
    >>> encode(np.zeros((2, 3, 1), np.uint8), "raw")
    b'P5\n3 2\n255\n\x00\x00\x00\x00\x00\x00'
    """
    height, width, channels = image.shape
    if encoding == "raw":
        return _raw_head(width, height, channels) + image.tobytes()
    from PIL import Image as Pillow

    if encoding == "jpg" and channels == 4:
        image, channels = image[:, :, :3], 3
    picture = Pillow.fromarray(image[:, :, 0] if channels == 1 else np.ascontiguousarray(image))
    file = io.BytesIO()
    try:
        if encoding == "jpg":
            # Gray has no chroma to subsample, and OpenCV says so in the header.
            chroma = "4:4:4" if channels == 1 else "4:2:0"
            picture.save(file, "JPEG", quality=95 if quality is None else quality, subsampling=chroma)
        else:
            picture.save(file, "PNG", compress_level=3 if quality is None else min(quality, 9))
    except OSError as error:
        raise ImageError(f"expected an image that {encoding} can hold, got {width} x {height} ({error})") from None
    return file.getvalue()


def _raw_head(width: int, height: int, channels: int) -> bytes:
    if channels == 4:
        return b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" % (width, height)
    return b"P%d\n%d %d\n255\n" % (5 if channels == 1 else 6, width, height)


def frame_count(payload: bytes) -> int:
    """Count the frames of an image; more than 1 is an animation.

    Only the containers that can hold several are opened: GIF, PNG, WebP and TIFF.
    """
    kind = sniff(payload)
    if kind not in ("gif", "webp", "tiff") and not (kind == "png" and b"acTL" in payload[:4096]):
        return 1
    try:
        with _opened(payload) as picture:
            return int(getattr(picture, "n_frames", 1))
    except ImageError:
        return 1  # damaged: whoever decodes it will say so


def orientation(payload: bytes) -> int:
    """Return the EXIF orientation of an image, 1 (upright) to 8; 1 also where there is none.

    Only images that mention EXIF near their beginning are looked into.
    """
    head = payload[:4096]
    in_webp = head[8:16] == b"WEBPVP8X" and len(head) > 20 and head[20] & 8  # a flag: the file has EXIF, at its end
    if not (in_webp or b"Exif" in head or b"eXIf" in head):
        return 1
    try:
        with _opened(payload) as picture:
            return _exif_orientation(picture)
    except ImageError:
        return 1  # damaged: whoever decodes it will say so


def decode_deep(payload: bytes) -> np.ndarray[Any, np.dtype[np.uint16]] | None:
    """Decode 16-bit gray with all its bits.

    Returns
    -------
    image : ndarray of uint16, shape (H, W), or None if the image is of another kind
    """
    if sniff(payload) != "png" or payload[24:25] != b"\x10":  # bit depth, in the IHDR chunk
        return None
    with _opened(payload) as picture:
        return np.asarray(picture).astype(np.uint16) if picture.mode.startswith("I") else None
