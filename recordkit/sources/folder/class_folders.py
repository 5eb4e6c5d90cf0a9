"""The class of each folder of a tree: the first folder below the root, the last one, or the whole path, as in im2rec.

A class keeps its number if its folder is empty. Without a choice of the user, folders that are hardly classes are an
error: images beside class folders, one folder with everything in it, and names that say what files are, not what they
show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recordkit.errors import SourceError, enumerate_some, plural
from recordkit.sources.folder.node import Node

ClassFrom = Literal["first", "last", "path"]
"""Folder that is the class of an image: the first one below the root, the last one, or the path of all of them."""

# Names of folders in lower case, without "_" and "-".
_CONTAINERS = {
    "image", "images", "img", "imgs", "jpg", "jpgs", "jpeg", "jpegs", "jpegimages", "png", "pngs", "bmp",
    "ppm", "webp", "tif", "tiff", "picture", "pictures", "pic", "pics", "photo", "photos", "data", "dataset",
    "mask", "masks", "segmentationclass", "segmentationobject", "segmentation", "annotation", "annotations",
    "label", "labels", "groundtruth", "trimaps", "rgb",
}  # fmt: skip


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


def is_container(name: str) -> bool:
    """Tell whether a folder is called after the kind of files that it holds, such as ``JPEGImages``."""
    return name.lower().replace("_", "").replace("-", "") in _CONTAINERS


def choose_classes(top: Node, class_from: ClassFrom | None) -> ClassFolders:
    """Choose the class of each folder.

    Parameters
    ----------
    top : Node
        The folder that has the class folders.
    class_from : {"first", "last", "path"} or None
        None is "first" with checks.

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
        _refuse_containers(top)
        _refuse_one_folder(top)
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


def _refuse_containers(top: Node) -> None:
    containers = [folder for folder in top.image_folders() if is_container(folder.name)]
    if containers:
        verb = "does not look like a class" if len(containers) == 1 else "do not look like classes"
        raise SourceError(
            f"{enumerate_some([repr(folder.name) for folder in containers])} {verb}",
            path=top.location,
            advice=f"give {' or '.join(_deepest(folder).location for folder in containers)} alone, or "
            f"`class_from=first` if {'it is a class' if len(containers) == 1 else 'they are classes'}",
        )


def _refuse_one_folder(top: Node) -> None:
    folders = top.image_folders()
    # A folder that is called like a split comes here only if the user has said that it is a class.
    if len(folders) == 1 and folders[0].role is None and folders[0].image_folders():
        inner = _deepest(folders[0])
        raise SourceError(
            f"all images are below one folder, '{folders[0].name}', which has folders of its own",
            path=top.location,
            advice=f"give {inner.location} alone if these are the classes, or `class_from=first` for one class",
        )


def _deepest(folder: Node) -> Node:
    """Return the first folder with images or with several folders, going down."""
    while not folder.n_images and len(folder.image_folders()) == 1:
        folder = folder.image_folders()[0]
    return folder


def _notes_on_depth(top: Node) -> list[str]:
    deeper = [folder for folder_names, folder in top.walk_names() if len(folder_names) > 1 and folder.n_images]
    if not deeper:
        return []
    more = f" and {plural(len(deeper) - 1, 'more folder')}" if deeper[1:] else ""
    verb = "belong" if deeper[1:] else "belongs"
    return [
        f"{deeper[0].path}{more} {verb} to the class of the first folder in the path; "
        "'recordkit pack --class-from path' makes each a class of its own"
    ]
