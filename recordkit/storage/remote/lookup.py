"""Finding the mirror of a path. What reads stores is imported at the first URL: a program without one starts faster."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from recordkit.storage.remote.settings import RemoteSettings, current
from recordkit.storage.remote.urls import Url, is_url

if TYPE_CHECKING:
    from recordkit.storage.remote.mirror import Mirror

_mirrors: dict[str, Mirror] = {}  # by local folder
_mirrors_lock = Lock()


def find_mirror(path: str | Path) -> tuple[Mirror, str] | None:
    """Return the mirror of a path, and the name of the file in it; None for a path of this machine.

    Parameters
    ----------
    path : str or Path
        A URL, or a path in a mirror, such as that of a shard beside its manifest.
    """
    text = os.fspath(path)
    if is_url(text):
        url = Url.parse(text)
        return mirror_of(url), url.name
    if not _mirrors:
        return None
    folder, name = os.path.split(text)
    mirror = _mirrors.get(folder)
    return None if mirror is None else (mirror, name)


def mirror_of(url: Url) -> Mirror:
    """Return the mirror of the folder of an object."""
    return _open_mirror(url.parent, current())


def forget_lists(*, is_retry: bool = False) -> None:
    """List all folders again at their next use. An opening begins so: what was written just now is there.

    Parameters
    ----------
    is_retry : bool, default False
        The opening goes on with the copies that it has of objects without an ETag.
    """
    with _mirrors_lock:
        mirrors = list(_mirrors.values())
    for mirror in mirrors:
        mirror.forget_list(is_retry=is_retry)


def local_path(path: str | Path, *, is_records: bool = False) -> str:
    """Return the path at which to open a file to read: for a URL, that in its mirror; another path is unchanged.

    Parameters
    ----------
    path : str or Path
    is_records : bool, default False
        The file is a record file, which is not copied.

    Raises
    ------
    NotFoundError
        There is no such record file in the store.

    Examples
    --------
    >>> local_path("out/train.rec", is_records=True)
    'out/train.rec'
    """
    found = find_mirror(path)
    if found is None:
        return os.fspath(path)
    mirror, name = found
    mirror.forget_list()
    if is_records and mirror.facts(name) is None:
        raise mirror.not_found(name)
    return str(mirror.fetch(name, is_records=is_records))


def _open_mirror(url: Url, settings: RemoteSettings) -> Mirror:
    digest = hashlib.sha256(f"{url.root}\n{url.key}".encode()).hexdigest()
    folder = _writable_folder(settings.cache_folder / "sets" / digest[:24])
    with _mirrors_lock:
        mirror = _mirrors.get(str(folder))
        if mirror is not None and mirror.settings == settings:
            return mirror
        from recordkit.storage.remote.copies import remove_unused
        from recordkit.storage.remote.mirror import Mirror

        mirror = _mirrors[str(folder)] = Mirror(url, folder, settings)
    remove_unused(folder.parent)  # without the lock, because removing takes time
    return mirror


def _writable_folder(folder: Path) -> Path:
    """Make a folder and return it; if that fails, one of this process, which is removed at its end.

    `recordkit.storage.remote.cache.pages` warns that nothing can be stored where it should.
    """
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    return temporary_folder(folder.name)


def temporary_folder(name: str) -> Path:
    """Return a folder of this process of that name, which is removed at its end."""
    return _temporary_folder(os.getpid()) / name


@cache
def _temporary_folder(pid: int) -> Path:
    import tempfile  # few processes need a folder

    folder = Path(tempfile.mkdtemp(prefix="recordkit-"))

    def remove() -> None:
        if os.getpid() == pid:  # and not in a process that was forked
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


def _renew_lock() -> None:
    """Make a lock that no thread of the parent process holds."""
    global _mirrors_lock
    _mirrors_lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
