"""The files of a folder that a source leaves out, in the words of its notes and errors."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Set as AbstractSet

from recordkit import codec
from recordkit.errors import SourceError, enumerate_some, plural
from recordkit.sources.mnist.files import is_array_name
from recordkit.sources.roots.local import Folders
from recordkit.sources.tool_files import is_tool_file, is_tool_folder

_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")


class LeftOutFiles:
    """Counts of the files below a folder that are no images by their names, and of those that programs made.

    Parameters
    ----------
    folders : Folders
    suffixes : set of str
        Suffixes of images, in lower case.
    keep_tool_files : bool, default False
        Images that programs made count as images, as in im2rec, and are named in a note.

    Attributes
    ----------
    folders : set of str
        Paths of the folders that have a file of another suffix.
    """

    def __init__(self, folders: Folders, suffixes: AbstractSet[str], *, keep_tool_files: bool = False) -> None:
        self.folders: set[str] = set()
        self._files = folders
        self._root = folders.root
        self._suffixes = suffixes
        self._keep_tool_files = keep_tool_files
        self._n_by_suffix: Counter[str] = Counter()
        self._first_by_suffix: dict[str, str] = {}
        self._used_suffixes: set[str] = set()
        self._ubyte_files: list[str] = []
        self._n_tool_folders: Counter[str] = Counter()  # by name; those with images
        self._n_tool_files = 0
        self._first_tool_file = ""

    def takes_folder(self, path: str) -> bool:
        """Tell whether a folder belongs to the images. A folder that a program made is counted."""
        if not is_tool_folder(path, self._files):
            return True
        if any(_suffix(file) in self._suffixes for file in self._files.walk(path)):
            self._n_tool_folders[os.path.basename(path)] += 1  # noqa: PTH119 (as the paths of the walk)
        return self._keep_tool_files

    def takes_file(self, folder: str, name: str) -> bool:
        """Tell whether a file is an image by its name. Any other one is counted."""
        is_made_by_a_program = is_tool_file(name)
        if _suffix(name) in self._suffixes:
            if is_made_by_a_program:
                self._n_tool_files += 1
                self._first_tool_file = self._first_tool_file or name
            if is_made_by_a_program and not self._keep_tool_files:
                return False
            self._used_suffixes.add(_suffix(name))
            return True
        if not is_made_by_a_program:
            if is_array_name(name):
                self._ubyte_files.append(f"{folder}/{name}"[len(self._root) :].lstrip("/"))
            self._n_by_suffix[_suffix(name)] += 1
            self._first_by_suffix.setdefault(_suffix(name), f"{folder}/{name}")
            self.folders.add(folder)
        return False

    def notes(self) -> list[str]:
        """Return notes on files of other suffixes, on ubyte files, and on folders and files that programs made."""
        notes = []
        if n_files := self._n_by_suffix.total():
            ignored = f"{self._root}: ignored {plural(n_files, 'file')} of other suffixes ({self._counts()})"
            notes.append(ignored + self._how_to_take_images())
        if self._ubyte_files:
            notes.append(
                f"{self._root}: image files are packed, ubyte files are not: {enumerate_some(self._ubyte_files)}"
            )
        if names := self._tool_names():
            notes.append(
                f"{self._root}: other programs made {names}; they count as images, as in im2rec, and 'recordkit list' "
                "leaves them out"
                if self._keep_tool_files
                else f"{self._root}: left out what other programs made: {names}"
            )
        return notes

    def no_image_error(
        self, expected: str, suffix_advice: str = "`extensions` {} reads those that are images"
    ) -> SourceError:
        """Return the error for a folder without an image; it names the files that are there.

        Parameters
        ----------
        expected : str
            Description of what the folder should have.
        suffix_advice : str
            How to read files that are images by their bytes; ``{}`` stands for their suffixes.
        """
        got = f"only {self._counts()}" if self._n_by_suffix else "none"
        if names := self._tool_names():
            got = f"{got}, and {names}, which other programs made"
        return SourceError(path=self._root, expected=expected, got=got, advice=self._advice(suffix_advice))

    def _how_to_take_images(self) -> str:
        """Return the end of the note on ignored files if some of them are images by their bytes."""
        suffixes = [] if self._keep_tool_files else self._suffixes_of_images()
        if suffixes == [""]:
            return "; some without a suffix are images: give them one, such as .jpg"
        if not suffixes:
            return ""
        used = ",".join(sorted({*self._used_suffixes, *filter(None, suffixes)}))
        return f"; there are images among them, which 'recordkit pack --exts {used}' takes"

    def _suffixes_of_images(self) -> list[str]:
        return sorted(
            suffix
            for suffix, path in self._first_by_suffix.items()
            if codec.sniff(self._files.head(path)) not in ("unknown", "empty")
        )

    def _counts(self) -> str:
        return enumerate_some([f"{n} {suffix or 'without a suffix'}" for suffix, n in self._n_by_suffix.most_common()])

    def _tool_names(self) -> str:
        names = [name if n == 1 else f"{name} ({n} folders)" for name, n in sorted(self._n_tool_folders.items())]
        if self._n_tool_files:
            more = f" and {plural(self._n_tool_files - 1, 'other hidden file')}" if self._n_tool_files > 1 else ""
            names.append(f"{self._first_tool_file}{more}")
        return enumerate_some(names)

    def _advice(self, suffix_advice: str) -> str | None:
        """Return how to read the files of other suffixes if they begin like images, and otherwise what can be read."""
        if not self._n_by_suffix:
            return None
        suffixes = self._suffixes_of_images()
        if suffixes == [""]:
            return "these files are images without a suffix: give them one, such as .jpg"
        if suffixes:
            return suffix_advice.format(",".join(filter(None, suffixes)))
        if archive := next((path for path in self._first_by_suffix.values() if path.lower().endswith(_ARCHIVES)), None):
            return f"unpack {archive} first"
        if ".rec" in self._first_by_suffix:
            return f"a .rec is packed already: give {self._first_by_suffix['.rec']} to train, verify or RecordDataset"
        return "recordkit reads JPEG, PNG, BMP, GIF, TIFF, WebP and binary Netpbm"


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (a Path for each of a million files is slow)
