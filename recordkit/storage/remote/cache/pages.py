"""Pages of objects on the local disk, each in a file with its CRC-32, within a bound of bytes.

A page file has the bytes of its page and then their CRC-32, as zlib computes it, in 4 bytes, little-endian. The CRC is
checked when a process opens the page for the first time: the system may have lost what it had not written to the disk.
A damaged page is removed, and the caller fetches it again.

`recordkit.storage.remote.cache.folder` has the layout of the folder, and `recordkit.storage.remote.remote_file` decides
what is fetched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import BinaryIO
from weakref import WeakValueDictionary

from recordkit.errors import CacheWarning
from recordkit.storage.remote.cache.flock import LockFile
from recordkit.storage.remote.cache.folder import ABOUT_NAME, PAGES_NAME, PART_SUFFIX, CacheFolder, Ledger
from recordkit.storage.remote.cache.next_use import FileUses

PAGE_BYTES = 1 << 23
"""Size of a page. A request takes a few milliseconds besides its transfer, so that smaller pages would be slower."""
CRC_BYTES = 4

_READ_BYTES = 1 << 20
# The names in a folder are read again after this time.
_KNOWN_S = 5.0

Victims = Callable[[], Iterable[tuple["CachedObject", int]]]
"""Returns pages that may be removed in favour of a new one, the best choice first."""


class Refusal(Enum):
    """Reasons why a page cannot be claimed."""

    PRESENT = "the page is in the cache"
    BUSY = "another process is fetching it"
    FULL = "the cache has no room for it"


class PageCache:
    """The pages of all objects in one folder. It works without caching if the folder cannot be used.

    Parameters
    ----------
    folder : Path
    max_bytes : int
        Bound for the bytes of all pages in the folder, for all processes together.
    page_bytes : int, default `PAGE_BYTES`

    Examples
    --------
    >>> import tempfile
    >>> cache = PageCache(Path(tempfile.mkdtemp()), 1 << 20, page_bytes=1000)
    >>> pages = cache.open_object("s3://bucket/train.rec", "etag", 1500)
    >>> with pages.claim(1) as claim:
    ...     claim.write(bytes(500))
    True
    >>> pages.find(0), pages.find(1).name
    (None, '000000001')
    """

    def __init__(self, folder: Path, max_bytes: int, *, page_bytes: int = PAGE_BYTES) -> None:
        self.path = folder
        self.max_bytes = max_bytes
        self.page_bytes = page_bytes
        self._problem: str | None = None
        self._is_reported = False
        self._folder: CacheFolder | None = None
        self._open_objects: WeakValueDictionary[int, CachedObject] = WeakValueDictionary()
        # For the policy: changes of pages by this process, and the farthest next use of a page at some moment.
        self.n_changes = 0
        self.farthest_use: tuple[object, float] | None = None
        with self._usable():
            self._folder = CacheFolder(folder, max_bytes)

    @property
    def is_usable(self) -> bool:
        """True if new pages can be stored."""
        return self._folder is not None and self._problem is None

    def open_object(self, url: str, etag: str | None, size: int) -> CachedObject:
        """Open the pages of an object.

        Parameters
        ----------
        url : str
        etag : str or None
            Without one, nobody can tell whether the object is still the same: its pages serve this opening only.
        size : int
            Bytes of the object.
        """
        about = {"url": url, "etag": etag, "size": size, "page_bytes": self.page_bytes}
        text = json.dumps(about if etag is not None else {**about, "opening": secrets.token_hex(16)}, indent=2)
        name = hashlib.sha256(text.encode()).hexdigest()[:32]
        pages = CachedObject(self, name, size)
        with self._usable(), self.locked() as ledger:
            if ledger is not None:
                pages.attach(text)
                self._open_objects[id(pages)] = pages
        return pages

    def open_objects(self) -> list[CachedObject]:
        """Return the objects that this process has open."""
        # This list is made in one step, so that other threads may open objects meanwhile.
        references = self._open_objects.valuerefs()
        return [pages for reference in references if (pages := reference()) is not None and pages.is_open]

    @contextlib.contextmanager
    def locked(self) -> Iterator[Ledger | None]:
        """Lock the folder; None if it is not usable."""
        if self._folder is None:
            yield None
            return
        with self._folder.locked() as ledger:
            yield ledger

    @property
    def objects(self) -> Path:
        """The folder with one folder per object."""
        return self.path / "objects"

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        """Go on without storing pages after an error of the disk."""
        try:
            yield
        except OSError as error:
            self.note_problem(error)

    def note_problem(self, error: OSError) -> None:
        """Store no pages from now on, because of an error of the disk. `warn` tells the user."""
        self._problem = self._problem or error.strerror or str(error)

    def warn(self) -> None:
        """Warn once if the cache cannot store pages. The thread that reads calls it, not one that fetches."""
        if self._problem is None or self._is_reported:
            return
        self._is_reported = True
        text = f"{self.path}: the cache stores no pages: {self._problem}; pass another `cache_dir` or make room there"
        warnings.warn(text.replace("`", ""), CacheWarning, stacklevel=2)


class CachedObject:
    """The pages of one object. `PageCache.open_object` makes it.

    Parameters
    ----------
    cache : PageCache
    name : str
        Name of the folder of the object.
    size : int
        Bytes of the object.
    """

    def __init__(self, cache: PageCache, name: str, size: int) -> None:
        self.cache = cache
        self.size = size
        self.page_bytes = cache.page_bytes
        self.n_pages = -(-size // cache.page_bytes)
        self.folder = cache.objects / name
        self.uses: FileUses | None = None
        """The plan of the reader, if it has one."""
        self.is_in_use: Callable[[int], bool] = lambda _page: False
        """Tells whether the reader uses a page now, so that its removal would free nothing."""
        self.on_removal: Callable[[int], None] = lambda _page: None
        """Called when this process removes a page, so that the reader closes its file."""
        self._about: LockFile | None = None
        self._known: set[int] = set()
        self._known_until_s = 0.0
        # Inode and time of each page whose CRC is known to be right.
        self._checked: dict[int, tuple[int, int]] = {}

    @property
    def is_open(self) -> bool:
        """True if pages can be found and stored."""
        return self._about is not None and self._about.descriptor >= 0  # which a forked process has not

    def attach(self, about: str) -> None:
        """Create the folder of the object and mark the object as open. The folder of the cache must be locked."""
        (self.folder / PAGES_NAME).mkdir(parents=True, exist_ok=True)
        path = self.folder / ABOUT_NAME
        if not path.exists():
            temporary = path.with_suffix(PART_SUFFIX)
            temporary.write_text(about)
            temporary.replace(path)
        os.utime(path)
        self._about = LockFile(path)
        self._about.try_lock(shared=True)

    def range_of(self, page: int) -> tuple[int, int]:
        """Return begin and end of a page in the object."""
        begin = page * self.page_bytes
        return begin, min(begin + self.page_bytes, self.size)

    def path(self, page: int) -> Path:
        """Return the path of a page, whether it exists or not."""
        return self.folder / PAGES_NAME / f"{page:09d}"

    def stored_size(self, page: int) -> int:
        """Return the size of the file of a page."""
        begin, end = self.range_of(page)
        return end - begin + CRC_BYTES

    def has(self, page: int) -> bool:
        """Tell whether a page is stored. Its CRC has perhaps not been checked."""
        return self.is_open and self.path(page).exists()

    def stored_pages(self) -> list[int]:
        """Return the numbers of the pages that are stored, from the disk."""
        if not self.is_open:
            return []
        with contextlib.suppress(OSError):
            return [int(path.name) for path in (self.folder / PAGES_NAME).iterdir() if path.name.isdigit()]
        return []

    def known_pages(self) -> set[int]:
        """Return the pages that are stored, as known for some seconds; changes by other processes are seen later."""
        if time.monotonic() > self._known_until_s:
            self._known = set(self.stored_pages())
            self._known_until_s = time.monotonic() + _KNOWN_S
        return set(self._known)

    def note(self, page: int, *, is_stored: bool) -> None:
        """Remember that this process has stored or removed a page."""
        self.cache.n_changes += 1
        if is_stored:
            self._known.add(page)
        else:
            self._known.discard(page)
            self.on_removal(page)

    def find(self, page: int) -> Path | None:
        """Return the path of a page whose CRC is right; None if it is not stored. A damaged page is removed."""
        if not self.is_open:
            return None
        path = self.path(page)
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                identity = (status.st_ino, status.st_mtime_ns)
                if self._checked.get(page) == identity:
                    return path
                if status.st_size == self.stored_size(page) and _has_right_crc(file):
                    self._checked[page] = identity
                    return path
        except FileNotFoundError:
            return None
        except OSError:  # of a failing disk
            pass
        self.remove(page)
        return None

    def remove(self, page: int) -> None:
        """Remove a page."""
        try:
            with self.cache.locked() as ledger:
                if ledger is not None:
                    ledger.remove(self.path(page))
                    self.note(page, is_stored=False)
        except OSError as error:
            self.cache.note_problem(error)

    def claim(self, page: int, victims: Victims = tuple) -> Claim | Refusal:
        """Make room for a page and become the one that fetches it.

        Parameters
        ----------
        page : int
        victims : callable, optional
            Returns pages that may be removed for it, if those of closed objects are not enough.

        Returns
        -------
        claim : Claim or Refusal
        """
        if not (self.is_open and self.cache.is_usable):
            return Refusal.FULL
        try:
            with self.cache.locked() as ledger:
                return Refusal.FULL if ledger is None else self._claim(page, ledger, victims)
        except OSError as error:
            self.cache.note_problem(error)
            return Refusal.FULL

    def _claim(self, page: int, ledger: Ledger, victims: Victims) -> Claim | Refusal:
        if self.path(page).exists():
            return Refusal.PRESENT
        part = self.path(page).with_suffix(PART_SUFFIX)
        if part.exists():
            file = LockFile(part)
            is_stale = file.try_lock()
            file.close()
            if not is_stale:
                return Refusal.BUSY
            ledger.remove(part)
        size = self.stored_size(page)
        if size > self.cache.max_bytes:
            return Refusal.FULL
        ledger.remove_closed(size)
        if ledger.free_bytes < size and not _make_room(ledger, size, victims()):
            return Refusal.FULL
        ledger.add(size)
        file = LockFile(part, os.O_CREAT | os.O_EXCL)
        file.try_lock()
        os.ftruncate(file.descriptor, size)
        return Claim(self, page, file, part)

    def close(self) -> None:
        """Mark the object as closed by this process. Its pages stay; those without an ETag are of no more use."""
        about, self._about = self._about, None
        if about is not None:
            about.close()


class Claim:
    """The right and the room to store one page. As a context manager it gives both back if nothing was written.

    Parameters
    ----------
    pages : CachedObject
    page : int
    file : LockFile
        The page in progress.
    part : Path
        Its path.
    """

    def __init__(self, pages: CachedObject, page: int, file: LockFile, part: Path) -> None:
        self._pages = pages
        self._page = page
        self._file = file
        self._part = part

    def write(self, data: bytes) -> bool:
        """Store the bytes of the page. False if the disk takes no more."""
        cache = self._pages.cache
        try:
            for begin in range(0, len(data), _READ_BYTES):
                _write_all(self._file.descriptor, data[begin : begin + _READ_BYTES], begin)
            _write_all(self._file.descriptor, zlib.crc32(data).to_bytes(CRC_BYTES, "little"), len(data))
            with cache.locked():
                self._part.replace(self._pages.path(self._page))
                self._pages.note(self._page, is_stored=True)
        except OSError as error:
            cache.note_problem(error)
            return False
        self._file.close()
        return True

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._file.descriptor < 0:  # stored, or of the parent of this process
            return
        try:
            with self._pages.cache.locked() as ledger:
                if ledger is not None:
                    ledger.remove(self._part)
        except OSError as error:
            self._pages.cache.note_problem(error)
        self._file.close()


def _make_room(ledger: Ledger, n_bytes: int, victims: Iterable[tuple[CachedObject, int]]) -> bool:
    for pages, page in victims:
        ledger.remove(pages.path(page))
        pages.note(page, is_stored=False)
        if ledger.free_bytes >= n_bytes:
            return True
    return False


def _has_right_crc(file: BinaryIO) -> bool:
    """Compare the CRC at the end of a page file with that of its bytes."""
    crc, tail = 0, b""
    while block := file.read(_READ_BYTES):
        block = tail + block
        crc = zlib.crc32(memoryview(block)[:-CRC_BYTES], crc)
        tail = block[-CRC_BYTES:]
    return crc.to_bytes(CRC_BYTES, "little") == tail


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
