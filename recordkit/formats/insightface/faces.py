"""InsightFace's face datasets: .rec files in which some records hold metadata instead of an image.

::

    key            label             payload
    0              A, B              empty     the header
    1 to A - 1     class, or more    an image
    A to B - 1     first, last + 1   empty     an identity: the keys of its images

The images come first in the file, the header before or after the identities; merged files differ. The labels are
float32, so A and B are rounded in files of more than 2**24 records. Near A, only the payload then shows whether a
record is an image.

Source: ``face2rec2.py`` and ``rec_builder.py`` of InsightFace. A plain im2rec file has an image under key 0.
"""

from __future__ import annotations

from recordkit.formats.irheader import IRHeader


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
