"""The split beside a split: the numbers of its classes, which a pack of one split alone must not contradict."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from recordkit.errors import SourceError, enumerate_some
from recordkit.sources.folder.doubtful_classes import is_container
from recordkit.sources.folder.split_names import role_of
from recordkit.sources.tool_files import is_tool_folder


def refuse_other_numbers(root: Path, classes: Mapping[str, int], used: Collection[str]) -> None:
    """Refuse a validation or test split whose classes have other numbers than those of the training split beside it.

    Parameters
    ----------
    root : Path
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
    root = root.absolute()
    if role_of(root.name) not in ("val", "test"):
        return
    for sibling in _folders(root.parent):
        if role_of(sibling.name) != "train":
            continue
        numbers = {name: number for number, name in enumerate(_class_names(sibling))}
        others = [name for name in sorted(used) if numbers and numbers.get(name) != classes[name]]
        if others:
            raise SourceError(
                f"{enumerate_some(others)} would have other numbers than in {sibling}, beside this folder",
                advice=f"give {root.parent}, which makes sets of both, or `classes` with the names of all classes",
            )


def _class_names(split: Path) -> list[str]:
    """Return the names of the class folders of a split, in the order of their numbers."""
    folders = _folders(split)
    while len(folders) == 1 and (role_of(folders[0].name) == "train" or is_container(folders[0].name)):
        folders = _folders(folders[0])
    return [folder.name for folder in folders]


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(item for item in path.iterdir() if item.is_dir() and not is_tool_folder(str(item)))
    except OSError:  # folders beside the one that is packed may be those of other users
        return []
