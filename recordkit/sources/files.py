"""Image files on disk: the suffixes that count as images, and reading files whole.

The native core reads many files in one call; without it, Python reads them one by one with the same results.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence

from recordkit import codec, native
from recordkit.errors import FormatError, ImageError, plural
from recordkit.formats.files import read_file
from recordkit.formats.frame import MAX_RECORD_BYTES
from recordkit.formats.irheader import HEADER_SIZE

EXTENSIONS = tuple(sorted(codec.IMAGE_SUFFIXES))
"""Suffixes of the images that recordkit decodes. A file's suffix is compared in lower case."""

IM2REC_EXTENSIONS = (".jpeg", ".jpg", ".png")
"""Suffixes that im2rec takes as images by default."""

_MAX_FILE_BYTES = MAX_RECORD_BYTES - HEADER_SIZE


def check_file(path: str) -> int:
    """Refuse a path that cannot be read as an image file, without reading the file.

    Parameters
    ----------
    path : str

    Returns
    -------
    n_bytes : int
        Size of the file.

    Raises
    ------
    ImageError
        The file is missing, not a regular file, or too large for a record.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 (creating a Path for each of a million files is slower than the read)
    except OSError as error:
        raise ImageError(error.strerror or str(error)) from None
    except ValueError:
        raise ImageError("expected a path without zero bytes") from None
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(expected="a regular file", got="a folder, pipe or device")
    if status.st_size > _MAX_FILE_BYTES:
        raise ImageError(expected="a file that fits in a record (2**29 bytes)", got=plural(status.st_size, "byte"))
    return status.st_size


def find_image(folder: str, name: str) -> str:
    r"""Return the path of an image that a list names.

    Parameters
    ----------
    folder : str
        Folder that the names of the list start from.
    name : str

    Returns
    -------
    path : str
        If there is no such file: the file without the blanks around its name, which MXNet's tools drop, with ``/`` in
        place of backslashes, as in lists of Windows, or below the folder in spite of a ``/`` at the beginning, as in
        the lists of Places365. If there is none of these either, the plain path.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "cat").mkdir()
    ...     Path(folder, "cat", "tom.jpg").touch()
    ...     paths = [find_image(folder, name) for name in ("/cat/tom.jpg", "cat\\tom.jpg ")]
    ...     paths == 2 * [str(Path(folder, "cat", "tom.jpg"))]
    True
    """
    path = os.path.join(folder, name)  # noqa: PTH118 (a Path for each of a million images is slow)
    other = name.strip().replace("\\", "/").lstrip("/")
    if other == name or os.path.exists(path):  # noqa: PTH110 (see above)
        return path
    return next(filter(os.path.exists, (os.path.join(folder, other), "/" + other)), path)  # noqa: PTH118 (see above)


def read_images(paths: Sequence[str], max_bytes: int | None = None) -> list[bytes | ImageError]:
    """Read image files whole.

    Parameters
    ----------
    paths : sequence of str
    max_bytes : int, optional
        Read only the first files, whose total size is at most this; possibly none.

    Returns
    -------
    payloads : list of (bytes or ImageError)
        Content of each file. The item is an error if the file is missing, unreadable, not a regular file, or too large
        for a record.
    """
    if max_bytes is None:
        max_bytes = len(paths) * _MAX_FILE_BYTES
    if not native.available():
        return [_read(path) for path in _first_paths(paths, max_bytes)]
    payloads = native.load().read_files([_encode_path(path) for path in paths], _MAX_FILE_BYTES, max_bytes)
    # The core returns None for a file that it cannot read; `_read` finds the reason.
    return [_read(path) if payload is None else payload for path, payload in zip(paths, payloads, strict=False)]


def _first_paths(paths: Sequence[str], max_bytes: int) -> Iterator[str]:
    """Yield paths until the sizes of their files exceed the limit. A file that cannot be read counts as empty."""
    for path in paths:
        with contextlib.suppress(ImageError):
            max_bytes -= check_file(path)
        if max_bytes < 0:
            return
        yield path


def _encode_path(path: str) -> bytes:
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:  # no file can have that name, nor the empty one
        return b""


def _read(path: str) -> bytes | ImageError:
    try:
        check_file(path)
        return read_file(path, max_bytes=_MAX_FILE_BYTES)
    except ImageError as error:
        return error
    except FormatError as error:  # the name has become that of another file
        return ImageError(expected=error.expected, got=error.got)
    except OSError as error:
        return ImageError(error.strerror or str(error))
