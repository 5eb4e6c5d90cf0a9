"""The image files and .rec files that the paths given to a prediction stand for."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from recordkit.formats.files import not_found
from recordkit.sources import EXTENSIONS
from recordkit.sources.image_tree import ImageTree, join_name
from recordkit.storage.fileset import Fileset
from recordkit.storage.names import MANIFEST_SUFFIX, suffix_of
from recordkit.storage.remote.urls import is_url
from recordkit.storage.search import find_rec_files


def find_sources(paths: Sequence[Path]) -> list[list[Path] | Path]:
    """Find the files of paths before one of them is read.

    Parameters
    ----------
    paths : sequence of Path
        Image files, folders with images, and datasets: .rec files, prefixes, manifests, or patterns of them. A folder
        or a file is what it is, although a dataset may have it as its prefix.

    Returns
    -------
    sources : list of (list of Path) or Path
        In the order of the paths: image files, of all paths up to the next dataset, or a .rec file.

    Raises
    ------
    NotFoundError, OSError
        A path or a shard does not exist, or a link leads nowhere.
    SourceError
        A folder has no image.
    PlanError, FormatError
        A numbered shard is missing, or a manifest is damaged.

    Warns
    -----
    UserWarning
        Files of a folder are ignored because of their suffix.
    """
    sources: list[list[Path] | Path] = []
    for path in paths:
        if _is_dataset(path):
            sources += find_rec_files(path)
            continue
        files = _images_in(path) if path.is_dir() else [path]
        if sources and isinstance(sources[-1], list):
            sources[-1] += files
        else:
            sources.append(files)
    return sources


def _is_dataset(path: Path) -> bool:
    if is_url(path) or suffix_of(path.name) in (".rec", MANIFEST_SUFFIX):
        return True
    if path.exists():
        return False
    files = Fileset(path)
    if any(map(files.exists, (".rec", MANIFEST_SUFFIX))):
        return True
    raise not_found(path, "an image, a folder of images or a .rec file")


def _images_in(folder: Path) -> list[Path]:
    """Return the images in a folder and its subfolders, in the order of their names.

    Raises
    ------
    SourceError
        There is no image.
    OSError
        A link leads nowhere.
    """
    tree = ImageTree(folder, EXTENSIONS)
    if tree.is_empty:
        raise tree.left_out.no_image_error("images", "name the images themselves, whose suffix is {}")
    for note in tree.left_out.notes():
        warnings.warn(note, UserWarning, stacklevel=2)
    names = [join_name(path, name) for path, names in tree.files.items() for name in names]
    for bad in tree.bad_in(tree.folders):
        Path(folder, bad.name).stat()  # a link to nothing is an error now, any other file when it is read
        names.append(bad.name)
    return sorted(Path(folder, name) for name in names)
