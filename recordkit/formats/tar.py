"""Tar archives of plain files: headers as bytes, and the members of an archive without unpacking it.

A header is 512 bytes of ASCII fields, and the content after it is padded to 512 bytes:

    offset  size  field
    0       100   name, ended by a zero byte if shorter
    124     12    size of the content: octal digits, or with the first bit set 95 bits, big-endian
    148     8     checksum: the sum of all bytes of the header, these 8 as spaces; octal digits
    156     1     type: "0" or a zero byte for a file, "5" a folder, "L" a long name, "x" and "g" records of pax
    257     6     "ustar" and a zero byte (POSIX), or a space (GNU)
    345     155   POSIX only: folder of the name

Records of pax are lines ``LENGTH KEY=VALUE``; `path` and `size` replace the fields of the next header. Two blocks of
zeros end an archive. Links, devices and sparse files are refused: nobody needs them to store images, and a link leads
to another file.

Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from recordkit.errors import FormatError, TruncatedError, plural

BLOCK = 512
END = bytes(2 * BLOCK)
"""The end of an archive."""

# Limit for names and records of pax, which a stranger may have made long.
_MAX_EXTRA_BYTES = 1 << 16
# Bytes that are read at once: a header, the small content after it (a label), and the next header.
_WINDOW_BYTES = 4 * BLOCK
_FILE_TYPES, _LONG_NAME, _PAX, _PAX_FOR_ALL = (b"0", b"\0", b"7"), b"L", b"x", b"g"
_SKIPPED_TYPES = {b"5", b"V", b"K"}  # folders, the label of a volume, long names of links
_KINDS = {b"1": "a link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a pipe", b"S": "a sparse file"}


class Member(NamedTuple):
    """A file in an archive.

    Attributes
    ----------
    name : str
        Bytes that are not UTF-8 are half surrogates, as in the names of files.
    offset : int
        Offset of the content in the archive, in bytes.
    size : int
        Size of the content, in bytes.
    """

    name: str
    offset: int
    size: int


def pack_header(name: str, size: int) -> bytes:
    r"""Return the header of a file of mode 644 without owner, of the first second of 1970.

    Parameters
    ----------
    name : str
        ASCII, at most 100 characters.
    size : int
        Size of the content, less than 8 GiB.

    Returns
    -------
    header : bytes, 512

    Examples
    --------
    >>> header = pack_header("7.cls", 1)
    >>> header[:6], header[148:157], header[257:265]
    (b'7.cls\x00', b'010045\x00 0', b'ustar\x0000')
    """
    fields = b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"00000000000\0"
    start = name.encode("ascii").ljust(100, b"\0") + fields
    rest = b"0".ljust(101, b"\0") + b"ustar\00000" + bytes(64) + b"0000000\0" * 2
    total = sum(start) + sum(rest) + 8 * 0x20
    return (start + b"%06o\0 " % total + rest).ljust(BLOCK, b"\0")


def padding(size: int) -> bytes:
    """Return the zeros that follow a content.

    Examples
    --------
    >>> len(padding(513)), len(padding(512))
    (511, 0)
    """
    return bytes(-size % BLOCK)


def read_members(
    read: Callable[[int, int], bytes], n_bytes: int, *, on_missing_end: Callable[[], None] | None = None
) -> Iterator[Member]:
    """Yield the files in an archive, in order.

    Parameters
    ----------
    read : callable
        ``read(size, offset)`` returns bytes of the archive, fewer at its end.
    n_bytes : int
        Size of the archive.
    on_missing_end : callable, optional
        Called if the archive ends behind a member without a block of zeros, as one that was cut short there.

    Raises
    ------
    FormatError
        It is no archive, a header is damaged, or a member is neither file nor folder.
    TruncatedError
        A member does not end in the archive.

    Examples
    --------
    >>> archive = pack_header("7.cls", 1) + b"4" + padding(1) + END
    >>> list(read_members(lambda size, offset: archive[offset : offset + size], len(archive)))
    [Member(name='7.cls', offset=512, size=1)]
    """
    reader = _Window(read)
    offset, extra = 0, _Extra()
    while offset < n_bytes:
        header = reader.read(offset, BLOCK)
        if len(header) < BLOCK:
            raise TruncatedError(offset=offset, expected=f"a header of {BLOCK} bytes", got=f"{len(header)}")
        if not any(header):
            return
        kind, content = header[156:157], offset + BLOCK
        size = _check_size(_check_header(header, offset), kind, extra, content, n_bytes)
        offset = content + size + -size % BLOCK
        if kind in (_LONG_NAME, _PAX, _PAX_FOR_ALL):
            if size > _MAX_EXTRA_BYTES:
                raise FormatError(offset=content, expected=f"a name of at most {_MAX_EXTRA_BYTES} bytes", got=size)
            if kind != _PAX_FOR_ALL:
                extra.learn(kind, reader.read(content, size), content)
            continue
        if kind in _FILE_TYPES:
            yield Member(_decode(extra.name if extra.name is not None else _name(header)), content, size)
        elif kind not in _SKIPPED_TYPES:
            got = _KINDS.get(kind, f"a member of type {kind!r}")
            raise FormatError(offset=content - BLOCK, expected="a file", got=f"{got}: {_decode(_name(header))!r}")
        extra = _Extra()
    if on_missing_end is not None:
        on_missing_end()


class _Window:
    """Reads small parts of an archive, most of them from the bytes that were read last."""

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        self._read = read
        self._begin, self._bytes = 0, b""

    def read(self, offset: int, size: int) -> bytes:
        start = offset - self._begin
        if start < 0 or start + size > len(self._bytes):
            self._begin, self._bytes = offset, self._read(max(size, _WINDOW_BYTES), offset)
            start = 0
        return self._bytes[start : start + size]


class _Extra:
    """Facts about the next member that do not fit in its header."""

    def __init__(self) -> None:
        self.name: bytes | None = None
        self.size: int | None = None

    def learn(self, kind: bytes, content: bytes, offset: int) -> None:
        if kind == _LONG_NAME:
            self.name = content.rstrip(b"\0")
            return
        while content:
            length, _, _ = content.partition(b" ")
            n_bytes = int(length) if length.isdigit() and len(length) < 8 else 0
            key, equals, value = content[len(length) + 1 : n_bytes].removesuffix(b"\n").partition(b"=")
            if not equals or n_bytes > len(content):
                raise FormatError(offset=offset, expected="records of pax", got=f"{content[:40]!r}")
            self._learn_record(key, value, offset)
            content = content[n_bytes:]

    def _learn_record(self, key: bytes, value: bytes, offset: int) -> None:
        if key == b"path":
            self.name = value
        elif key == b"size":
            if not value.isdigit() or len(value) > 19:
                raise FormatError(offset=offset, expected="a size", got=f"{value[:40]!r}")
            self.size = int(value)
        elif key.startswith(b"GNU.sparse"):
            raise FormatError(offset=offset, expected="a file", got="a sparse file")


def _check_size(size: int, kind: bytes, extra: _Extra, content: int, n_bytes: int) -> int:
    """Return the size of a member, which must end in the archive; records of pax replace that of its header."""
    if extra.size is not None and kind in _FILE_TYPES:
        size = extra.size
    if content + size > n_bytes:
        got = f"{plural(n_bytes - content, 'byte')} to the end of the archive"
        raise TruncatedError(offset=content - BLOCK, expected=f"a member of {plural(size, 'byte')}", got=got)
    return size


def _check_header(header: bytes, offset: int) -> int:
    """Return the size in a header whose checksum is right."""
    total = sum(header) - sum(header[148:156]) + 8 * 0x20
    if _number(header[148:156]) != total:
        raise FormatError(offset=offset, expected=f"a header with the checksum {total:o}", got=f"{header[148:156]!r}")
    size = _number(header[124:136])
    if size is None:
        raise FormatError(offset=offset, expected="a size", got=f"{header[124:136]!r}")
    return size


def _number(field: bytes) -> int | None:
    if field[0] & 0x80:
        number = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        return number if number < 1 << 63 else None
    digits = field.strip(b" \0")
    return int(digits, 8) if digits and not digits.strip(b"01234567") else 0 if not digits else None


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    folder = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return folder + b"/" + name if folder else name


def _decode(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
