"""Check that a finished file is the gzip-compressed ubyte file it should be.

Layout of the unpacked bytes: 0, 0, 8 (the type uint8), the number of dimensions; each dimension as a
big-endian uint32; then one byte for each value. Source: the description on the MNIST page of LeCun, Cortes
and Burges.

The file is unpacked in pieces and never beyond its stated limit, so a few kB of gzip that unpack to
gigabytes cost neither memory nor time.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from math import prod
from pathlib import Path

from recordkit.interop.fetch.datasets import RemoteFile

__all__ = ["WrongBytesError", "content_sha256"]

_PIECE_BYTES = 1 << 20


class WrongBytesError(Exception):
    """The file is not what it should be; the message says what was expected and what came."""


def content_sha256(path: Path, file: RemoteFile) -> str:
    """Check that a file is well-formed, and return the SHA-256 of its unpacked bytes.

    Parameters
    ----------
    path : Path
        The .gz file.
    file : RemoteFile
        What it should be: the number of dimensions, and the size that it must not exceed. Its checksum
        is not looked at; comparing is the caller's.

    Returns
    -------
    str
        64 lower-case hexadecimal digits.

    Raises
    ------
    WrongBytesError
        The file is not whole, valid gzip data, or what it holds is not an ubyte file of that kind.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> labels = bytes([0, 0, 8, 1]) + (3).to_bytes(4, "big") + bytes([7, 2, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels.gz")
    ...     _ = path.write_bytes(gzip.compress(labels))
    ...     content_sha256(path, RemoteFile("labels.gz", (3,), ""))[:16]
    'e10ef6244367a3de'
    """
    try:
        with gzip.open(path, "rb") as unpacked:
            header = unpacked.read(4 + 4 * len(file.shape))
            size = _announced_bytes(header, file)
            digest = hashlib.sha256(header)
            n_read = len(header)
            while piece := unpacked.read(_PIECE_BYTES):
                n_read += len(piece)
                if n_read > size:
                    raise WrongBytesError(f"expected {size} unpacked bytes as its header says, got more")
                digest.update(piece)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise WrongBytesError(_bad_gzip(path, error)) from error
    if n_read < size:
        raise WrongBytesError(f"expected {size} unpacked bytes as its header says, got {n_read}")
    return digest.hexdigest()


def _announced_bytes(header: bytes, file: RemoteFile) -> int:
    """Return the size of the unpacked file, as its header says."""
    n_dims = len(file.shape)
    magic = bytes([0, 0, 8, n_dims])
    if len(header) < 4 + 4 * n_dims or header[:4] != magic:
        raise WrongBytesError(f"expected an ubyte header starting {magic.hex()}, got {header[:4].hex() or 'nothing'}")
    shape: tuple[int, ...] = struct.unpack(f">{n_dims}I", header[4:])
    size = len(header) + prod(shape)
    if size > file.unpacked_bytes:
        raise WrongBytesError(f"expected at most {file.unpacked_bytes} unpacked bytes, got a header for {size}")
    return size


def _bad_gzip(path: Path, error: Exception) -> str:
    """Say what is wrong with gzip data; a page in HTML instead of a file is the usual reason."""
    if isinstance(error, EOFError):
        return f"expected whole gzip data, got {path.stat().st_size} bytes that end too early"
    with path.open("rb") as packed:
        start = packed.read(16)
    if start[:2] != b"\x1f\x8b":
        return f"expected gzip data, got bytes starting {start!r}"
    return f"expected valid gzip data, got damage: {error}"
