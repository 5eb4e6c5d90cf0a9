"""The base of sources that list the images of a folder.

Folders and files are sorted by code point, files come before sub-folders, and links are followed, as in im2rec. Folders
and files that programs made are left out (`recordkit.sources.tool_files`), unless the source keeps them.

Source: ``list_image``, tools/im2rec.py of MXNet 1.9.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from recordkit.errors import FormatError, ImageError, SourceError
from recordkit.formats import lst
from recordkit.formats.files import not_found
from recordkit.sample import BadEntry, Entry
from recordkit.sources.files import check_file, read_images
from recordkit.sources.left_out import LeftOutFiles

Progress = Callable[[int], None]
"""Called with the number of images found since the last call."""

N_PER_PROGRESS = 1000
"""Number of images between two calls."""


class ListedImages:
    """Keys, labels and names of the images in a folder; the base of the sources, which add the images."""

    order = "walked"
    pixels = False

    def __init__(
        self, root: str | Path, extensions: Sequence[str], progress: Progress | None, *, keep_tool_files: bool = False
    ) -> None:
        self.root = os.fspath(root)
        self._progress = progress
        self.classes: dict[str, int] | None = None
        self.bad: list[BadEntry] = []
        self.extra_notes: list[str] = []
        self.folders: list[str] = []  # that were walked, relative to the root
        suffixes = {suffix.lower() for suffix in extensions}
        self._left_out = LeftOutFiles(self.root, suffixes, keep_tool_files=keep_tool_files)
        self._keys = array("Q")
        self._names: list[str] = []
        self._labels: list[float] = []
        if not Path(root).exists():
            raise not_found(root, "a folder of images")
        if not Path(root).is_dir():
            raise SourceError(path=self.root, expected="a folder of images", got="a file")

    def __len__(self) -> int:
        return len(self._names)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return key, label and relative path of the images at `indices`."""
        return [Entry(self._keys[index], (self._labels[index],), self._names[index]) for index in indices]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the label of the images at `indices`."""
        return [(self._labels[index],) for index in indices]

    def contents(self, entries: Sequence[Entry]) -> list[bytes | ImageError]:
        """Read the images of some entries."""
        return read_images([f"{self.root}/{entry.name}" for entry in entries])

    def move_root(self, root: str) -> None:
        """Let the names of the images start from a folder above the present root."""
        prefix = os.path.relpath(self.root, root)
        self._names = [f"{prefix}/{name}" for name in self._names]
        self.bad = [bad._replace(name=f"{prefix}/{bad.name}") for bad in self.bad]
        self.root = root

    @property
    def notes(self) -> list[str]:
        """Facts that may be unexpected: files of other suffixes, and folders and files that programs made."""
        return [*self.extra_notes, *self._left_out.notes()]

    def no_image_error(self, expected: str) -> SourceError:
        """Return the error for a source without an image; it names the files that the folder has instead."""
        return self._left_out.no_image_error(expected)

    def _is_image(self, folder: str, name: str) -> bool:
        """Return whether a file is an image. Other files are counted, and unreadable images are added to `bad`."""
        if not self._left_out.takes_file(folder, name):
            return False
        path = f"{folder}/{name}"
        if os.path.isfile(path):  # noqa: PTH113 (a Path for each of a million files is slow)
            return True
        try:
            check_file(path)
        except ImageError as error:
            self.bad.append(BadEntry(os.path.relpath(path, self.root), error.text()))
        return False

    def _add(self, key: int, label: float, name: str) -> None:
        try:
            lst.line(lst.Row(key, (label,), name))
        except FormatError as error:
            self.bad.append(BadEntry(name, error.text()))
            return
        self._keys.append(key)
        self._labels.append(label)
        self._names.append(name)
        if self._progress is not None and len(self._names) % N_PER_PROGRESS == 0:
            self._progress(N_PER_PROGRESS)

    def _walk(self) -> Iterator[tuple[str, str]]:
        """Yield (folder relative to the root, file name) of each image, in im2rec's order."""
        identities_above: dict[str, tuple[tuple[int, int], ...]] = {self.root: (_identity(self.root),)}
        for path, folders, files in os.walk(self.root, followlinks=True, onerror=_raise_error):
            above = identities_above.pop(path)
            # A link to the folder itself or to one that contains it would make the walk endless.
            folders[:] = [
                name
                for name in sorted(folders)
                if _identity(f"{path}/{name}") not in above and self._left_out.takes_folder(f"{path}/{name}")
            ]
            for name in folders:
                folder = os.path.join(path, name)  # noqa: PTH118 (os.walk makes its paths with this function)
                identities_above[folder] = (*above, _identity(folder))
            relative = os.path.relpath(path, self.root)
            self.folders.append(relative)
            for file in sorted(files):
                if self._is_image(path, file):
                    yield relative, file


def _raise_error(error: OSError) -> None:
    """Stop the walk at a folder that cannot be read: without it, the classes after it would get other numbers."""
    raise error


def _identity(folder: str) -> tuple[int, int]:
    """Return the device and inode number."""
    status = Path(folder).stat()
    return status.st_dev, status.st_ino
