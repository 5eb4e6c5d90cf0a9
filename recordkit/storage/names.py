"""The names of the files that a prefix may have, which are all that is written or removed there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from recordkit.errors import PlanError

if TYPE_CHECKING:
    from recordkit.storage.remote.urls import Url

MANIFEST_SUFFIX = ".manifest.json"
"""Suffix of the manifest of a sharded dataset, which `recordkit.storage.manifest` reads and writes."""

# In the order of publishing: the records first, the manifest last.
SUFFIXES = (".rec", ".idx", ".lst", ".labels.npy", ".crc", ".failed.tsv", ".json", MANIFEST_SUFFIX)

CLASSES_SUFFIX = ".classes.json"
"""Suffix of the class map that is written beside a list."""

PLAN_SUFFIX = ".plan.json"
"""Suffix of the plan of a pack on a cluster, which stays beside the manifest."""

_ALL_SUFFIXES = (*SUFFIXES, CLASSES_SUFFIX, PLAN_SUFFIX)

_ENDING = re.compile(r"-(?:\d{4}|[a-z]+(?:-\d+)?)\.[a-z]+")

MAX_NAME_BYTES = 255
"""Limit of the common file systems for a name."""


def belongs_to(prefix: str, name: str) -> bool:
    """Tell whether a file name is one that the packs, lists and exports of a prefix may create, replace and remove.

    Such names are PREFIX with a suffix, PREFIX_SPLIT with a suffix, and PREFIX alone, as im2rec's OUT and the folder of
    an export have it.

    Parameters
    ----------
    prefix, name : str
        Without a folder.

    Examples
    --------
    >>> belongs_to("train", "train.rec"), belongs_to("train", "train_val.labels.npy"), belongs_to("train", "train")
    (True, True, True)
    >>> belongs_to("train", "training.rec"), belongs_to("train", "train_notes.txt"), belongs_to("", ".rec")
    (False, False, False)
    """
    if not prefix or not name.startswith(prefix) or not is_file_name(name):
        return False
    rest = name.removeprefix(prefix)
    return rest in ("", *_ALL_SUFFIXES) or (rest.startswith("_") and rest.endswith(_ALL_SUFFIXES))


def has_ending(prefix: str, name: str) -> bool:
    """Tell whether a file name is PREFIX-ENDING. The ending is four digits, or a word with or without a number.

    The files of a model have such names. Its program chooses which of them to create, replace and remove.

    Parameters
    ----------
    prefix, name : str
        Without a folder.

    Examples
    --------
    >>> [has_ending("lenet", f"lenet-{ending}") for ending in ("0001.params", "symbol.json", "confusion-2.png")]
    [True, True, True]
    >>> has_ending("lenet", "lenet-5-0001.params"), has_ending("lenet", "lenet.log")
    (False, False)
    """
    if not prefix or not name.startswith(prefix) or not is_file_name(name):
        return False
    return _ENDING.fullmatch(name.removeprefix(prefix)) is not None


def stem(name: str) -> str:
    """Return the name of the set to which a file belongs: its own without the suffix.

    Examples
    --------
    >>> stem("a_b.labels.npy"), stem("a"), stem("a.classes.json")
    ('a_b', 'a', 'a')
    """
    return next((name.removesuffix(suffix) for suffix in reversed(_ALL_SUFFIXES) if name.endswith(suffix)), name)


def possible_prefixes(name: str) -> list[str]:
    """Return the prefixes that a set of this name may have been packed for: itself, and each beginning before a "_".

    Examples
    --------
    >>> possible_prefixes("pets_2_val")
    ['pets_2_val', 'pets_2', 'pets']
    """
    return [name, *(name[:at] for at in range(len(name) - 1, 0, -1) if name[at] == "_")]


def suffix_of(name: str) -> str:
    """Return the suffix of a set's file, of those in `SUFFIXES`; "" if it has none.

    Examples
    --------
    >>> suffix_of("a.manifest.json"), suffix_of("out/a.json"), suffix_of("a")
    ('.manifest.json', '.json', '')
    """
    return next((suffix for suffix in reversed(SUFFIXES) if name.endswith(suffix)), "")


def natural_order(path: str) -> tuple[tuple[str | int, ...], str]:
    """Return the sort key of paths in which a number counts by its value, so that shard 10 comes after shard 9.

    Examples
    --------
    >>> sorted(["a_10.rec", "a_9.rec", "a_09.rec", "a.rec"], key=natural_order)
    ['a.rec', 'a_09.rec', 'a_9.rec', 'a_10.rec']
    """
    pieces = re.split("([0-9]+)", path)
    return tuple(int(piece) if number % 2 else piece for number, piece in enumerate(pieces)), path


def refuse_file_name(prefix: Path | Url) -> None:
    """Refuse the name of a file of a set as a prefix, because the files would be called train.rec.rec and so on.

    Raises
    ------
    PlanError
    """
    if prefix.name.endswith(SUFFIXES):
        raise PlanError(path=str(prefix), expected="a prefix", got="the name of a file", advice="leave out its suffix")


def is_file_name(name: str) -> bool:
    """Tell whether a text is the name of a file in a folder: no path, not too long, and one that the system can encode.

    Examples
    --------
    >>> is_file_name("a.rec"), is_file_name("../a.rec"), is_file_name("..")
    (True, False, False)
    """
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return name != ".." and Path(name).name == name and b"\0" not in encoded and len(encoded) <= MAX_NAME_BYTES
