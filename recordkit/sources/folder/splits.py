"""Recognising folders of splits, such as ROOT/train/CLASS and ROOT/test/CLASS, by the names of the folders.

A split is no class. A layout in which a folder may be either is an error that says how to choose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recordkit.errors import SourceError, enumerate_some, plural, quoted
from recordkit.sources.folder.doubtful_classes import is_container
from recordkit.sources.folder.node import Node
from recordkit.sources.folder.split_names import ROLES, Role, is_name_of_split, role_of


@dataclass(frozen=True)
class Splits:
    """The splits of a folder.

    Attributes
    ----------
    tops : dict of str to Node
        By split, in the order train, val, test: the folder that has its images or its class folders.
    folders : dict of str to list of str
        By split: the paths of the folders that it was found in.
    left_out : list of str
        Folders with images that belong to no split, and splits that cannot be packed.
    is_divided : bool
        The splits are below the classes, and `tops` are no folders.
    """

    tops: dict[Role, Node]
    folders: dict[Role, list[str]]
    left_out: list[str] = field(default_factory=list)
    is_divided: bool = False

    def describe(self) -> str:
        """Return a note that says which folders became which sets, and which are in none."""
        sets = [
            role if paths == [role] else f"{role} ({enumerate_some(paths)})" for role, paths in self.folders.items()
        ]
        left_out = f"; left out: {enumerate_some(self.left_out)}" if self.left_out else ""
        return f"found the splits {', '.join(sets)}{left_out}"


def find_splits(root: Node, *, wanted: bool) -> Splits | None:
    """Find the splits of a folder.

    Parameters
    ----------
    root : Node
    wanted : bool
        Take the folders that look like splits for splits, also where they may be something else.

    Returns
    -------
    splits : Splits, or None
        None if no folders look like splits.

    Raises
    ------
    SourceError
        The folders may be splits or classes, or they are splits of different kinds.
    """
    base = _find_base(root)
    folders = base.image_folders()
    by_role = {role: found for role in ROLES if (found := [folder for folder in folders if folder.role == role])}
    others = [folder for folder in folders if folder.role is None]
    if not by_role:
        return _find_splits_below(base, wanted=wanted)
    if not wanted and len(by_role) == 1 and _are_classes(base, others):
        return None
    repeated = next((found for found in by_role.values() if len(found) > 1), None)
    if repeated is not None:
        raise SourceError(
            f"{_names(repeated)} may be one split or classes",
            advice=f"move all but one away, {_open_one(repeated)}, or give {_no_splits(base)}, which takes them "
            f"for classes",
        )
    tops = {role: _find_top(found[0], role) for role, found in by_role.items()}
    if not wanted:
        _refuse_doubtful_splits(base, others, tops)
    with_classes = {role: top for role, top in tops.items() if not top.is_flat()} or tops
    left_out = [folder.path for folder in others]
    left_out += [f"{child.path} (no images)" for child in base.children if child.role and not child.has_images()]
    left_out += [f"{top.path} (no class folders)" for role, top in tops.items() if role not in with_classes]
    left_out += [f"{plural(base.n_images, 'image')} beside them"] * bool(base.n_images)
    return Splits(with_classes, {role: [by_role[role][0].path] for role in with_classes}, left_out)


def list_likely_splits(root: Node) -> list[str]:
    """Return the paths of the folders that look like splits and not like classes.

    Parameters
    ----------
    root : Node

    Returns
    -------
    paths : list of str
    """
    base = _find_base(root)
    folders = base.image_folders()
    likely = [folder for folder in folders if folder.role]
    roles = {folder.role for folder in likely}
    if len(roles) == 1 and _are_classes(base, [folder for folder in folders if folder.role is None]):
        return []
    if not likely:
        below = _list_splits_below(base)
        likely = below if len({folder.role for folder in below}) > 1 else []
    return [folder.path for folder in likely]


def refuse_inner_splits(top: Node) -> None:
    """Refuse a split whose folders look like splits themselves.

    Raises
    ------
    SourceError
        The folders in the split may be splits.
    """
    try:
        is_doubtful = find_splits(top, wanted=False) is not None
    except SourceError:
        is_doubtful = True
    if is_doubtful:
        raise SourceError(
            f"{_names(top.image_folders())} in a split look like splits",
            advice=f"give the folder {quoted(top.location)} alone, or `splits=True`, which takes them for classes",
        )


def _find_base(root: Node) -> Node:
    """Return the folder that holds the splits or classes: descend through folders that hold everything alone."""
    base = root
    while not base.n_images and len(base.image_folders()) == 1:
        only = base.image_folders()[0]
        inner_roles = {folder.role for folder in only.image_folders()} - {None}
        if only.n_images or (only.role is not None and len(inner_roles) < 2):
            break
        base = only
    return base


def _are_classes(base: Node, others: Sequence[Node]) -> bool:
    """Tell whether folders, of which some are called like one split, are classes: all of them just hold images.

    A class may be a train, or a blood test, but hardly ``val`` or ``test_images``.
    """
    if any(folder.role != "train" and is_name_of_split(folder.name) for folder in base.image_folders()):
        return False
    return bool(others) and not base.n_images and all(folder.is_flat() for folder in base.image_folders())


def _find_top(split: Node, role: Role) -> Node:
    """Return the folder with the images or class folders of a split, as in ``seg_train/seg_train`` or train/images."""
    top = split
    while not top.n_images and len(top.image_folders()) == 1:
        only = top.image_folders()[0]
        if only.role != role and not is_container(only.name):
            break
        top = only
    return top


def _refuse_doubtful_splits(base: Node, others: Sequence[Node], tops: Mapping[Role, Node]) -> None:
    flat = [top for top in tops.values() if top.is_flat()]
    with_classes = [top for top in tops.values() if not top.is_flat()]
    if flat and with_classes:
        raise SourceError(
            f"no class folders in {_names(flat)}, but in {_names(with_classes)}",
            advice=f"give `splits=True`, which leaves {_names(flat)} out",
        )
    folders = [folder for folder in base.image_folders() if folder.role]
    splits = f"{_names(folders)} {'look like splits' if folders[1:] else 'looks like a split'}"
    if base.n_images:
        raise SourceError(
            f"{splits}, and {plural(base.n_images, 'image')} beside them",
            advice="move these images away, or give `splits=True`, which leaves them out",
        )
    if others:
        advice = f"give `splits=True`, which leaves the others out, or {_no_splits(base)}, for all as classes"
        if "train" not in tops:
            advice = (
                f"move the others into a folder called train if they are the classes of the training split, {advice}"
            )
        if "train" not in tops and flat:
            advice = f"move {_names(folders)} away, or give {_no_splits(base)} if all are classes"
        verb = "do" if others[1:] else "does"
        raise SourceError(
            f"{splits}, and {_names(others)} beside {'them' if folders[1:] else 'it'} {verb} not",
            advice=advice,
        )
    if len(tops) == 1 and "train" not in tops:
        raise SourceError(
            f"{splits}, and there is no other",
            advice=f"{_open_one(list(tops.values()))}, or {_no_splits(base)}, which takes it for a class",
        )


def _find_splits_below(base: Node, *, wanted: bool) -> Splits | None:
    """Find splits below the classes: ``cat/train`` and ``cat/test``."""
    below = _list_splits_below(base)
    roles = [role for role in ROLES if role in {folder.role for folder in below}]
    if not wanted and len(roles) < 2:
        return None
    if not wanted and any(is_container(folder.name) for folder in base.image_folders()):
        raise SourceError(f"{_names(below)} look like splits", advice=_open_one(base.image_folders()))
    if not wanted:
        raise SourceError(
            f"{_names(below)} look like splits below the class folders",
            advice=f"give `splits=True`, which makes sets of them, or {_no_splits(base)}, which makes one set of all",
        )
    if not roles:
        raise SourceError(
            expected="folders called train, val or test",
            got=_names(base.image_folders()) or "none",
            advice="leave out `splits=True`",
        )
    return _divide(base, roles)


def _list_splits_below(base: Node) -> list[Node]:
    return [folder for child in base.image_folders() for folder in child.walk() if folder.role and folder.has_images()]


def _divide(base: Node, roles: Sequence[Role]) -> Splits:
    """Make a tree of classes for each split, from the folders that have the name of a split in their path."""
    tops = {role: Node("", base.path, base.location) for role in roles}
    splits = Splits(tops, {role: [] for role in roles}, is_divided=True)
    for names, folder in base.walk_names():
        role = next(filter(None, map(role_of, names)), None)
        if role in splits.tops:
            splits.tops[role].insert([name for name in names if role_of(name) != role], folder)
            splits.folders[role] += [folder.path] * bool(folder.n_images)
        elif folder.n_images:
            splits.left_out.append(folder.path)
    return splits


def _names(folders: Sequence[Node]) -> str:
    return enumerate_some([f"'{folder.path}'" for folder in folders])


def _open_one(folders: Sequence[Node]) -> str:
    return f"give the folder {' or '.join(quoted(folder.location) for folder in folders)} alone"


def _no_splits(base: Node) -> str:
    return "`splits=False`" if base.path == "." else f"{base.location} with `splits=False`"
