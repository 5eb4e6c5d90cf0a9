"""Opening a file for reading, and replacing a file as a whole.

A set of several files is published by `recordkit.formats.staging`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

from recordkit.errors import FormatError, PublishError

# Windows opens no folders, and flushes only files that are open for writing.
_FOLDERS_OPEN = hasattr(os, "O_DIRECTORY")


def open_file(path: str | Path) -> BinaryIO:
    """Open a file for reading, unbuffered.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    file : binary file
        Reads go to the system at once. The caller closes it.

    Raises
    ------
    OSError
        The path cannot be opened or is a folder.
    FormatError
        The path is a pipe or a device, on which a read would block.
    """
    mode = os.stat(path).st_mode  # noqa: PTH116 (a str is as good as a Path here)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # `open` below reports a folder
        raise FormatError(path=os.fspath(path), expected="a file", got="a pipe or device")
    return cast("BinaryIO", open(path, "rb", buffering=0))


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Replace a file in one step: write a temporary file, flush it to disk, rename it.

    A process that is killed leaves the old file or the new one at `path`, and at most a file ``.NAME.tmp`` beside
    it, which the next call overwrites. A device, such as ``/dev/stdout``, is written directly.

    Parameters
    ----------
    path : Path
        The final name. Missing folders are created.
    write : callable
        Writes the whole content to the path it is called with.

    Raises
    ------
    PublishError
        The disk is full, a permission is missing, or the like; the old file is unchanged.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "run", "summary.json")
    >>> write_atomically(path, lambda temporary: temporary.write_text("{}"))
    >>> path.read_text(), [file.name for file in path.parent.iterdir()]
    ('{}', ['summary.json'])
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            write(path)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        write(temporary)
        flush_to_disk(temporary)
        temporary.replace(path)
        flush_to_disk(path.parent)
    except OSError as error:
        raise PublishError(error.strerror or str(error), path=str(path), advice="the old file is unchanged") from error


def flush_to_disk(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on disk and survive a power cut.

    Raises
    ------
    OSError
        The path cannot be opened, or the disk fails.
    """
    if not _FOLDERS_OPEN and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if _FOLDERS_OPEN else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_seek_lock = Lock()


def _seek_and_read(descriptor: int, size: int, offset: int) -> bytes:
    with _seek_lock:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)


pread: Callable[[int, int, int], bytes] = getattr(os, "pread", _seek_and_read)
"""Read up to a number of bytes of an open file at an offset; threads may share the file. Windows has no `os.pread`."""
