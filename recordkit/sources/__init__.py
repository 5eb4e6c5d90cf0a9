"""Sources of samples to pack: one module per kind, and `open_source`, which chooses the kind by what is at a path.

A source implements the protocol `recordkit.sample.Source`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from recordkit.errors import PlanError, SourceError
from recordkit.formats.files import not_found
from recordkit.sample import Source
from recordkit.sources.classes import find_classes, read_classes
from recordkit.sources.file_names import FILE_NAME_LABEL, FileNameSource
from recordkit.sources.files import EXTENSIONS
from recordkit.sources.folder import FolderSource
from recordkit.sources.listed_images import Progress
from recordkit.sources.listing import ListSource
from recordkit.sources.mnist import MnistSource, open_sets, open_sets_below

__all__ = [
    "EXTENSIONS",
    "FileNameSource",
    "FolderSource",
    "ListSource",
    "MnistSource",
    "open_images",
    "open_source",
    "read_classes",
]


def open_source(
    path: str | Path,
    *,
    root: str | Path | None = None,
    label_from: str | None = None,
    extensions: Sequence[str] = EXTENSIONS,
    classes: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> Source | dict[str, Source]:
    """Open a .lst file, a folder of ubyte (MNIST) files, a folder tree or a flat folder of images.

    Parameters
    ----------
    path : str or Path
        A folder, or a file ending in ``.lst``.
    root : str or Path, optional
        Folder that the paths of a .lst file start from; by default the list's own folder.
    label_from : str, optional
        Template such as ``{key:06d}_{label}.png``, or regular expression, that finds the labels in the names of images;
        see `FileNameSource`.
    extensions : sequence of str
        Suffixes that count as images in a folder.
    classes : mapping of str to int, optional
        Labels by class name: for a folder, the labels to assign; for a list, the names of its labels. The names of a
        list are also read from PREFIX.classes.json beside it.
    progress : callable, optional
        Called with the number of images found since its last call, while a folder of images is listed.

    Returns
    -------
    source : Source, or dict of {"train", "test"} to Source for a folder of ubyte files

    Raises
    ------
    PlanError
        An argument does not apply to that kind of source.
    NotFoundError
        The path does not exist.
    SourceError, FormatError
        The path is not a source, or the source is damaged or empty.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as photos:
    ...     for name in ("cat/1.jpg", "dog/1.jpg", "dog/2.jpg"):
    ...         image = Path(photos, name)
    ...         image.parent.mkdir(exist_ok=True)
    ...         image.touch()
    ...     source = open_source(photos)
    >>> len(source), source.classes
    (3, {'cat': 0, 'dog': 1})
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path, root, label_from, extensions, classes, progress)
    if path.is_file() and path.suffix == ".lst":
        if label_from:
            raise PlanError("`label_from` applies to a folder; a .lst file has its labels")
        return ListSource(path, root, classes=classes or find_classes(path))
    if not path.exists():
        raise not_found(path, "a folder or a .lst file")
    raise SourceError(path=str(path), expected="a folder or a .lst file", got="another file")


def _open_folder(
    path: Path,
    root: str | Path | None,
    label_from: str | None,
    extensions: Sequence[str],
    classes: Mapping[str, int] | None,
    progress: Progress | None,
) -> Source | dict[str, Source]:
    if root is not None:
        raise PlanError("`root` applies to a .lst file; a folder is its own root")
    sets = open_sets(path)
    if sets:
        if label_from or classes:
            raise PlanError("`label_from` and `classes` apply to a folder of images; ubyte files have their labels")
        return dict(sets)
    source = _open_images(path, label_from, extensions, classes, progress)
    if source is None and (sets := open_sets_below(path)):
        return dict(sets)
    if source is None:
        raise SourceError(path=str(path), expected=f"images ({', '.join(extensions)}) or ubyte files", got="none")
    return source


def open_images(
    path: str | Path,
    *,
    label_from: str | None = None,
    extensions: Sequence[str] = EXTENSIONS,
    classes: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> FolderSource | FileNameSource:
    """Open a folder tree or a flat folder of images.

    Parameters
    ----------
    path : str or Path
    label_from, extensions, classes, progress
        Same meaning as for `open_source`.

    Returns
    -------
    source : FolderSource or FileNameSource

    Raises
    ------
    PlanError
        `label_from` does not apply to the folder.
    SourceError
        There is no such folder, or it has no usable images.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as digits:
    ...     Path(digits, "000000_5.jpg").touch()
    ...     open_images(digits).labels([0])
    [(5,)]
    """
    source = _open_images(Path(path), label_from, extensions, classes, progress)
    if source is None:
        advice = "ubyte files need no list, 'recordkit pack' reads them" if open_sets(path) else None
        raise SourceError(path=str(path), expected=f"images ({', '.join(extensions)})", got="none", advice=advice)
    return source


def _open_images(
    path: Path,
    label_from: str | None,
    extensions: Sequence[str],
    classes: Mapping[str, int] | None,
    progress: Progress | None,
) -> FolderSource | FileNameSource | None:
    """Return the source, or None if the folder has no images."""
    source: FolderSource | FileNameSource
    if label_from is not None:
        source = FileNameSource(path, label_from=label_from, extensions=extensions, classes=classes, progress=progress)
    else:
        source = FolderSource(path, extensions=extensions, classes=None, progress=progress)
        if set(source.classes) == {"."}:  # all images are directly in the folder
            source = FileNameSource(path, label_from=FILE_NAME_LABEL, extensions=extensions, classes=classes)
        elif classes is not None:
            source = FolderSource(path, extensions=extensions, classes=classes)
    if len(source):
        return source
    if source.bad:
        first = source.bad[0]
        raise SourceError(
            f"none of {len(source.bad)} images can be used; the first: {first.name}: {first.reason}", path=str(path)
        )
    if label_from is not None and len(FolderSource(path, extensions=extensions)):
        raise PlanError(
            "`label_from` applies to images directly in the folder, these are in folders below it",
            path=str(path),
            advice="a template with folders, such as {class}/{key}, reads them",
        )
    return None
