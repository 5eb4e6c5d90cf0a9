"""A look at the header and the end of an image whose bytes are copied, much faster than decoding it.

JPEG and PNG files end with a marker of their own, so that a truncated file, the commonest damage, is seen at once. An
image that does not look whole may still decode, so it is decoded before it is refused. Damage between the header and
the end is not seen. Images of other formats have no such end; they never look whole, and are decoded.
"""

from __future__ import annotations

import struct

from recordkit.sample import MAX_PIXELS

_JPEG_BEGIN = bytes.fromhex("ffd8ff")
# Baseline, extended and progressive frames with Huffman codes.
_JPEG_FRAMES = frozenset((0xC0, 0xC1, 0xC2))
# DHT, DQT, DRI, APP0 to APP15 and COM.
_JPEG_TABLES_AND_TEXTS = frozenset((0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE))
# Sampling factors of all components, horizontal * 16 + vertical. Decoders refuse some of the other combinations.
_JPEG_FACTORS = frozenset(
    bytes.fromhex(factors)
    for luma in ("11", "21", "12", "22", "41")
    for factors in (luma, f"{luma}1111", luma * 3, f"{luma}1111{luma}", luma * 4)
) | {bytes.fromhex("221212"), bytes.fromhex("222121")}
_START_OF_SCAN = 0xDA
_SEGMENT = struct.Struct(">BBH")  # 0xff, marker, size
_FRAME = struct.Struct(">BHHB")  # precision, height, width, number of components
# The signature, and the length and name of the first chunk, IHDR.
_PNG_BEGIN = bytes.fromhex("89504e470d0a1a0a 0000000d 49484452")
_PNG_END = bytes.fromhex("00000000 49454e44 ae426082")
# Bit depths by colour type.
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def looks_whole(payload: bytes) -> bool:
    """Tell whether the header of an image is usual and its file has an end.

    Parameters
    ----------
    payload : bytes
        An encoded image.

    Returns
    -------
    looks_whole : bool
        False for formats other than JPEG and PNG.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit import codec
    >>> image = codec.encode(np.zeros((8, 8, 3), np.uint8), "jpg")
    >>> looks_whole(image), looks_whole(image[:-20])
    (True, False)
    """
    if payload.startswith(_JPEG_BEGIN):
        return _is_whole_jpeg(payload)
    return payload.startswith(_PNG_BEGIN) and _is_whole_png(payload)


def _is_whole_jpeg(payload: bytes) -> bool:
    """Walk over the segments to the first scan. An end-of-image marker cannot occur inside the scan's data."""
    offset, has_frame = 2, False
    try:
        while True:
            begin, marker, size = _SEGMENT.unpack_from(payload, offset)
            end = offset + 2 + size
            if begin != 0xFF:
                return False
            if marker == _START_OF_SCAN:
                return has_frame and payload.rfind(b"\xff\xd9", end) >= 0
            if marker in _JPEG_FRAMES:
                if has_frame or not _is_usual_frame(payload[offset + 4 : end]):
                    return False
                has_frame = True
            elif marker not in _JPEG_TABLES_AND_TEXTS:
                return False
            offset = end
    except struct.error:  # the file ends before its first scan
        return False


def _is_usual_frame(frame: bytes) -> bool:
    precision, height, width, n_components = _FRAME.unpack_from(frame)
    if precision != 8 or len(frame) != 6 + 3 * n_components:
        return False
    return frame[7::3] in _JPEG_FACTORS and 0 < width * height <= MAX_PIXELS


def _is_whole_png(payload: bytes) -> bool:
    if len(payload) < 33 or not payload.endswith(_PNG_END):
        return False
    width, height, depth, color, *methods = struct.unpack_from(">IIBBBBB", payload, 16)
    is_known = depth in _PNG_DEPTHS.get(color, ()) and methods[:2] == [0, 0] and methods[2] < 2
    return is_known and 0 < width * height <= MAX_PIXELS
