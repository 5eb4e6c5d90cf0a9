"""How a new set of files takes the place of an old one at once.

Several files cannot be replaced in one step, so a set is published in an order in which the files at the
final names are, at every moment, all old or all new:

1. Everything is written, and flushed to disk, in a locked folder beside the output, ``.NAME.staging``.
2. A file ``commit`` appears in it: from here on the new set counts, whatever happens. Before, the old one does.
3. All old files but the first .rec are removed; the first .rec is replaced (one rename); the others move in.

Killed in step 3, some names are missing for a while, but none belongs to the other set. `Fileset` then reads
the missing ones where they still are, and the next pack to this prefix first finishes the move. Killed
before, the next pack removes the folder. Two packs to one prefix: the second is refused (`flock` on the folder).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from recordkit.errors import FormatError, PublishError
from recordkit.formats.files import flush_to_disk
from recordkit.formats.fileset import COMMIT, read_commit


class Staging:
    """A locked folder in which a new set of files is written, then published as a whole.

    A context manager: left without `commit`, by an error or Ctrl-C, it removes what was written and the files
    that stood at the final names before still do.

    Parameters
    ----------
    prefix : Path
        Names the folder; the files may be called ``PREFIX.rec``, ``PREFIX_train.rec`` and so on.

    Raises
    ------
    PublishError
        The output folder does not exist or cannot be written, the prefix is a folder, or another
        pack is writing to it.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.parent = prefix.parent
        self.folder = self.parent / f".{prefix.name}.staging"
        self._names: list[str] = []
        if not self.parent.is_dir():
            raise PublishError(f"{self.parent}: no such folder; make it with 'mkdir -p {self.parent}'")
        if not prefix.name or prefix.is_dir():
            raise PublishError(f"{prefix}: expected a file prefix, got a folder; add a name, as in {prefix / 'train'}")
        with _as_publish_error(self.parent):
            self._lock = _claim(self.folder, self.parent)

    def create(self, name: str) -> BinaryIO:
        """Open a new file of the set.

        Parameters
        ----------
        name : str
            Its final name, without folder.

        Returns
        -------
        file : binary file, open for writing
            The caller closes it before `commit`.

        Raises
        ------
        PublishError
            A folder stands at the final name.
        """
        if (self.parent / name).is_dir():
            raise PublishError(f"{self.parent / name}: expected to write a file, got a folder of that name; rename it")
        self._names.append(name)
        return open(self.folder / name, "wb", buffering=1 << 18)

    def commit(self, *, remove: Iterable[Path] = ()) -> None:
        """Publish the files written so far; the first one created is the pivot, so create a .rec first.

        Parameters
        ----------
        remove : iterable of Path
            Files of the old set, in the same folder, that have no successor in the new one.

        Raises
        ------
        PublishError
            Disk full, or the like. The message says whether the old set still counts or the new one does.
        """
        stale = [name for name in dict.fromkeys(path.name for path in remove) if name not in self._names]
        with _as_publish_error(self.parent):
            for name in self._names:
                flush_to_disk(self.folder / name)
            pending = self.folder / f"{COMMIT}.new"
            pending.write_text(json.dumps({"publish": self._names, "remove": stale}), encoding="utf-8")
            flush_to_disk(pending)
            os.rename(pending, self.folder / COMMIT)  # noqa: PTH104 (one name for each system call that tests cut)
        with _as_publish_error(self.parent, "the new set counts, and the next pack to this prefix moves its files"):
            _finish(self.folder, self.parent)

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        try:
            if not _stands_at(self._lock, self.folder):
                return  # published; if there is a folder, it is already another pack's
            if _committed(self.folder):  # an interrupt may not leave half of the set moved
                with contextlib.suppress(OSError):
                    _finish(self.folder, self.parent)
            else:
                shutil.rmtree(self.folder, ignore_errors=True)
        finally:
            os.close(self._lock)


@contextlib.contextmanager
def _as_publish_error(place: Path, outcome: str = "nothing was published") -> Iterator[None]:
    try:
        yield
    except PublishError:
        raise
    except FormatError as error:
        raise PublishError(f"{error}; {outcome}") from error
    except OSError as error:
        raise PublishError(f"{error.filename or place}: {error.strerror or error}; {outcome}") from error


def _claim(folder: Path, parent: Path) -> int:
    """Lock the folder, and finish or remove what a killed pack left in it."""
    while True:
        lock = _lock_folder(folder)
        try:
            if not _committed(folder):
                _clear(folder)
                return lock
            _finish(folder, parent)
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _clear(folder: Path) -> None:
    """Remove what a killed pack left, and nothing else."""
    prefix = folder.name[1:].removesuffix(".staging")
    leftovers = list(folder.iterdir())
    for each in leftovers:
        if not (each.name.startswith(prefix) or each.name == f"{COMMIT}.new") or not each.is_file():
            raise PublishError(f"{each}: expected only what a killed pack left here, got this; move it away")
    for each in leftovers:
        each.unlink()


def _lock_folder(folder: Path) -> int:
    """Make the folder if need be and lock it; the lock goes with the process, however it ends."""
    while True:
        folder.mkdir(exist_ok=True)
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # the pack that made the folder has just removed it; so below
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _stands_at(lock, folder):
                return lock
        except BlockingIOError:
            os.close(lock)
            raise PublishError(f"{folder}: another pack is writing to this prefix; wait until it ends") from None
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _stands_at(lock: int, folder: Path) -> bool:
    """Tell whether the folder of that name is the locked one."""
    try:
        return os.path.samestat(os.fstat(lock), folder.stat())
    except FileNotFoundError:
        return False


def _committed(folder: Path) -> bool:
    """Tell whether a folder holds a committed set. Not Path.exists, for which a failing disk is a no."""
    try:
        os.stat(folder / COMMIT)  # noqa: PTH116
    except FileNotFoundError:
        return False
    return True


def _finish(folder: Path, parent: Path) -> None:
    """Move a committed set to its names. May be cut off at any point and called again."""
    try:
        commit = read_commit(folder)
    except FileNotFoundError:
        return
    turn = os.open(parent, os.O_RDONLY)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)  # sets that share names (out/a_b, and out/a with a part _b) move in turn
        flush_to_disk(folder)
        os.fsync(turn)  # the staged set is safe on disk before the first old file goes
        first, *others = commit["publish"]
        if (folder / first).exists():
            for name in others + commit["remove"]:
                (parent / name).unlink(missing_ok=True)
            os.fsync(turn)
            os.rename(folder / first, parent / first)  # noqa: PTH104
            os.fsync(turn)
        for name in others:
            if (folder / name).exists():
                os.rename(folder / name, parent / name)  # noqa: PTH104
        os.fsync(turn)
        os.unlink(folder / COMMIT)  # noqa: PTH108
        os.rmdir(folder)  # noqa: PTH106
        os.fsync(turn)
    finally:
        os.close(turn)
