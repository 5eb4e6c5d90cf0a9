"""The facts in PREFIX.json, the description of a set, that readers compare with the files of the set.

docs/reference/formats.md has all keys, and `recordkit.storage.set_files` writes them. A JSON object without "rec" is of
another program and says nothing about the set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Equal sets may have other names, and other versions may write equal sets.
_NOT_IN_ID = ("format", "id", "recordkit", "set", "files")


def set_id(description: Mapping[str, Any]) -> str:
    """Return the id of the set that a description describes: a digest of all its facts except names and version.

    Sizes and SHA-256 of the files are among the facts, so sets have equal ids only if they have equal records, labels,
    classes and options.

    Parameters
    ----------
    description : mapping
        The content of PREFIX.json. Its own "id" is left out.

    Returns
    -------
    id : str
        32 hexadecimal digits.

    Examples
    --------
    >>> facts = {"rec": {"bytes": 8, "sha256": "ab"}, "classes": None}
    >>> set_id(facts) == set_id({**facts, "set": "train", "id": "?"}), set_id({**facts, "classes": {"cat": 0}})[:8]
    (True, '06f1e6f5')
    """
    facts = {name: value for name, value in description.items() if name not in _NOT_IN_ID}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def described_size(description: Mapping[str, Any]) -> int | None:
    """Return the size of the .rec file that a description describes, in bytes; None if it describes no set.

    Examples
    --------
    >>> described_size({"rec": {"bytes": 8}}), described_size({"classes": {}})
    (8, None)
    """
    rec = description.get("rec")
    size = rec.get("bytes") if isinstance(rec, dict) else None
    return size if isinstance(size, int) else None


def listed_names(description: Mapping[str, Any]) -> list[str]:
    """Return the names of the files that were written together, the .rec first; none if the list is not one of names.

    Examples
    --------
    >>> listed_names({"files": ["a.rec", "a.json"]}), listed_names({"files": ["../a.rec"]})
    (['a.rec', 'a.json'], [])
    """
    names = description.get("files")
    if not isinstance(names, list):
        return []
    are_in_the_folder = all(isinstance(name, str) and Path(name).name == name for name in names)
    return names if are_in_the_folder else []


def lists_file(description: Mapping[str, Any], suffix: str) -> bool | None:
    """Tell whether a set was written with a file of a suffix; None if the description does not say it.

    The set may have been renamed since, so only the ends of the names count.

    Examples
    --------
    >>> names = {"files": ["a.rec", "a.idx", "a.json"]}
    >>> lists_file(names, ".idx"), lists_file(names, ".labels.npy"), lists_file({}, ".idx")
    (True, False, None)
    """
    names = listed_names(description)
    prefix = next((name.removesuffix(".json") for name in names if name.endswith(".json")), None)
    return None if prefix is None else f"{prefix}{suffix}" in names
