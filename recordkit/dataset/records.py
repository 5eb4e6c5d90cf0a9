"""The records of one .rec file by offset, through the native core or, if it is not built, through Python.

Both readers use positional reads and have no current position, so threads and forked processes may share an open file.
`_PythonRecordFile` is the definition; the core must return the same.
"""

from __future__ import annotations

import weakref
import zlib
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recordkit import native
from recordkit.errors import FormatError
from recordkit.formats import idx, irheader
from recordkit.formats.byte_source import ByteSource
from recordkit.formats.files import not_found, open_file
from recordkit.formats.frame import RecordReader, verify_advice
from recordkit.formats.heads import find_heads
from recordkit.formats.signatures import open_records
from recordkit.threads import count_threads

# Bytes of a scan after which it tells its progress.
_PROGRESS_BYTES = 1 << 22

Headers = tuple[NDArray[np.uint64], NDArray[np.float32], NDArray[np.uint64]]
"""Keys, shape (n,); the labels of all records, concatenated; and bounds, shape (n + 1,). The labels of record i are
``labels[bounds[i]:bounds[i + 1]]``."""


class RecordFile(Protocol):
    """An open .rec file. All offsets are those of record heads, in bytes.

    Every method raises FormatError, with path and offset, if the file is damaged.
    """

    @property
    def size(self) -> int:
        """Size of the file, in bytes."""

    def close(self) -> None:
        """Close the file. A second call does nothing."""

    def read(self, offset: int) -> tuple[bytes, int]:
        """Return a record, and the offset of the next record."""

    def read_ahead(self, offset: int) -> list[tuple[bytes, int]]:
        """Return the record at an offset and perhaps some that follow it, each with the offset of the next record."""

    def read_frame(self, offset: int) -> tuple[bytes, bytes]:
        """Return a record, and its bytes in the file: heads, data and padding."""

    def read_many(self, offsets: NDArray[np.uint64], n_threads: int) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
        """Return the records at `offsets`, concatenated, and the n + 1 bounds between them."""

    def scan(self, *, progress: Callable[[int], object] | None = None) -> NDArray[np.uint64]:
        """Return the offsets of all records, in file order.

        `progress` is called with the number of bytes passed since the last call; the numbers add up to the size.
        """

    def headers(self, offsets: NDArray[np.uint64]) -> Headers:
        """Return keys and labels of the records at `offsets`, without reading the images."""

    def payload_sizes(self, offsets: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the sizes of the records at `offsets` without their image headers, in bytes; images are not read."""

    def heads(self, begin: int, end: int) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Return what looks like the head of a part in a range; see `recordkit.formats.heads`."""

    def digests(self, offsets: NDArray[np.uint64], *, payload: bool) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Return length and CRC-32 of the records at `offsets`, or of their bytes behind the image headers."""

    def same_payloads(
        self, offsets: NDArray[np.uint64], other: Any, other_offsets: NDArray[np.uint64]
    ) -> NDArray[np.uint8]:
        """Return 1 for each record whose bytes behind the header are those of one of another file, else 0.

        Both files are of the same reader.
        """


def open_record_file(path: str | Path, source: ByteSource | None = None) -> RecordFile:
    """Open a .rec file, or the source that is registered for a path; see `recordkit.formats.byte_source`.

    Parameters
    ----------
    path : str or Path
    source : ByteSource, optional
        The registered source, open and known to be a .rec file. The returned file closes it.

    Raises
    ------
    NotFoundError
        The file does not exist.
    OSError
        The file cannot be opened.
    FormatError
        `path` is a pipe or a device, or a file of another format; see `recordkit.formats.signatures`.
    """
    source = open_records(path) if source is None else source
    if not native.available():
        return _PythonRecordFile(source)
    if source.extents is None:
        source.close()
        return _open_native(path)
    file: RecordFile = native.load().RecordFile(source.name, source.extents, source.close)
    weakref.finalize(file, source.close)  # datasets are often dropped without a call of close
    return file


def _open_native(path: str | Path) -> RecordFile:
    try:
        file: RecordFile = native.load().RecordFile(path)
    except FileNotFoundError:  # it was removed just now
        raise not_found(path, "a .rec file", suffix=".rec") from None
    return file


def read_index(path: str | Path, rec_size: int) -> tuple[NDArray[np.uint64] | None, NDArray[np.uint64]]:
    """Read an .idx file.

    Parameters
    ----------
    path : str or Path
    rec_size : int
        Size of the .rec file, in bytes. An index with far more lines than it can have records is not read.

    Returns
    -------
    keys : ndarray of uint64, shape (n,), or None
        None if they are 0 to n - 1, which need no memory.
    offsets : ndarray of uint64, shape (n,)
        Offsets of the records' heads in bytes, in the order of the lines.

    Raises
    ------
    OSError
        The file cannot be read.
    FormatError
        A line is not two whole numbers, or the file is too large or a pipe or a device.
    """
    max_bytes = idx.limit_bytes(rec_size)
    if native.available():
        open_file(path, max_bytes=max_bytes, what=idx.WHAT).close()
        keys, offsets = native.load().read_idx(path, count_threads(0))
        return keys, offsets
    index = idx.read(path, max_bytes=max_bytes)
    return compact_keys(index.keys), index.offsets


def compact_keys(keys: NDArray[np.uint64]) -> NDArray[np.uint64] | None:
    """Return `keys`, or None if they are 0 to n - 1, which need no memory."""
    is_range = not len(keys) or (keys[0] == 0 and bool(np.all(keys[1:] - keys[:-1] == 1)))
    return None if is_range else keys


class _PythonRecordFile:
    """`RecordFile` on top of `RecordReader`."""

    def __init__(self, source: ByteSource) -> None:
        self._path = source.name
        self._reader = RecordReader(source.name, source)
        self.size = self._reader.size
        self.read = self._reader.read
        self.read_frame = self._reader.read_frame
        self.close = self._reader.close
        weakref.finalize(self, self._reader.close)  # datasets are often dropped without a call of close

    def read_ahead(self, offset: int) -> list[tuple[bytes, int]]:
        return [self.read(offset)]

    def read_many(self, offsets: NDArray[np.uint64], n_threads: int) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
        del n_threads  # reading holds the interpreter's lock, so threads would only wait for each other
        records = [self.read(offset)[0] for offset in offsets.tolist()]
        return np.frombuffer(b"".join(records), np.uint8), _bounds([len(record) for record in records])

    def scan(self, *, progress: Callable[[int], object] | None = None) -> NDArray[np.uint64]:
        offsets = array("Q")
        n_passed = 0
        for offset, _ in self._reader.scan():
            offsets.append(offset)
            if progress and offset - n_passed >= _PROGRESS_BYTES:
                progress(offset - n_passed)
                n_passed = offset
        if progress:
            progress(self.size - n_passed)
        return np.array(offsets, np.uint64)

    def headers(self, offsets: NDArray[np.uint64]) -> Headers:
        keys: list[int] = []
        labels: list[float] = []
        widths: list[int] = []
        for offset in offsets.tolist():
            header, _ = self._header(offset)
            keys.append(header.id)
            labels += header.labels
            widths.append(len(header.labels))
        return np.array(keys, np.uint64), np.array(labels, np.float32), _bounds(widths)

    def payload_sizes(self, offsets: NDArray[np.uint64]) -> NDArray[np.uint64]:
        sizes = np.empty(len(offsets), np.uint64)
        for number, offset in enumerate(offsets.tolist()):
            header, length = self._header(offset)
            n_vector = 0 if isinstance(header.label, float) else len(header.labels)
            sizes[number] = length - irheader.HEADER_SIZE - 4 * n_vector
        return sizes

    def heads(self, begin: int, end: int) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        found = np.array(find_heads(self._reader, begin, end), np.uint64).reshape(-1, 2)
        return np.ascontiguousarray(found[:, 0]), found[:, 1].astype(np.uint32)

    def digests(self, offsets: NDArray[np.uint64], *, payload: bool) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        lengths, checksums = np.empty(len(offsets), np.uint64), np.empty(len(offsets), np.uint32)
        for row, offset in enumerate(offsets.tolist()):
            record: bytes | memoryview = self._payload(offset) if payload else self.read(offset)[0]
            lengths[row], checksums[row] = len(record), zlib.crc32(record)
        return lengths, checksums

    def same_payloads(
        self, offsets: NDArray[np.uint64], other: _PythonRecordFile, other_offsets: NDArray[np.uint64]
    ) -> NDArray[np.uint8]:
        pairs = zip(offsets.tolist(), other_offsets.tolist(), strict=True)
        return np.array([self._payload(a) == other._payload(b) for a, b in pairs], np.uint8)

    def _payload(self, offset: int) -> memoryview:
        return irheader.unpack_at(self.read(offset)[0], self._path, offset)[1]

    def _header(self, offset: int) -> tuple[irheader.IRHeader, int]:
        """Return the image header of a record, and the length of the whole record."""
        record, length = self._reader.read_start(offset, irheader.HEADER_SIZE)
        if len(record) < length and (flag := int.from_bytes(record[:4], "little")):
            try:
                end = irheader.header_end(flag, length)
            except FormatError as error:
                raise error.located(path=self._path, offset=offset, advice=verify_advice(self._path)) from None
            record, _ = self._reader.read_start(offset, end)
        return irheader.unpack_at(record, self._path, offset)[0], length


def _bounds(sizes: list[int]) -> NDArray[np.uint64]:
    bounds = np.zeros(len(sizes) + 1, np.uint64)
    np.cumsum(sizes, out=bounds[1:])
    return bounds
