"""The header MXNet puts before the image inside a record.

Layout, 24 bytes, little-endian:

    offset  type     field
    0       uint32   flag   0: one label, below. n > 0: n labels follow the header
    4       float32  label  the label if flag is 0, otherwise written as 0.0 and ignored
    8       uint64   id     the sample's key, as in the .idx and .lst files
    16      uint64   id2    reserved, 0

The n labels are float32 and start at byte 24; the payload starts at byte 24 + 4 n. As float32, a label
keeps whole numbers exactly up to 2**24 = 16,777,216 only; see `fits_float32`.

MXNet's native im2rec also writes the first of several labels at offset 4, so readers must ignore it there.

Source: ``ImageRecordIO::Header``, src/io/image_recordio.h, and ``_IR_FORMAT``, python/mxnet/recordio.py of
MXNet 1.9. MXNet packs in the machine's own byte order; recordkit always uses little-endian, so that a file
means the same everywhere.

Bytes only: framing and padding are in `recordkit.formats.frame`.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from recordkit.errors import FormatError, TruncatedError, plural
from recordkit.formats.frame import verify_advice

HEADER_SIZE = 24
MAX_KEY = 2**64 - 1
MAX_LABELS = 1 << 20
"""Largest number of labels of a record: 4 MiB in the file, and 32 MiB as Python numbers."""

_HEADER = struct.Struct("<IfQQ")


@dataclass(frozen=True, slots=True)
class IRHeader:
    """The label and the key of a record.

    Attributes
    ----------
    label : float or tuple of float
        One label, or a tuple if the record stores a vector (even one of length 1).
    id : int, 0 to 2**64 - 1
        The sample's key.
    id2 : int, 0 to 2**64 - 1
        Reserved; 0 except in some third-party files.
    """

    label: float | tuple[float, ...]
    id: int
    id2: int = 0

    @property
    def labels(self) -> tuple[float, ...]:
        """The labels as a tuple, also if there is only one.

        Examples
        --------
        >>> IRHeader(4.0, 1).labels, IRHeader((4.0, 5.0), 2).labels
        ((4.0,), (4.0, 5.0))
        """
        return self.label if isinstance(self.label, tuple) else (self.label,)


def pack(header: IRHeader, payload: bytes, *, first_label: bool = False) -> bytes:
    """Join a header and a payload into one record.

    Parameters
    ----------
    header : IRHeader
        A tuple of labels is stored as a vector of float32. An empty tuple is stored as the single label 0.0, as
        in MXNet.
    payload : bytes
        The encoded image.
    first_label : bool, default False
        Also write the first of several labels into the header, as MXNet's native im2rec does.

    Returns
    -------
    record : bytes, 24 + 4 * flag + len(payload)

    Raises
    ------
    FormatError
        `id` or `id2` is outside 0 to 2**64 - 1, a label is beyond float32's range, or there are more than `MAX_LABELS`.

    Examples
    --------
    >>> pack(IRHeader(label=4.0, id=2574), b"jpeg").hex(" ", -8)
    '0000000000008040 0e0a000000000000 0000000000000000 6a706567'
    """
    if not (0 <= header.id <= MAX_KEY and 0 <= header.id2 <= MAX_KEY):
        raise FormatError(expected="an id from 0 to 2**64 - 1", got=f"{header.id} and {header.id2}")
    try:
        if not isinstance(header.label, tuple) or not header.label:
            label = 0.0 if isinstance(header.label, tuple) else header.label
            return _HEADER.pack(0, label, header.id, header.id2) + payload
        n = len(header.label)
        if n > MAX_LABELS:
            raise FormatError(expected=f"at most {MAX_LABELS} labels", got=n)
        first = header.label[0] if first_label else 0.0
        labels = struct.pack(f"<{n}f", *header.label)
        return _HEADER.pack(n, first, header.id, header.id2) + labels + payload
    except OverflowError:
        raise FormatError(expected="labels within float32's range", got=header.label) from None


def unpack(record: bytes | memoryview) -> tuple[IRHeader, memoryview]:
    """Split a record into its header and its payload, without copying the payload.

    Parameters
    ----------
    record : bytes-like, at least 24 bytes
        One whole record, without the RecordIO frame or padding.

    Returns
    -------
    header : IRHeader
        ``header.label`` is a float if the flag is 0, otherwise a tuple of `flag` floats.
    payload : memoryview of uint8, shape (len(record) - 24 - 4 * flag,)
        The encoded image, possibly empty. A view of `record`.

    Raises
    ------
    TruncatedError
        `record` is shorter than 24 bytes, or than the labels its flag announces.
    FormatError
        It has more than `MAX_LABELS` labels.

    Examples
    --------
    >>> header, payload = unpack(pack(IRHeader(label=7.0, id=42), b"jpeg"))
    >>> header, bytes(payload)
    (IRHeader(label=7.0, id=42, id2=0), b'jpeg')
    """
    size = len(record)
    if size < HEADER_SIZE:
        raise TruncatedError(expected=f"a {HEADER_SIZE}-byte image header", got=plural(size, "byte"))
    flag, label, key, key2 = _HEADER.unpack_from(record)
    end = header_end(flag, size)
    labels = struct.unpack_from(f"<{flag}f", record, HEADER_SIZE) if flag else label
    return IRHeader(labels, key, key2), memoryview(record)[end:]


def header_end(flag: int, size: int) -> int:
    """Return the size of the header with the labels, before these are read.

    Parameters
    ----------
    flag : int
        The first field of the header.
    size : int
        Length of the record, in bytes.

    Raises
    ------
    TruncatedError
        The record is shorter.
    FormatError
        There are more than `MAX_LABELS` labels.

    Examples
    --------
    >>> header_end(0, 30), header_end(1, 30)
    (24, 28)
    """
    end = HEADER_SIZE + 4 * flag
    if end > size:
        raise TruncatedError(
            expected="an image header and its labels",
            got=f"{plural(size, 'byte')}, of which the first 4 announce {plural(flag, 'label')}",
        )
    if flag > MAX_LABELS:
        raise FormatError(expected=f"at most {MAX_LABELS} labels", got=flag)
    return end


def unpack_at(record: bytes | memoryview, path: str, offset: int) -> tuple[IRHeader, memoryview]:
    """Split a record that was read from a file, as `unpack` does; errors carry its location.

    Parameters
    ----------
    record : bytes-like
        One whole record, without the RecordIO frame or padding.
    path : str
        The .rec file.
    offset : int
        Offset of the record's head in the file, in bytes.

    Returns
    -------
    header : IRHeader
    payload : memoryview of uint8, shape (n,)
        A view of `record`.

    Raises
    ------
    FormatError
        Same conditions as `unpack`. The error has `path`, `offset` and `advice`.
    """
    try:
        return unpack(record)
    except FormatError as error:
        raise error.located(path=path, offset=offset, advice=verify_advice(path)) from None


def fits_float32(label: float) -> bool:
    """Tell whether a label can be stored as float32 without becoming another number.

    Parameters
    ----------
    label : float or int

    Returns
    -------
    fits : bool
        False for a whole number that float32 rounds, and for a finite number that becomes an infinity. Rounding a
        fraction such as 0.1 is expected, so fractions fit.

    Examples
    --------
    >>> fits_float32(16777216), fits_float32(17186135), fits_float32(0.1), fits_float32(1e39)
    (True, False, True, False)
    """
    try:
        stored = struct.unpack("<f", struct.pack("<f", float(label)))[0]
    except OverflowError:
        return False
    return bool(stored == label) or not (math.isfinite(label) and float(label).is_integer())
