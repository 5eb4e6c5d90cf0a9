"""The folder of the page cache: its lock, the number of bytes in it, and the removal of what nobody uses.

::

    CACHE/
    ├── lock                       locked while files are created or removed; it has the number of bytes of all pages
    └── objects/
        └── 0f3c.../               one object: a hash of URL, ETag, size and page size
            ├── about.json         these facts; locked (shared) by each process that has the object open
            └── pages/
                ├── 000000012      one page and its CRC-32
                └── 000000013.part a page in progress, locked by the process that fetches it

A file in ``pages`` has its full size from the moment at which it is created, and files are created and removed under
the lock only. So the bound holds for all processes together, whenever one of them is killed. The number in ``lock`` is
raised before a file is created and lowered after one is removed: after a kill it may be too high, never too low, and
the next process that opens the folder counts again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from recordkit.storage.remote.cache.flock import CAN_LOCK, LockFile

ABOUT_NAME = "about.json"
PAGES_NAME = "pages"
PART_SUFFIX = ".part"

# The lock is held for some milliseconds; whoever cannot get it for this long goes on without the cache.
_MAX_WAIT_S = 10.0
_POLL_S = 0.002


class CacheFolder:
    """The folder of a page cache, shared by the processes of a machine.

    Parameters
    ----------
    path : Path
        Created if it does not exist.
    max_bytes : int
        Bound for the bytes of all pages, those in progress included.

    Raises
    ------
    OSError
        The folder cannot be created or written to, or its file system has no locks.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self.max_bytes = max_bytes
        if not CAN_LOCK:
            raise OSError("this system has no flock")
        with self.locked() as ledger:
            ledger.recount()

    @property
    def objects(self) -> Path:
        """The folder with one folder per object."""
        return self.path / "objects"

    @contextlib.contextmanager
    def locked(self) -> Iterator[Ledger]:
        """Lock the folder against all other threads and processes.

        Raises
        ------
        OSError
            The lock file cannot be written, or others have held the lock for ten seconds.
        """
        self.objects.mkdir(parents=True, exist_ok=True)  # again, if the user has removed the cache meanwhile
        file = LockFile(self.path / "lock", os.O_CREAT)
        try:
            deadline_s = time.monotonic() + _MAX_WAIT_S
            while not file.try_lock():
                if time.monotonic() > deadline_s:
                    raise TimeoutError(f"another process has held the lock of {self.path} for {_MAX_WAIT_S:g} s")
                time.sleep(_POLL_S)
            yield Ledger(self, file)
        finally:
            file.close()


class Ledger:
    """The number of bytes of all pages, and what changes it. It exists only while the folder is locked.

    Parameters
    ----------
    folder : CacheFolder
    file : LockFile
        The locked file, which has the number.
    """

    def __init__(self, folder: CacheFolder, file: LockFile) -> None:
        self._folder = folder
        self._file = file
        text = os.pread(file.descriptor, 20, 0)
        if text.isdigit():
            self.n_bytes = int(text)
        else:
            self.recount()

    @property
    def free_bytes(self) -> int:
        """Bytes that fit in before the bound."""
        return self._folder.max_bytes - self.n_bytes

    def add(self, n_bytes: int) -> None:
        """Count bytes of a file that will be created next, or was removed (negative)."""
        self._write(max(0, self.n_bytes + n_bytes))

    def remove(self, path: Path) -> int:
        """Remove a page and return its size; 0 if it does not exist."""
        try:
            size = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            return 0
        self.add(-size)
        return size

    def remove_closed(self, n_bytes: int) -> None:
        """Remove pages of objects that no process has open, of those opened longest ago first, until bytes are free."""
        if self.free_bytes >= n_bytes:
            return
        for _, folder in sorted((_opening_time(folder), folder) for folder in _folders_in(self._folder.objects)):
            with _unused(folder) as is_unused:
                if not is_unused:
                    continue
                for page in sorted((folder / PAGES_NAME).glob("*")):
                    self.remove(page)
                    if self.free_bytes >= n_bytes:
                        return
                shutil.rmtree(folder, ignore_errors=True)

    def recount(self) -> None:
        """Count the bytes of all pages. Pages in progress of killed processes and empty objects are removed."""
        total = 0
        for folder in _folders_in(self._folder.objects):
            sizes = [_size_of_live(page) for page in _files_in(folder / PAGES_NAME)]
            total += sum(sizes)
            if not any(sizes):
                with _unused(folder) as is_unused:
                    if is_unused:
                        shutil.rmtree(folder, ignore_errors=True)
        self._write(total)

    def _write(self, n_bytes: int) -> None:
        self.n_bytes = n_bytes
        os.pwrite(self._file.descriptor, b"%020d" % n_bytes, 0)


def _folders_in(path: Path) -> list[Path]:
    with os.scandir(path) as entries:
        return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]


def _files_in(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except FileNotFoundError:
        return []


def _size_of_live(path: Path) -> int:
    """Return the size of a page. A page in progress whose process was killed is removed."""
    try:
        if path.suffix == PART_SUFFIX:
            file = LockFile(path)
            try:
                if file.try_lock():
                    path.unlink()
                    return 0
            finally:
                file.close()
        return path.stat().st_size
    except FileNotFoundError:  # somebody else has removed it
        return 0


def _opening_time(folder: Path) -> int:
    """Return when an object was last opened, in nanoseconds."""
    try:
        return (folder / ABOUT_NAME).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def _unused(folder: Path) -> Iterator[bool]:
    """Tell whether no process has an object open. Objects are opened under the lock, so this stays true."""
    try:
        about = LockFile(folder / ABOUT_NAME)
    except FileNotFoundError:  # its process was killed before it wrote the file
        yield True
        return
    try:
        yield about.try_lock()
    finally:
        about.close()
