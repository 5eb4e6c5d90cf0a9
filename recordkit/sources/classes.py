"""Class maps: the label of each class name, read from the files that hold them.

A pack writes its class map into PREFIX.json, and ``recordkit list`` writes PREFIX.classes.json. A class map can also be
written by hand, as JSON or as a text file with one name per line.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError
from recordkit.formats import json_file
from recordkit.formats.files import not_found, read_file

# The end of a list's name that follows PREFIX: shard number and split, as in PREFIX_0_train.lst.
_LIST_SUFFIX = re.compile(r"(_\d+)?(_train|_val|_test)?$")


def read_classes(path: str | Path) -> dict[str, int]:
    r"""Read a class map: PREFIX.json of an earlier pack, a JSON object or list, or a text file with a name per line.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    classes : dict of str to int
        Label by class name. The names of a list or text file are numbered from 0.

    Raises
    ------
    NotFoundError
        The file does not exist.
    FormatError
        The file is none of these, larger than `recordkit.formats.json_file.MAX_BYTES`, or a name is blank or repeated.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    ...     _ = file.write("cat\ndog\n")
    ...     file.flush()
    ...     read_classes(file.name)
    {'cat': 0, 'dog': 1}
    """
    try:
        text = read_file(path, max_bytes=json_file.MAX_BYTES, what="class names").decode("utf-8-sig")
        content = json_file.parse(text) if text.lstrip()[:1] in ("{", "[") else text.rstrip().splitlines()
    except FileNotFoundError:
        raise not_found(path, "a file with a class name per line, or the .json of a pack") from None
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"the class names cannot be read: {error}", path=os.fspath(path)) from None
    if isinstance(content, dict) and isinstance(content.get("classes"), (dict, list)):
        content = content["classes"]
    if isinstance(content, list):
        content = _number_names(content, os.fspath(path))
    if not content:
        raise FormatError(path=os.fspath(path), expected="class names", got="none")
    if not (isinstance(content, dict) and all(type(label) is int for label in content.values())):
        raise FormatError("expected a class name and a whole number each", path=os.fspath(path))
    return content


def _number_names(items: list[Any], path: str) -> dict[str, int]:
    names = [str(item).strip() for item in items]
    classes: dict[str, int] = {}
    for number, name in enumerate(names):
        if not name:
            raise FormatError(path=path, expected="class names", got=f"a blank one (number {number})")
        if name in classes:
            raise FormatError(path=path, expected="each class name once", got=f"{name!r} again")
        classes[name] = number
    return classes


def find_classes(list_path: Path) -> dict[str, int] | None:
    """Read the class map written with a list: PREFIX.classes.json, also for PREFIX_0_train.lst.

    Parameters
    ----------
    list_path : Path

    Returns
    -------
    classes : dict of str to int, or None
        None if there is no class map beside the list.

    Raises
    ------
    FormatError
        The class map is damaged.
    """
    for name in class_file_names(list_path):
        path = list_path.with_name(name)
        if path.exists():
            return read_classes(path)
    return None


def class_file_names(list_path: Path) -> list[str]:
    """Return the names that the class map of a list may have.

    Examples
    --------
    >>> class_file_names(Path("photos_train.lst"))
    ['photos_train.classes.json', 'photos.classes.json']
    """
    stems = dict.fromkeys((list_path.stem, _LIST_SUFFIX.sub("", list_path.stem)))
    return [f"{stem}.classes.json" for stem in stems]


def walk_order(name: str) -> tuple[bool, list[str]]:
    """Return a sort key that puts class names in the order in which a walk of their folders finds them.

    Examples
    --------
    >>> sorted(["a-b", "a/b", "a", "."], key=walk_order)
    ['.', 'a', 'a/b', 'a-b']
    """
    return name != ".", name.split("/")


def format_classes(classes: Mapping[str, int]) -> bytes:
    """Return the content of PREFIX.classes.json, which `read_classes` reads."""
    return json.dumps({"classes": dict(classes)}, indent=1).encode() + b"\n"
