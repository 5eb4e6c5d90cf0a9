"""Opening a folder of images: a folder per class, a folder per split, or labels in the names of the images."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from recordkit.errors import PlanError, SourceError, enumerate_some
from recordkit.formats.name_template import NameTemplate
from recordkit.sample import Source
from recordkit.sources.file_names import FileNameSource, has_folders, open_file_names
from recordkit.sources.files import EXTENSIONS
from recordkit.sources.folder.class_folders import ClassFolders, ClassFrom, choose_classes
from recordkit.sources.folder.node import Node
from recordkit.sources.folder.siblings import refuse_other_numbers
from recordkit.sources.folder.source import TreeSource
from recordkit.sources.folder.split_names import Role
from recordkit.sources.folder.splits import Splits, find_splits, refuse_inner_splits
from recordkit.sources.folder.tree import ImageTree
from recordkit.sources.listed_images import Progress

_Images = TypeVar("_Images", TreeSource, FileNameSource, TreeSource | FileNameSource)


@dataclass(frozen=True)
class ImageOptions:
    """The options of a folder of images; their meaning is that in `recordkit.sources.open_source`."""

    label_from: str | None = None
    extensions: Sequence[str] = EXTENSIONS
    classes: Mapping[str, int] | None = None
    class_from: ClassFrom | None = None
    splits: bool | None = None
    progress: Progress | None = None


def open_images(root: Path, options: ImageOptions) -> Source | dict[str, Source] | None:
    """Open a folder of images.

    Parameters
    ----------
    root : Path
    options : ImageOptions

    Returns
    -------
    source : Source, dict of str to Source, or None
        None if the folder has no images.

    Raises
    ------
    PlanError
        An option does not apply to the folder.
    SourceError
        The folder may have classes or splits, the splits have different classes, or no image can be used.
    """
    template = _read_template(options.label_from)
    if options.label_from is not None and options.class_from is not None:
        message = "`class_from` and `label_from` both say where the class is"
        raise PlanError(message, path=str(root), advice="leave one out")
    reads_tree = template.has_folders if template else has_folders(options.label_from)
    if options.label_from is not None and options.splits is not True and not reads_tree:
        source = _open_flat(root, options)
        if len(source) or source.bad:
            source.extra_notes += _note_on_folders(root, options)
            return _usable(source, root)
    suffixes = (*options.extensions, template.suffix) if template and template.suffix else options.extensions
    tree = ImageTree(root, suffixes, options.progress)
    top = tree.top()
    if not top.has_images() and not tree.bad:
        return None
    try:
        return _open_tree(tree, top, options, reads_tree=reads_tree)
    except SourceError as error:
        raise error.located(path=str(root)) from None


def _open_tree(tree: ImageTree, top: Node, options: ImageOptions, *, reads_tree: bool) -> Source | dict[str, Source]:
    splits = None if options.splits is False else find_splits(top, wanted=options.splits is True)
    root = Path(tree.root)
    if splits is None:
        if options.label_from is None:
            return _usable(_open_one(tree, top, options), root)
        if reads_tree:
            return _usable(_open_flat(root, options), root)
        raise _folders_below_error(root)
    if splits.is_divided and options.label_from is not None:
        raise PlanError(
            "`label_from` applies to folders of splits that have the classes, and these splits are below the classes",
            path=tree.root,
            advice="leave it out",
        )
    if reads_tree and options.splits is None:
        raise SourceError(
            f"{enumerate_some([path for paths in splits.folders.values() for path in paths])} look like splits",
            advice="give `splits=True`, which applies `label_from` inside each, or `splits=False`, for the whole tree",
        )
    return _open_splits(tree, splits, options)


def _open_one(tree: ImageTree, top: Node, options: ImageOptions) -> TreeSource | FileNameSource:
    if top.is_flat() and options.class_from is None:
        return _open_flat(Path(tree.root), options)
    if top.is_flat() and options.class_from != "path":
        raise PlanError(
            "images directly in the folder have no class folder",
            path=tree.root,
            argument="class_from",
            advice="leave it out, and `label_from` finds labels in the names",
        )
    folders = choose_classes(top, options.class_from, are_no_splits=options.splits is False)
    source = TreeSource(tree, top, folders, classes=options.classes, notes=tree.notes)
    source.extra_notes += _note_on_one_class(source)
    if options.classes is None and options.class_from != "path" and options.splits is None:
        refuse_other_numbers(Path(tree.root), source.classes, set(folders.class_of.values()))
    return source


def _open_flat(folder: Path, options: ImageOptions) -> FileNameSource:
    return open_file_names(
        folder, label_from=options.label_from, extensions=options.extensions, classes=options.classes
    )


def _open_splits(tree: ImageTree, splits: Splits, options: ImageOptions) -> dict[str, Source]:
    """Open each split, all of them with the class map of the options or of the first one."""
    sources: dict[str, Source] = {}
    first: TreeSource | FileNameSource | None = None
    for role, top in splits.tops.items():
        if options.splits is None:
            refuse_inner_splits(top)
        classes = options.classes if options.classes or first is None else first.classes
        source: TreeSource | FileNameSource
        if top.is_flat() or options.label_from is not None:
            source = _open_flat_split(tree.root, splits, role, replace(options, classes=classes))
        else:
            folders = choose_classes(top, options.class_from)
            if isinstance(first, TreeSource) and not options.classes:
                folders = _compare_classes(folders, role, first.classes, next(iter(sources)))
            source = TreeSource(tree, top, folders, classes=classes, notes=[] if first else tree.notes)
        if first is None:
            first = source
            source.extra_notes += [f"{tree.root}: {splits.describe()}", *_note_on_one_class(source)]
        sources[role] = _usable(source, Path(top.location))
    return sources


def _note_on_one_class(source: TreeSource | FileNameSource) -> list[str]:
    classes = source.classes or {}
    return [f"{source.root}: all images are of one class, '{name}'" for name in classes if len(classes) == 1]


def _compare_classes(folders: ClassFolders, role: str, classes: Mapping[str, int], first_role: str) -> ClassFolders:
    """Return the folders of a split with the class names of the first split."""
    others = [name for name in dict.fromkeys(folders.class_of.values()) if name not in classes]
    if others:
        raise SourceError(
            f"the split {role} has classes that {first_role} does not have: {enumerate_some(others)}",
            advice="give `classes` with the names of all classes",
        )
    return replace(folders, names=list(classes))


def _open_flat_split(root: str, splits: Splits, role: Role, options: ImageOptions) -> FileNameSource:
    folder = Path(splits.tops[role].location)
    first_role, first = next(iter(splits.tops.items()))
    try:
        source = _open_flat(folder, options)
    except SourceError as error:
        if role != first_role:
            error.advice = (
                f"give the folder {first.location} alone, or, if a class is missing there, `classes` with the names of "
                "all classes"
            )
        elif options.splits is None and options.label_from is None:
            error.advice = f"{error.advice}; if {splits.folders[role][0]} is a class and no split, give `splits=False`"
        raise
    if not len(source) and not source.bad:
        raise _folders_below_error(folder)
    source.move_root(root)
    return source


def _note_on_folders(root: Path, options: ImageOptions) -> list[str]:
    """Return a note on the folders of images beside the images that are read."""
    if not any(path.is_dir() for path in root.iterdir()):
        return []
    names = [folder.name for folder in ImageTree(root, options.extensions, None).top().image_folders()]
    return [f"{root}: left out the images in folders below it: {enumerate_some(names)}"] if names else []


def _usable(source: _Images, root: Path) -> _Images:
    """Refuse a source that has nothing but images that cannot be used."""
    if len(source):
        return source
    first = source.bad[0]
    raise SourceError(
        f"none of {len(source.bad)} images can be used; the first: {first.name}: {first.reason}", path=str(root)
    )


def _folders_below_error(root: Path) -> PlanError:
    return PlanError(
        "`label_from` applies to images directly in the folder, these are in folders below it",
        path=str(root),
        advice="a template with folders, such as {class}/{key}, reads them",
    )


def _read_template(label_from: str | None) -> NameTemplate | None:
    """Return the template of `label_from`, or None. `FileNameSource` refuses a wrong one."""
    with contextlib.suppress(PlanError):
        if label_from is not None and NameTemplate.recognise(label_from):
            return NameTemplate(label_from)
    return None
