"""Folders of tasks: each task writes its shard into one of its own, and removes it.

A killed task cannot remove its folder. In a scratch folder of a machine, the next task of the machine does, which sees
by a lock who is alive. In the folder beside the output, which machines share, the driver does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from recordkit.storage.locks import FolderLock, lock_folder
from recordkit.storage.staging import as_publish_error

_BEGINNING = "recordkit-shard-"


class TaskFolder:
    """A folder in which the files of a set are created; see `recordkit.storage.set_files.Creator`.

    Parameters
    ----------
    folder : Path
    prefix_name : str
        Name of the prefix that is packed.
    """

    def __init__(self, folder: Path, prefix_name: str) -> None:
        self.folder = folder
        self.prefix = folder / prefix_name

    def create(self, name: str) -> BinaryIO:
        """Open a new file by its name."""
        return open(self.folder / name, "xb", buffering=1 << 18)


@contextlib.contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """Make a folder that exists while the block runs.

    Parameters
    ----------
    parent : Path

    Raises
    ------
    PublishError
        It cannot be made.
    """
    with as_publish_error(parent):
        folder = Path(tempfile.mkdtemp(prefix=_BEGINNING, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked_folder(parent: Path) -> Iterator[Path]:
    """Make a folder as `own_folder` does, and lock it; first remove those of this user's tasks that were killed."""
    with as_publish_error(parent):
        _remove_abandoned(parent)
        lock = None
        while lock is None:
            folder = Path(tempfile.mkdtemp(prefix=_BEGINNING, dir=parent))
            lock = _try_lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _try_lock(folder: Path) -> FolderLock | None:
    """Lock a new folder; None if another task takes it for one of a killed task, and removes it."""
    try:
        lock = lock_folder(folder, wait=False)
    except (FileNotFoundError, BlockingIOError):
        return None
    if lock.is_in_place():
        return lock
    lock.release()
    return None


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_BEGINNING}*"):
        with contextlib.suppress(OSError):  # one of another user, of a living task, or removed by another task
            if hasattr(os, "getuid") and folder.lstat().st_uid != os.getuid():
                continue
            lock = lock_folder(folder, wait=False)
            try:
                shutil.rmtree(folder)
            finally:
                lock.release()
