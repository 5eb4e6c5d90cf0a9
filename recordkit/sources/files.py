"""Image files on disk: which names count as images, and reading one."""

from __future__ import annotations

import os
import stat

from recordkit.errors import ImageError
from recordkit.formats.frame import MAX_RECORD_BYTES
from recordkit.formats.irheader import HEADER_SIZE

EXTENSIONS = (".jpeg", ".jpg", ".png")
"""What im2rec takes for images by default; compared with the lower-cased suffix."""


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
        raise ImageError("expected a regular file, got a folder, pipe or device")
    if status.st_size > MAX_RECORD_BYTES - HEADER_SIZE:
        raise ImageError(f"expected a file that fits in a record (2**29 bytes), got {status.st_size} bytes")


def read_image(path: str) -> bytes:
    """Read an image file whole.

    Parameters
    ----------
    path : str

    Returns
    -------
    payload : bytes

    Raises
    ------
    ImageError
        It is missing, unreadable, not a regular file, or larger than a record can be.
    """
    check_file(path)
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError as error:
        raise ImageError(f"{error.strerror or error}") from None
