"""Copies of objects in a folder that processes share, each with a stamp that says of which object it is.

A stamp has the identity of the object and the inode of the copy. Processes that replace a copy at the same time may
leave the stamp of one beside the file of the other; the inode tells, and the copy counts as missing.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_STAMPS = ".stamps"
_PART = ".part-"
# A copy under way is newer; older ones are of killed processes.
_OLD_PART_S = 24 * 3600
_UNUSED_S = 30 * 24 * 3600


class Copy(NamedTuple):
    """A file at some moment; `inode` is None if there was none."""

    path: Path
    inode: int | None

    def is_there(self) -> bool:
        """Tell whether it has not been replaced since."""
        return _inode_of(self.path) == self.inode


class CopyFolder:
    """A folder of copies.

    Parameters
    ----------
    path : Path
        Made if it does not exist.

    Examples
    --------
    >>> import tempfile
    >>> copies = CopyFolder(Path(tempfile.mkdtemp()))
    >>> copy = copies.replace("a.json", "2 etag", lambda descriptor: os.write(descriptor, b"{}"))
    >>> copies.find("a.json", "2 etag") == copy, copies.find("a.json", "2 other")
    (True, None)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        os.utime(path)  # for `remove_unused`
        for part in path.glob(f"{_PART}*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > _OLD_PART_S:
                    part.unlink()

    def find(self, name: str, identity: str) -> Copy | None:
        """Return the copy of an object; None if there is none, or one of another object."""
        path = self.path / name
        inode = _inode_of(path)
        with contextlib.suppress(FileNotFoundError):
            if inode is not None and self._stamp_path(name).read_text() == _stamp(identity, inode):
                return Copy(path, inode)
        return None

    def replace(
        self,
        name: str,
        identity: str,
        write: Callable[[int], object],
        *,
        keeps_same: bool = False,
        is_safe: bool = True,
    ) -> Copy:
        """Write a new copy and its stamp.

        Parameters
        ----------
        name : str
        identity : str
        write : callable
            Writes the content to a file descriptor.
        keeps_same : bool, default False
            Keep the file that is there if it has the same content, for other processes that read it now.
        is_safe : bool, default True
            Write the content to the disk before the stamp, so that the stamp is true after a power failure.
        """
        path, stamp_path = self.path / name, self._stamp_path(name)
        stamp_path.parent.mkdir(parents=True, exist_ok=True)  # the user may have removed the whole cache
        part = self.path / f"{_PART}{secrets.token_hex(8)}"
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)  # users may share the cache
        try:
            write(descriptor)
            inode: int | None = os.fstat(descriptor).st_ino
            if keeps_same and _is_same(path, part):
                inode = _inode_of(path)
                part.unlink()
            else:
                if is_safe:
                    os.fsync(descriptor)
                stamp_path.unlink(missing_ok=True)
                part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        stamp_path.write_text(_stamp(identity, inode))
        return Copy(path, inode)

    def drop(self, name: str) -> Copy:
        """Remove a copy, if there is one."""
        self._stamp_path(name).unlink(missing_ok=True)
        (self.path / name).unlink(missing_ok=True)
        return Copy(self.path / name, None)

    def _stamp_path(self, name: str) -> Path:
        return self.path / _STAMPS / name


def _stamp(identity: str, inode: int | None) -> str:
    return f"{identity} {inode}"


def _inode_of(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _is_same(path: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(path, other, shallow=False)
    except FileNotFoundError:
        return False


def remove_unused(parent: Path) -> None:
    """Remove the folders of copies that nobody has opened for 30 days, which are made again when they are needed.

    Parameters
    ----------
    parent : Path
        Folders in it whose names are 24 hexadecimal digits are folders of copies; nothing else is touched.
    """
    with contextlib.suppress(OSError):  # removing is not what the caller came for
        for folder in parent.iterdir():
            is_ours = re.fullmatch("[0-9a-f]{24}", folder.name) is not None and folder.is_dir()
            if is_ours and time.time() - folder.stat().st_mtime > _UNUSED_S:
                shutil.rmtree(folder, ignore_errors=True)
