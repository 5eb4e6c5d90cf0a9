"""Check that a file is gzip-compressed MNIST data: a ubyte array of unsigned bytes with the right rank and size.

Other files are known by their bytes alone.

The format is described in `recordkit.formats.ubyte`. Here the decompression stops at the size of the published file,
because a few kB of gzip can expand to gigabytes.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path

from recordkit.errors import FormatError, plural
from recordkit.formats.files import open_file
from recordkit.interop.fetch.datasets import RemoteFile

_BLOCK_BYTES = 1 << 20
# Beginnings of gzip and of zip files.
_MAGICS = (b"\x1f\x8b", b"PK\x03\x04")


def content_sha256(path: Path, file: RemoteFile) -> str:
    """Check that a file is well-formed, and return the checksum of its content.

    Parameters
    ----------
    path : Path
        The .gz file.
    file : RemoteFile
        The published file. Its rank and its size as an upper limit are checked; its checksum is not.

    Returns
    -------
    sha256 : str
        SHA-256 of the decompressed bytes, or of the file if its size is known; 64 lower-case hexadecimal digits.

    Raises
    ------
    FormatError
        The file is not valid gzip data, or its content is not a ubyte file of this kind.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> labels = bytes([0, 0, 8, 1]) + (3).to_bytes(4, "big") + bytes([7, 2, 1])
    >>> path = Path(tempfile.mkdtemp(), "labels.gz")
    >>> _ = path.write_bytes(gzip.compress(labels))
    >>> content_sha256(path, RemoteFile("labels.gz", (3,), ""))[:16]
    'e10ef6244367a3de'
    """
    if file.n_bytes is not None:
        return _whole_sha256(path)
    try:
        with open_file(path) as packed, gzip.open(packed) as stream:
            content = stream.read(file.unpacked_bytes + 1)
    except EOFError:
        size = path.stat().st_size
        raise FormatError(expected="whole gzip data", got=f"{plural(size, 'byte')} that end too early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        with open_file(path) as packed:
            start = packed.read(16)
        if start[:2] != b"\x1f\x8b":  # usually an error page in HTML
            raise FormatError(expected="gzip data", got=f"bytes starting {start!r}") from None
        raise FormatError(expected="valid gzip data", got=f"damage: {error}") from None
    _check_ubyte(content, file)
    return hashlib.sha256(content).hexdigest()


def _whole_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open_file(path) as stream:
        start = stream.read(_BLOCK_BYTES)
        if not start.startswith(_MAGICS):  # usually an error page in HTML
            raise FormatError(expected="gzip or zip data", got=f"bytes starting {start[:16]!r}")
        digest.update(start)
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _check_ubyte(content: bytes, file: RemoteFile) -> None:
    rank = len(file.shape)
    header, magic = content[: 4 + 4 * rank], bytes([0, 0, 8, rank])
    if len(header) < 4 + 4 * rank or header[:4] != magic:
        raise FormatError(expected=f"a ubyte header starting {magic.hex()}", got=header[:4].hex() or "nothing")
    size = len(header) + math.prod(struct.unpack(f">{rank}I", header[4:]))
    if size > file.unpacked_bytes:
        raise FormatError(expected=f"at most {file.unpacked_bytes} unpacked bytes", got=f"a header for {size}")
    if len(content) != size:
        got = "more" if len(content) > size else len(content)
        raise FormatError(expected=f"{size} unpacked bytes, as the header announces", got=got)
