"""The class of each folder of a tree: the first folder below the root, the last one, or the whole path, as in im2rec.

A class keeps its number if its folder is empty. Without a choice of the user, folders that are hardly classes are an
error: images beside class folders, and those of `recordkit.sources.folder.doubtful_classes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recordkit.errors import SourceError, enumerate_some, plural
from recordkit.sources.folder.doubtful_classes import is_container, refuse_doubtful_classes
from recordkit.sources.folder.node import Node

ClassFrom = Literal["first", "last", "path"]
"""Folder that is the class of an image: the first one below the root, the last one, or the path of all of them."""


@dataclass(frozen=True)
class ClassFolders:
    """The classes of a tree.

    Attributes
    ----------
    class_of : dict of str to str
        Class name by path of each folder that has images directly in it, in the order of the walk.
    names : list of str
        The classes in the order of their numbers, also those without an image.
    notes : list of str
        Facts that may be unexpected.
    """

    class_of: dict[str, str]
    names: list[str]
    notes: list[str]


def choose_classes(top: Node, class_from: ClassFrom | None, *, are_no_splits: bool = False) -> ClassFolders:
    """Choose the class of each folder.

    Parameters
    ----------
    top : Node
        The folder that has the class folders.
    class_from : {"first", "last", "path"} or None
        None is "first" with checks.
    are_no_splits : bool
        Same meaning as for `refuse_doubtful_classes`.

    Raises
    ------
    SourceError
        Images are beside the class folders, or folders are hardly classes.
    """
    if class_from == "path":
        return _choose_paths(top)
    if top.n_images:
        raise SourceError(
            f"{plural(top.n_images, 'image')} beside the class folders, in none of them",
            path=top.location,
            advice="move these images, or give `class_from=path`, which makes a class of them as im2rec does",
        )
    if class_from is None:
        refuse_doubtful_classes(top, are_no_splits=are_no_splits)
    position = -1 if class_from == "last" else 0
    class_of = {folder.path: names[position] for names, folder in top.walk_names() if folder.n_images}
    candidates = top.children
    if class_from == "last":
        candidates = [folder for folder in top.walk() if folder is not top and not folder.children]
    empty = {folder.name for folder in candidates if _is_empty_class(folder)} - {*class_of.values()}
    names = sorted({*class_of.values(), *empty})
    notes = []
    unused = [child.path for child in top.children if child.name not in names and child.has_other_files()]
    if unused:
        notes.append(f"folders without images are no classes and are left out: {enumerate_some(unused)}")
    if class_from is None:
        notes += _notes_on_depth(top)
    return ClassFolders(class_of, names, notes)


def _choose_paths(top: Node) -> ClassFolders:
    class_of = {folder.path: "/".join(names) or "." for names, folder in top.walk_names() if folder.n_images}
    notes = []
    unused = [
        "/".join(names)
        for names, folder in top.walk_names()
        if names and not folder.n_images and (folder.n_unreadable or folder.has_others)
    ]
    if unused:
        notes.append(
            "folders without a usable image are not classes, as in im2rec, and the classes after them have lower "
            f"numbers: {enumerate_some(sorted(unused))}"
        )
    if top.n_images and len(class_of) > 1:
        notes.append(
            f"{plural(top.n_images, 'image')} beside the class folders form a class of their own, '.', as in im2rec, "
            "and the other classes have higher numbers; move or remove these images"
        )
    return ClassFolders(class_of, list(dict.fromkeys(class_of.values())), notes)


def _is_empty_class(folder: Node) -> bool:
    """Tell whether a folder is a class whose images are missing or unreadable, and not one of other files."""
    if is_container(folder.name) or folder.has_images():
        return False
    return folder.has_unreadable_images() or not folder.has_other_files()


def _notes_on_depth(top: Node) -> list[str]:
    deeper = [
        folder
        for names, folder in top.walk_names()
        if len(names) > 1 and folder.n_images and not all(map(is_container, names[1:]))
    ]
    if not deeper:
        return []
    more = f" and {plural(len(deeper) - 1, 'more folder')}" if deeper[1:] else ""
    verb = "belong" if deeper[1:] else "belongs"
    return [
        f"{deeper[0].path}{more} {verb} to the class of the first folder in the path; "
        "'recordkit pack --class-from last' takes the last one, and --class-from path makes each a class of its own"
    ]
