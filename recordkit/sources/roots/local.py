"""Folders of this machine, as a walk of a tree of images sees them, and the protocol of such folders."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from recordkit.errors import FormatError, ImageError, SourceError
from recordkit.formats.files import not_found, open_file
from recordkit.sample import Entry
from recordkit.sources.files import check_file, read_images


class Names(NamedTuple):
    """The names in a folder.

    Attributes
    ----------
    folders, files : list of str
        In any order.
    others : set of str
        Those of `files` that are links, pipes and the like, and may be no files.
    """

    folders: list[str]
    files: list[str]
    others: set[str]


class Reader(Protocol):
    """Reads the images of a folder by their names. It can be pickled."""

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes | ImageError]:
        """See `recordkit.sample.BoundedSource`."""

    def part(self, names: Sequence[str]) -> Reader:
        """Return a reader of these images alone, which is smaller when it is pickled."""


class Folders(Protocol):
    """A folder and all folders below it. Paths begin with that of the folder, `root`."""

    root: str

    def names(self, path: str) -> Names:
        """Return the names in a folder."""

    def identity(self, path: str) -> Hashable:
        """Return the identity of a folder, which two paths of one folder share."""

    def problem(self, path: str) -> str | None:
        """Return the reason why a path is not that of a regular file; None if it is."""

    def walk(self, path: str) -> Iterator[str]:
        """Yield the files in a folder and below it, relative to it."""

    def exists(self, path: str) -> bool:
        """Tell whether there is a file of that path."""

    def head(self, path: str) -> bytes:
        """Return the first 16 bytes of a file; none if it cannot be read."""

    @property
    def name(self) -> str:
        """The name of the folder."""

    @property
    def parent(self) -> str:
        """The path of the folder around it."""

    def inner(self, path: str) -> dict[str, str]:
        """Return names and paths of the folders in any folder, also outside the root, sorted; none if it is closed."""

    def reader(self) -> Reader:
        """Return a reader of the images below the root."""


class LocalReader:
    """Reads the images of a folder of this machine.

    Parameters
    ----------
    root : str
        The folder that the names start from.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes | ImageError]:
        """See `recordkit.sample.BoundedSource`."""
        return read_images([f"{self.root}/{entry.name}" for entry in entries], max_bytes)

    def part(self, _names: Sequence[str]) -> LocalReader:
        """See `Reader.part`."""
        return self


class LocalFolders:
    """A folder of this machine and those below it.

    Parameters
    ----------
    root : str or Path

    Raises
    ------
    NotFoundError
        `root` does not exist.
    SourceError
        `root` is not a folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = os.fspath(root)
        if not Path(root).exists():
            raise not_found(root, "a folder of images")
        if not Path(root).is_dir():
            raise SourceError(path=self.root, expected="a folder of images", got="a file")

    def names(self, path: str) -> Names:
        """See `Folders.names`."""
        names = Names([], [], set())
        with os.scandir(path) as items:
            for item in items:
                if _is_folder(item):
                    names.folders.append(item.name)
                    continue
                names.files.append(item.name)
                if not item.is_file(follow_symlinks=False):
                    names.others.add(item.name)
        return names

    def identity(self, path: str) -> Hashable:
        """Return the device and inode number."""
        status = Path(path).stat()
        return status.st_dev, status.st_ino

    def problem(self, path: str) -> str | None:
        """See `Folders.problem`."""
        if os.path.isfile(path):  # noqa: PTH113 (a Path for each of a million files is slow)
            return None
        try:
            check_file(path)
        except ImageError as error:
            return error.text()
        return None

    def walk(self, path: str) -> Iterator[str]:
        """See `Folders.walk`."""
        for folder, _, names in os.walk(path):
            yield from (os.path.relpath(f"{folder}/{name}", path) for name in names)

    def exists(self, path: str) -> bool:
        """See `Folders.exists`."""
        return os.path.exists(path)  # noqa: PTH110 (as above)

    def head(self, path: str) -> bytes:
        """See `Folders.head`."""
        try:
            with open_file(path) as file:
                return file.read(16)
        except (OSError, FormatError):
            return b""

    @property
    def name(self) -> str:
        """See `Folders.name`."""
        return Path(self.root).absolute().name

    @property
    def parent(self) -> str:
        """See `Folders.parent`."""
        return str(Path(self.root).absolute().parent)

    def inner(self, path: str) -> dict[str, str]:
        """See `Folders.inner`."""
        try:
            return {item.name: str(item) for item in sorted(Path(path).iterdir()) if item.is_dir()}
        except OSError:  # folders beside the one that is packed may be those of other users
            return {}

    def reader(self) -> LocalReader:
        """See `Folders.reader`."""
        return LocalReader(self.root)


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link that leads to itself
        return False
