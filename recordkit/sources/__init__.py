"""Sources of samples to pack: one module per kind, and `open_source`, which chooses the kind by what is at a path.

A source implements the protocol `recordkit.sample.Source`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recordkit.codec import OTHER_DECODERS
from recordkit.dataset.packed_sets import packed_set_error
from recordkit.errors import FormatError, NotFoundError, PlanError, SourceError, quoted
from recordkit.formats.files import not_found
from recordkit.formats.name_template import NameTemplate
from recordkit.formats.signatures import find_other_format
from recordkit.sample import Source
from recordkit.sources.arrays import open_cifar
from recordkit.sources.classes import find_classes, read_classes
from recordkit.sources.file_names import FileNameSource, ZeroLabelSource, read_label_from
from recordkit.sources.files import EXTENSIONS, IM2REC_EXTENSIONS
from recordkit.sources.folder import ClassFrom, FolderSource, ImageOptions, TreeSource, open_images
from recordkit.sources.image_tree import ImageTree, Progress
from recordkit.sources.list_form import advise_columns
from recordkit.sources.listing import ListSource
from recordkit.sources.mnist import MnistSource, open_sets, open_sets_below
from recordkit.sources.table import TableSource
from recordkit.storage.remote.urls import Url, is_url

__all__ = [
    "EXTENSIONS",
    "IM2REC_EXTENSIONS",
    "ClassFrom",
    "FileNameSource",
    "FolderSource",
    "ListSource",
    "MnistSource",
    "TableSource",
    "TreeSource",
    "ZeroLabelSource",
    "open_source",
    "read_classes",
]


# The kinds of sources that each argument of `open_source` applies to.
_KINDS_BY_ARGUMENT = {
    "root": ("list",),
    "label_from": ("images",),
    "extensions": ("list", "images"),
    "classes": ("list", "ubyte", "cifar", "images"),
    "class_from": ("images",),
    "splits": ("images",),
    "columns": ("list",),
    "transpose": ("ubyte",),
    "allow_outside": ("list",),
}
_KIND_NAMES = {
    "list": "a list",
    "ubyte": "a folder of ubyte files",
    "cifar": "a folder of CIFAR's binary files",
    "images": "a folder of images",
}


def open_source(  # noqa: PLR0913 (one keyword for each fact that the path does not tell)
    path: str | Path,
    *,
    root: str | Path | None = None,
    label_from: str | None = None,
    extensions: Sequence[str] = EXTENSIONS,
    decoders: Sequence[str] = (),
    classes: Mapping[str, int] | None = None,
    class_from: ClassFrom | None = None,
    splits: bool | None = None,
    columns: str | None = None,
    transpose: bool = False,
    allow_outside: bool = False,
    progress: Progress | None = None,
) -> Source | dict[str, Source]:
    """Open a list, a folder of ubyte (MNIST) or CIFAR files, a folder tree or a flat folder of images.

    Parameters
    ----------
    path : str or Path
        A folder, a file ending in ``.lst``, or with `columns` a list of another tool. Of several datasets of ubyte
        files in a folder, the beginning of the file names chooses one. A folder of images and a list may be URLs of an
        object store, such as ``s3://bucket/photos``.
    root : str or Path, optional
        Folder that the paths of a list start from, or the URL of one; by default the list's own folder.
    label_from : str, optional
        Template such as ``{key:06d}_{label}.png``, or regular expression, that finds the labels in the names of images;
        see `recordkit.sources.file_names`.
    extensions : sequence of str
        Suffixes that count as images in a folder, and that the paths of a list with `columns` may lack.
    decoders : sequence of str
        Names in `recordkit.codec.OTHER_DECODERS`, whose suffixes count as images too; see `PackPlan.decoders`.
    classes : mapping of str to int, optional
        Labels by class name: for a folder, the labels to assign; for a list, ubyte or CIFAR files, the names of labels.
        The names of a list are also read from PREFIX.classes.json beside it, those of published datasets are known.
    class_from : {"first", "last", "path"}, optional
        Folder that is the class of an image in a tree: the first one below the root, the last one, or the whole path,
        as in im2rec.
    splits : bool, optional
        Whether folders called train, val, test and so on are splits. None recognises them.
    columns : str, optional
        The columns of a list that is not MXNet's, such as ``path,label`` or ``-,path,class``; see
        `recordkit.sources.columns`. Without it, no list of another tool is read.
    transpose : bool
        Swap rows and columns of the images in ubyte files. Those of EMNIST are swapped in any case.
    allow_outside : bool, default False
        Allow paths of a list that lead out of `root`; "" and "/" allow them too. See `recordkit.sources.outside`.
    progress : callable, optional
        Called with the number of images found since its last call, while a folder of images is listed.

    Returns
    -------
    source : Source, or dict of str to Source
        A dict has a source for each split of ubyte files or of a folder of splits: "train", "val", "test".

    Raises
    ------
    PlanError
        An argument does not apply to that kind of source.
    NotFoundError
        The path does not exist.
    SourceError, FormatError
        The path is not a source, or the source is damaged or empty.
    RemoteError
        The object store does not answer or refuses.

    Examples
    --------
    >>> import pathlib, recordkit as rk, tempfile
    >>> photos = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("cat", "dog"):
    ...     (photos / name).mkdir()
    ...     (photos / name / "1.jpg").touch()
    >>> source = rk.open_source(photos)
    >>> len(source), source.classes
    (2, {'cat': 0, 'dog': 1})
    """
    _check(path, decoders)
    arguments: dict[str, Any] = {
        "root": root,
        "label_from": label_from,
        "extensions": None if tuple(extensions) == EXTENSIONS else extensions,
        "classes": classes,
        "class_from": class_from,
        "splits": splits,
        "columns": columns,
        "transpose": transpose or None,
        "allow_outside": allow_outside or None,
    }
    extensions = (*extensions, *itertools.chain.from_iterable(OTHER_DECODERS[name] for name in decoders))
    url = Url.parse(path) if is_url(path) else None
    if url is not None and (columns is not None or url.name.endswith(".lst")):
        from recordkit.sources.roots.listed import copy_list

        path, root = copy_list(url), root or str(url.parent)
        url = None
    path = Path(path)
    if path.is_file() and (columns is not None or path.suffix == ".lst"):
        _refuse_arguments_of_other_kinds("list", path, arguments)
        if columns is not None:
            return _open_table(path, root, columns, extensions, classes, allow_outside=allow_outside)
        return ListSource(path, root, classes=classes or find_classes(path), allow_outside=allow_outside)
    if url is None and (arrays := _open_arrays(path, arguments)) is not None:
        return arrays
    if url is None and not path.is_dir():
        raise _no_source_error(path, root, extensions)
    labels = None if label_from is None else read_label_from(label_from)
    options = ImageOptions(labels, classes, class_from, splits)
    if isinstance(labels, NameTemplate) and labels.suffix:
        extensions = (*extensions, labels.suffix)
    tree = ImageTree(path, extensions, progress) if url is None else _list_tree(url, extensions, progress)
    if url is None and tree.is_empty and (ubyte_sets := open_sets_below(path, transpose=transpose, classes=classes)):
        _refuse_arguments_of_other_kinds("ubyte", path, arguments)
        return _unwrap(ubyte_sets)
    if tree.is_empty:
        raise tree.left_out.no_image_error("images")
    _refuse_arguments_of_other_kinds("images", path, arguments)
    return open_images(tree, options)


def _check(path: str | Path, decoders: Sequence[str]) -> None:
    if os.fspath(path) == "":  # as a Path it would be the current folder
        raise PlanError(argument="path", expected="the path of a folder or a list", got="an empty text")
    if unknown := sorted(set(decoders) - set(OTHER_DECODERS)):
        raise PlanError(argument="decoders", expected=f"names of {', '.join(OTHER_DECODERS)}", got=repr(unknown[0]))


def _open_arrays(path: Path, arguments: Mapping[str, Any]) -> Source | dict[str, Source] | None:
    """Open a folder of ubyte or CIFAR files; None if it has none."""
    classes = arguments["classes"]
    if ubyte_sets := open_sets(path, transpose=bool(arguments["transpose"]), classes=classes):
        _refuse_arguments_of_other_kinds("ubyte", path, arguments)
        return _unwrap(ubyte_sets)
    if cifar_sets := open_cifar(path, classes):
        _refuse_arguments_of_other_kinds("cifar", path, arguments)
        return dict(cifar_sets)
    return None


def _list_tree(url: Url, extensions: Sequence[str], progress: Progress | None) -> ImageTree:
    """List a folder of an object store. The list takes the time, and shows the progress."""
    from recordkit.sources.roots.stored import StoredFolders

    return ImageTree(StoredFolders(url, extensions, progress), extensions)


def _open_table(
    path: Path,
    root: str | Path | None,
    columns: str,
    extensions: Sequence[str],
    classes: Mapping[str, int] | None,
    *,
    allow_outside: bool,
) -> TableSource:
    """Open a list of another tool. If it has other columns than these, the error advises those that it has."""
    try:
        return TableSource(
            path, root, columns=columns, extensions=extensions, classes=classes, allow_outside=allow_outside
        )
    except FormatError as error:
        error.advice = advise_columns(path, root, extensions, is_list=True) or error.advice
        raise


def _no_source_error(path: Path, root: str | Path | None, extensions: Sequence[str]) -> SourceError | NotFoundError:
    """Return the error about a path without a folder or a list: what it is, or the columns that would read it."""
    expected = "a folder or a .lst file"
    if packed := packed_set_error(path, expected):
        return packed
    if not path.exists():
        return not_found(path, expected)
    got, advice = "another file", None
    if path.is_file():
        advice = advise_columns(path, root, extensions)
        other = find_other_format(path)
        if other is not None and other.kind == "json":
            got, advice = other.name, "write a list with a row PATH,LABEL for each image, and give `columns=path,label`"
        elif other is not None and other.kind in ("jpg", "png"):
            got, advice = other.name, "give the folder that has a folder of images for each class"
            advice += f", such as {quoted(path.parent.parent)}" if path.parent.name else ""
        elif other is not None and other.kind != "text":
            got, advice = other.name, other.advice
    return SourceError(path=str(path), expected=expected, got=got, advice=advice)


def _unwrap(sets: dict[str, MnistSource]) -> Source | dict[str, Source]:
    """Return the sets; if there is one set without a name, the source alone."""
    return sets[""] if list(sets) == [""] else dict(sets)


def _refuse_arguments_of_other_kinds(kind: str, path: Path, arguments: Mapping[str, object]) -> None:
    """Raise a PlanError for an argument that is given and does not apply to this kind of source."""
    for name, value in arguments.items():
        kinds = _KINDS_BY_ARGUMENT[name]
        if value is not None and kind not in kinds:
            applies_to = " or ".join(_KIND_NAMES[other] for other in kinds)
            raise PlanError(
                f"applies to {applies_to}, and this is {_KIND_NAMES[kind]}",
                path=str(path),
                argument=name,
                advice="leave it out",
            )
