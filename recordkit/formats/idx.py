"""MXNet's .idx file: where each record of a .rec file begins.

Text, one line per record in the order they were written: the key, a tab, the byte offset of the record's
head, a line feed. Keys and offsets are decimal, 0 to 2**64 - 1. The lines are not sorted and nothing says
which .rec file they belong to.

Readers here also take blanks for the tab, blank lines and CRLF, as MXNet's own readers do.

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

# Read in pieces, so that the text of a large index is never in memory at once.
_BLOCK_BYTES = 1 << 20
# A line is two numbers of 20 digits at most; one much longer is not an index and is not read on.
_MAX_LINE_BYTES = 256
_LINE = re.compile(rb"[ \t]*(?:\d{1,20}[ \t]+\d{1,20}[ \t]*)?\r?")
_LINES = re.compile(rb"(?:" + _LINE.pattern + rb"\n)*")


@dataclass(frozen=True, eq=False)
class Index:
    """Keys and offsets, in the file's order.

    Attributes
    ----------
    keys : ndarray of uint64, shape (n,)
    offsets : ndarray of uint64, shape (n,)
        In bytes.
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


def read(path: str | Path) -> Index:
    """Read an .idx file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    index : Index
        16 bytes of memory per record.

    Raises
    ------
    FormatError
        A line is not two whole numbers from 0 to 2**64 - 1, or it is no file.
    OSError
        The file cannot be read.
    """
    blocks: list[NDArray[np.uint64]] = []
    first_line = 1
    for block in _blocks(Path(path)):
        if not _LINES.fullmatch(block):
            raise _line_error(block, first_line, path)
        try:
            blocks.append(np.array([int(word) for word in block.split()], np.uint64).reshape(-1, 2))
        except OverflowError:
            raise _line_error(block, first_line, path) from None
        first_line += block.count(b"\n")
    table = np.concatenate(blocks) if blocks else np.empty((0, 2), np.uint64)
    return Index(np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1]))


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield whole lines, each ending in a line feed."""
    with open_file(path) as file:
        rest = b""
        while block := file.read(_BLOCK_BYTES):
            end = block.rfind(b"\n") + 1
            if end:
                yield rest + block[:end]
                rest = block[end:]
            else:
                rest += block
            if len(rest) > _MAX_LINE_BYTES:
                rest = rest[:_MAX_LINE_BYTES] + b"..."  # an error in any case, also where the rest is blanks
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
