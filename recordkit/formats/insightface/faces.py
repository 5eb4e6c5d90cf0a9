"""InsightFace's face datasets: .rec files in which some records hold metadata instead of an image.

::

    key            label             payload
    0              A, B              empty     the header
    1 to A - 1     class, or more    an image
    A to B - 1     first, last + 1   empty     an identity: the keys of its images

The images come first in the file, the header before or after the identities; merged files differ. The labels are
float32, so A and B are rounded in files of more than 2**24 records. Near A, only the payload then shows whether a
record is an image.

Source: ``face2rec2.py`` and ``rec_builder.py`` of InsightFace. A plain im2rec file has an image under key 0. A header
is written as ``RecBuilder`` of ``rec_builder.py`` writes it, behind the identities, with the id2 1.
"""

from __future__ import annotations

import math

import numpy as np

from recordkit.formats.irheader import IRHeader

MAX_EXACT = 2**24
"""The largest key to which float32 holds each key exactly."""


def is_metadata(header: IRHeader, payload: bytes | memoryview) -> bool:
    """Tell whether a record is a header or an identity: it has a vector of labels and no image."""
    return isinstance(header.label, tuple) and not payload


def is_file_header(header: IRHeader, payload: bytes | memoryview) -> bool:
    """Tell whether a record is the header that makes a file one of InsightFace's: it has key 0 and `ranges`."""
    return header.id == 0 and ranges(header, payload) is not None


def ranges(header: IRHeader, payload: bytes | memoryview) -> tuple[int, int] | None:
    """Read the header, the record with key 0.

    Parameters
    ----------
    header : IRHeader
    payload : bytes-like

    Returns
    -------
    ranges : (int, int) or None
        A and B; None if the record is not a header of this layout.

    Examples
    --------
    >>> ranges(IRHeader((3.0, 5.0), 0), b""), ranges(IRHeader(3.0, 0), b"jpeg")
    ((3, 5), None)
    """
    if not (is_metadata(header, payload) and len(header.labels) == 2):
        return None
    first, end = header.labels
    if not (1 <= first <= end < 2**64 and first.is_integer() and end.is_integer()):
        return None
    return int(first), int(end)


def identity_header(key: int, first: int, end: int) -> IRHeader:
    """Return the header of an identity, a record without an image.

    Parameters
    ----------
    key : int
        The key of the record.
    first, end : int
        The key of the first image, and the one behind the last. If float32 does not hold them, the range that is
        written is the largest one within them: it never has an image of another identity, and may be empty.

    Examples
    --------
    >>> identity_header(9, 1, 4)
    IRHeader(label=(1.0, 4.0), id=9, id2=0)
    >>> identity_header(2**25, 2**24 + 1, 2**24 + 7).labels == (2**24 + 2, 2**24 + 6)
    True
    """
    held_end = _float32_below(end)
    return IRHeader((float(min(_float32_above(first), held_end)), float(held_end)), key)


def file_header(first: int, end: int) -> IRHeader:
    """Return the header of a file, the record with key 0.

    Parameters
    ----------
    first, end : int
        The key of the first identity, and the one behind the last. Numbers that float32 does not hold are rounded
        down, because a reader takes all keys below `first` for images.

    Examples
    --------
    >>> file_header(9, 12)
    IRHeader(label=(9.0, 12.0), id=0, id2=1)
    """
    return IRHeader((float(_float32_below(first)), float(_float32_below(end))), 0, 1)


def _float32_below(number: int) -> int:
    """Return the largest whole number of float32 that is not larger."""
    near = np.float32(number)
    return int(near if int(near) <= number else np.nextafter(near, np.float32(-math.inf)))


def _float32_above(number: int) -> int:
    """Return the smallest whole number of float32 that is not smaller."""
    near = np.float32(number)
    return int(near if int(near) >= number else np.nextafter(near, np.float32(math.inf)))
