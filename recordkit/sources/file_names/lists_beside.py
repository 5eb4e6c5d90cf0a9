"""The list beside a folder of images that has their labels, for the error about names without labels."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from recordkit.errors import quoted
from recordkit.formats.files import open_file
from recordkit.sources.list_form import advise_columns
from recordkit.sources.tool_files import is_tool_file

_SUFFIXES = (".csv", ".tsv", ".txt", ".lst")
# Files of one folder that are tried; more than a few are no lists of a dataset, but a file of labels for each image.
_N_TRIED = 20
_N_BYTES_PER_READ = 1 << 20
# Competitions have such files, with labels that mean nothing.
_WORD_OF_EXAMPLES = "submission"
_WORDS_OF_SPLITS = ("train", "val", "test")


def advise_list(folder: Path, n_images: int, extensions: Sequence[str]) -> str | None:
    """Return the command that packs the images of a folder with the labels of a list, or None.

    Parameters
    ----------
    folder : Path
        The folder of the images. The list is in it or in one of the two folders above it.
    n_images : int
        Number of images in the folder.
    extensions : sequence of str
        Suffixes of images.

    Returns
    -------
    advice : str or None
        The list was read with the columns in it, is not shorter than the folder, and is not that of another split.
    """
    for place in (folder, *itertools.islice(folder.parents, 2)):
        with contextlib.suppress(OSError):  # a folder or file of other users
            with os.scandir(place) as items:
                names = sorted(item.name for item in items if _may_be_a_list(item))
            for path in (place / name for name in names[:_N_TRIED]):
                if _is_of_another_split(path, folder) or _count_lines(path) < n_images:
                    continue
                command = f"recordkit pack {quoted(path)} PREFIX"
                advice = advise_columns(path, folder, extensions, program=command)
                if advice is not None and quoted(folder) in advice.partition(command)[2]:
                    return f"the labels may be in {path.name}: {advice}"
    return None


def _may_be_a_list(item: os.DirEntry[str]) -> bool:
    name = item.name.lower()
    return name.endswith(_SUFFIXES) and not is_tool_file(name) and _WORD_OF_EXAMPLES not in name and item.is_file()


def _count_lines(path: Path) -> int:
    with open_file(path, what="a list") as file:
        return 1 + sum(block.count(b"\n") for block in iter(lambda: file.read(_N_BYTES_PER_READ), b""))


def _is_of_another_split(path: Path, folder: Path) -> bool:
    """Return whether the names of a list and of a folder, or of the folder above it, have words of other splits."""
    words, own, above = (_words_of_splits(name) for name in (path.stem, folder.name, folder.parent.name))
    folder_words = own or above
    return bool(words and folder_words) and not words & folder_words


def _words_of_splits(name: str) -> set[str]:
    return {word for word in _WORDS_OF_SPLITS if word in name.lower()}
