"""Opening a file for reading, the error about a file that does not exist, and flushing to disk."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from recordkit.errors import FormatError, NotFoundError, enumerate_some, plural, quoted

# Windows opens no folders, and flushes only files that are open for writing.
_FOLDERS_OPEN = hasattr(os, "O_DIRECTORY")
# Names of a folder that are compared with a name that does not exist; more would take seconds.
_N_COMPARED = 1000
# Names of sets that an advice has, for example those of train, val and test.
_N_SETS_NAMED = 3
# A pipe would open only once somebody writes to it, and a terminal could become that of this process. Regular files
# ignore both flags.
_NOT_BLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
# A URL such as s3://bucket/name. `Path` keeps only one of the slashes.
_REMOTE = re.compile(r"([a-z][a-z0-9+]+):/{1,2}(?!/)", re.IGNORECASE)
_KNOWN = re.compile(r"s3|gcs|gs|az|abfss?|https?", re.IGNORECASE)


def open_file(
    path: str | Path,
    *,
    max_bytes: int | None = None,
    what: str = "a file",
    advice: str | None = None,
    buffering: int = 0,
) -> BinaryIO:
    """Open a file for reading. The name may be anybody's: a pipe or a device is refused at once.

    Parameters
    ----------
    path : str or Path
    max_bytes : int, optional
        Limit for the size; a larger file is refused. A file may grow later, so `read_file` counts what it reads too.
    what : str, default "a file"
        Description of the file for the error about its size, for example "a list of classes".
    advice : str, optional
        What to do with a file that is refused.
    buffering : int, default 0
        Size of the buffer in bytes. By default reads go to the system at once; -1 is Python's size.

    Returns
    -------
    file : binary file
        The caller closes it.

    Raises
    ------
    OSError
        The path cannot be opened or is a folder.
    FormatError
        The path is a pipe, a socket or a device, on which a read would block, or the file is larger than `max_bytes`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "classes.json")
    >>> _ = path.write_text("[]")
    >>> with open_file(path, max_bytes=100) as file:
    ...     file.read()
    b'[]'
    """
    opener = partial(_open_regular, advice=advice)
    file: BinaryIO = open(path, "rb", buffering=buffering, opener=opener)  # noqa: SIM115 (closed by the caller)
    size = os.fstat(file.fileno()).st_size
    if max_bytes is not None and size > max_bytes:
        file.close()
        raise _too_large(path, max_bytes, what, plural(size, "byte"), advice)
    return file


def _open_regular(path: str, flags: int, *, advice: str | None) -> int:
    """Open a file or a folder, which `open` then reports. The check is of the open file: a name may change hands."""
    try:
        descriptor = os.open(path, flags | _NOT_BLOCKING)
        mode = os.fstat(descriptor).st_mode
    except OSError as error:
        if error.errno != errno.ENXIO:  # of a socket, which does not open
            raise
    else:
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return descriptor
        os.close(descriptor)
    raise FormatError(path=os.fspath(path), expected="a file", got="a pipe or device", advice=advice)


def read_file(path: str | Path, *, max_bytes: int, what: str = "a file", advice: str | None = None) -> bytes:
    """Read a whole file of limited size.

    Parameters
    ----------
    path : str or Path
    max_bytes : int
        Limit for the size. No more is read, also if the file grows or does not say its size, as in ``/proc``.
    what : str, default "a file"
        Description of the file for errors.
    advice : str, optional
        What to do with a file that is refused.

    Returns
    -------
    content : bytes

    Raises
    ------
    OSError
        The file cannot be read.
    FormatError
        The path is a pipe, a socket or a device, or the file is larger than `max_bytes`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "classes.json")
    >>> _ = path.write_text("[]")
    >>> read_file(path, max_bytes=100)
    b'[]'
    """
    with open_file(path, max_bytes=max_bytes, what=what, advice=advice, buffering=-1) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1)
        if len(content) > size:  # a buffer of `max_bytes` is made for a file that has grown only
            content += file.read(max_bytes + 1 - len(content))
    if len(content) > max_bytes:
        raise _too_large(path, max_bytes, what, "more", advice)
    return content


def _too_large(path: str | Path, max_bytes: int, what: str, got: str, advice: str | None) -> FormatError:
    return FormatError(path=os.fspath(path), expected=f"{what} of at most {max_bytes} bytes", got=got, advice=advice)


def not_found(path: str | Path, expected: str, *, suffix: str = "", advice: str = "") -> NotFoundError:
    """Return the error about a path that does not exist. It names a similar path, or what the folder has instead.

    Parameters
    ----------
    path : str or Path
    expected : str
        What should be there, for example "a .rec file".
    suffix : str, optional
        The file's suffix; only names with it are similar.
    advice : str, optional
        What to do, in place of a similar path.

    Returns
    -------
    error : NotFoundError

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "photos_train.rec").touch()
    >>> not_found(folder / "photos.rec", "a .rec file", suffix=".rec").advice.removeprefix(f"did you mean {folder}")
    '/photos_train.rec?'
    """
    text = os.fspath(path)
    if remote := _REMOTE.match(text):
        text = f"{remote[1]}://{text[remote.end() :]}"
        if _KNOWN.fullmatch(remote[1]):
            advice = "only files of this machine are read; copy it first"
        else:
            advice = "URLs begin with s3://, gs://, az://, abfss:// or https://; copy it to one of these or here"
    advice = advice or _advise_list(Path(path)) or _advise_another(Path(path), suffix)
    return NotFoundError(path=text, expected=expected, got="nothing of that name", advice=advice or None)


def _advise_list(path: Path) -> str:
    """Return the advice to pack the list that a .rec file would have beside it, if only the list is there."""
    list_path = path.with_suffix(".lst")
    if path.suffix != ".rec" or not list_path.is_file():
        return ""
    return f"run 'recordkit pack {quoted(list_path)} {quoted(path.with_suffix(''))}'"


def _advise_another(path: Path, suffix: str) -> str:
    missing, rest = path, Path()
    while not missing.parent.is_dir() and missing.parent != missing:
        missing, rest = missing.parent, Path(missing.name, rest)
    folder, is_last = missing.parent, missing == path
    suffix = suffix if is_last else ""
    names = _names_in(folder, suffix, folders_only=not is_last)
    names = [name for name in names if name != missing.name]  # it is there if it is a link to nothing
    if suffix == ".rec" and (sets := _sets_of(missing.with_suffix(""), names)):
        return f"did you mean {' or '.join(sets[:_N_SETS_NAMED])}?"
    stems = [name.removesuffix(suffix) for name in names]  # a suffix that all have would make all similar
    if similar := get_close_matches(missing.name.removesuffix(suffix), stems[:_N_COMPARED], n=1):
        other = folder / (similar[0] + suffix)
        return f"did you mean {other / rest if (other / rest).exists() else other}?"
    if not is_last:
        return f"there is no folder {missing}"
    if suffix and path.with_suffix("").is_dir():
        other = path.with_suffix("")
        command = f"; if it has images, 'recordkit pack {quoted(other)} PREFIX' packs them" if suffix == ".rec" else ""
        return f"{other} is a folder{command}"
    if not suffix:
        return ""
    content = enumerate_some(names) if names else f"no {suffix} file"
    return f"{'the current folder' if folder == Path() else folder} has {content}"


def _sets_of(prefix: Path, names: list[str]) -> list[str]:
    """Return what a pack with shards or splits wrote at a prefix: the prefix of a manifest, or .rec files."""
    if Path(f"{prefix}.manifest.json").is_file():
        return [str(prefix)]
    return [str(prefix.with_name(name)) for name in names if name.startswith(f"{prefix.name}_")]


def _names_in(folder: Path, suffix: str, *, folders_only: bool) -> list[str]:
    try:
        with os.scandir(folder) as items:
            possible = (item for item in items if item.name.endswith(suffix) and (item.is_dir() or not folders_only))
            return sorted(item.name for item in possible)
    except OSError:
        return []


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


# Real images and labels become 2 to 50 times smaller by compression, and zeros 1,000 times.
_MAX_RATIO = 100
_MAX_SMALL_BYTES = 1 << 26


def check_unpacked_size(path: str | Path, unpacked_bytes: int, packed_bytes: int) -> None:
    """Refuse an array in a compressed file if it takes far more memory than the file has bytes.

    Parameters
    ----------
    path : str or Path
    unpacked_bytes : int
        What the header of the array announces.
    packed_bytes : int
        Size of the compressed file.

    Raises
    ------
    FormatError
        The array takes more than 64 MiB and more than 100 times the bytes of the file.
    """
    limit = max(_MAX_SMALL_BYTES, _MAX_RATIO * packed_bytes)
    if unpacked_bytes > limit:
        raise FormatError(
            path=os.fspath(path),
            expected=f"an array of at most {limit} bytes in a compressed file of {packed_bytes} bytes",
            got=f"a header for {plural(unpacked_bytes, 'byte')}",
            advice="if that is right, decompress it, and give the plain file",
        )


_seek_lock = Lock()


def _seek_and_read(descriptor: int, size: int, offset: int) -> bytes:
    with _seek_lock:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)


pread: Callable[[int, int, int], bytes] = getattr(os, "pread", _seek_and_read)
"""Read up to a number of bytes of an open file at an offset; threads may share the file. Windows has no `os.pread`."""
