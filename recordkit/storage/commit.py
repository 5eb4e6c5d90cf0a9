"""The commit of a set that is being published: which files are new, which old ones go, and whose commit is believed.

`recordkit.storage.staging` writes a new set in a folder ``.PREFIX.staging`` and then a file ``commit`` there, a JSON
object with the names of the files to move ("publish", the pivot first) and to remove ("remove"). Writers and readers
parse it by one function, so no pack can commit names that a reader refuses.

A folder that anybody may write to can hold a commit of anybody. A commit is believed in two cases:

- The parent folder is not sticky. Whoever made the staging folder there could have replaced the set itself as well.
- The parent folder is sticky, as ``/tmp``, where users cannot replace each other's files, and the staging folder
  belongs to the user of this process, to root or to the owner of the parent folder.

In both cases the staging folder must give nobody a right to write that its parent does not give.

A commit that is not believed or not understood is ignored with a warning: readers take the files at the final names,
which are all old or all new at any time, and the next pack moves the folder aside.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from recordkit.errors import FormatError
from recordkit.formats import json_file
from recordkit.formats.files import read_file
from recordkit.storage.names import belongs_to, has_ending, possible_prefixes, stem

COMMIT = "commit"
"""Name of the file that commits the set in a staging folder."""

PENDING = f"{COMMIT}.new"
"""Name of the file until it is complete."""

HOLDER = f"{COMMIT}.holder"
"""Name of a file that says who holds the lock of the folder."""

OLD_FOLDER = f"{COMMIT}.old"
"""Name of the folder that the new one replaces, until it is removed."""

_OWN_NAMES = (COMMIT, PENDING, HOLDER, OLD_FOLDER)
# 100,000 names of 40 bytes.
_MAX_BYTES = 1 << 22
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_EXPECTED = "the list of files of a pack that was cut short"


@dataclass(frozen=True)
class Commit:
    """The files of a committed set.

    Attributes
    ----------
    folder : Path
        The staging folder.
    publish : tuple of str
        Names of the files of the new set; the first one is the pivot.
    remove : tuple of str
        Names of the files of the old set that the new one does not replace, and the pivot if it is a folder that
        replaces another one.
    time_ns : int
        Time of the commit.
    """

    folder: Path
    publish: tuple[str, ...]
    remove: tuple[str, ...]
    time_ns: int = 0

    def names(self) -> set[str]:
        """Return the names of all files that the commit creates, replaces or removes."""
        return {*self.publish, *self.remove}


def staging_folder(prefix: Path) -> Path:
    """Return the folder in which the files of a prefix are written.

    Examples
    --------
    >>> staging_folder(Path("out/train")).as_posix()
    'out/.train.staging'
    """
    return prefix.with_name(f".{prefix.name}.staging")


def can_be_staged(prefix: str, name: str) -> bool:
    """Tell whether a file of this name can be written into the staging folder of a prefix.

    Examples
    --------
    >>> can_be_staged("train", "train.rec"), can_be_staged("train", "images.rec"), can_be_staged("commit", "commit")
    (True, False, False)
    >>> can_be_staged("lenet", "lenet-0001.params")
    True
    """
    return (belongs_to(prefix, name) or has_ending(prefix, name)) and name not in _OWN_NAMES


def pack_commit(folder: Path, publish: Iterable[str], remove: Iterable[str]) -> bytes:
    """Return the content of the commit file of a staging folder.

    Raises
    ------
    FormatError
        Readers would not understand it.
    """
    content = json.dumps({"publish": list(publish), "remove": list(remove)}).encode()
    if len(content) > _MAX_BYTES:
        raise FormatError(path=str(folder), expected=f"names of up to {_MAX_BYTES} bytes", got=len(content))
    unpack_commit(folder, content)
    return content


def unpack_commit(folder: Path, content: bytes) -> Commit:
    """Parse the commit file of a staging folder.

    Raises
    ------
    FormatError
        The content is not the names of files that the prefix of the folder may have.
    """
    prefix = folder.name[1:].removesuffix(".staging")
    try:
        value = json_file.parse(content)
        publish, remove = value["publish"], value["remove"]
        if not (isinstance(publish, list) and isinstance(remove, list) and publish):
            raise ValueError("another object")
        names = publish + remove
        strange = [name for name in names if not isinstance(name, str) or not can_be_staged(prefix, name)]
        # Only a folder, which has the name of the prefix, is both replaced and new.
        replaces_folder = publish[0] == prefix and prefix in remove
        if strange or len(set(names)) != len(names) - replaces_folder:
            raise ValueError(f"the name {strange[0]!r}" if strange else "a name twice")
    except (ValueError, LookupError, TypeError) as error:
        raise FormatError(path=str(folder / COMMIT), expected=_EXPECTED, got=error) from None
    return Commit(folder, tuple(publish), tuple(remove))


def read_commit(folder: Path) -> Commit:
    """Read the commit file of a staging folder, if its owner is believed.

    Raises
    ------
    FileNotFoundError
        The folder holds no committed set.
    OSError
        The file cannot be read.
    FormatError
        The commit is not understood or not believed.
    """
    path = folder / COMMIT
    status = path.lstat()  # raises FileNotFoundError
    if distrust := _distrust(folder):
        raise FormatError(path=str(path), expected="a commit of a trusted user", got=distrust)
    if not stat.S_ISREG(status.st_mode):
        raise FormatError(path=str(path), expected=_EXPECTED, got="no file")
    commit = unpack_commit(folder, read_file(path, max_bytes=_MAX_BYTES, what=_EXPECTED))
    return replace(commit, time_ns=status.st_mtime_ns)


class FoundCommits(NamedTuple):
    """The commits of some staging folders.

    Attributes
    ----------
    commits : list of Commit
    problems : list of str
        A sentence on each commit that is ignored.
    is_settled : bool
        No folder has a commit, also none that is ignored or cannot be seen, so no file is on its way to its final name.
    """

    commits: list[Commit]
    problems: list[str]
    is_settled: bool


def find_commits(prefix: Path) -> FoundCommits:
    """Return the commits that may name files of a set. Several splits (train, test) have the commit of their prefix.

    Parameters
    ----------
    prefix : Path
        The set, such as ``out/pets_train``.

    Warns
    -----
    UserWarning
        A commit is not understood or not believed, and is ignored.
    """
    found = _find_commits(prefix)
    for problem in found.problems:
        warnings.warn(problem, stacklevel=3)
    return found


def find_overlapping(commit: Commit) -> list[Commit]:
    """Return the commits of other prefixes that name a file of this one."""
    prefixes = {prefix for name in commit.names() for prefix in possible_prefixes(stem(name))}
    folders = {staging_folder(commit.folder.with_name(prefix)) for prefix in prefixes} - {commit.folder}
    others = _read_commits(sorted(folders)).commits
    return [other for other in others if other.names() & commit.names()]


def describe_ignored_commits(prefix: Path) -> list[str]:
    """Return a sentence on each commit that readers of a set ignore."""
    return _find_commits(prefix).problems


def _find_commits(prefix: Path) -> FoundCommits:
    return _read_commits(staging_folder(prefix.with_name(name)) for name in possible_prefixes(prefix.name))


def _read_commits(folders: Iterable[Path]) -> FoundCommits:
    commits, problems = [], []
    n_hidden = 0
    for folder in folders:
        try:
            commits.append(read_commit(folder))
        except FormatError as error:
            problems.append(f"{error}; it is ignored")
        except OSError as error:
            # A folder without a commit, or a name too long to be a folder.
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                continue
            n_hidden += 1
            if error.errno != errno.EACCES:  # a folder of another user that has no commit yet
                problems.append(f"{folder / COMMIT}: {error.strerror}; it is ignored")
    return FoundCommits(commits, problems, is_settled=not (commits or problems or n_hidden))


def _distrust(folder: Path) -> str:
    """Return why the content of a staging folder is not believed, or "" if it is, by the rule of this module."""
    status, parent = folder.lstat(), folder.parent.stat()
    if not stat.S_ISDIR(status.st_mode):
        return "one behind a link"
    if uid := stranger(folder):
        return f"one of {user_name(uid)}"
    may_write = parent.st_mode & (_OTHERS_WRITE if status.st_gid == parent.st_gid else stat.S_IWOTH)
    if status.st_mode & _OTHERS_WRITE & ~(0 if parent.st_mode & stat.S_ISVTX else may_write):
        return "one in a folder that others may write to"
    return ""


def stranger(path: Path) -> int:
    """Return the user to whom a file or folder belongs, if users of its folder cannot replace each other's files.

    Returns
    -------
    uid : int
        0 if the folder is not sticky, or the user is that of this process, root or the owner of the folder.
    """
    parent = path.parent.stat()
    uid = path.lstat().st_uid
    return uid if parent.st_mode & stat.S_ISVTX and uid not in (*own_user(), parent.st_uid) else 0


def own_user() -> tuple[int, ...]:
    """Return the number of the user of this process; nothing on systems that do not number users."""
    return (os.geteuid(),) if hasattr(os, "geteuid") else ()


def user_name(uid: int) -> str:
    """Return the name of a user, or their number if they have none.

    Examples
    --------
    >>> user_name(0)
    'the user root'
    """
    try:
        import pwd

        return f"the user {pwd.getpwuid(uid).pw_name}"
    except (ImportError, KeyError):
        return f"the user {uid}"
