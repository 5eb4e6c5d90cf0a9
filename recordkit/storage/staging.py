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
while the first is running (`recordkit.storage.locks`). A pack that finds the earlier commit of another prefix with the
same names, such as ``a_b`` and ``a`` with a split ``b``, completes that one first.

Nothing of another user is written to, removed or followed. The folder belongs to the user of the process and is
closed to all others until the commit. Files are created in it as new ones, by the descriptor of the folder. A link at a
final name is replaced by the new file, and the file it points to stays.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from recordkit.errors import FormatError, PublishError
from recordkit.formats.files import flush_to_disk
from recordkit.storage.claim import PRIVATE, claim, finish
from recordkit.storage.commit import (
    COMMIT,
    HOLDER,
    PENDING,
    can_be_staged,
    pack_commit,
    read_commit,
    staging_folder,
)
from recordkit.storage.locks import FolderLock
from recordkit.storage.published_sets import published_prefixes
from recordkit.storage.refusals import WayOut, refusal
from recordkit.storage.remote.urls import is_url, refuse_unwritable
from recordkit.storage.replacement import is_folder, make_folders, remove_folders


@dataclass
class _Claim:
    """The traces of a `Staging`, which are removed at the latest when it is dropped."""

    prefix: Path
    locks: list[FolderLock] = field(default_factory=list)
    new_folders: list[Path] = field(default_factory=list)
    pid: int = field(default_factory=os.getpid)
    has_published: bool = False
    # The list of the block in which the Staging was made; the one that is dropped may be in another block.
    published: list[Path] | None = field(default_factory=published_prefixes.get)

    def note_published(self) -> None:
        self.has_published = True
        if self.published is not None and self.prefix not in self.published:
            self.published.append(self.prefix)

    def discard(self) -> None:
        """Remove a set that is not committed, and release the lock; a forked process does neither."""
        if os.getpid() != self.pid:
            return
        for lock in self.locks:
            self._discard_set(lock)
        remove_folders(self.new_folders)

    def _discard_set(self, lock: FolderLock) -> None:
        folder = staging_folder(self.prefix)
        try:
            if not lock.is_in_place():
                return  # published; a folder of this name belongs to another pack by now
            if lock.has(COMMIT):  # interrupted during the move, which must be completed
                self.note_published()
                with contextlib.suppress(OSError, FormatError):
                    finish(read_commit(folder), lock)
            else:
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            lock.release()


class Staging:
    """A locked folder in which a new set of files is written, then published as a whole.

    A context manager. If it ends without `commit`, by an error or Ctrl-C, it removes the new files and leaves the
    files at the final names as they were. Missing folders above the output are made, and removed again in that case.

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
        The output folder cannot be made or written, the prefix is a folder, another pack is writing to it, or a pack of
        another user was cut short there.

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
        self._replaces_folder = False
        check_prefix(prefix, allow_folder=allow_folder)
        self.folder = staging_folder(prefix)
        with as_publish_error(self.parent):
            # Called at the latest when this object is dropped: Ctrl-C may come before the ``with`` block begins.
            self._claim = _Claim(prefix)
            self._discard = weakref.finalize(self, self._claim.discard)
            make_folders(self.parent, self._claim.new_folders)
            self._claim.locks.append(claim(self.folder))
            (self._lock,) = self._claim.locks
            try:
                if holder:
                    import platform  # compiles expressions that only the name of this machine needs

                    with self._lock.create(HOLDER) as file:
                        file.write(f"{holder}, process {os.getpid()} on {platform.node()}".encode())
            except BaseException:
                self._discard()
                raise

    @property
    def has_published(self) -> bool:
        """A set of this object is valid. After an interrupt of `commit` this is known once the block has ended."""
        return self._claim.has_published

    def create(self, name: str) -> BinaryIO:
        """Open a new file of the set.

        Parameters
        ----------
        name : str
            The final name, without a folder; `recordkit.storage.commit.can_be_staged` has the rule.

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
        return self._lock.create(name)

    def create_folder(self, *, overwrite: bool = False) -> Path:
        """Make the folder of the set, which the caller fills. It is the pivot, so create it first.

        The files in it are not flushed to disk one by one: a power cut soon after the commit may leave some empty.

        Parameters
        ----------
        overwrite : bool, default False
            Replace a folder that has files, as a whole.

        Returns
        -------
        folder : Path
            Its path until `commit` moves it to `prefix`.

        Raises
        ------
        PublishError
            The final name exists and is not an empty folder, or with `overwrite` no folder.
        """
        self._check_name(self.prefix.name)
        self._replaces_folder = check_new_folder(self.prefix, overwrite=overwrite)
        folder = self.folder / self.prefix.name
        with as_publish_error(folder):
            folder.mkdir()
        self._names.append(self.prefix.name)
        return folder

    def commit(self, *, remove: Iterable[Path] = (), hold: bool = False) -> None:
        """Publish the files created so far. The first one created is the pivot, so create a .rec first.

        Parameters
        ----------
        remove : iterable of Path
            Files of the old set, in the same folder. Those that the new set replaces may be among them.
        hold : bool, default False
            Keep other processes away from the prefix until the block ends, and be ready for the next set.

        Raises
        ------
        PublishError
            The disk is full, or the like. The message says which set is valid, the old or the new one.
        """
        stale = [name for name in dict.fromkeys(path.name for path in remove) if name not in self._names]
        if self._replaces_folder:
            stale.append(self.prefix.name)
        with as_publish_error(self.parent):
            content = pack_commit(self.folder, self._names, stale)
            for name in self._names:
                flush_to_disk(self.folder / name)
            with self._lock.create(PENDING) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                mode = os.fstat(file.fileno()).st_mode
            _let_readers_in(self._lock, mode)
            self._lock.rename(PENDING, COMMIT)
            self._claim.note_published()
        with as_publish_error(self.parent, "the new set is valid, and the next pack to this prefix moves its files"):
            finish(read_commit(self.folder), self._lock, hold=hold)
        self._names.clear()

    def _check_name(self, name: str) -> None:
        if not can_be_staged(self.prefix.name, name):
            expected = f"{self.prefix.name} with a suffix of a set"
            raise PublishError(path=str(self.parent / name), expected=expected, got=repr(name))

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the block; more calls do nothing."""
        self._discard()


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


def check_prefix(prefix: Path, *, allow_folder: bool = False) -> None:
    """Refuse a prefix at which nothing can be published, without writing anything; see `Staging`.

    Raises
    ------
    PublishError
    """
    refuse_unwritable(prefix)
    if is_url(prefix):
        raise PublishError(
            path=str(prefix),
            expected="a path of this machine",
            got="a URL",
            advice="only 'recordkit pack', 'recordkit export' and 'recordkit cluster pack' write to a store",
        )
    check_folder(prefix.parent)
    if not prefix.name or (prefix.is_dir() and not allow_folder):
        advice = f"add a name, as in {prefix / 'train'}"
        expected = "a name" if allow_folder else "a file prefix"
        raise PublishError(path=str(prefix), expected=expected, got="a folder", advice=advice)


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made, because a file is in its place. Nothing is made yet.

    Raises
    ------
    PublishError
    """
    with as_publish_error(folder):
        for path in (folder, *folder.parents):
            if is_folder(path):
                return
            if os.path.lexists(path):
                raise PublishError(path=str(path), expected="a folder", got="a file", advice="choose another folder")


def complete_interrupted(prefix: Path) -> None:
    """Move the files of a set that was committed, but whose publishing was killed, to their final names.

    Raises
    ------
    PublishError
        Another process is writing to the prefix, or the files cannot be moved.

    Examples
    --------
    >>> import tempfile
    >>> complete_interrupted(Path(tempfile.mkdtemp(), "train"))
    """
    if (staging_folder(prefix) / COMMIT).exists():
        with as_publish_error(prefix.parent, "the set at this prefix is not whole"), Staging(prefix, allow_folder=True):
            pass


def check_new_folder(path: Path, *, overwrite: bool = False) -> bool:
    """Refuse a path at which no new folder can be published; tell whether one with files would be replaced.

    Raises
    ------
    PublishError
        Something is there that is not an empty folder, or with `overwrite` no folder.
    """
    refuse_unwritable(path)
    kind = _describe_unless_empty(path)
    if kind and not (overwrite and kind == _WITH_FILES):
        way_out: WayOut = "overwrite" if kind == _WITH_FILES else "name"
        raise refusal(path, kind, also="an empty folder", way_out=way_out)
    return bool(kind)


_WITH_FILES = "a folder with files"


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
    return _WITH_FILES if any(path.iterdir()) else ""


def _let_readers_in(lock: FolderLock, file_mode: int) -> None:
    """Let all who may read the files read them in the folder, because a publish that is cut short leaves them there."""
    readable = file_mode & (stat.S_IRGRP | stat.S_IROTH)
    lock.set_mode(PRIVATE | readable | readable >> 2)
