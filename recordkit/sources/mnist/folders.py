"""Finding the files of MNIST and its relatives in a folder, and in the folders that archives unpack to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from recordkit.sources.files import EXTENSIONS
from recordkit.sources.mnist.files import SPLITS, ArrayFile, is_array_name, parse_name
from recordkit.sources.tool_files import is_tool_file, is_tool_folder

# Archives of Kaggle and torchvision unpack to ROOT/NAME/raw/FILE; one more level is room for a folder of the user.
_MAX_DEPTH = 3


class FolderContent(NamedTuple):
    """The arrays in a folder, and files that may be arrays.

    Attributes
    ----------
    arrays : list of ArrayFile
    others : list of Path
        Files that look like arrays or labels, but whose names say not which.
    """

    arrays: list[ArrayFile]
    others: list[Path]

    @property
    def paths(self) -> list[Path]:
        """The paths of all files."""
        return [array.path for array in self.arrays] + self.others


def list_arrays(folder: Path, beginning: str = "") -> FolderContent:
    """List the files of one folder, sorted by name.

    Parameters
    ----------
    folder : Path
    beginning : str
        Leave out files whose names begin otherwise.

    Returns
    -------
    content : FolderContent
        Also the files of folders that are called like a file: some programs unpack ``train-images-idx3-ubyte.zip`` into
        a folder of that name.
    """
    arrays: list[ArrayFile] = []
    others: list[Path] = []
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 (a Path for each of a million images is slow)
        is_array = is_array_name(name)
        if not (is_array or name.lower().endswith(".npz")) or is_tool_file(name) or not name.startswith(beginning):
            continue
        path = folder / name
        if path.is_dir():
            inner = list_arrays(path, beginning)
            arrays += inner.arrays
            others += inner.others
        elif array := parse_name(path):
            arrays.append(array)
        elif is_array:
            others.append(path)
    return FolderContent(arrays, others)


def find_array_folders(root: Path) -> dict[Path, FolderContent]:
    """Find the folders below a folder that have such files. A folder called ``train`` says the split of its files."""
    contents: dict[Path, FolderContent] = {}
    for folder in _walk(root):
        if folder != root and not is_array_name(folder.name):
            arrays, others = list_arrays(folder)
            split = SPLITS.get(folder.name.lower(), "")
            if arrays or others:
                arrays = [array if array.split else array._replace(split=split) for array in arrays]
                contents[folder] = FolderContent(arrays, others)
    return contents


def find_images(root: Path) -> list[Path]:
    """List the image files in a folder and below it."""
    return [
        path
        for folder in _walk(root)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in EXTENSIONS and not is_tool_file(path.name)
    ]


def _walk(root: Path) -> Iterator[Path]:
    """Yield the folder and those below it, at most three levels deep and without the folders of programs."""
    for path, folders, _ in os.walk(root, followlinks=True):
        folder = Path(path)
        yield folder
        is_deepest = len(folder.relative_to(root).parts) == _MAX_DEPTH
        folders[:] = [] if is_deepest else sorted(name for name in folders if not is_tool_folder(f"{path}/{name}"))
