"""Records as they are in a .rec file, copied from other files, with other keys and labels if asked for.

A record that keeps its key and its labels keeps every byte. Otherwise its image header changes and it is framed anew
(`recordkit.formats.frame.pack`), because a key or a label may equal the magic number and must then be escaped.

`_copy` is the definition; the native core must return the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit import native
from recordkit.dataset.records import RecordFile
from recordkit.errors import FormatError
from recordkit.formats import frame, idx, irheader

_TOO_LONG_ADVICE = "give it fewer labels"


class Changes(NamedTuple):
    """New keys and labels of some records; None keeps those that they have.

    Attributes
    ----------
    keys : ndarray of uint64, shape (m,), or None
    labels : ndarray of float32, shape (k,), or None
        The labels of all records, concatenated.
    bounds : ndarray of uint64, shape (m + 1,), or None
        The labels of record i are ``labels[bounds[i]:bounds[i + 1]]``, at least one.
    """

    keys: NDArray[np.uint64] | None = None
    labels: NDArray[np.float32] | None = None
    bounds: NDArray[np.uint64] | None = None


class CopiedRecords(NamedTuple):
    """Copied records, in the order that was asked for.

    Attributes
    ----------
    frames : ndarray of uint8, shape (b,)
        The records with their frames, concatenated.
    sizes : ndarray of uint64, shape (m,)
        Size of each record with its frame, in bytes.
    checksums : ndarray of uint32, shape (m,)
        CRC-32 of each record.
    widths : ndarray of uint32, shape (m,)
        Number of labels of each record.
    """

    frames: NDArray[np.uint8]
    sizes: NDArray[np.uint64]
    checksums: NDArray[np.uint32]
    widths: NDArray[np.uint32]


def copy_records(
    files: Sequence[RecordFile],
    paths: Sequence[Path],
    file_numbers: NDArray[np.int64],
    offsets: NDArray[np.uint64],
    ends: NDArray[np.uint64],
    checksums: NDArray[np.int64],
    changes: Changes,
) -> CopiedRecords:
    """Copy records into memory.

    Parameters
    ----------
    files : sequence of RecordFile
    paths : sequence of Path
        The same files, for errors.
    file_numbers : ndarray of int64, shape (m,)
        Index into `files` for each record.
    offsets : ndarray of uint64, shape (m,)
        Offsets of the records' heads, in bytes.
    ends : ndarray of uint64, shape (m,)
        An offset at or behind the end of each record, such as that of the next sample. Memory is taken for the bytes up
        to there.
    checksums : ndarray of int64, shape (m,)
        Expected CRC-32 of each record as it is in the file; negative if it has none.
    changes : Changes

    Returns
    -------
    copied : CopiedRecords

    Raises
    ------
    FormatError
        A record is damaged or has another CRC-32; `path` and `offset` say which.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.dataset.records import open_record_file
    >>> path = tempfile.mkdtemp() + "/a.rec"
    >>> with open(path, "wb") as file:
    ...     file.writelines(frame.pack(irheader.pack(irheader.IRHeader(4.0, 7), b"jpeg")))
    >>> file, column = open_record_file(path), lambda dtype, value: np.array([value], dtype)
    >>> where = column("i8", 0), column("u8", 0), column("u8", 36), column("i8", -1)
    >>> copied = copy_records([file], [Path(path)], *where, Changes(keys=column("u8", 5)))
    >>> irheader.unpack(copied.frames[8:].tobytes())[0], copied.sizes.tolist(), copied.widths.tolist()
    (IRHeader(label=4.0, id=5, id2=0), [36], [1])
    """
    if native.available():
        return CopiedRecords(*native.load().copy_records(list(files), file_numbers, offsets, ends, checksums, *changes))
    return _copy(files, paths, file_numbers, offsets, checksums, changes)


def index_lines(keys: NDArray[np.uint64], offsets: NDArray[np.uint64]) -> bytes:
    r"""Return lines of an .idx file, as `recordkit.formats.idx.lines` does.

    Examples
    --------
    >>> index_lines(np.array([5, 6], np.uint64), np.array([0, 40], np.uint64))
    b'5\t0\n6\t40\n'
    """
    if native.available():
        lines: bytes = native.load().idx_lines(keys, offsets)
        return lines
    return idx.lines(keys.tolist(), offsets.tolist())


def _copy(
    files: Sequence[RecordFile],
    paths: Sequence[Path],
    file_numbers: NDArray[np.int64],
    offsets: NDArray[np.uint64],
    checksums: NDArray[np.int64],
    changes: Changes,
) -> CopiedRecords:
    frames: list[bytes] = []
    sizes: list[int] = []
    new_checksums: list[int] = []
    widths: list[int] = []
    for row, (number, offset, checksum) in enumerate(
        zip(file_numbers.tolist(), offsets.tolist(), checksums.tolist(), strict=True)
    ):
        record, framed = files[number].read_frame(offset)
        if checksum >= 0 and (got := zlib.crc32(record)) != checksum:
            raise FormatError(
                path=str(paths[number]),
                offset=offset,
                expected=f"CRC-32 {checksum:08x}",
                got=f"{got:08x}",
                advice=frame.verify_advice(paths[number]),
            )
        changed, width = _change(record, str(paths[number]), offset, row, changes)
        if changed is not record:
            try:
                framed = b"".join(frame.pack(changed))
            except FormatError as error:
                raise error.located(path=str(paths[number]), offset=offset, advice=_TOO_LONG_ADVICE) from None
        frames.append(framed)
        sizes.append(len(framed))
        new_checksums.append(zlib.crc32(changed))
        widths.append(width)
    return CopiedRecords(
        np.frombuffer(b"".join(frames), np.uint8),
        np.array(sizes, np.uint64),
        np.array(new_checksums, np.uint32),
        np.array(widths, np.uint32),
    )


def _change(record: bytes, path: str, offset: int, row: int, changes: Changes) -> tuple[bytes, int]:
    """Return a record with its new key and labels, the same object if they are the old ones, and its number of labels.

    A record that stores one label as a vector goes on to do so.
    """
    payload = irheader.unpack_at(record, path, offset)[1]
    flag = int.from_bytes(record[:4], "little")
    head, labels = record[: irheader.HEADER_SIZE], record[irheader.HEADER_SIZE : len(record) - len(payload)]
    width, new_head, new_labels = max(1, flag), head, labels
    if changes.labels is not None and changes.bounds is not None:
        new = changes.labels[int(changes.bounds[row]) : int(changes.bounds[row + 1])].astype("<f4").tobytes()
        if new != (labels or head[4:8]):
            width = len(new) // 4
            is_vector = width > 1 or flag == 1
            new_labels = new if is_vector else b""
            new_head = (width if is_vector else 0).to_bytes(4, "little") + (bytes(4) if is_vector else new) + head[8:]
    if changes.keys is not None:
        new_head = new_head[:8] + int(changes.keys[row]).to_bytes(8, "little") + new_head[16:]
    is_changed = new_head != head or new_labels != labels
    return (b"".join((new_head, new_labels, payload)) if is_changed else record), width
