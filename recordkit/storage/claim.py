"""Claiming the staging folder of a prefix: locking it, and completing or removing what a killed pack left in it.

A claimed folder belongs to the user of the process, is empty, and is closed to all others.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import warnings
from pathlib import Path

from recordkit.errors import FormatError, InUseError, PublishError
from recordkit.formats.files import flush_to_disk, read_file
from recordkit.storage.commit import (
    COMMIT,
    HOLDER,
    OLD_FOLDER,
    PENDING,
    Commit,
    can_be_staged,
    find_overlapping,
    own_user,
    read_commit,
    user_name,
)
from recordkit.storage.locks import Folder, FolderLock, lock_folder

PRIVATE = 0o700
"""Mode of the folder until the commit."""

_MAX_HOLDER_BYTES = 1000


def claim(folder: Path) -> FolderLock:
    """Create a staging folder if it does not exist, lock it and empty it.

    Raises
    ------
    PublishError
        Another process has it, a pack of another user was cut short there, or it holds files of no pack.
    OSError
        The folder cannot be made, or the set of a killed pack cannot be completed.

    Warns
    -----
    UserWarning
        The commit of an earlier pack cannot be understood. Its files are kept in another folder, which is named.
    """
    while True:
        lock = _lock_folder(folder)
        try:
            if _prepare(lock, folder):
                return lock
        except BaseException as error:
            _remove_if_interrupted(folder, error)
            lock.release()
            raise
        lock.release()


def _prepare(lock: FolderLock, folder: Path) -> bool:
    """Empty a folder for a new set and close it to others; if it holds a committed set, move that and return False."""
    _refuse_another_user(folder, lock)
    try:
        finish(read_commit(folder), lock)
    except FileNotFoundError:
        _clear(folder)
        lock.set_mode(PRIVATE)
        return True
    except FormatError as error:
        _set_aside(folder, error)
    return False


def _clear(folder: Path) -> None:
    """Remove the files that a killed pack left, and refuse if the folder holds any others."""
    prefix = folder.name[1:].removesuffix(".staging")
    leftovers = list(folder.iterdir())
    for path in leftovers:
        name, is_folder = path.name, path.is_dir() and not path.is_symlink()
        if not (name == prefix if is_folder else name in (PENDING, HOLDER) or can_be_staged(prefix, name)):
            raise PublishError("no killed pack left this here", path=str(path), advice="move it away")
    for path in leftovers:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _set_aside(folder: Path, error: FormatError) -> None:
    """Rename a folder whose commit is damaged. Its files may be the only ones of their set, so they are kept."""
    stem = folder.name.removesuffix(".staging")
    names = (folder.with_name(f"{stem}.damaged-{number}") for number in itertools.count(1))
    aside = next(path for path in names if not os.path.lexists(path))
    folder.rename(aside)
    warnings.warn(f"{error}; the files of that pack are kept in {aside}", stacklevel=6)


def _refuse_another_user(folder: Path, lock: FolderLock | None = None) -> None:
    """Refuse a folder of another user, who could put anything in the place of its files."""
    uid = (lock.status() if lock else folder.lstat()).st_uid
    if not own_user() or uid in own_user() or (lock and uid == _owner_of_new_files(lock)):
        return
    raise PublishError(
        path=str(folder),
        expected="no pack of another user that was cut short",
        got=f"one of {user_name(uid)}",
        advice="choose another prefix, or let that user pack to this one or remove the folder",
    )


def _owner_of_new_files(lock: FolderLock) -> int:
    """Return the owner that a file system gives to new files, which a network file system may choose."""
    name = f"{PENDING}.{os.urandom(8).hex()}"
    with lock.create(name) as file:
        lock.remove(name)
        return os.fstat(file.fileno()).st_uid


def _lock_folder(folder: Path) -> FolderLock:
    """Create the folder if it does not exist, and lock it."""
    while True:
        is_new = not folder.is_dir()
        try:
            folder.mkdir(PRIVATE, exist_ok=True)
            lock = _try_lock(folder)
        except KeyboardInterrupt as error:
            if is_new:  # else it may be that of another process
                _remove_if_interrupted(folder, error)
            raise
        if lock is None:
            continue
        try:
            if lock.is_in_place():  # else the folder was removed before it was locked
                return lock
        except BaseException as error:
            _remove_if_interrupted(folder, error)
            lock.release()
            raise
        lock.release()


def _try_lock(folder: Path) -> FolderLock | None:
    """Lock a folder; return None if the pack that made it has just removed it."""
    try:
        return lock_folder(folder, wait=False)
    except FileNotFoundError:
        return None
    except PermissionError:
        with contextlib.suppress(FileNotFoundError):
            _refuse_another_user(folder)
        raise
    except BlockingIOError as error:
        advice = "wait until it ends"
        if error.filename:
            advice += f", or remove {error.filename} if it was killed"
        problem = f"another process is writing to this prefix{_read_holder(folder)}"
        raise InUseError(problem, path=str(folder), advice=advice) from None


def _remove_if_interrupted(folder: Path, error: BaseException) -> None:
    """Remove an empty folder after Ctrl-C; one with files is completed or removed by the next pack."""
    if not isinstance(error, Exception):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _read_holder(folder: Path) -> str:
    with contextlib.suppress(OSError, FormatError):
        return f": {read_file(folder / HOLDER, max_bytes=_MAX_HOLDER_BYTES).decode(errors='replace')}"
    return ""


def finish(commit: Commit, lock: FolderLock, *, hold: bool = False) -> None:
    """Move a committed set to its final names, and remove the folder, or empty and keep it for the next set.

    It may be killed at any point and called again.
    """
    # Sets that share names (out/a_b, and out/a with a split _b) move one after the other, each of them completely.
    # Another process may hold the lock of the other folder; that of the parent lets one process move files at a time.
    parent = lock_folder(commit.folder.parent, wait=True)
    try:
        for earlier in _find_earlier(commit):
            _move_files(earlier, Folder(earlier.folder), parent)
        _move_files(commit, lock, parent)
        if lock.has(OLD_FOLDER):
            shutil.rmtree(commit.folder / OLD_FOLDER)
        if hold:
            lock.remove(COMMIT)
            lock.set_mode(PRIVATE)
        else:
            lock.remove(HOLDER)
            lock.remove(COMMIT)
            commit.folder.rmdir()
        parent.flush()
    finally:
        parent.release()


def _find_earlier(commit: Commit) -> list[Commit]:
    """Return the commits with names of this one that must move before it: one whose move has begun, and older ones."""

    def order(each: Commit) -> tuple[bool, int]:
        return Folder(each.folder).has(each.publish[0]), each.time_ns

    commits = sorted([commit, *find_overlapping(commit)], key=order)
    return commits[: commits.index(commit)]


def _move_files(commit: Commit, source: Folder, parent: FolderLock) -> None:
    flush_to_disk(commit.folder)
    parent.flush()  # the staged set is on disk before the first old file is removed
    pivot, *rest = commit.publish
    if source.has(pivot):
        if pivot in commit.remove and parent.has_folder(pivot):
            parent.move(pivot, source, OLD_FOLDER)  # a rename replaces no folder that has files
        for name in (*rest, *commit.remove):
            if name != pivot:
                parent.remove(name)
        parent.flush()
        source.move(pivot, parent)
        parent.flush()
    for name in rest:
        if source.has(name):
            source.move(name, parent)
    parent.flush()
