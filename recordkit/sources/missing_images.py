"""The error about a list of which no image exists: labels were taken for paths, or the root is another folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PureWindowsPath

from recordkit.errors import SourceError
from recordkit.formats.lst import LabelWidth, Row, describe_widths, excerpt, is_number
from recordkit.sources.files import find_image
from recordkit.storage.remote.urls import is_url

# Images that are looked for in each other folder, and folders in the current folder that are looked into.
_N_LOOKED_FOR, _N_FOLDERS = 3, 1000
_MAX_PATH = 4096
# Items of a folder in which a name is looked for with other upper and lower case.
_N_ITEMS = 100_000
_MAX_SHOWN = 200
_URL = re.compile(r"[a-z][a-z0-9+]+://")
_FIRST_FIELD = re.compile(r"\s*(\S+)(\s+)(?=\S)")


def explain_missing_images(path: Path, root: str, rows: Sequence[Row], label_width: LabelWidth) -> SourceError:
    """Return the error about a list of which no image exists.

    Parameters
    ----------
    path : Path
        The list.
    root : str
        The folder in which the images were looked for.
    rows : sequence of Row, at least one
        The first rows of the list; the image of none of them exists.
    label_width : int, "auto" or None
        The rule by which the rows were split; see `recordkit.formats.lst.parse`.

    Returns
    -------
    error : SourceError
        Labels that were taken for the beginning of a path are the reason if tabs follow them, or if the images exist
        without them.
    """
    if all(is_number(row.path) for row in rows):
        return SourceError(path=str(path), expected="PATH at the end of a row", got=f"a number, {rows[0].path!r}")
    few = rows[:_N_LOOKED_FOR]  # a row may have thousands of numbers
    widths = {n for row in few for n, rest, _ in _without_numbers(row) if _exists(root, rest)}
    if not widths:
        by_tabs = [max((n for n, _, tabs_follow in _without_numbers(row) if tabs_follow), default=0) for row in few]
        widths = set(by_tabs) if all(by_tabs) else set()
    if widths:
        return _label_error(path, rows[0], widths, label_width)
    return explain_wrong_root(path, root, [row.path for row in rows])


def _without_numbers(row: Row) -> Iterator[tuple[int, str, bool]]:
    """Take the numbers off a path, one by one.

    Yields
    ------
    n_labels : int
        Number of labels of the row if these numbers are labels too.
    rest : str
        The path without them.
    tabs_follow : bool
        A tab follows each of them.
    """
    n_labels, position, tabs_follow = len(row.labels), 0, True
    while (match := _FIRST_FIELD.match(row.path, position)) and is_number(match[1]):
        n_labels, position = n_labels + 1, match.end()
        tabs_follow &= "\t" in match[2]
        # A longer path cannot exist, and copies of it take long if there are thousands of numbers.
        yield n_labels, row.path[position : position + _MAX_PATH], tabs_follow


def _label_error(path: Path, row: Row, widths: set[int], label_width: LabelWidth) -> SourceError:
    width = max(widths) if len(widths) == 1 else "auto"
    return SourceError(
        f"rows have {describe_widths(widths)}, and {excerpt(row.path)} was taken for a path",
        path=str(path),
        advice="put tabs between the labels" if label_width is None else f"give `label_width={width}`",
    )


def explain_wrong_root(path: Path, root: str, names: Sequence[str], suffixes: Sequence[str] = ()) -> SourceError:
    """Return the error about images of which none exists in a folder. It names the folder that has them.

    Parameters
    ----------
    path : Path
        The list.
    root : str
        The folder.
    names : sequence of str, at least one
        The first paths of the list.
    suffixes : sequence of str, optional
        Suffixes that the paths may lack.

    Returns
    -------
    error : SourceError
    """
    example = excerpt(names[0], _MAX_SHOWN)
    likely = [name + suffix for name in names[:_N_LOOKED_FOR] for suffix in ("", *suffixes)]
    where = " in the current folder" if root in ("", ".") else f" in {root}"
    if folder := next((folder for folder in other_folders(path, root) if _has_any(folder, likely)), None):
        advice = f"they are in {folder}: give it as `root`"
    elif all(map(_URL.match, names[:_N_LOOKED_FOR])):
        where, advice = "", "the paths are URLs; download the images, and write the paths of their files"
    elif other := _with_other_case(Path(root, names[0])):
        advice = f"there is {other}: upper and lower case differ, correct them in the list"
    elif all(Path(name).is_absolute() or PureWindowsPath(name).is_absolute() for name in names[:_N_LOOKED_FOR]):
        where, advice = "", "the paths are absolute, so `root` changes nothing; correct them in the list"
    elif not is_url(root) and not Path(root).is_dir():
        advice = f"there is no folder {root}"
    else:
        advice = "give as `root` the folder that the paths start from"
    if len(names) == 1:
        message = f"the image {example} does not exist{where}"
    else:
        message = f"none of the first {len(names)} images exists{where}, for example {example}"
    return SourceError(message, path=str(path), advice=advice)


def _with_other_case(path: Path) -> str | None:
    """Return the name of a file that differs from a path only by upper and lower case."""
    try:
        with os.scandir(path.parent) as items:
            names = (item.name for item in islice(items, _N_ITEMS))
            return next((name for name in names if name.lower() == path.name.lower() and name != path.name), None)
    except (OSError, ValueError):
        return None


def other_folders(path: Path, root: str) -> Iterator[Path]:
    """Yield folders that the paths of a list may start from: its own, the current one, those in both, and the parent.

    Parameters
    ----------
    path : Path
        The list.
    root : str
        The folder from which they do not start.
    """
    yield path.parent
    yield Path()
    yield Path(root).parent
    for folder in (Path(), path.parent):
        with os.scandir(folder) as items:
            yield from sorted(folder / item.name for item in islice(items, _N_FOLDERS) if item.is_dir())


def _has_any(folder: Path, names: Sequence[str]) -> bool:
    return any(_exists(folder, name) for name in names)


def _exists(folder: str | Path, name: str) -> bool:
    return os.path.exists(find_image(os.fspath(folder), name))  # noqa: PTH110 (Path raises an error for a long name)
