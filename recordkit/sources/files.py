"""Image files on disk: which names count as images, and reading one."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from recordkit import native
from recordkit.errors import ImageError
from recordkit.formats.frame import MAX_RECORD_BYTES
from recordkit.formats.irheader import HEADER_SIZE

EXTENSIONS = (".jpeg", ".jpg", ".png")
"""What im2rec takes for images by default; compared with the lower-cased suffix."""

_MOST_BYTES = MAX_RECORD_BYTES - HEADER_SIZE


def check_file(path: str) -> None:
    """Refuse what cannot be read as an image file, without reading it.

    Parameters
    ----------
    path : str

    Raises
    ------
    ImageError
        It is missing, not a regular file, or larger than a record can be.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 (a Path for each of a million files costs more than the read)
    except OSError as error:
        raise ImageError(f"{error.strerror or error}") from None
    except ValueError:
        raise ImageError("expected a path without zero bytes") from None
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(expected="a regular file", got="a folder, pipe or device")
    if status.st_size > _MOST_BYTES:
        raise ImageError(expected="a file that fits in a record (2**29 bytes)", got=f"{status.st_size} bytes")


def read_images(paths: Sequence[str]) -> list[bytes | ImageError]:
    """Read image files whole.

    Parameters
    ----------
    paths : sequence of str

    Returns
    -------
    payloads : list of (bytes or ImageError)
        The error of one that is missing, unreadable, not a regular file, or larger than a record can be.
    """
    if not native.available():
        return list(map(_read, paths))
    found = native.load().read_files([_encoded(path) for path in paths], _MOST_BYTES)
    return [_read(path) if payload is None else payload for path, payload in zip(paths, found, strict=True)]


def _encoded(path: str) -> bytes:
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:  # no file can have that name
        return b""


def _read(path: str) -> bytes | ImageError:
    try:
        check_file(path)
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except ImageError as error:
        return error
    except OSError as error:
        return ImageError(f"{error.strerror or error}")
