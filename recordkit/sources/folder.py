"""A folder of images as a source: labels from folder names, or from file names.

Labels, keys and order are im2rec's. `FolderSource` walks ``ROOT/CLASS/...``: folders and files in code point
order, files before sub-folders, links followed; a folder's label is the number of folders with images of their
own that came before, so nested folders are classes too, and images directly in ROOT are a class called ``.``.
`FlatSource` takes the images directly in ROOT; im2rec gives them all the label 0. A key is the position in
the walk.

Source: ``list_image``, tools/im2rec.py of MXNet 1.9.
"""

from __future__ import annotations

import os
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from recordkit.errors import FormatError, ImageError, PlanError, SourceError
from recordkit.formats import lst
from recordkit.sample import BadEntry, Entry
from recordkit.sources.files import EXTENSIONS, check_file, read_images

FILE_NAME_LABEL = r"_(-?\d+)\.[^.]+$"
"""The label in names such as ``000000_5.jpg``."""


class _Images:
    """Names and labels in order: what both sources are once they have been listed."""

    order = "walked"
    pixels = False

    def __init__(self, root: str | Path, extensions: Sequence[str]) -> None:
        self.root = os.fspath(root)
        self.classes: dict[str, int] | None = None
        self.bad: list[BadEntry] = []
        self._suffixes = {suffix.lower() for suffix in extensions}
        self._others: Counter[str] = Counter()
        self._left_in: set[str] = set()  # folders of such files
        self._keys = array("Q")
        self._names: list[str] = []
        self._labels: list[float] = []
        if not Path(root).is_dir():
            raise SourceError(path=str(root), expected="a folder of images", got=_what(Path(root)))

    def __len__(self) -> int:
        return len(self._names)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return key, label and relative path of the images at some positions."""
        return [Entry(self._keys[index], (self._labels[index],), self._names[index]) for index in indices]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the label of the images at some positions."""
        return [(self._labels[index],) for index in indices]

    def contents(self, entries: Sequence[Entry]) -> list[bytes | ImageError]:
        """Read the images that entries name."""
        return read_images([os.path.join(self.root, entry.name) for entry in entries])  # noqa: PTH118

    @property
    def notes(self) -> list[str]:
        """Say how many files were left alone because of their suffix; hidden ones are not worth a word."""
        if not self._others:
            return []
        kinds = ", ".join(f"{n} {suffix or 'without'}" for suffix, n in self._others.most_common(5))
        others = f"{self._others.total()} files of other suffixes were left alone ({kinds})"
        return [f"{self.root}: {others}; the argument extensions selects the suffixes"]

    def _is_image(self, folder: str, name: str) -> bool:
        """Tell whether a directory entry, which is no folder, is an image; keep account of those that are not."""
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
        if suffix not in self._suffixes:
            if not name.startswith("."):
                self._others[suffix] += 1
                self._left_in.add(os.path.relpath(folder, self.root))
            return False
        path = os.path.join(folder, name)  # noqa: PTH118
        if os.path.isfile(path):  # noqa: PTH113
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


class FolderSource(_Images):
    """A tree of images, one class per folder.

    Parameters
    ----------
    root : str or Path
    extensions : sequence of str
        Suffixes of images, with the dot; compared in lower case.
    classes : mapping of str to int, optional
        Labels by relative folder name, as an earlier pack gave them; by default folders are numbered.

    Raises
    ------
    SourceError
        `root` is not a folder, or holds a folder of images that `classes` does not name.
    OSError
        A folder cannot be read.
    """

    classes: dict[str, int]

    def __init__(
        self,
        root: str | Path,
        *,
        extensions: Sequence[str] = EXTENSIONS,
        classes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(root, extensions)
        self.classes = dict(classes or {})
        self._n_strays = 0
        for key, (folder, file) in enumerate(self._walk()):
            if folder not in self.classes:
                if classes is not None:
                    raise SourceError(
                        f"folder {folder!r} is not among the {len(classes)} given classes",
                        path=str(self.root),
                        advice="add it to them or remove the folder",
                    )
                self.classes[folder] = len(self.classes)
            self._n_strays += folder == "."
            self._add(key, self.classes[folder], file if folder == "." else f"{folder}/{file}")

    @property
    def notes(self) -> list[str]:
        """Say what may be a surprise: images beside the class folders, files left alone, and folders of such alone."""
        notes = super().notes
        empty = {os.path.dirname(bad.name) or "." for bad in self.bad} | (self._left_in - {"."})  # noqa: PTH120
        empty -= self.classes.keys()
        if empty:
            notes.append(
                f"{self.root}: no image can be used in {', '.join(sorted(empty))}, so that it is no class, as in "
                "im2rec, and those behind it have lower numbers"
            )
        if self._n_strays and len(self.classes) > 1:
            notes.append(
                f"{self.root}: {self._n_strays} images beside the class folders are a class of their own, '.', as in "
                "im2rec, and shift the numbers of the others; move or remove them"
            )
        return notes

    def _walk(self) -> Iterator[tuple[str, str]]:
        """Yield (folder relative to the root, file name) of each image, in im2rec's order."""
        ancestors: dict[str, tuple[tuple[int, int], ...]] = {self.root: (_identity(self.root),)}
        for path, folders, files in os.walk(self.root, followlinks=True, onerror=_raise):
            above = ancestors.pop(path)
            folders.sort()
            # A link to a folder we are in would be walked for ever.
            folders[:] = [name for name in folders if _identity(f"{path}/{name}") not in above]
            ancestors.update((os.path.join(path, name), (*above, _identity(f"{path}/{name}"))) for name in folders)  # noqa: PTH118
            relative = os.path.relpath(path, self.root)
            for file in sorted(files):
                if self._is_image(path, file):
                    yield relative, file


def _raise(error: OSError) -> None:
    """End the walk: a folder left out would be a class less, and other numbers for those behind it."""
    raise error


def _identity(folder: str) -> tuple[int, int]:
    status = Path(folder).stat()
    return status.st_dev, status.st_ino


class FlatSource(_Images):
    """The images directly in one folder, with their labels in their names.

    Parameters
    ----------
    root : str or Path
    label_from : str, optional
        A regular expression searched in each file name; its first group is the label. Where all are numbers they
        are taken as such; otherwise labels are class names, numbered in code point order. None gives label 0
        to all, as im2rec does.
    extensions, classes
        As for `FolderSource`.

    Raises
    ------
    PlanError
        The expression is not valid or has no group.
    SourceError
        `root` is not a folder, or no name has a label by the expression.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        label_from: str | None = FILE_NAME_LABEL,
        extensions: Sequence[str] = EXTENSIONS,
        classes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(root, extensions)
        with os.scandir(self.root) as entries:
            files = sorted(entry.name for entry in entries if not entry.is_dir())
        names = [name for name in files if self._is_image(self.root, name)]
        texts = ["0"] * len(names) if label_from is None else self._texts(names, label_from)
        labels = self._numbers([text for text in texts if text is not None], classes)
        for key, (name, text) in enumerate(zip(names, texts, strict=True)):
            if text is None:
                self.bad.append(BadEntry(name, f"expected a label in the file name, got no match of {label_from!r}"))
            else:
                self._add(key, labels[text], name)

    def _texts(self, names: Sequence[str], label_from: str) -> list[str | None]:
        try:
            pattern = re.compile(label_from)
        except re.error as error:
            raise PlanError(
                argument="label_from", expected="a regular expression", got=f"{label_from!r} ({error})"
            ) from None
        if not pattern.groups:
            raise PlanError(argument="label_from", expected="a group (...) around the label", got=repr(label_from))
        texts = [(match[1] or None) if (match := pattern.search(name)) else None for name in names]
        if names and not any(texts):
            raise SourceError(
                f"none of {len(names)} image names has a label by {label_from!r}, for example {names[0]!r}",
                path=str(self.root),
                advice="give another expression with `label_from`",
            )
        return texts

    def _numbers(self, texts: Sequence[str], classes: Mapping[str, int] | None) -> dict[str, float]:
        distinct = sorted(set(texts))
        if classes is None:
            try:
                return {text: int(text) if re.fullmatch(r"-?\d+", text) else _finite(text) for text in distinct}
            except ValueError:
                classes = {text: number for number, text in enumerate(distinct)}
        self.classes = dict(classes)
        unknown = [text for text in distinct if text not in classes]
        if unknown:
            raise SourceError(
                f"label {unknown[0]!r} is not among the {len(classes)} given classes", path=str(self.root)
            )
        return {text: classes[text] for text in distinct}


def _finite(text: str) -> float:
    number = float(text)
    if number - number:  # infinite or NaN: a word after all
        raise ValueError(text)
    return number


def _what(path: Path) -> str:
    return "a file" if path.exists() else "nothing of that name"
