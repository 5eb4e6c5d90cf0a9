"""PREFIX.crc: the CRC-32 of each record, by which damaged records are found.

The file is an array of uint32, little-endian, with one number per record in file order: the CRC-32, as zlib computes
it, of the whole record, which is header, labels and payload. The frame, its padding and the magic between two parts do
not count: damage there moves the records, or changes nothing that is read.

PREFIX.json has the size and the SHA-256 of the file ("crc") if both were packed together. A file that
`recordkit.upkeep.reindex` wrote later has no such entry, and only its length is checked.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, NotFoundError, plural, quoted
from recordkit.formats.files import read_file
from recordkit.formats.frame import verify_advice
from recordkit.storage.description import set_id
from recordkit.storage.fileset import Fileset, fingerprint

CHECKSUM_BYTES = 4
"""Size of the checksum of one record."""

# Most bytes of checksums of records that a damaged file has lost: those of 16 million.
_MAX_LOST_BYTES = 1 << 26


def pack(checksums: Sequence[int] | NDArray[np.uint32]) -> bytes:
    """Return checksums as they are in the file.

    Examples
    --------
    >>> pack([zlib.crc32(b"one record")]).hex()
    'ccc4872a'
    """
    return np.array(checksums, "<u4").tobytes()


def read_checksums(files: Fileset, *, is_damaged: bool = False) -> NDArray[np.uint32]:
    """Read the checksums of a set.

    Parameters
    ----------
    files : Fileset
    is_damaged : bool, default False
        The .rec file may have lost bytes, so it may have fewer records than there are checksums.

    Returns
    -------
    checksums : ndarray of uint32, shape (n,)
        In the order of the records; see `check_number`.

    Raises
    ------
    NotFoundError
        The set has no checksums.
    FormatError
        PREFIX.json describes another file.
    """
    path, rec_path = files.path(".crc"), files.path(".rec")
    # A record takes more bytes in the .rec file than its checksum, so a larger file belongs to another set.
    max_bytes = files.rec_size() + (_MAX_LOST_BYTES if is_damaged else 0)
    try:
        content = read_file(path, max_bytes=max_bytes, what="the checksums of the records", advice=_advice(files))
    except FileNotFoundError:
        raise NotFoundError(
            path=str(path),
            expected="the checksums of the records",
            got="no file",
            advice=f"run 'recordkit reindex --checksums {quoted(rec_path)}', which trusts the records as they are",
        ) from None
    _compare_with_description(files, ".crc", len(content), hashlib.sha256(content).hexdigest())
    if len(content) % CHECKSUM_BYTES:
        raise FormatError(
            path=str(path), expected="4 bytes per record", got=plural(len(content), "byte"), advice=_advice(files)
        )
    return np.frombuffer(content, "<u4").astype(np.uint32)


def check_description(files: Fileset) -> None:
    """Raise FormatError if PREFIX.json is not as it was written, so that its class names and hashes may be wrong."""
    description = files.description()
    if "id" in description and description["id"] != (facts_id := set_id(description)):
        raise FormatError(
            path=str(files.path(".json")),
            expected=f"{facts_id}, the id of the facts in it",
            got=description["id"],
            advice=verify_advice(files.path(".rec")),
        )


def check_number(files: Fileset, checksums: NDArray[np.uint32], n_records: int) -> None:
    """Raise FormatError if there is not one checksum per record."""
    if len(checksums) != n_records:
        raise FormatError(
            path=str(files.path(".crc")),
            expected=f"{n_records} checksums, one per record",
            got=len(checksums),
            advice=_advice(files),
        )


def check_index(files: Fileset) -> bool:
    """Tell whether the .idx file is the one that PREFIX.json describes.

    Returns
    -------
    is_described : bool
        False if PREFIX.json does not describe it, as those of older versions.

    Raises
    ------
    FormatError
        PREFIX.json describes another file.
    FileNotFoundError
        The .idx file does not exist.
    """
    path = files.path(".idx")
    return _compare_with_description(files, ".idx", path.stat().st_size, fingerprint(path))


def is_described_index(files: Fileset) -> bool:
    """Tell whether PREFIX.json describes this .idx file, so that it was written together with the records."""
    try:
        return check_index(files)
    except FormatError:
        return False


def check_record(record: bytes | memoryview, expected: int, path: str | Path, *, offset: int, key: int) -> None:
    """Raise FormatError if a record does not have the expected checksum.

    Parameters
    ----------
    record : bytes-like
        The whole record, without its frame.
    expected : int
    path : str or Path
        The .rec file.
    offset : int
        Offset of the record's head, in bytes.
    key : int

    Examples
    --------
    >>> check_record(b"one record", 0x2A87C4CC, "a.rec", offset=0, key=7)
    """
    checksum = zlib.crc32(record)
    if checksum != expected:
        raise FormatError(
            path=str(path),
            offset=offset,
            key=key,
            expected=f"CRC-32 {expected:08x}",
            got=f"{checksum:08x}",
            advice=verify_advice(path),
        )


def _advice(files: Fileset) -> str:
    """Return the advice on a .crc file that is not the one of the .rec file."""
    path, rec_path = quoted(files.path(".crc")), quoted(files.path(".rec"))
    return (
        f"take it from a copy of the set, or move {path} away and run 'recordkit reindex --checksums {rec_path}', "
        "which trusts the records as they are"
    )


def _compare_with_description(files: Fileset, suffix: str, size: int, sha256: str) -> bool:
    facts = files.description().get(suffix[1:])
    if not isinstance(facts, dict):
        return False
    if (facts.get("bytes"), facts.get("sha256")) != (size, sha256):
        raise FormatError(
            path=str(files.path(suffix)),
            expected=f"{facts.get('bytes')} bytes of SHA-256 {facts.get('sha256')}, as in {files.path('.json')}",
            got=f"{size} of {sha256}",
            advice=_advice(files) if suffix == ".crc" else None,
        )
    return True
