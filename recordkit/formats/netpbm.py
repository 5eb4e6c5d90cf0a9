r"""Binary Netpbm images, which recordkit calls raw: a text header, then the samples of each pixel, row by row.

::

    P5 WIDTH HEIGHT MAXIMUM                                     gray
    P6 WIDTH HEIGHT MAXIMUM                                     RGB
    P7 \n WIDTH n \n HEIGHT n \n DEPTH n \n MAXVAL n \n
       TUPLTYPE name \n ENDHDR \n                               gray, gray and alpha, RGB, RGB and alpha by DEPTH

Fields of P5 and P6 are separated by blanks, and one blank follows the last. Comments begin with "#" and end with their
line. Samples are bytes, or big-endian 16-bit numbers if the maximum is above 255.

Source: https://netpbm.sourceforge.net/doc/ (pgm, ppm and pam).

`write_header` writes what any reader understands: maximum 255 and no comments. `unpack` reads all of the above except
more than one image in a file, and headers above 64 KiB.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import ImageError, plural
from recordkit.formats.images.image_header import ImageHeader
from recordkit.sample import Image, check_size

MAGICS = (b"P5", b"P6", b"P7")
"""The first two bytes of the formats."""

_SEPARATOR = rb"(?:\s|#[^\r\n]*[\r\n])+"
_PNM = re.compile(
    rb"P([56])%b(\d{1,9})%b(\d{1,9})%b(\d{1,5})(?:#[^\r\n]*[\r\n]|\s)" % (_SEPARATOR, _SEPARATOR, _SEPARATOR)
)
_PAM = re.compile(rb"P7[ \t\r]*\n((?:[^\n]{0,999}\n){1,99}?)ENDHDR[ \t]*\n")
_MAX_16_BIT = 65535
# Longest header with its comments. Without a limit, a damaged file of 20 MB would be searched for minutes.
_MAX_HEADER_BYTES = 1 << 16


def write_header(width: int, height: int, channels: int) -> bytes:
    r"""Return the header of an image with bytes as samples.

    Examples
    --------
    >>> write_header(3, 2, 1)
    b'P5\n3 2\n255\n'
    """
    if channels == 4:
        return b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" % (width, height)
    return b"P%d\n%d %d\n255\n" % (5 if channels == 1 else 6, width, height)


def unpack(payload: bytes | memoryview) -> Image:
    r"""Return the pixels of an image.

    Parameters
    ----------
    payload : bytes-like

    Returns
    -------
    image : ndarray of uint8, shape (H, W, C)
        C is 1 (gray), 3 (RGB) or 4 (RGB and alpha). A view of `payload` if its maximum is 255, unless it is gray with
        alpha. 16-bit samples of the maximum 65,535 keep their high byte; other samples are scaled to 255.

    Raises
    ------
    ImageError
        The header is damaged, or the number of bytes after it is not the one that it announces.

    Examples
    --------
    >>> unpack(b"P5\n# two pixels\n2 1\n15\n\x00\x0f").tolist()
    [[[0], [255]]]
    """
    width, height, depth, maximum, end = _read_header(payload)
    check_size(width, height)
    data = memoryview(payload)[end:]
    dtype: np.dtype[np.unsignedinteger[Any]] = np.dtype(np.uint8 if maximum < 256 else ">u2")
    expected = width * height * depth * dtype.itemsize
    if len(data) != expected:
        raise ImageError(expected=f"{plural(expected, 'byte')} after the raw header", got=len(data))
    samples = np.frombuffer(data, dtype).reshape(height, width, depth)
    image = _to_8_bit(samples, maximum)
    return image[:, :, [0, 0, 0, 1]] if depth == 2 else image


def size(payload: bytes | memoryview) -> ImageHeader | None:
    r"""Return the size of an image, by its header; None if the header is damaged.

    Examples
    --------
    >>> size(b"P5\n2 1\n15\n")
    ImageHeader(width=2, height=1, n_pixels=2, coefficient_bytes=0)
    """
    try:
        width, height, *_ = _read_header(payload)
    except ImageError:
        return None
    return ImageHeader(width, height, width * height)


def _to_8_bit(samples: NDArray[np.unsignedinteger[Any]], maximum: int) -> Image:
    if maximum == 255:
        return samples.astype(np.uint8, copy=False)
    if maximum == _MAX_16_BIT:
        return (samples >> 8).astype(np.uint8)
    wide: NDArray[np.uint32] = np.minimum(samples, maximum).astype(np.uint32)
    scaled: Image = ((wide * 255 + maximum // 2) // maximum).astype(np.uint8)
    return scaled


def _read_header(payload: bytes | memoryview) -> tuple[int, int, int, int, int]:
    """Return width, height, samples per pixel, maximum and the number of bytes of the header."""
    head = bytes(payload[:_MAX_HEADER_BYTES])
    if match := _PNM.match(head):
        width, height, maximum = map(int, match.groups()[1:])
        depth = 1 if match[1] == b"5" else 3
    elif match := _PAM.match(head):
        words = [line.split() for line in match[1].split(b"\n") if not line.startswith(b"#")]
        fields = {words_of_line[0]: words_of_line[-1] for words_of_line in words if words_of_line}
        numbers = [fields.get(name, b"") for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")]
        if not all(number.isdigit() and len(number) < 10 for number in numbers):
            raise _header_error(payload)
        width, height, depth, maximum = map(int, numbers)
    else:
        raise _header_error(payload)
    if not (1 <= depth <= 4 and 1 <= maximum <= _MAX_16_BIT):
        raise _header_error(payload)
    return width, height, depth, maximum, match.end()


def _header_error(payload: bytes | memoryview) -> ImageError:
    return ImageError(expected="a P5, P6 or P7 header with a maximum of 1 to 65535", got=repr(bytes(payload[:24])))
