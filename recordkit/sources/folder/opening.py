"""Opening a folder of images: a folder per class, a folder per split, or labels in the names of the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TypeVar

from recordkit.errors import PlanError, SourceError, enumerate_some, quoted
from recordkit.sample import Source
from recordkit.sources.file_names import FileNameSource, LabelFrom, open_file_names, reads_folders
from recordkit.sources.folder.class_folders import ClassFolders, ClassFrom, choose_classes
from recordkit.sources.folder.class_names import simplify
from recordkit.sources.folder.node import Node, make_nodes
from recordkit.sources.folder.siblings import refuse_other_numbers
from recordkit.sources.folder.source import TreeSource
from recordkit.sources.folder.split_names import Role
from recordkit.sources.folder.splits import Splits, find_splits, refuse_inner_splits
from recordkit.sources.image_tree import ImageTree

_Images = TypeVar("_Images", TreeSource, FileNameSource, TreeSource | FileNameSource)


@dataclass(frozen=True)
class ImageOptions:
    """The options of a folder of images; their meaning is that in `recordkit.sources.open_source`.

    Raises
    ------
    PlanError
        Two options contradict each other.
    """

    label_from: LabelFrom | None = None
    classes: Mapping[str, int] | None = None
    class_from: ClassFrom | None = None
    splits: bool | None = None

    def __post_init__(self) -> None:
        """Refuse two places of the label."""
        if self.label_from is not None and self.class_from is not None:
            raise PlanError("`class_from` and `label_from` both say where the class is", advice="leave one out")


def open_images(tree: ImageTree, options: ImageOptions) -> Source | dict[str, Source]:
    """Open a folder of images.

    Parameters
    ----------
    tree : ImageTree
        Not empty.
    options : ImageOptions

    Returns
    -------
    source : Source, or dict of str to Source

    Raises
    ------
    PlanError
        An option does not apply to the folder.
    SourceError
        The folder may have classes or splits, the splits have different classes, or no image can be used.
    """
    try:
        opened = _open(tree, make_nodes(tree), options)
    except SourceError as error:
        raise error.located(path=tree.root) from None
    first = next(iter(opened.values())) if isinstance(opened, dict) else opened
    first.notes[:0] = tree.left_out.notes()
    return opened


def _open(tree: ImageTree, top: Node, options: ImageOptions) -> Source | dict[str, Source]:
    if options.label_from and top.n_images and not options.splits and not reads_folders(options.label_from):
        source = _usable(_open_flat(tree, top, options), tree.root)
        if folders := top.image_folders():
            names = enumerate_some([folder.name for folder in folders])
            source.notes.append(f"{tree.root}: left out the images in folders below it: {names}")
        return source
    splits = None if options.splits is False else find_splits(top, wanted=options.splits is True)
    if splits is None:
        return _usable(_open_one(tree, top, options), tree.root)
    if splits.is_divided and options.label_from is not None:
        raise PlanError(
            "`label_from` applies to folders of splits that have the classes, and these splits are below the classes",
            path=tree.root,
            advice="leave it out",
        )
    if reads_folders(options.label_from) and options.splits is None:
        raise SourceError(
            f"{enumerate_some([path for paths in splits.folders.values() for path in paths])} look like splits",
            advice="give `splits=True`, which applies `label_from` inside each, or `splits=False`, for the whole tree",
        )
    return _open_splits(tree, splits, options)


def _open_one(tree: ImageTree, top: Node, options: ImageOptions) -> TreeSource | FileNameSource:
    if options.label_from or (top.is_flat() and options.class_from is None):
        return _open_flat(tree, top, options)
    if top.is_flat() and options.class_from != "path":
        raise PlanError(
            "images directly in the folder have no class folder",
            path=tree.root,
            argument="class_from",
            advice="leave it out, and `label_from` finds labels in the names",
        )
    folders = choose_classes(top, options.class_from, are_no_splits=options.splits is False)
    source = TreeSource(tree, top, folders, classes=options.classes)
    source.notes += _note_on_one_class(source)
    if options.classes is None and options.class_from != "path" and options.splits is None:
        refuse_other_numbers(tree.place, source.classes, set(folders.class_of.values()))
    return source


def _open_flat(tree: ImageTree, top: Node, options: ImageOptions) -> FileNameSource:
    if not (top.n_images or top.n_unreadable or reads_folders(options.label_from)):
        raise PlanError(
            "`label_from` applies to images directly in the folder, these are in folders below it",
            path=top.location,
            advice="a template with folders, such as {class}/{key}, reads them",
        )
    return open_file_names(tree, top.path, label_from=options.label_from, classes=options.classes)


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
            source = _open_flat_split(tree, splits, role, replace(options, classes=classes))
        else:
            folders = choose_classes(top, options.class_from)
            if isinstance(first, TreeSource) and not options.classes:
                folders = _compare_classes(folders, role, first.classes, next(iter(sources)))
            source = TreeSource(tree, top, folders, classes=classes)
        if first is None:
            first = source
            source.notes += [f"{tree.root}: {splits.describe()}", *_note_on_one_class(source)]
        sources[role] = _usable(source, top.location)
    return sources


def _note_on_one_class(source: TreeSource | FileNameSource) -> list[str]:
    classes = source.classes or {}
    return [f"{source.root}: all images are of one class, '{name}'" for name in classes if len(classes) == 1]


def _compare_classes(folders: ClassFolders, role: str, classes: Mapping[str, int], first_role: str) -> ClassFolders:
    """Return the folders of a split with the class names of the first split."""
    names = dict.fromkeys(folders.class_of.values())
    others = [name for name in names if name not in classes]
    if others:
        known = {simplify(name): name for name in classes}
        twins = [f"{name!r} to {known[simplify(name)]!r}" for name in others if simplify(name) in known]
        advice = "give `classes` with the names of all classes"
        missing = [name for name in classes if name not in names]
        similar = [f"{name!r} to {match!r}" for name in others for match in get_close_matches(name, missing, n=1)]
        if twins:
            advice = f"rename folders that {first_role} spells in another way, {enumerate_some(twins)}"
        elif similar:
            advice = f"rename {enumerate_some(similar)} if they are the same class, or {advice}"
        elif len(names) == 1:
            advice = f"move the split {role} away if '{others[0]}' is no class, or {advice}"
        raise SourceError(
            f"the split {role} has classes that {first_role} does not have: {enumerate_some(others)}", advice=advice
        )
    return replace(folders, names=list(classes))


def _open_flat_split(tree: ImageTree, splits: Splits, role: Role, options: ImageOptions) -> FileNameSource:
    first_role, first = next(iter(splits.tops.items()))
    try:
        return _open_flat(tree, splits.tops[role], options)
    except SourceError as error:
        if role != first_role:
            error.advice = (
                f"give the folder {quoted(first.location)} alone, or, if a class is missing there, `classes` with the "
                "names of all classes"
            )
        elif options.splits is None and options.label_from is None:
            error.advice = f"{error.advice}; if {splits.folders[role][0]} is a class and no split, give `splits=False`"
        raise


def _usable(source: _Images, location: str) -> _Images:
    """Refuse a source that has nothing but images that cannot be used."""
    if len(source):
        return source
    first = source.bad[0]
    if len(source.bad) == 1:
        raise SourceError(f"the only image cannot be used: {first.name}: {first.reason}", path=location)
    raise SourceError(
        f"none of {len(source.bad)} images can be used; the first: {first.name}: {first.reason}", path=location
    )
