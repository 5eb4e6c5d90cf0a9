"""The files of a dataset that is in several: what is at a path, in natural order, and by split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from recordkit.errors import NotFoundError
from recordkit.formats.files import not_found
from recordkit.sample import Source
from recordkit.storage.names import natural_order

_Source = TypeVar("_Source", bound=Source)


def find_files(path: Path, suffix: str, *, what: str, folder_patterns: Iterable[str] = ("*",)) -> list[Path]:
    """Return the files that a path stands for: itself, those that it matches as a pattern, or those of a folder.

    Parameters
    ----------
    path : Path
    suffix : str
        Suffix of the files of a folder.
    what : str
        Name of such a file, for the error.
    folder_patterns : iterable of str
        Patterns of the files in a folder, without the suffix. The first one that matches counts.

    Returns
    -------
    files : list of Path
        In natural order: number 10 comes after number 9.

    Raises
    ------
    NotFoundError
        There is none.
    """
    if path.is_file():
        return [path]
    if path.is_dir():
        folder, patterns = path, [f"{each}{suffix}" for each in folder_patterns]
    else:
        folder, patterns = path.parent, [path.name]
    for pattern in patterns:
        if files := sorted(folder.glob(pattern), key=lambda file: natural_order(str(file))):
            return files
    if path.is_dir():
        raise NotFoundError(path=str(path), expected=what, got=f"a folder without {suffix} files")
    raise not_found(path, what, suffix=suffix)


def group_by_split(files: Iterable[Path], number: re.Pattern[str]) -> dict[str, list[Path]]:
    """Return files by their names without suffix and number, in which the files of a split differ.

    Examples
    --------
    >>> files = [Path("train-0.tar"), Path("train-1.tar"), Path("test-0.tar")]
    >>> {name: len(files) for name, files in group_by_split(files, re.compile(r"-[0-9]+$")).items()}
    {'train': 2, 'test': 1}
    """
    splits: dict[str, list[Path]] = {}
    for file in files:
        splits.setdefault(number.sub("", file.stem), []).append(file)
    return splits


def one_or_all(sources: Mapping[str, _Source]) -> _Source | dict[str, _Source]:
    """Return the source of the only split, or all sources by the names of their splits."""
    return next(iter(sources.values())) if len(sources) == 1 else dict(sources)
