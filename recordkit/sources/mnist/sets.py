"""The sets of MNIST and its relatives in a folder: which arrays belong together, and what the sets are called."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recordkit.errors import SourceError, enumerate_some, plural
from recordkit.formats.files import not_found
from recordkit.formats.numpy_files import npz
from recordkit.sources.mnist.class_names import find_class_names, known_class_names
from recordkit.sources.mnist.files import ArrayFile, is_array_name, missing_name, parse_name
from recordkit.sources.mnist.folders import FolderContent, find_array_folders, find_images, list_arrays
from recordkit.sources.mnist.source import MnistSource

_KERAS_ARRAYS = {
    "x_train": ("images", "train"),
    "y_train": ("labels", "train"),
    "x_test": ("images", "test"),
    "y_test": ("labels", "test"),
}
_SPLIT_ORDER = ("train", "val", "test", "")
# EMNIST has so many files, so that all of them are named if each has a copy.
_MAX_NAMES = 24


class _Options(NamedTuple):
    """Arguments of `open_sets` besides the path."""

    transpose: bool
    classes: Mapping[str, int] | None


def open_sets(
    path: str | Path, *, transpose: bool = False, classes: Mapping[str, int] | None = None
) -> dict[str, MnistSource]:
    """Open the sets at a path.

    Parameters
    ----------
    path : str or Path
        A folder with the files directly in it, the beginning of the names of such files, such as
        ``gzip/emnist-letters``, or an .npz file of Keras.
    transpose : bool
        Swap rows and columns of each image. Those of EMNIST are swapped in any case, because they are published so.
    classes : mapping of str to int, optional
        Names of the labels; by default those that are published with the dataset, or known.

    Returns
    -------
    sets : dict of str to MnistSource
        By name: ``train`` and ``test`` of one dataset, ``letters_train`` and so on of several. The name is "" if
        there is only one set that is not divided. Empty if there are no such files.

    Raises
    ------
    SourceError
        A set has images but no labels, or labels but no images, or a file of another content.
    FormatError
        A file is damaged.
    NotFoundError
        The path is almost the beginning of the names of files that are there.
    """
    path, options = Path(path), _Options(transpose, classes)
    if path.is_dir():
        return _open_folder(path, list_arrays(path), options)
    if path.is_file():
        return _open_file(path, options)
    if not path.parent.is_dir():
        return {}
    content = list_arrays(path.parent, path.name)
    if not content.arrays:
        beginnings = {text for array in list_arrays(path.parent).arrays for text in (array.dataset, array.beginning)}
        if similar := get_close_matches(path.name, beginnings, n=1):
            expected, advice = (
                "the beginning of the names of ubyte files",
                f"did you mean {path.with_name(similar[0])}?",
            )
            raise not_found(path, expected, advice=advice)
    return _make_sets(path, content, options)


def open_sets_below(
    folder: str | Path, *, transpose: bool = False, classes: Mapping[str, int] | None = None
) -> dict[str, MnistSource]:
    """Open the sets in a folder below a folder, as archives unpack; see `open_sets`.

    Raises
    ------
    SourceError
        The files of several datasets are in several folders, or the names of all files are unknown.
    """
    folder, options = Path(folder), _Options(transpose, classes)
    contents = find_array_folders(folder)
    with_arrays = [path for path, content in contents.items() if content.arrays]
    others = list_arrays(folder).others + [path for content in contents.values() for path in content.others]
    nested = [array for content in contents.values() for array in content.arrays]
    if len(with_arrays) > 1 and not (_is_one_dataset(nested) or _has_copies_below(contents)):
        raise SourceError(
            path=str(folder),
            expected="ubyte files in one folder",
            got=f"{plural(len(with_arrays), 'folder')} with such files",
            advice=f"give one of them: {enumerate_some(with_arrays)}",
        )
    if arrays := list_arrays(folder).arrays + nested:
        return _make_sets(folder, FolderContent(arrays, others), options)
    files = others + [path for path in sorted(folder.glob("*.npz")) if npz.names(path) >= _KERAS_ARRAYS.keys()]
    if files:
        raise SourceError(
            path=str(folder),
            expected="names such as train-images-idx3-ubyte and train-labels-idx1-ubyte",
            got=_join(files, folder),
            advice="rename or unpack these files" if others else f"give the file, {files[0]}",
        )
    return {}


def _open_folder(folder: Path, content: FolderContent, options: _Options) -> dict[str, MnistSource]:
    if not (any(is_array_name(array.path.name) for array in content.arrays) or _has_pair(content.arrays)):
        return {}  # an .npz file alone can be anything
    sets = _make_sets(folder, content, options)
    notes = next(iter(sets.values())).notes
    if below := [path for other in find_array_folders(folder).values() for path in other.paths]:
        notes.append(f"{folder}: the files in it are packed, those in folders below it are not: {_join(below, folder)}")
    if images := find_images(folder):
        notes.append(f"{folder}: the ubyte files in it are packed, image files are not: {_join(images, folder, 5)}")
    return sets


def _open_file(path: Path, options: _Options) -> dict[str, MnistSource]:
    if path.suffix.lower() == ".npz" and npz.names(path) >= _KERAS_ARRAYS.keys():
        arrays = [ArrayFile(path, content, "", split, name) for name, (content, split) in _KERAS_ARRAYS.items()]
        return _make_sets(path, FolderContent(arrays, []), options)
    array = parse_name(path)
    if array is None:
        return {}
    raise SourceError(
        path=str(path),
        expected="a folder of ubyte files, or the beginning of their names",
        got="one file",
        advice=f"give {path.with_name(array.beginning) if array.beginning else path.parent}",
    )


def _make_sets(path: Path, content: FolderContent, options: _Options) -> dict[str, MnistSource]:
    groups = _group(content.arrays)
    datasets = {dataset for dataset, _ in groups}
    sets: dict[str, MnistSource] = {}
    notes: list[str] = []
    copies: list[Path] = []
    for (dataset, split), group in groups.items():
        images, labels = ([array for array in group if array.content == kind] for kind in ("images", "labels"))
        if not (images and labels):
            raise _missing_error(path, group[0], content)
        pair = _choose_images(images), _choose_labels(labels)
        copies += [array.path for array in group if array not in pair]
        name = dataset or ("kmnist" if len(datasets) == 1 else "")
        classes = options.classes or find_class_names(pair[0].path.parent, name) or known_class_names(pair[1])
        transpose = options.transpose or _is_emnist(dataset)
        sets[_name_set(dataset, split, datasets)] = MnistSource(*pair, transpose=transpose, classes=classes)
    if copies:
        notes.append(f"{path}: these copies are not read: {_join(copies, path)}")
    if content.others:
        notes.append(f"{path}: these files belong to no set and are not packed: {_join(content.others, path)}")
    if not options.transpose and any(map(_is_emnist, datasets)):
        notes.append(f"{path}: the images of EMNIST are published transposed; they are turned upright")
    if sets:
        next(iter(sets.values())).notes += notes
    return sets


def _is_emnist(dataset: str) -> bool:
    return "emnist" in re.split("[-_.]", dataset.lower())


def _group(arrays: Sequence[ArrayFile]) -> dict[tuple[str, str], list[ArrayFile]]:
    """Return the arrays of each dataset and split; plain files come before compressed ones."""
    groups: dict[tuple[str, str], list[ArrayFile]] = {}
    for array in sorted(arrays, key=lambda array: (array.dataset, _SPLIT_ORDER.index(array.split), array.is_packed)):
        groups.setdefault((array.dataset, array.split), []).append(array)
    return groups


def _has_pair(arrays: Sequence[ArrayFile]) -> bool:
    return any(len({array.content for array in group}) == 2 for group in _group(arrays).values())


def _is_one_dataset(arrays: Sequence[ArrayFile]) -> bool:
    """Return whether arrays from several folders are one dataset, such as its training set and its test set."""
    distinct = {(array.split, array.content) for array in arrays}
    return len(distinct) == len(arrays) and len({array.dataset for array in arrays}) == 1


def _has_copies_below(contents: Mapping[Path, FolderContent]) -> bool:
    """Return whether one folder has all arrays, and folders below it have copies, as torchvision unpacks EMNIST."""
    top, *others = sorted(contents, key=lambda folder: len(folder.parts))
    arrays = {array[1:] for array in contents[top].arrays}
    return all(
        folder.is_relative_to(top) and arrays.issuperset(array[1:] for array in contents[folder].arrays)
        for folder in others
    )


def _choose_images(copies: Sequence[ArrayFile]) -> ArrayFile:
    """Return the first of several files with the same images."""
    first = copies[0]
    for other in copies[1:]:
        if first.read_shape() != other.read_shape():
            raise SourceError(
                path=str(other.path),
                expected=f"the same images as in {first.path}, shape {first.read_shape()}",
                got=other.read_shape(),
                advice="remove one of these files",
            )
    return first


def _choose_labels(copies: Sequence[ArrayFile]) -> ArrayFile:
    """Return the file with the most labels per image, of several in which the first label of each image is the same."""
    first = copies[0]
    if len(copies) == 1:
        return first
    numbers = [array.read() for array in copies]
    classes = [array.reshape(len(array), -1)[:, :1] for array in numbers]
    for other, array in zip(copies, classes, strict=True):
        if not np.array_equal(array, classes[0]):
            raise SourceError(
                path=str(other.path),
                expected=f"the same labels as in {first.path}",
                got="others",
                advice="remove one of these files",
            )
    return copies[max(range(len(copies)), key=lambda number: numbers[number].size)]


def _missing_error(path: Path, array: ArrayFile, content: FolderContent) -> SourceError:
    beginnings = [group[0].beginning for group in _group(content.arrays).values() if _has_pair(group)]
    return SourceError(
        path=str(path),
        expected=f"{missing_name(array)} beside {array.path}",
        got=f"no such file, but {_join(content.others, path)}" if content.others else "no such file",
        advice=f"to pack other files alone, give {array.path.with_name(beginnings[0])}" if any(beginnings) else None,
    )


def _name_set(dataset: str, split: str, datasets: set[str]) -> str:
    """Return the split, with the part of the dataset's name that differs if there are several datasets."""
    if len(datasets) == 1:
        return split
    words_by_position = zip(*(name.split("-") for name in datasets), strict=False)
    n_equal = len(list(takewhile(lambda words: len(set(words)) == 1, words_by_position)))
    return "_".join(filter(None, ("-".join(dataset.split("-")[n_equal:]), split))) or "images"


def _join(paths: Sequence[Path], folder: Path, limit: int = _MAX_NAMES) -> str:
    """Return the names of files or folders relative to a folder, as far as a message has room."""
    start = folder if folder.is_dir() else folder.parent
    return enumerate_some([os.path.relpath(path, start) for path in paths], limit)
