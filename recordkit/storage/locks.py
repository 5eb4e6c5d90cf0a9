"""Locks on folders, by `flock` on the folder itself, or by a file beside it on systems without `flock` (Windows)."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import time
import weakref
from pathlib import Path
from typing import BinaryIO

from recordkit.formats.files import flush_to_disk

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # Windows

_POLL_S = 0.05
_MAX_WAIT_S = 60.0
# Windows refuses a file that is being removed, for a moment.
_MAX_REMOVAL_S = 1.0


class Folder:
    """A folder by its path, without a lock of its own.

    Parameters
    ----------
    folder : Path
    """

    # Descriptor of the folder for the functions of `os` that take one; None on systems that open no folders.
    _dir_fd: int | None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._dir_fd = None

    def create(self, name: str) -> BinaryIO:
        """Create a file in the folder. A file or link of that name is an error."""
        opener = functools.partial(os.open, mode=0o666, dir_fd=self._dir_fd)
        return open(self._at(name), "xb", buffering=1 << 18, opener=opener)

    def has(self, name: str) -> bool:
        """Tell whether the folder has a file. Path.exists would return False for a failing disk too."""
        try:
            os.stat(self._at(name), dir_fd=self._dir_fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def has_folder(self, name: str) -> bool:
        """Tell whether the folder has another one, and no link to one."""
        try:
            return stat.S_ISDIR(os.stat(self._at(name), dir_fd=self._dir_fd, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False

    def move(self, name: str, target: Folder, new_name: str = "") -> None:
        """Move a file into another folder, under a new name if one is given."""
        end = target._at(new_name or name)
        os.replace(self._at(name), end, src_dir_fd=self._dir_fd, dst_dir_fd=target._dir_fd)

    def rename(self, name: str, new_name: str) -> None:
        """Give a file of the folder another name."""
        os.replace(self._at(name), self._at(new_name), src_dir_fd=self._dir_fd, dst_dir_fd=self._dir_fd)

    def remove(self, name: str) -> None:
        """Remove a file of the folder, if it exists."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._at(name), dir_fd=self._dir_fd)

    def _at(self, name: str) -> str:
        return name if self._dir_fd is not None else str(self._folder / name)


class FolderLock(Folder):
    """A lock on a folder. The system releases it when the process ends.

    Its files are created, moved and removed by the descriptor of the folder, so that nobody can put another folder of
    that name in its place.

    Parameters
    ----------
    folder : Path
    wait : bool
        Wait until another process releases its lock, for a minute at most: whoever can read a folder can lock it. A
        folder that is locked without waiting may be removed while it is locked, and must not be a symbolic link.

    Raises
    ------
    BlockingIOError
        Another lock on the folder is held, and `wait` is False.
    TimeoutError
        Another lock on the folder is held for a minute.
    OSError
        The folder cannot be opened.
    """

    def __init__(self, folder: Path, *, wait: bool) -> None:
        self._folder = folder
        self._dir_fd = self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | (0 if wait else os.O_NOFOLLOW))
        # Ctrl-C may come before the caller has the lock, which would then be held until the process ends.
        self._close = weakref.finalize(self, os.close, self._descriptor)
        deadline_s = time.monotonic() + _MAX_WAIT_S
        try:
            while not self._try_lock():
                if not wait:
                    raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
                if time.monotonic() > deadline_s:
                    reason = "another process has held the lock of this folder for a minute"
                    raise TimeoutError(errno.ETIMEDOUT, reason, str(folder))
                time.sleep(_POLL_S)
        except BaseException:
            self.release()
            raise

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def status(self) -> os.stat_result:
        """Return the status of the folder that is locked."""
        return os.stat(self._folder if self._dir_fd is None else self._dir_fd)  # noqa: PTH116 (a descriptor)

    def set_mode(self, permissions: int) -> None:
        """Set the permissions. The set-group-ID bit stays, by which files get the group of the output folder."""
        mode = stat.S_IMODE(self.status().st_mode)
        if mode != (wanted := permissions | mode & stat.S_ISGID):
            with contextlib.suppress(PermissionError):  # of a file system without modes
                self._folder.chmod(wanted)

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
        """Release the lock, also if a child of this process has inherited it."""
        with contextlib.suppress(OSError):  # closing releases it too
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._close()


class _FileLock(FolderLock):
    """A lock on a folder by a file beside it, without `flock`.

    Windows removes the file when the process ends. On another system without `flock` the file of a killed process
    stays, and a user has to remove it; the errors name it.
    """

    def __init__(self, folder: Path, *, wait: bool) -> None:
        self._folder = folder
        self._dir_fd = None
        # The file is beside a folder that may be removed while it is locked.
        self._path = folder / ".recordkit.lock" if wait else folder.with_name(f"{folder.name}.lock")
        begin_s = time.monotonic()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_TEMPORARY", 0)
        while True:
            try:
                self._descriptor = os.open(self._path, flags, 0o600)
                return
            except (FileExistsError, PermissionError) as error:
                waited_s = time.monotonic() - begin_s
                is_held = isinstance(error, FileExistsError) or os.path.lexists(self._path)
                if not is_held and waited_s > _MAX_REMOVAL_S:
                    raise  # the folder takes no files
                if is_held and not wait:
                    raise BlockingIOError(error.errno, error.strerror, str(self._path)) from error
                if waited_s > _MAX_WAIT_S:
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
