"""MXNet's .idx file: the offset of each record of a .rec file.

The file is text, one line per record in the order of writing: the key, a tab, the offset of the record's head in
bytes, a line feed. Keys and offsets are decimal, 0 to 2**64 - 1. The lines need not be sorted, and the file does not
name its .rec file.

`read` also accepts blanks instead of the tab, blank lines and CRLF, as MXNet's readers do.

Source: ``MXIndexedRecordIO``, python/mxnet/recordio.py of MXNet 1.9. (MNIST's files, also called IDX, are in
`recordkit.formats.ubyte`.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError
from recordkit.formats.files import open_file

# Bytes per read. A large index is read in blocks, so that its text is never in memory as a whole.
_BLOCK_BYTES = 1 << 20
# Longest line. An index has two numbers of at most 20 digits per line; a file with a longer line is not an index.
_MAX_LINE_BYTES = 256
# Limit for the size of an index, per record that the .rec file may have, and whatever it has.
_MAX_BYTES_PER_RECORD = 64
_MIN_LIMIT_BYTES = 1 << 16
_LINE = re.compile(rb"[ \t]*(?:\d{1,20}[ \t]+\d{1,20}[ \t]*)?\r?")
_LINES = re.compile(rb"(?:" + _LINE.pattern + rb"\n)*")

WHAT = "an index of these records"
"""Description of the file for errors about its kind or size."""


@dataclass(frozen=True, eq=False)
class Index:
    """Keys and offsets, in the order of the lines.

    Attributes
    ----------
    keys : ndarray of uint64, shape (n,)
    offsets : ndarray of uint64, shape (n,)
        Offsets of the records' heads, in bytes.
    """

    keys: NDArray[np.uint64]
    offsets: NDArray[np.uint64]


def lines(keys: Sequence[int], offsets: Sequence[int]) -> bytes:
    r"""Return lines of an .idx file.

    Examples
    --------
    >>> lines([5, 6], [0, 40])
    b'5\t0\n6\t40\n'
    """
    return "".join([f"{key}\t{offset}\n" for key, offset in zip(keys, offsets, strict=True)]).encode("ascii")


def limit_bytes(rec_size: int) -> int:
    """Return the largest size of an .idx file for a .rec file of a size, which has at least 8 bytes a record.

    A line has two numbers of at most 20 digits; the rest is room for blanks.

    Examples
    --------
    >>> limit_bytes(80_000)
    640000
    """
    return max(_MIN_LIMIT_BYTES, _MAX_BYTES_PER_RECORD * (rec_size // 8))


def read(path: str | Path, *, max_bytes: int | None = None) -> Index:
    """Read an .idx file.

    Parameters
    ----------
    path : str or Path
    max_bytes : int, optional
        Limit for the size of the file, see `limit_bytes`.

    Returns
    -------
    index : Index
        It takes 16 bytes of memory per record.

    Raises
    ------
    FormatError
        A line is not two integers from 0 to 2**64 - 1, the file is larger than `max_bytes`, or `path` is a pipe or a
        device.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.idx")
    >>> _ = path.write_bytes(lines([5, 6], [0, 40]))
    >>> read(path).keys.tolist(), read(path).offsets.tolist()
    ([5, 6], [0, 40])
    """
    blocks: list[NDArray[np.uint64]] = []
    first_line = 1
    for block in _blocks(Path(path), max_bytes):
        if not _LINES.fullmatch(block):
            raise _line_error(block, first_line, path)
        try:
            blocks.append(np.array([int(word) for word in block.split()], np.uint64).reshape(-1, 2))
        except OverflowError:
            raise _line_error(block, first_line, path) from None
        first_line += block.count(b"\n")
    table = np.concatenate(blocks) if blocks else np.empty((0, 2), np.uint64)
    return Index(np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1]))


def _blocks(path: Path, max_bytes: int | None) -> Iterator[bytes]:
    """Yield whole lines, each ending in a line feed."""
    with open_file(path, max_bytes=max_bytes, what=WHAT) as file:
        rest = b""
        while block := file.read(_BLOCK_BYTES):
            end = block.rfind(b"\n") + 1
            if end:
                yield rest + block[:end]
                rest = block[end:]
            else:
                rest += block
            if len(rest) > _MAX_LINE_BYTES:
                rest = rest[:_MAX_LINE_BYTES] + b"..."  # the dots make it an error even if the line is blank
                break
        if rest:
            yield rest + b"\n"


def _line_error(block: bytes, first_line: int, path: str | Path) -> FormatError:
    number, text = next(
        (number, text)
        for number, text in enumerate(block.split(b"\n"), first_line)
        if not _LINE.fullmatch(text) or any(int(word) >= 2**64 for word in text.split())
    )
    shown = text[:60].decode("utf-8", "backslashreplace")
    return FormatError(
        path=str(path),
        line=number,
        expected="KEY and OFFSET, whole numbers with a tab between",
        got=repr(shown),
    )
