"""The frame around each record of a .rec file: magic, length, padding, escaped magic.

A .rec file is a sequence of records, without a file header, a count or a checksum. A record is stored as one
part, or as several if its bytes contain the magic at a multiple of 4. Layout of a part, little-endian:

    offset  type    field
    0       uint32  magic   0xced7230a
    4       uint32  cflag << 29 | length
    8       bytes   data, then 0 to 3 zero bytes up to a multiple of 4

cflag: 0 the whole record, 1 its first part, 2 a middle part, 3 its last part. The writer splits a record at each
aligned magic and leaves those 4 bytes out; the reader inserts them between the parts. An aligned magic in a file is
therefore always the head of a part, and reading can resume at the next head after damage.

A record is shorter than 2**29 bytes, counted before it is split.

Source: ``RecordIOWriter::WriteRecord`` and ``RecordIOReader::NextRecord``, src/recordio.cc of dmlc-core.
Unlike that reader, this one reports a record that ends without its last part and parts out of order.

The content of a record is the subject of `recordkit.formats.irheader`.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from recordkit.errors import FormatError, TruncatedError, plural, quoted
from recordkit.formats.byte_source import ByteSource
from recordkit.formats.signatures import open_records

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack("<I", MAGIC)
HEAD_SIZE = 8
MAX_RECORD_BYTES = 2**29 - 1
WHOLE, FIRST, MIDDLE, LAST = range(4)

_HEAD = struct.Struct("<II")
_LENGTH_MASK = 2**29 - 1
# Bytes per random read, so that a small record costs one system call.
_RANDOM_READ_BYTES = 4096
# Bytes per sequential read. Larger reads are not faster from a page cache.
_ORDERED_READ_BYTES = 1 << 20


def pack(record: bytes) -> list[bytes]:
    """Frame one record. The concatenated pieces are the bytes in the file.

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
        raise FormatError(expected="a record shorter than 2**29 bytes", got=plural(len(record), "byte"))
    pieces: list[bytes] = []
    start = 0
    hit = record.find(MAGIC_BYTES)
    while hit >= 0:
        if hit % 4:  # a reader only mistakes an aligned magic for a head
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


OnDamage = Callable[[FormatError, int], None]
"""Callback for damage: the error, and the number of bytes that are skipped to reach the next record head."""


class Sink(Protocol):
    """A binary file, or any object that takes bytes as one does."""

    def writelines(self, lines: list[bytes], /) -> None: ...  # noqa: D102 (a method of binary files)


class RecordWriter:
    """Appends records to an open binary file.

    Parameters
    ----------
    file : binary file
        The caller closes it.

    Attributes
    ----------
    offset : int
        Offset of the next record's head, in bytes from where the first was written.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> writer = RecordWriter(file)
    >>> [writer.write(record) for record in (b"one", b"two")], writer.offset
    ([0, 12], 24)
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
            Offset of the record's head in bytes, as the .idx file stores it.

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
    """Reads records by offset, or all records in file order.

    The reader has no current position, so threads and forked processes may share it.

    Parameters
    ----------
    path : str or Path
        A .rec file, or a path that is registered for a source of bytes; see `recordkit.formats.byte_source`.
    source : ByteSource, optional
        What `open_records` returned for the path, if it is open already. The reader closes it.

    Attributes
    ----------
    path : str
        The path, or the name of the registered source.
    size : int
        Size of the file when it was opened, in bytes; nothing beyond is read.

    Raises
    ------
    NotFoundError
        The file does not exist.
    OSError
        The file cannot be opened.
    FormatError
        `path` is a pipe or a device, or a file of another format; see `recordkit.formats.signatures`.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/a.rec"
    >>> with open(path, "wb") as file:
    ...     file.writelines(pack(b"one") + pack(b"two"))
    >>> with RecordReader(path) as reader:
    ...     list(reader), reader.read(12)
    ([b'one', b'two'], (b'two', 24))
    """

    def __init__(self, path: str | Path, source: ByteSource | None = None) -> None:
        self._source = open_records(path) if source is None else source
        self.path = self._source.name
        self.size = self._source.size

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._source.close()

    def __enter__(self) -> RecordReader:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def read(self, offset: int) -> tuple[bytes, int]:
        """Read the record whose head is at an offset.

        Parameters
        ----------
        offset : int
            Offset of the head in bytes, as in the .idx file.

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
        return self._read(_Window(self._source, _RANDOM_READ_BYTES), offset)

    def read_frame(self, offset: int) -> tuple[bytes, bytes]:
        """Read a record together with its bytes in the file, for a copy that keeps them as they are.

        Parameters
        ----------
        offset : int
            Offset of the record's head, in bytes.

        Returns
        -------
        record : bytes
        frame : bytes
            Heads, data and padding.

        Raises
        ------
        FormatError
            Same conditions as `read`.
        """
        window = _Window(self._source, _RANDOM_READ_BYTES)
        record, end = self._read(window, offset)
        frame = window.read(offset, end - offset)
        if len(frame) < end - offset:
            raise self._shrunk(offset)
        return record, frame

    def read_start(self, offset: int, size: int) -> tuple[bytes, int]:
        """Read the first bytes of a record. A record in several parts is read completely.

        Parameters
        ----------
        offset : int
            Offset of the record's head, in bytes.
        size : int
            Number of bytes to read.

        Returns
        -------
        start : bytes
            At least `size` bytes, fewer only if the record is shorter.
        length : int
            Length of the whole record, in bytes.

        Raises
        ------
        FormatError
            Same conditions as `read`.
        """
        window = _Window(self._source, HEAD_SIZE + size)
        cflag, length = self._head(window, offset)
        if cflag == WHOLE:
            start = window.read(offset + HEAD_SIZE, min(size, length))
            if len(start) < min(size, length):
                raise self._shrunk(offset)
            return start, length
        record, _ = self.read(offset)
        return record, len(record)

    def in_order(self) -> Callable[[int], tuple[bytes, int]]:
        """Return a function like `read` that keeps the last bytes, for records in file order, in one thread."""
        return functools.partial(self._read, _Window(self._source, _ORDERED_READ_BYTES))

    def check_heads(self, offset: int, end: int) -> None:
        """Check the heads of the parts of a record up to that at `end`, without reading the data between them.

        Raises
        ------
        FormatError
            As `read` for these heads.
        """
        for _, begin, size in self._parts(_Window(self._source, HEAD_SIZE), offset):
            if begin + size > end:
                return

    def scan(self, offset: int = 0, *, on_damage: OnDamage | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield each record with its offset, in file order. Every byte is read at most twice, whatever is damaged.

        Parameters
        ----------
        offset : int, default 0
            Offset of the first record's head, in bytes.
        on_damage : callable, optional
            Called with the error and the number of bytes that are skipped to the next record head, see `next_head`.
            By default the first error is raised.

        Yields
        ------
        offset : int
        record : bytes

        Raises
        ------
        FormatError
            Same conditions as `read`, if `on_damage` is None.
        """
        window = _Window(self._source, _ORDERED_READ_BYTES)
        while offset < self.size:
            try:
                record, end = self._read(window, offset)
            except FormatError as error:
                if on_damage is None:
                    raise
                # A fault after the damaged record's head may be the head of the next record, which can be intact.
                head = self._next_head(window, max(error.offset or 0, offset + 4))
                on_damage(error, head - offset)
                offset = head
            else:
                yield offset, record
                offset = end

    def __iter__(self) -> Iterator[bytes]:
        return (record for _, record in self.scan())

    def next_head(self, offset: int) -> int:
        """Find the next record head.

        Parameters
        ----------
        offset : int
            Offset at which the search begins, in bytes; rounded up to a multiple of 4.

        Returns
        -------
        head : int
            The first multiple of 4, at or after `offset`, that holds a magic and a cflag of 0 or 1; the file's size
            if no such offset exists.
        """
        return self._next_head(_Window(self._source, _ORDERED_READ_BYTES), offset)

    def read_bytes(self, offset: int, size: int) -> bytes:
        """Return `size` bytes of the file from an offset on, fewer at its end, whatever they are."""
        return _pread(self._source, size, offset)

    def _next_head(self, window: _Window, offset: int) -> int:
        head = window.find_head(offset + -offset % 4) if offset < self.size else None
        return self.size if head is None or head + HEAD_SIZE > self.size else head

    def _read(self, window: _Window, offset: int) -> tuple[bytes, int]:
        """Return a record and its end. A head is checked before its data are read, which another head may refute."""
        parts: list[bytes] = []
        for _, begin, size in self._parts(window, offset):
            part = window.read(begin, size)
            if len(part) < size:
                raise self._shrunk(offset)
            parts.append(part)
        return part if len(parts) == 1 else MAGIC_BYTES.join(parts), begin + size + -size % 4

    def _parts(self, window: _Window, offset: int) -> Iterator[tuple[int, int, int]]:
        """Yield cflag, and offset and size of the data, of each part of a record, after the checks of its head."""
        is_first, length, begin = True, 0, offset
        while True:
            cflag, size = self._head(window, begin)
            if (cflag in (MIDDLE, LAST)) == is_first or cflag > LAST:
                expected = "0 or 1 (a record begins)" if is_first else "2 or 3 (the record goes on)"
                raise self._error(f"cflag {expected}", cflag, begin)
            length += size + 4 * (not is_first)
            if length > MAX_RECORD_BYTES:
                raise self._error("a record shorter than 2**29 bytes", "a longer one", begin)
            if cflag in (FIRST, MIDDLE) and size % 4:
                raise self._error("a part of a multiple of 4 bytes", size, begin)
            yield cflag, begin + HEAD_SIZE, size
            if cflag in (WHOLE, LAST):
                return
            is_first, begin = False, begin + HEAD_SIZE + size

    def _head(self, window: _Window, offset: int) -> tuple[int, int]:
        """Return a part's cflag and length, after comparing the length with the size of the file."""
        remaining = self.size - offset
        if not 0 <= offset < self.size:
            raise self._truncated("a record head", f"the end of the file at byte {self.size}", offset)
        if remaining < HEAD_SIZE:
            raise self._truncated(f"an {HEAD_SIZE}-byte head", _bytes_left(remaining), offset)
        head = window.read(offset, HEAD_SIZE)
        if len(head) < HEAD_SIZE:
            raise self._shrunk(offset)
        magic, word = _HEAD.unpack(head)
        if magic != MAGIC:
            raise self._error(f"magic 0x{MAGIC:08x}", f"0x{magic:08x}", offset)
        length = word & _LENGTH_MASK
        # This check comes before memory of that length is allocated.
        if HEAD_SIZE + length + -length % 4 > remaining:
            raise self._truncated(
                f"{plural(length, 'byte')} and their padding", _bytes_left(remaining - HEAD_SIZE), offset
            )
        return word >> 29, length

    def _shrunk(self, offset: int) -> TruncatedError:
        """Return the error that the file was cut short, by another process, while the record at `offset` was read."""
        return TruncatedError(
            path=self.path,
            offset=offset,
            expected=f"the file to keep its {plural(self.size, 'byte')}",
            got=self._source.size,
            advice="open it again",
        )

    def _truncated(self, expected: str, got: str, offset: int) -> TruncatedError:
        return TruncatedError(
            path=self.path, offset=offset, expected=expected, got=got, advice=verify_advice(self.path)
        )

    def _error(self, expected: str, got: object, offset: int) -> FormatError:
        return FormatError(path=self.path, offset=offset, expected=expected, got=got, advice=verify_advice(self.path))


def verify_advice(path: str | Path, *, decode: bool = False) -> str:
    r"""Return the advice in errors about a damaged .rec file: the command that finds all damage.

    Parameters
    ----------
    path : str or Path
        The .rec file.
    decode : bool, default False
        An image is damaged, which the command finds only if it decodes the images.

    Examples
    --------
    >>> verify_advice("a.rec"), verify_advice("my photos.rec", decode=True)
    ("run 'recordkit verify a.rec'", 'run \'recordkit verify --decode "my photos.rec"\'')
    """
    return f"run 'recordkit verify --decode {quoted(path)}'" if decode else f"run 'recordkit verify {quoted(path)}'"


def _bytes_left(size: int) -> str:
    return f"{plural(size, 'byte')} to the end of the file"


class _Window:
    """A buffer around the last read. Each call has its own, so `RecordReader` has no state that threads share."""

    def __init__(self, source: ByteSource, block_bytes: int) -> None:
        self._source = source
        self._block_bytes = block_bytes
        self._start = 0
        self._bytes = b""

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset`, fewer only at the end of the file."""
        begin = offset - self._start
        if begin < 0 or begin + size > len(self._bytes):
            self._bytes = _pread(self._source, max(size, self._block_bytes), offset, size)
            self._start, begin = offset, 0
        return self._bytes[begin : begin + size]

    def find_head(self, offset: int) -> int | None:
        """Return the first multiple of 4, from `offset` on, with a magic and a cflag of 0 or 1; None if none has."""
        while len(head := self.read(offset, HEAD_SIZE)) == HEAD_SIZE:
            magic, word = _HEAD.unpack(head)
            if magic == MAGIC and word >> 29 <= FIRST:
                return offset
            # The search ends at the first magic, because there may be a damage at each.
            hit = self._bytes.find(MAGIC_BYTES, offset + 1 - self._start)
            offset = self._start + (len(self._bytes) - len(MAGIC_BYTES) + 1 if hit < 0 else hit)
            offset += -offset % 4
        return None


def _pread(source: ByteSource, size: int, offset: int, at_least: int | None = None) -> bytes:
    """Read `size` bytes, or up to the end of the file. One os.pread may return less (signals, 2 GiB limit)."""
    pieces = [source.pread(size, offset, at_least)]
    n_bytes, needed = len(pieces[0]), size if at_least is None else at_least
    while pieces[-1] and n_bytes < needed:
        pieces.append(source.pread(size - n_bytes, offset + n_bytes, needed - n_bytes))
        n_bytes += len(pieces[-1])
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
