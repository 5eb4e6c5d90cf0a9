"""Replacing one file as a whole. A set of several files is published by `recordkit.storage.staging`."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from recordkit.errors import PublishError
from recordkit.formats.files import flush_to_disk
from recordkit.storage.commit import own_user

# Links to the standard streams. If a stream goes to a file, they are files for `Path.is_file`.
_STREAMS = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))
# A file that is being written is touched more often than this.
_LEFTOVER_AGE_S = 3600.0
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.tmp", re.DOTALL)


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Replace a file in one step: write a new file beside it, flush it to disk, rename it.

    A process that is killed leaves the old file or the new one at `path`, and at most a file ``.NAME.0123abcd.tmp``
    beside it, which a later call removes. A link at `path` is replaced by the file, and the file that it points to
    stays. A device or pipe, such as ``/dev/stdout``, is written directly.

    Parameters
    ----------
    path : Path
        The final name. Missing folders are created.
    write : callable
        Writes the whole content to the file that it is called with.

    Raises
    ------
    PublishError
        The disk is full, a permission is missing, or the like; an old file is unchanged.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "run", "summary.json")
    >>> write_atomically(path, lambda file: file.write(b"{}"))
    >>> path.read_text(), [file.name for file in path.parent.iterdir()]
    ('{}', ['summary.json'])
    """
    try:
        if path.parent in _STREAMS or (path.exists() and not (path.is_file() or path.is_dir())):
            with open(path, "wb") as stream:
                write(stream)
            return
        with new_folders(path.parent):
            for leftover in find_temporary_files(path.parent, lambda name: name == path.name):
                if leftover.stat().st_mtime < time.time() - _LEFTOVER_AGE_S:
                    leftover.unlink()
            _replace(path, write)
            flush_to_disk(path.parent)
    except OSError as error:
        advice = "the old file is unchanged" if os.path.lexists(path) else "nothing was written"
        raise PublishError(error.strerror or str(error), path=str(path), advice=advice) from error


def make_folders(folder: Path, new: list[Path]) -> None:
    """Make a folder and those above it that are missing, and append each new one to a list, the highest first."""
    missing = [path for path in (folder, *folder.parents) if not is_folder(path)]
    for path in reversed(missing):
        try:
            path.mkdir()
        except FileExistsError:
            if not is_folder(path):  # another process may have made it just now
                raise
        else:
            new.append(path)


def is_folder(path: Path) -> bool:
    """Tell whether a folder exists. `Path.is_dir` would take a failing disk for a missing folder.

    Raises
    ------
    OSError
        The path cannot be looked at.
    """
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def remove_folders(new: Sequence[Path]) -> None:
    """Remove the folders that `make_folders` made, as far as they are empty."""
    for path in reversed(new):
        with contextlib.suppress(OSError):  # it has files of a finished work, or of another process
            path.rmdir()


@contextlib.contextmanager
def new_folders(folder: Path) -> Iterator[None]:
    """Make a folder and those above it for a block that writes into it; after an error, empty ones are removed again.

    Raises
    ------
    OSError
        A folder cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> parent = Path(tempfile.mkdtemp())
    >>> with contextlib.suppress(ValueError), new_folders(parent / "out" / "run"):
    ...     raise ValueError
    >>> list(parent.iterdir())
    []
    """
    new: list[Path] = []
    try:
        make_folders(folder, new)
        yield
    except BaseException:
        remove_folders(new)
        raise


def _replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    file = open(temporary, "xb")  # noqa: SIM115 (closed below; a file or link of that name is an error)
    try:
        with file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def find_temporary_files(folder: Path, is_final_name: Callable[[str], bool]) -> list[Path]:
    """Return the files of this user that calls of `write_atomically` are writing, or left when they were killed.

    Parameters
    ----------
    folder : Path
    is_final_name : callable
        Tells whether a name is one of the files that they replace.
    """
    with os.scandir(folder) as items:
        matches = ((item, _TEMPORARY.fullmatch(item.name)) for item in items)
        return [Path(item.path) for item, match in matches if match and is_final_name(match[1]) and _is_own_file(item)]


def _is_own_file(item: os.DirEntry[str]) -> bool:
    status = item.stat(follow_symlinks=False)
    return stat.S_ISREG(status.st_mode) and (not own_user() or status.st_uid in own_user())
