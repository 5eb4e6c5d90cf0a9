"""Locks on folders, by `flock` on the folder itself, or by a file beside it on systems without `flock` (Windows)."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

from recordkit.formats.files import flush_to_disk

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # Windows

_POLL_S = 0.05
_MAX_WAIT_S = 60.0


class FolderLock:
    """A lock on a folder. The system releases it when the process ends.

    Parameters
    ----------
    folder : Path
    wait : bool
        Wait until another process releases its lock. A folder that is locked without waiting may be removed while it is
        locked, and must not be a symbolic link.

    Raises
    ------
    BlockingIOError
        Another lock on the folder is held, and `wait` is False.
    OSError
        The folder cannot be opened.
    """

    def __init__(self, folder: Path, *, wait: bool) -> None:
        self._folder = folder
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | (0 if wait else os.O_NOFOLLOW))
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BaseException:
            self.release()
            raise

    def is_in_place(self) -> bool:
        """Tell whether the folder of that name is still the one that was locked."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._folder.stat())
        except FileNotFoundError:
            return False

    def flush(self) -> None:
        """Wait until the names in the folder are on disk."""
        os.fsync(self._descriptor)

    def release(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)


class _FileLock(FolderLock):
    """A lock on a folder by a file beside it, without `flock`.

    Windows removes the file when the process ends. On another system without `flock` the file of a killed process
    stays, and a user has to remove it; the errors name it.
    """

    def __init__(self, folder: Path, *, wait: bool) -> None:
        self._folder = folder
        # The file is beside a folder that may be removed while it is locked.
        self._path = folder / ".recordkit.lock" if wait else folder.with_name(f"{folder.name}.lock")
        deadline_s = time.monotonic() + _MAX_WAIT_S
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_TEMPORARY", 0)
        while True:
            try:
                self._descriptor = os.open(self._path, flags)
                return
            except (FileExistsError, PermissionError) as error:  # Windows refuses a file that is being removed
                if not wait:
                    raise BlockingIOError(error.errno, error.strerror, str(self._path)) from error
                if time.monotonic() > deadline_s:
                    reason = "another process has held this lock for a minute; remove it if that process was killed"
                    raise TimeoutError(errno.ETIMEDOUT, reason, str(self._path)) from error
            time.sleep(_POLL_S)

    def is_in_place(self) -> bool:
        return self._folder.is_dir()

    def flush(self) -> None:
        flush_to_disk(self._folder)

    def release(self) -> None:
        os.close(self._descriptor)
        with contextlib.suppress(OSError):  # Windows has removed it
            self._path.unlink()


def lock_folder(folder: Path, *, wait: bool) -> FolderLock:
    """Lock a folder; see `FolderLock`."""
    return (FolderLock if fcntl else _FileLock)(folder, wait=wait)
