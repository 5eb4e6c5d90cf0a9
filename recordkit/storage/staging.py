"""Replacing a set of files by a new set, as a transaction.

Several files cannot be renamed in one step, so a set is published in an order in which the files at the final names
are all old or all new at any time:

1. Write all files in a locked folder beside the output, ``.NAME.staging``, and flush them to disk.
2. Create a file ``commit`` in it. From now on the new set is valid, before that the old one is.
3. Remove all old files except the first .rec, replace the first .rec (one rename), move the other files.

If the process is killed in step 3, some final names do not exist for a while, but no file of the old set is beside a
new one. `Fileset` then reads the missing files in the folder, and the next pack to this prefix first completes the
move. If the process is killed earlier, the next pack removes the folder. A second pack to the same prefix is refused
while the first is running (`recordkit.storage.locks`).
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from recordkit.errors import FormatError, PublishError, quoted
from recordkit.formats.files import flush_to_disk
from recordkit.storage.fileset import COMMIT, read_commit
from recordkit.storage.locks import FolderLock, lock_folder


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

    Raises
    ------
    PublishError
        The output folder does not exist or cannot be written, the prefix is a folder, or another pack is writing to
        it.

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

    def __init__(self, prefix: Path, *, allow_folder: bool = False) -> None:
        self.prefix = prefix
        self.parent = prefix.parent
        self.folder = self.parent / f".{prefix.name}.staging"
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
        with _as_publish_error(self.parent):
            self._lock = _claim(self.folder, self.parent)

    def create(self, name: str) -> BinaryIO:
        """Open a new file of the set.

        Parameters
        ----------
        name : str
            The final name, without a folder.

        Returns
        -------
        file : binary file, open for writing
            The caller closes it before `commit`.

        Raises
        ------
        PublishError
            The final name is a folder.
        """
        if (self.parent / name).is_dir():
            raise PublishError(
                path=str(self.parent / name),
                expected="to write a file",
                got="a folder of that name",
                advice="rename it",
            )
        self._names.append(name)
        return open(self.folder / name, "wb", buffering=1 << 18)

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
        kind = _describe_unless_empty(self.prefix)
        if kind:
            advice = "choose another name, or remove it"
            raise PublishError(path=str(self.prefix), expected="a new or an empty folder", got=kind, advice=advice)
        folder = self.folder / self.prefix.name
        with _as_publish_error(folder):
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
        with _as_publish_error(self.parent):
            for name in self._names:
                flush_to_disk(self.folder / name)
            pending = self.folder / f"{COMMIT}.new"
            pending.write_text(json.dumps({"publish": self._names, "remove": stale}), encoding="utf-8")
            flush_to_disk(pending)
            pending.replace(self.folder / COMMIT)
        with _as_publish_error(self.parent, "the new set is valid, and the next pack to this prefix moves its files"):
            _finish(self.folder, self.parent)

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        try:
            if not self._lock.is_in_place():
                return  # published; a folder of this name belongs to another pack by now
            if _is_committed(self.folder):  # interrupted during the move, which must be completed
                with contextlib.suppress(OSError):
                    _finish(self.folder, self.parent)
            else:
                shutil.rmtree(self.folder, ignore_errors=True)
        finally:
            self._lock.release()


@contextlib.contextmanager
def _as_publish_error(folder: Path, outcome: str = "nothing was published") -> Iterator[None]:
    """Turn errors inside the block into a PublishError that says which set is valid."""
    try:
        yield
    except PublishError:
        raise
    except FormatError as error:
        advice = "; ".join(filter(None, (error.advice, outcome)))
        raise PublishError(error.problem, path=error.path, advice=advice) from error
    except OSError as error:
        path = str(error.filename or folder)
        raise PublishError(error.strerror or str(error), path=path, advice=outcome) from error


def _claim(folder: Path, parent: Path) -> FolderLock:
    """Lock the folder, and complete or remove the set that a killed pack left in it."""
    while True:
        lock = _lock_folder(folder)
        try:
            if not _is_committed(folder):
                _clear(folder)
                return lock
            _finish(folder, parent)
        except BaseException:
            lock.release()
            raise
        lock.release()


def _clear(folder: Path) -> None:
    """Remove the files that a killed pack left, and refuse if the folder holds any others."""
    prefix = folder.name[1:].removesuffix(".staging")
    leftovers = list(folder.iterdir())
    for path in leftovers:
        is_ours = path.is_file() and (path.name.startswith(prefix) or path.name == f"{COMMIT}.new")
        if not is_ours and not (path.name == prefix and path.is_dir()):
            raise PublishError("no killed pack left this here", path=str(path), advice="move it away")
    for path in leftovers:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


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
        folder.mkdir(exist_ok=True)
        try:
            lock = lock_folder(folder, wait=False)
        except FileNotFoundError:
            continue  # the pack that made the folder has just removed it
        except BlockingIOError as error:
            advice = "wait until it ends"
            if error.filename:
                advice += f", or remove {error.filename} if it was killed"
            raise PublishError("another process is writing to this prefix", path=str(folder), advice=advice) from None
        try:
            if lock.is_in_place():  # else the folder was removed before it was locked
                return lock
        except BaseException:
            lock.release()
            raise
        lock.release()


def _is_committed(folder: Path) -> bool:
    """Tell whether a folder holds a committed set. Path.exists would return False for a failing disk too."""
    try:
        (folder / COMMIT).stat()
    except FileNotFoundError:
        return False
    return True


def _finish(folder: Path, parent: Path) -> None:
    """Move a committed set to its final names. It may be killed at any point and called again."""
    try:
        commit = read_commit(folder)
    except FileNotFoundError:
        return
    # Sets that share names (out/a_b, and out/a with a split _b) move one after the other.
    parent_lock = lock_folder(parent, wait=True)
    try:
        flush_to_disk(folder)
        parent_lock.flush()  # the staged set is on disk before the first old file is removed
        pivot, *rest = commit["publish"]
        if (folder / pivot).exists():
            for name in rest + commit["remove"]:
                (parent / name).unlink(missing_ok=True)
            parent_lock.flush()
            (folder / pivot).replace(parent / pivot)
            parent_lock.flush()
        for name in rest:
            if (folder / name).exists():
                (folder / name).replace(parent / name)
        parent_lock.flush()
        (folder / COMMIT).unlink()
        folder.rmdir()
        parent_lock.flush()
    finally:
        parent_lock.release()
