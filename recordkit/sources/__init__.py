"""Where samples come from, one kind of source per module, and `open_source` to tell them apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from recordkit.errors import PlanError, SourceError
from recordkit.sample import Source
from recordkit.sources.files import EXTENSIONS
from recordkit.sources.folder import FILE_NAME_LABEL, FlatSource, FolderSource
from recordkit.sources.listing import ListSource, read_classes
from recordkit.sources.mnist import MnistSource, splits

__all__ = [
    "EXTENSIONS",
    "FlatSource",
    "FolderSource",
    "ListSource",
    "MnistSource",
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
) -> Source | dict[str, Source]:
    """Open a .lst file, a folder of ubyte (MNIST) files, a folder tree or a flat folder of images.

    Parameters
    ----------
    path : str or Path
        A folder, or a file ending in ``.lst``.
    root : str or Path, optional
        Of a .lst file only: the folder its paths start from.
    label_from : str, optional
        Of a folder only: take labels from file names by this expression; see `FlatSource`.
    extensions : sequence of str
        Of a folder of images: the suffixes that count.
    classes : mapping of str to int, optional
        Labels by class name: those a folder of images is to get, or those a list has. A list's are also found in
        PREFIX.classes.json beside it.

    Returns
    -------
    source : Source, or dict of {"train", "test"} to Source for a folder of ubyte files

    Raises
    ------
    PlanError
        An option does not go with that kind of source.
    SourceError, FormatError
        The source is at fault.
    """
    place = Path(path)
    if place.is_file():
        if place.suffix != ".lst":
            raise SourceError(path=str(place), expected="a folder or a .lst file", got="another file")
        if label_from:
            raise PlanError("`label_from` applies to a folder; a .lst file has its labels")
        return ListSource(place, root, classes=classes or _classes_beside(place))
    if not place.is_dir():
        raise SourceError(path=str(place), expected="a folder or a .lst file", got="nothing of that name")
    if root is not None:
        raise PlanError("`root` applies to a .lst file; a folder is its own root")
    if found := splits(place):
        if label_from or classes:
            raise PlanError("`label_from` and `classes` apply to a folder of images; ubyte files have their labels")
        return dict(found)
    return _open_images(place, label_from, extensions, classes)


def _classes_beside(place: Path) -> dict[str, int] | None:
    """Read the class names that were written with a list: PREFIX.classes.json, for PREFIX_0_train.lst too."""
    prefix = re.sub(r"(_\d+)?(_train|_val|_test)?$", "", place.stem)
    for name in (place.stem, prefix):
        path = place.with_name(f"{name}.classes.json")
        if path.exists():
            return read_classes(path)
    return None


def _open_images(
    place: Path, label_from: str | None, extensions: Sequence[str], classes: Mapping[str, int] | None
) -> Source:
    source: FolderSource | FlatSource
    if label_from is not None:
        source = FlatSource(place, label_from=label_from, extensions=extensions, classes=classes)
    else:
        source = FolderSource(place, extensions=extensions, classes=None)
        if set(source.classes) == {"."}:  # no class folders at all
            source = FlatSource(place, label_from=FILE_NAME_LABEL, extensions=extensions, classes=classes)
        elif classes is not None:
            source = FolderSource(place, extensions=extensions, classes=classes)
    if not len(source) and source.bad:
        first = source.bad[0]
        raise SourceError(
            f"none of {len(source.bad)} images can be used; the first: {first.name}: {first.reason}", path=str(place)
        )
    if not len(source) and label_from is not None and len(FolderSource(place, extensions=extensions)):
        raise PlanError(
            "`label_from` applies to images directly in the folder, these are in folders below it", path=str(place)
        )
    if not len(source):
        raise SourceError(path=str(place), expected=f"images ({', '.join(extensions)}) or ubyte files", got="none")
    return source
