"""A folder on this machine for files on their way to a store. It is removed at the end, also after Ctrl-C.

It is in the folder of the cache, because /tmp is often small or in memory. A folder whose process was killed is removed
by the next one: a lock, which the system releases, tells it from those in use. Another lock is held while folders are
made and removed, so one without a lock has no process either.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path

from recordkit.errors import PublishError
from recordkit.storage.remote.settings import RemoteSettings, current

_LOCK = ".lock"
_ALL_LOCK = "scratch.lock"  # in the folder of the cache


@contextlib.contextmanager
def scratch_folder(settings: RemoteSettings | None = None) -> Iterator[Path]:
    """Make an empty folder for the time of a ``with`` block.

    Parameters
    ----------
    settings : RemoteSettings, optional
        Default: those of the process.

    Raises
    ------
    PublishError
        The folder cannot be made, or its disk is full.
    """
    parent = (settings or current()).cache_folder / "scratch"
    with _explained(parent):
        parent.mkdir(parents=True, exist_ok=True)
        with _locked(parent.parent / _ALL_LOCK):
            _remove_abandoned(parent)
            outer = Path(tempfile.mkdtemp(dir=parent))
            held = contextlib.ExitStack()
            held.enter_context(_locked(outer / _LOCK))
    try:
        with held:
            inner = outer / "files"
            inner.mkdir()
            with _explained(parent):
                yield inner
    finally:
        shutil.rmtree(outer, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.iterdir():
        try:
            with open(folder / _LOCK, "r+") as lock:  # NFS locks no file that is open to read only
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:  # its process was killed before it had made one
            pass
        except OSError:  # somebody holds it, or it belongs to another user
            continue
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Say of a full disk that it is that of the scratch folder."""
    try:
        yield
    except OSError as error:
        if _is_full(error):
            got = f"{os.strerror(ENOSPC)}; nothing was published"
            advice = f"make room there, where files wait for their upload: {folder}"
            raise PublishError(
                path=str(folder), expected="room for the whole output", got=got, advice=advice
            ) from error
        if folder.is_dir() or isinstance(error, PublishError):
            raise
        got = os.strerror(error.errno or 0)
        raise PublishError(path=str(folder), expected="a scratch folder", got=got) from error


def _is_full(error: BaseException | None) -> bool:
    """Return whether a full disk is the reason of an error, or of one that led to it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno == ENOSPC:
            return True
        error = error.__cause__ or error.__context__
    return False
