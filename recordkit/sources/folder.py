"""A folder of images as a source. Labels come from folder names (`FolderSource`) or file names (`FlatSource`).

Labels, keys and order are those of im2rec. `FolderSource` walks ``ROOT/CLASS/...``: folders and files are sorted by
code point, files come before sub-folders, and links are followed. Each folder that directly contains images is a
class, so nested folders are classes too, and images directly in ROOT form a class called ``.``. Classes are numbered
in the order of the walk. `FlatSource` takes the images directly in ROOT; im2rec gives all of them the label 0. A key
is the position in the walk.

Source: ``list_image``, tools/im2rec.py of MXNet 1.9.
"""

from __future__ import annotations

import math
import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from recordkit.errors import FormatError, ImageError, PlanError, SourceError
from recordkit.formats import lst
from recordkit.sample import BadEntry, Entry
from recordkit.sources.files import EXTENSIONS, check_file, read_images

FILE_NAME_LABEL = r"_(-?\d+)\.[^.]+$"
"""Regular expression of the label in names such as ``000000_5.jpg``."""


Progress = Callable[[int], None]
"""Called with the number of images found since the last call."""

_N_PER_PROGRESS = 1000


class _ListedImages:
    """Keys, labels and names of the images in a folder; the base of both sources, which add the images."""

    order = "walked"
    pixels = False

    def __init__(self, root: str | Path, extensions: Sequence[str], progress: Progress | None) -> None:
        self.root = os.fspath(root)
        self._progress = progress
        self.classes: dict[str, int] | None = None
        self.bad: list[BadEntry] = []
        self._suffixes = {suffix.lower() for suffix in extensions}
        self._n_ignored: Counter[str] = Counter()  # by suffix
        self._folders_with_ignored_files: set[str] = set()
        self._keys = array("Q")
        self._names: list[str] = []
        self._labels: list[float] = []
        if not Path(root).is_dir():
            raise SourceError(path=self.root, expected="a folder of images", got=_describe(Path(root)))

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

    @property
    def notes(self) -> list[str]:
        """The number of files that were ignored because of their suffix; hidden files are not counted."""
        if not self._n_ignored:
            return []
        counts = ", ".join(f"{n} {suffix or 'without'}" for suffix, n in self._n_ignored.most_common(5))
        return [
            f"{self.root}: {self._n_ignored.total()} files of other suffixes were ignored ({counts}); images have "
            f"{', '.join(sorted(self._suffixes))}"
        ]

    def _is_image(self, folder: str, name: str) -> bool:
        """Return whether a file is an image. Other files are counted, and unreadable images are added to `bad`."""
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 (a Path for each of a million files is slow)
        if suffix not in self._suffixes:
            if not name.startswith("."):
                self._n_ignored[suffix] += 1
                self._folders_with_ignored_files.add(os.path.relpath(folder, self.root))
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
        if self._progress is not None and len(self._names) % _N_PER_PROGRESS == 0:
            self._progress(_N_PER_PROGRESS)


class FolderSource(_ListedImages):
    """A tree of images, one class per folder.

    Parameters
    ----------
    root : str or Path
    extensions : sequence of str
        Suffixes of images, with the dot; compared in lower case.
    classes : mapping of str to int, optional
        Labels by folder name relative to `root`, for example from an earlier pack. By default folders are numbered.
    progress : callable, optional
        Called with the number of images found since its last call, each time that these are 1,000.

    Raises
    ------
    SourceError
        `root` is not a folder, or holds a folder of images that is not in `classes`.
    OSError
        A folder cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as photos:
    ...     for name in ("dog/1.jpg", "cat/1.jpg"):
    ...         Path(photos, name).parent.mkdir()
    ...         Path(photos, name).touch()
    ...     FolderSource(photos).entries([0, 1])
    [Entry(key=0, labels=(0,), name='cat/1.jpg'), Entry(key=1, labels=(1,), name='dog/1.jpg')]
    """

    classes: dict[str, int]

    def __init__(
        self,
        root: str | Path,
        *,
        extensions: Sequence[str] = EXTENSIONS,
        classes: Mapping[str, int] | None = None,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(root, extensions, progress)
        self.classes = dict(classes or {})
        self._n_images_in_root = 0
        for key, (folder, file) in enumerate(self._walk()):
            if folder not in self.classes:
                if classes is not None:
                    raise SourceError(
                        path=self.root,
                        expected=f"one of the {len(classes)} names in `classes`",
                        got=f"folder {folder!r}",
                        advice="add it to them or remove the folder",
                    )
                self.classes[folder] = len(self.classes)
            self._n_images_in_root += folder == "."
            self._add(key, self.classes[folder], file if folder == "." else f"{folder}/{file}")

    @property
    def notes(self) -> list[str]:
        """Facts that may be unexpected: ignored files, folders without a usable image, and images beside folders."""
        notes = super().notes
        folders_of_bad_files = {bad.name.rpartition("/")[0] or "." for bad in self.bad}
        unused_folders = folders_of_bad_files | (self._folders_with_ignored_files - {"."})
        unused_folders -= self.classes.keys()
        if unused_folders:
            notes.append(
                f"{self.root}: folders without a usable image are not classes, as in im2rec, and the classes after "
                f"them have lower numbers: {', '.join(sorted(unused_folders))}"
            )
        if self._n_images_in_root and len(self.classes) > 1:
            notes.append(
                f"{self.root}: {self._n_images_in_root} images beside the class folders form a class of their own, "
                "'.', as in im2rec, and the other classes have higher numbers; move or remove these images"
            )
        return notes

    def _walk(self) -> Iterator[tuple[str, str]]:
        """Yield (folder relative to the root, file name) of each image, in im2rec's order."""
        identities_above: dict[str, tuple[tuple[int, int], ...]] = {self.root: (_identity(self.root),)}
        for path, folders, files in os.walk(self.root, followlinks=True, onerror=_raise_error):
            above = identities_above.pop(path)
            # A link to the folder itself or to one that contains it would make the walk endless.
            folders[:] = [name for name in sorted(folders) if _identity(f"{path}/{name}") not in above]
            for name in folders:
                folder = os.path.join(path, name)  # noqa: PTH118 (os.walk makes its paths with this function)
                identities_above[folder] = (*above, _identity(folder))
            relative = os.path.relpath(path, self.root)
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


class FlatSource(_ListedImages):
    """The images directly in one folder, with their labels in their names.

    Parameters
    ----------
    root : str or Path
    label_from : str, optional
        Regular expression that is searched in each file name; its first group is the label. If all labels are numbers,
        they are used as they are; otherwise they are class names, numbered in code point order. None gives all images
        the label 0, as im2rec does.
    extensions, classes, progress
        Same meaning as for `FolderSource`; `classes` has the labels by class name.

    Raises
    ------
    PlanError
        The expression is not valid or has no group.
    SourceError
        `root` is not a folder, the expression finds a label in no name, or a class name is not in `classes`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as digits:
    ...     Path(digits, "000000_5.jpg").touch()
    ...     FlatSource(digits).entries([0])
    [Entry(key=0, labels=(5,), name='000000_5.jpg')]
    """

    def __init__(
        self,
        root: str | Path,
        *,
        label_from: str | None = FILE_NAME_LABEL,
        extensions: Sequence[str] = EXTENSIONS,
        classes: Mapping[str, int] | None = None,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(root, extensions, progress)
        with os.scandir(self.root) as items:
            files = sorted(item.name for item in items if not item.is_dir())
        names = [name for name in files if self._is_image(self.root, name)]
        texts = ["0"] * len(names) if label_from is None else self._find_label_texts(names, label_from)
        labels = self._map_to_labels([text for text in texts if text is not None], classes)
        for key, (name, text) in enumerate(zip(names, texts, strict=True)):
            if text is None:
                self.bad.append(BadEntry(name, f"expected a label in the file name, got no match of '{label_from}'"))
            else:
                self._add(key, labels[text], name)

    def _find_label_texts(self, names: Sequence[str], label_from: str) -> list[str | None]:
        try:
            pattern = re.compile(label_from)
        except re.error as error:
            raise PlanError(
                argument="label_from", expected="a regular expression", got=f"'{label_from}' ({error})"
            ) from None
        if not pattern.groups:
            raise PlanError(argument="label_from", expected="a group (...) around the label", got=f"'{label_from}'")
        texts = [(match[1] or None) if (match := pattern.search(name)) else None for name in names]
        if names and not any(texts):
            raise SourceError(
                f"'{label_from}' finds a label in none of {len(names)} image names, for example {names[0]!r}",
                path=self.root,
                advice="give another expression with `label_from`",
            )
        return texts

    def _map_to_labels(self, texts: Sequence[str], classes: Mapping[str, int] | None) -> dict[str, float]:
        """Return the label of each distinct text, and set `self.classes` if the texts are class names."""
        distinct = sorted(set(texts))
        if classes is None:
            try:
                return {text: _parse_number(text) for text in distinct}
            except ValueError:
                classes = {text: number for number, text in enumerate(distinct)}
        self.classes = dict(classes)
        unknown = [text for text in distinct if text not in classes]
        if unknown:
            raise SourceError(
                path=self.root,
                expected=f"one of the {len(classes)} names in `classes`",
                got=f"label {unknown[0]!r}",
            )
        return {text: classes[text] for text in distinct}


def _parse_number(text: str) -> float:
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    number = float(text)
    if not math.isfinite(number):  # "nan" and "inf" are class names
        raise ValueError(text)
    return number


def _describe(path: Path) -> str:
    return "a file" if path.exists() else "nothing of that name"
