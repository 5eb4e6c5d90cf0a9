"""The frame around each record of a .rec file: magic, length, padding, escaped magic.

A .rec file is records end to end, without a header, a count or a checksum. A record is one part, or more
where its bytes contain the magic at a multiple of 4; a part, little-endian:

    offset  type    field
    0       uint32  magic   0xced7230a
    4       uint32  cflag << 29 | length
    8       bytes   data, then 0 to 3 zero bytes up to a multiple of 4

cflag: 0 the whole record, 1 its first part, 2 a middle part, 3 its last part. Between two parts the
reader puts back the 4 magic bytes that the writer left out; so an aligned magic in a file is always the
head of a part, and a damaged file can be picked up again at the next one.

A record is shorter than 2**29 bytes, counted before it is split.

Source: ``RecordIOWriter::WriteRecord`` and ``RecordIOReader::NextRecord``, src/recordio.cc of dmlc-core.
Unlike that reader, this one reports a record that ends without its last part and parts out of order.

What is inside a record is in `recordkit.formats.irheader`.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np

from recordkit.errors import FormatError, TruncatedError
from recordkit.formats.files import open_file

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack("<I", MAGIC)
HEAD_SIZE = 8
MAX_RECORD_BYTES = 2**29 - 1
WHOLE, FIRST, MIDDLE, LAST = range(4)

_HEAD = struct.Struct("<II")
_LENGTH_MASK = 2**29 - 1
# A random read asks for this much at once, so that a small record costs one system call.
_RANDOM_READ_BYTES = 4096
# A read in order asks for this much at once; more does not read faster from a page cache.
_ORDERED_READ_BYTES = 1 << 20


def pack(record: bytes) -> list[bytes]:
    """Frame one record; joined, the result is what the file holds.

    Parameters
    ----------
    record : bytes, shorter than 2**29

    Returns
    -------
    pieces : list of bytes
        Heads, data and padding in order. A list, so that a large record need not be copied to be written.

    Raises
    ------
    FormatError
        `record` is too long.

    Examples
    --------
    >>> b"".join(pack(b"abc")).hex(" ", 4)
    '0a23d7ce 03000000 61626300'
    """
    if len(record) > MAX_RECORD_BYTES:
        raise FormatError(f"expected a record shorter than 2**29 bytes, got {len(record)} bytes")
    pieces: list[bytes] = []
    start = 0
    hit = record.find(MAGIC_BYTES)
    while hit >= 0:
        if hit % 4:  # only an aligned magic could be taken for a head
            hit = record.find(MAGIC_BYTES, hit + 1)
            continue
        pieces += [_head(MIDDLE if pieces else FIRST, hit - start), record[start:hit]]
        start = hit + 4
        hit = record.find(MAGIC_BYTES, start)
    if pieces:
        pieces += [_head(LAST, len(record) - start), record[start:]]
    else:
        pieces = [_head(WHOLE, len(record)), record]
    pieces.append(bytes(-(len(record) - start) % 4))
    return pieces


def _head(cflag: int, length: int) -> bytes:
    return _HEAD.pack(MAGIC, cflag << 29 | length)


class Sink(Protocol):
    """What records are written to: a binary file, or anything that takes pieces like one."""

    def writelines(self, lines: list[bytes], /) -> None: ...  # noqa: D102


class RecordWriter:
    """Writes records to an open binary file, one after the other.

    Parameters
    ----------
    file : binary file
        Where to write, from its current position on. The caller keeps and closes it.

    Attributes
    ----------
    offset : int
        Bytes written so far: where the next record's head will be.
    """

    def __init__(self, file: Sink) -> None:
        self._file = file
        self.offset = 0

    def write(self, record: bytes) -> int:
        """Write one record.

        Parameters
        ----------
        record : bytes, shorter than 2**29

        Returns
        -------
        offset : int
            Where its head is, as the .idx file gives it.

        Raises
        ------
        FormatError
            `record` is too long; nothing was written.
        """
        pieces = pack(record)
        offset = self.offset
        self._file.writelines(pieces)
        self.offset += sum(map(len, pieces))
        return offset


class RecordReader:
    """Reads records by their offset, or all in file order.

    It keeps no position, so threads and forked processes may share one.

    Parameters
    ----------
    path : str or Path
        A .rec file.

    Attributes
    ----------
    path : str
        For messages.
    size : int
        Of the file when it was opened, in bytes; nothing beyond is read.

    Raises
    ------
    OSError
        The file cannot be opened.
    FormatError
        It is no file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.fspath(path)
        self._file = open_file(path)
        self.size = os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()

    def __enter__(self) -> RecordReader:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def read(self, offset: int) -> tuple[bytes, int]:
        """Read the record whose head is at an offset.

        Parameters
        ----------
        offset : int
            In bytes, as in the .idx file.

        Returns
        -------
        record : bytes
        end : int
            Offset of the next record's head, or the file's size.

        Raises
        ------
        TruncatedError
            The file ends inside the record.
        FormatError
            There is no record head at `offset`, or its parts are out of order.
        """
        return self._read(_Window(self._file.fileno(), _RANDOM_READ_BYTES), offset)

    def begin(self, offset: int, size: int) -> tuple[bytes, int]:
        """Read a record's first bytes, and no more of the file where the record is in one part.

        Parameters
        ----------
        offset : int
            Of its head, in bytes.
        size : int
            How many bytes are wanted.

        Returns
        -------
        first : bytes
            At least `size` of them if the record has as many.
        length : int
            Of the whole record.

        Raises
        ------
        FormatError
            As for `read`.
        """
        window = _Window(self._file.fileno(), HEAD_SIZE + size)
        cflag, length = self._head(window, offset)
        if cflag == WHOLE:
            return window.read(offset + HEAD_SIZE, min(size, length)), length
        record, _ = self.read(offset)
        return record, len(record)

    def scan(self, offset: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield each record with its offset, in file order.

        Parameters
        ----------
        offset : int, default 0
            Head of the first record to read.

        Yields
        ------
        offset : int
        record : bytes

        Raises
        ------
        FormatError
            As for `read`; iterate again from `next_head` to go on behind the damage.
        """
        window = _Window(self._file.fileno(), _ORDERED_READ_BYTES)
        while offset < self.size:
            record, end = self._read(window, offset)
            yield offset, record
            offset = end

    def __iter__(self) -> Iterator[bytes]:
        return (record for _, record in self.scan())

    def next_head(self, offset: int) -> int:
        """Find where the next record begins.

        Parameters
        ----------
        offset : int
            Where to begin to look; rounded up to a multiple of 4.

        Returns
        -------
        head : int
            The first multiple of 4 from there on that holds a magic and a cflag of 0 or 1; the file's size if
            there is none.
        """
        offset += -offset % 4
        fileno = self._file.fileno()
        while offset + HEAD_SIZE <= self.size:
            block = os.pread(fileno, _ORDERED_READ_BYTES + 4, offset)
            words = np.frombuffer(block, "<u4", len(block) // 4)
            heads = np.flatnonzero((words[:-1] == MAGIC) & (words[1:] >> 29 <= FIRST))
            if heads.size:
                return offset + 4 * int(heads[0])
            if len(words) < 2:
                break
            offset += 4 * (len(words) - 1)  # the last word may be a head whose second word comes next
        return self.size

    def _read(self, window: _Window, offset: int) -> tuple[bytes, int]:
        parts: list[bytes] = []
        length = 0
        place = offset
        while True:
            cflag, part, place = self._part(window, place)
            if (cflag in (MIDDLE, LAST)) != bool(parts) or cflag > LAST:
                expected = "2 or 3 (the record goes on)" if parts else "0 or 1 (a record begins)"
                raise self._error(f"cflag {expected}", cflag, place - HEAD_SIZE - len(part))
            parts.append(part)
            length += len(part)
            if length + 4 * (len(parts) - 1) > MAX_RECORD_BYTES:
                raise self._error("a record shorter than 2**29 bytes", "a longer one", offset)
            if cflag in (WHOLE, LAST):
                return part if cflag == WHOLE else MAGIC_BYTES.join(parts), place + -len(part) % 4
            if len(part) % 4:
                raise self._error("a part of a multiple of 4 bytes", len(part), place - HEAD_SIZE - len(part))

    def _part(self, window: _Window, offset: int) -> tuple[int, bytes, int]:
        """Return a part's cflag and data, and the offset behind the data."""
        cflag, length = self._head(window, offset)
        part = window.read(offset + HEAD_SIZE, length)
        if len(part) < length:  # the file has shrunk since it was opened
            raise self._cut(f"{length} bytes", _n_left(len(part)), offset)
        return cflag, part, offset + HEAD_SIZE + length

    def _head(self, window: _Window, offset: int) -> tuple[int, int]:
        """Return a part's cflag and length; the file had room for it when it was opened."""
        left = self.size - offset
        if not 0 <= offset < self.size:
            raise self._cut("a record head", f"the end of the file at byte {self.size}", offset)
        head = window.read(offset, HEAD_SIZE) if left >= HEAD_SIZE else b""
        if len(head) < HEAD_SIZE:
            raise self._cut(f"an {HEAD_SIZE}-byte head", _n_left(left), offset)
        magic, word = _HEAD.unpack(head)
        if magic != MAGIC:
            raise self._error(f"magic 0x{MAGIC:08x}", f"0x{magic:08x}", offset)
        length = word & _LENGTH_MASK
        # Checked against the file before memory is asked for.
        if HEAD_SIZE + length + -length % 4 > left:
            raise self._cut(f"{length} bytes and their padding", _n_left(left - HEAD_SIZE), offset)
        return word >> 29, length

    def _cut(self, expected: str, got: str, offset: int) -> TruncatedError:
        return TruncatedError(
            path=self.path, offset=offset, expected=expected, got=got, advice=verify_advice(self.path)
        )

    def _error(self, expected: str, got: object, offset: int) -> FormatError:
        return FormatError(path=self.path, offset=offset, expected=expected, got=got, advice=verify_advice(self.path))


def verify_advice(path: str) -> str:
    """Return what to do about a damaged .rec file."""
    return f"run 'recordkit verify {path}'"


def _n_left(size: int) -> str:
    return f"{size} bytes to the end of the file"


class _Window:
    """The bytes around the last read; each reader's own, so that `RecordReader` itself keeps no state."""

    def __init__(self, fileno: int, block_bytes: int) -> None:
        self._fileno = fileno
        self._block_bytes = block_bytes
        self._start = 0
        self._bytes = b""

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset`, fewer only at the end of the file."""
        begin = offset - self._start
        if begin < 0 or begin + size > len(self._bytes):
            self._bytes = _pread(self._fileno, max(size, self._block_bytes), offset)
            self._start, begin = offset, 0
        return self._bytes[begin : begin + size]


def _pread(fileno: int, size: int, offset: int) -> bytes:
    """Read until `size` bytes or the end of the file: one pread may return less (signals, 2 GiB limit)."""
    data = os.pread(fileno, size, offset)
    while len(data) < size:
        more = os.pread(fileno, size - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data
