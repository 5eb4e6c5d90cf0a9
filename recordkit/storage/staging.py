"""Replacing a set of files by a new set, as a transaction.

Several files cannot be renamed in one step, so a set is published in an order in which the files at the final names
are all old or all new at any time:

1. Write all files in a locked folder beside the output, ``.NAME.staging``, and flush them to disk.
2. Create a file ``commit`` in it. From now on the new set is valid, before that the old one is
   (`recordkit.storage.commit`).
3. Remove all old files except the first .rec, replace the first .rec (one rename), move the other files.

If the process is killed in step 3, some final names do not exist for a while, but no file of the old set is beside a
new one. `Fileset` then reads the missing files in the folder, and the next pack to this prefix first completes the
move. If the process is killed earlier, the next pack removes the folder. A second pack to the same prefix is refused
while the first is running (`recordkit.storage.locks`).

Nothing of another user is written to, removed or followed. The folder belongs to the user of the process and is
closed to all others until the commit. Files are created in it as new ones, by the descriptor of the folder. A link at a
final name is replaced by the new file, and the file it points to stays.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import platform
import shutil
import stat
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from recordkit.errors import FormatError, PublishError, quoted
from recordkit.formats.files import flush_to_disk, read_file
from recordkit.storage.commit import (
    COMMIT,
    HOLDER,
    PENDING,
    Commit,
    can_be_staged,
    own_user,
    pack_commit,
    read_commit,
    staging_folder,
    user_name,
)
from recordkit.storage.locks import FolderLock, lock_folder
from recordkit.storage.names import belongs_to

# Mode of the folder until the commit.
_PRIVATE = 0o700
_MAX_HOLDER_BYTES = 1000


class Staging:
    """A locked folder in which a new set of files is written, then published as a whole.

    A context manager. If it ends without `commit`, by an error or Ctrl-C, it removes the new files and leaves the
    files at the final names as they were.

    Parameters
    ----------
    prefix : Path
        The folder is named after it. File names begin with its name: ``PREFIX.rec``, ``PREFIX_train.rec``.
    allow_folder : bool, default False
        The prefix may also be the name of a folder, which is no mistake if the caller chose the name of a file, or if
        the set has that folder (`create_folder`).
    holder : str, optional
        Who writes, for the error of another process that is refused, for example "a training run".

    Raises
    ------
    PublishError
        The output folder does not exist or cannot be written, the prefix is a folder, another pack is writing to it,
        or a pack of another user was cut short there.

    Warns
    -----
    UserWarning
        The commit of an earlier pack cannot be understood. Its files are kept in another folder, which is named.

    Examples
    --------
    >>> import tempfile
    >>> prefix = Path(tempfile.mkdtemp(), "train")
    >>> with Staging(prefix) as staging:
    ...     with staging.create("train.rec") as file:
    ...         _ = file.write(b"new")
    ...     staging.commit()
    >>> prefix.with_suffix(".rec").read_bytes()
    b'new'
    """

    def __init__(self, prefix: Path, *, allow_folder: bool = False, holder: str = "") -> None:
        self.prefix = prefix
        self.parent = prefix.parent
        self._names: list[str] = []
        if self.parent.is_file():
            raise PublishError(path=str(self.parent), expected="a folder", got="a file", advice="give another prefix")
        if not self.parent.is_dir():
            raise PublishError(
                "no such folder", path=str(self.parent), advice=f"make it with 'mkdir -p {quoted(self.parent)}'"
            )
        if not prefix.name or (prefix.is_dir() and not allow_folder):
            advice = f"add a name, as in {prefix / 'train'}"
            expected = "a name" if allow_folder else "a file prefix"
            raise PublishError(path=str(prefix), expected=expected, got="a folder", advice=advice)
        self.folder = staging_folder(prefix)
        with as_publish_error(self.parent):
            self._lock = _claim(self.folder)
            try:
                if holder:
                    with _create(self._lock, HOLDER) as file:
                        file.write(f"{holder}, process {os.getpid()} on {platform.node()}".encode())
            except BaseException:
                self._discard()
                raise

    def create(self, name: str) -> BinaryIO:
        """Open a new file of the set.

        Parameters
        ----------
        name : str
            The final name, without a folder; `recordkit.storage.names.belongs_to` has the rule.

        Returns
        -------
        file : binary file, open for writing
            The caller closes it before `commit`.

        Raises
        ------
        PublishError
            The name is not one of the prefix, or is that of a folder.
        """
        self._check_name(name)
        if (self.parent / name).is_dir():
            raise PublishError(
                path=str(self.parent / name),
                expected="to write a file",
                got="a folder of that name",
                advice="rename it",
            )
        self._names.append(name)
        return _create(self._lock, name)

    def create_folder(self) -> Path:
        """Make the folder of the set, which the caller fills. It is the pivot, so create it first.

        The files in it are not flushed to disk one by one: a power cut soon after the commit may leave some empty.

        Returns
        -------
        folder : Path
            Its path until `commit` moves it to `prefix`.

        Raises
        ------
        PublishError
            The final name exists and is not an empty folder.
        """
        self._check_name(self.prefix.name)
        if kind := _describe_unless_empty(self.prefix):
            advice = "choose another name, or remove it"
            raise PublishError(path=str(self.prefix), expected="a new or an empty folder", got=kind, advice=advice)
        folder = self.folder / self.prefix.name
        with as_publish_error(folder):
            folder.mkdir()
        self._names.append(self.prefix.name)
        return folder

    def commit(self, *, remove: Iterable[Path] = ()) -> None:
        """Publish the files created so far. The first one created is the pivot, so create a .rec first.

        Parameters
        ----------
        remove : iterable of Path
            Files of the old set, in the same folder. Those that the new set replaces may be among them.

        Raises
        ------
        PublishError
            The disk is full, or the like. The message says which set is valid, the old or the new one.
        """
        stale = [name for name in dict.fromkeys(path.name for path in remove) if name not in self._names]
        with as_publish_error(self.parent):
            content = pack_commit(self.folder, self._names, stale)
            for name in self._names:
                flush_to_disk(self.folder / name)
            with _create(self._lock, PENDING) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                mode = os.fstat(file.fileno()).st_mode
            _let_readers_in(self.folder, mode)
            _move(self._lock, PENDING, self._lock, COMMIT)
        with as_publish_error(self.parent, "the new set is valid, and the next pack to this prefix moves its files"):
            _finish(read_commit(self.folder), self._lock)

    def _check_name(self, name: str) -> None:
        if not can_be_staged(self.prefix.name, name):
            expected = f"{self.prefix.name} with a suffix of a set"
            raise PublishError(path=str(self.parent / name), expected=expected, got=repr(name))

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._discard()

    def _discard(self) -> None:
        """Remove a set that is not committed, and release the lock."""
        try:
            if not self._lock.is_in_place():
                return  # published; a folder of this name belongs to another pack by now
            if _is_there(self._lock, COMMIT):  # interrupted during the move, which must be completed
                with contextlib.suppress(OSError, FormatError):
                    _finish(read_commit(self.folder), self._lock)
            else:
                shutil.rmtree(self.folder, ignore_errors=True)
        finally:
            self._lock.release()


@contextlib.contextmanager
def as_publish_error(folder: Path, outcome: str = "nothing was published") -> Iterator[None]:
    """Turn errors of the system inside the block, and those of a damaged commit, into a PublishError.

    Parameters
    ----------
    folder : Path
        The path of the error if it has none of its own.
    outcome : str
        What is true after the error, such as which set is valid.
    """
    try:
        yield
    except PublishError:
        raise
    except FormatError as error:
        advice = "; ".join(filter(None, (error.advice, outcome)))
        raise PublishError(error.problem, path=error.path, advice=advice) from error
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else ""
        path = str(folder / name if Path(name).name == name else name)  # a plain name is relative to the folder
        raise PublishError(error.strerror or str(error), path=path, advice=outcome) from error


def _claim(folder: Path) -> FolderLock:
    """Lock the folder, and complete or remove the set that a killed pack left in it."""
    while True:
        lock = _lock_folder(folder)
        try:
            if _prepare(lock, folder):
                return lock
        except BaseException:
            lock.release()
            raise
        lock.release()


def _prepare(lock: FolderLock, folder: Path) -> bool:
    """Empty a folder for a new set and close it to others; if it holds a committed set, move that and return False."""
    _refuse_another_user(folder, lock)
    try:
        _finish(read_commit(folder), lock)
    except FileNotFoundError:
        _clear(folder)
        if stat.S_IMODE(lock.status().st_mode) != _PRIVATE:
            with contextlib.suppress(PermissionError):  # of a file system without modes
                folder.chmod(_PRIVATE)
        return True
    except FormatError as error:
        _set_aside(folder, error)
    return False


def _clear(folder: Path) -> None:
    """Remove the files that a killed pack left, and refuse if the folder holds any others."""
    prefix = folder.name[1:].removesuffix(".staging")
    leftovers = list(folder.iterdir())
    for path in leftovers:
        is_folder = path.is_dir() and not path.is_symlink()
        if not (path.name == prefix if is_folder else path.name in (PENDING, HOLDER) or belongs_to(prefix, path.name)):
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
    with _create(lock, name) as file:
        os.unlink(lock.at(name), dir_fd=lock.dir_fd)
        return os.fstat(file.fileno()).st_uid


def _describe_unless_empty(path: Path) -> str:
    """Return what is at a path, or "" if a folder can be moved there: nothing or an empty folder."""
    if path.is_symlink():
        return "a link"
    if not path.exists():
        return ""
    if not path.is_dir():
        return "a file"
    if path.is_mount():
        return "the root of a file system"
    return "one with files" if any(path.iterdir()) else ""


def _lock_folder(folder: Path) -> FolderLock:
    """Create the folder if it does not exist, and lock it."""
    while True:
        folder.mkdir(_PRIVATE, exist_ok=True)
        try:
            lock = lock_folder(folder, wait=False)
        except FileNotFoundError:
            continue  # the pack that made the folder has just removed it
        except PermissionError:
            with contextlib.suppress(FileNotFoundError):
                _refuse_another_user(folder)
            raise
        except BlockingIOError as error:
            advice = "wait until it ends"
            if error.filename:
                advice += f", or remove {error.filename} if it was killed"
            problem = f"another process is writing to this prefix{_read_holder(folder)}"
            raise PublishError(problem, path=str(folder), advice=advice) from None
        try:
            if lock.is_in_place():  # else the folder was removed before it was locked
                return lock
        except BaseException:
            lock.release()
            raise
        lock.release()


def _read_holder(folder: Path) -> str:
    with contextlib.suppress(OSError, FormatError):
        return f": {read_file(folder / HOLDER, max_bytes=_MAX_HOLDER_BYTES).decode(errors='replace')}"
    return ""


def _let_readers_in(folder: Path, file_mode: int) -> None:
    """Let all who may read the files read them in the folder, because a publish that is cut short leaves them there."""
    readable = file_mode & (stat.S_IRGRP | stat.S_IROTH)
    with contextlib.suppress(PermissionError):  # of a file system without modes
        folder.chmod(_PRIVATE | readable | readable >> 2)


def _create(lock: FolderLock, name: str) -> BinaryIO:
    """Create a file in a locked folder. A file or link of that name is an error."""
    opener = functools.partial(os.open, mode=0o666, dir_fd=lock.dir_fd)
    return open(lock.at(name), "xb", buffering=1 << 18, opener=opener)


def _is_there(lock: FolderLock, name: str) -> bool:
    """Tell whether a locked folder has a file. Path.exists would return False for a failing disk too."""
    try:
        os.stat(lock.at(name), dir_fd=lock.dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _move(source: FolderLock, name: str, target: FolderLock, new_name: str) -> None:
    os.replace(source.at(name), target.at(new_name), src_dir_fd=source.dir_fd, dst_dir_fd=target.dir_fd)


def _unlink(lock: FolderLock, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(lock.at(name), dir_fd=lock.dir_fd)


def _finish(commit: Commit, lock: FolderLock) -> None:
    """Move a committed set to its final names. It may be killed at any point and called again."""
    # Sets that share names (out/a_b, and out/a with a split _b) move one after the other.
    parent = lock_folder(commit.folder.parent, wait=True)
    try:
        flush_to_disk(commit.folder)
        parent.flush()  # the staged set is on disk before the first old file is removed
        pivot, *rest = commit.publish
        if _is_there(lock, pivot):
            for name in (*rest, *commit.remove):
                _unlink(parent, name)
            parent.flush()
            _move(lock, pivot, parent, pivot)
            parent.flush()
        for name in rest:
            if _is_there(lock, name):
                _move(lock, name, parent, name)
        parent.flush()
        _unlink(lock, HOLDER)
        _unlink(lock, COMMIT)
        commit.folder.rmdir()
        parent.flush()
    finally:
        parent.release()
