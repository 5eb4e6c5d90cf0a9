"""Sources of the bytes of a .rec file: a local file, or another source that is registered for a path.

Code that reads records asks `open_source` for the bytes of a path. Packages above this one register a source for the
path of a file whose bytes lie elsewhere, such as an object in a store; what reads records does not change.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from recordkit.formats.files import open_file, pread


class ByteSource(Protocol):
    """Bytes that are read by position: a local file, or an object in a store. Threads may share it.

    Attributes
    ----------
    name : str
        Path or URL, for errors.
    extents : object
        If the compiled core is built, its `Extents` with the bytes of the source, for the core's readers. None if the
        source is a file, which the core opens by itself.
    """

    name: str

    @property
    def extents(self) -> Any:
        """See above."""

    @property
    def size(self) -> int:
        """The size now, in bytes. A local file may change while it is read; an object keeps its size."""

    def pread(self, size: int, offset: int, at_least: int | None = None) -> bytes:
        """Return `size` bytes from an offset on, fewer only at the end, as ``os.pread``.

        With `at_least`, only so many are needed: the bytes behind them are left out if they would have to be fetched.
        """

    def close(self) -> None:
        """Close the source. A second call does nothing."""


class LocalFile:
    """A file of this machine.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    OSError
        The path cannot be opened or is a folder.
    FormatError
        The path is a pipe, a socket or a device.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.bin")
    >>> _ = path.write_bytes(b"0123456789")
    >>> with LocalFile(path) as source:
    ...     source.size, source.pread(4, 8)
    (10, b'89')
    """

    extents: None = None

    def __init__(self, path: str | Path) -> None:
        self.name = os.fspath(path)
        self._file = open_file(path)

    @property
    def size(self) -> int:
        """The size now, in bytes."""
        return os.fstat(self._file.fileno()).st_size

    def pread(self, size: int, offset: int, at_least: int | None = None) -> bytes:
        """Return `size` bytes from an offset on; fewer at the end, or if the system returns fewer."""
        del at_least  # the system reads as much as it can
        return pread(self._file.fileno(), size, offset)

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()

    def __enter__(self) -> LocalFile:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()


_sources: dict[str, Callable[[], ByteSource]] = {}


def register(path: str | Path, open_it: Callable[[], ByteSource] | None) -> None:
    """Let a path stand for a source: from now on, `open_source` calls `open_it` in place of opening a file.

    Parameters
    ----------
    path : str or Path
        A relative path is that of the current folder.
    open_it : callable or None
        Returns a source, which the caller closes. None ends the registration of the path, if it has one.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.bin")
    >>> _ = path.write_bytes(b"elsewhere")
    >>> register("near.bin", lambda: LocalFile(path))
    >>> source = open_source("near.bin")
    >>> source.pread(9, 0), source.close()
    (b'elsewhere', None)
    >>> register("near.bin", None)
    """
    if open_it is None:
        _sources.pop(_key(path), None)
    else:
        _sources[_key(path)] = open_it


def registered(path: str | Path) -> Callable[[], ByteSource] | None:
    """Return the function that opens the source of a path; None if the path is that of a file of this machine."""
    return _sources.get(_key(path)) if _sources else None


def open_source(path: str | Path) -> ByteSource:
    """Open the source that is registered for a path, or the file.

    Raises
    ------
    OSError
        The path cannot be opened or is a folder.
    FormatError
        The path is a pipe, a socket or a device.
    RecordkitError
        The registered source cannot be opened.
    """
    open_it = registered(path)
    return LocalFile(path) if open_it is None else open_it()


def _key(path: str | Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 (`Path.absolute` keeps "..")
