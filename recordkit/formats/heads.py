"""Searching a damaged .rec file for everything that looks like the head of a part of a record.

Bytes that were inserted or removed move all records behind them by any number of bytes, so the search looks at every
byte. `recordkit.dataset.frame_chain` chooses among what it finds. The native core has the same function.
"""

from __future__ import annotations

import struct

from recordkit.formats.frame import HEAD_SIZE, LAST, MAGIC_BYTES, RecordReader

_WORD = struct.Struct("<I")
_BLOCK_BYTES = 1 << 20


def find_heads(reader: RecordReader, begin: int, end: int) -> list[tuple[int, int]]:
    """Find the heads that begin in a range.

    Parameters
    ----------
    reader : RecordReader
    begin, end : int
        Offsets in bytes; a head begins at `begin` or later and before `end`.

    Returns
    -------
    heads : list of (int, int)
        Offset and second word (``cflag << 29 | length``) of each magic with a cflag of 0 to 3, in file order.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.formats.frame import pack
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"?" + b"".join(pack(b"abc")))
    ...     file.flush()
    ...     with RecordReader(file.name) as reader:
    ...         find_heads(reader, 0, reader.size)
    [(1, 3)]
    """
    heads: list[tuple[int, int]] = []
    end = min(end, reader.size - HEAD_SIZE + 1)
    for start in range(begin, end, _BLOCK_BYTES):
        n_starts = min(_BLOCK_BYTES, end - start)
        block = reader.read_bytes(start, n_starts + HEAD_SIZE - 1)
        hit = block.find(MAGIC_BYTES)
        while 0 <= hit < n_starts and hit + HEAD_SIZE <= len(block):
            (word,) = _WORD.unpack_from(block, hit + len(MAGIC_BYTES))
            if word >> 29 <= LAST:
                heads.append((start + hit, word))
            hit = block.find(MAGIC_BYTES, hit + 1)
    return heads


def is_zero(reader: RecordReader, offset: int, size: int) -> bool:
    """Tell whether all of `size` bytes from `offset` on are zero."""
    blocks = range(offset, offset + size, _BLOCK_BYTES)
    return not any(reader.read_bytes(begin, min(_BLOCK_BYTES, offset + size - begin)).strip(b"\0") for begin in blocks)
