"""The split beside a split: the numbers of its classes, which a pack of one split alone must not contradict."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from recordkit.errors import SourceError, enumerate_some
from recordkit.sources.folder.doubtful_classes import is_container
from recordkit.sources.folder.split_names import role_of
from recordkit.sources.roots.local import Folders
from recordkit.sources.tool_files import is_tool_folder


def refuse_other_numbers(root: Folders, classes: Mapping[str, int], used: Collection[str]) -> None:
    """Refuse a validation or test split whose classes have other numbers than those of the training split beside it.

    Parameters
    ----------
    root : Folders
        The folder that is opened.
    classes : mapping of str to int
        The numbers of its classes.
    used : collection of str
        The classes that have images.

    Raises
    ------
    SourceError
        A class has another number in the folder beside `root`.
    """
    if role_of(root.name) not in ("val", "test"):
        return
    for name, sibling in _folders(root, root.parent).items():
        if role_of(name) != "train":
            continue
        numbers = {name: number for number, name in enumerate(_class_names(root, sibling))}
        others = [name for name in sorted(used) if numbers and numbers.get(name) != classes[name]]
        if others:
            raise SourceError(
                f"{enumerate_some(others)} would have other numbers than in {sibling}, beside this folder",
                advice=f"give {root.parent}, which makes sets of both, or `classes` with the names of all classes",
            )


def _class_names(root: Folders, split: str) -> list[str]:
    """Return the names of the class folders of a split, in the order of their numbers."""
    folders = _folders(root, split)
    while len(folders) == 1 and all(role_of(name) == "train" or is_container(name) for name in folders):
        folders = _folders(root, *folders.values())
    return list(folders)


def _folders(root: Folders, path: str) -> dict[str, str]:
    return {name: inner for name, inner in root.inner(path).items() if not is_tool_folder(inner, root)}
