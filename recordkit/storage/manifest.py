"""PREFIX.manifest.json, the manifest: the shards of a dataset in order, and the facts that they share.

Readers of a sharded dataset trust the manifest alone. It is published last, in the same transaction as its shards, so a
shard of another size or id than it says belongs to another dataset. docs/reference/formats.md has all keys.

A manifest may be anybody's: its size is limited, each shard is a plain file name in the folder of the manifest, and
every number is compared with what a file can hold before anything is allocated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError, plural
from recordkit.formats import json_file
from recordkit.storage.description import listed_names, set_id
from recordkit.storage.names import MANIFEST_SUFFIX, is_file_name
from recordkit.version import __version__

_FORMAT = 1
_MIN_RECORD_BYTES = 8
"""A record takes at least the 8 bytes of its frame."""
_MAX_TOTAL = 2**63 - 1
_MAX_KEY = 2**64 - 1
_MAX_WIDTH = 2**32 - 1
_ADVICE = "remove it and open the shards as a list, or write them again"


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a dataset, as the manifest describes it.

    Attributes
    ----------
    name : str
        Name of the .rec file, in the folder of the manifest.
    n_bytes : int
        Size of the .rec file.
    sha256 : str
        SHA-256 of the .rec file, in hexadecimal.
    n_records, n_failed : int
        Records in the file, and samples that could not be packed.
    keys : tuple of int, or None
        Smallest and largest key; None if the shard has no records.
    id : str or None
        The id in the shard's own PREFIX.json; None if it has none.
    """

    name: str
    n_bytes: int
    sha256: str
    n_records: int
    n_failed: int = 0
    keys: tuple[int, int] | None = None
    id: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The shards of a dataset.

    Attributes
    ----------
    name : str
        Name of the dataset, without a folder: the manifest is ``NAME.manifest.json``.
    set : str
        The prefix that was packed: `name`, or ``pets`` if `name` is ``pets_train``.
    shards : tuple of Shard
    classes : mapping of str to int, or None
        Class name to label.
    label_width : tuple of int
        Smallest and largest number of labels of a record.
    plan, edit : mapping or None
        The options of the pack, or the command that made the dataset from others, as in PREFIX.json.
    recordkit : str
        Version of the recordkit that wrote it.
    id : str or None
        The id that the file states; None for a manifest that was not read. `expected_id` is the right one.

    Examples
    --------
    >>> shards = (Shard("a_0.rec", 64, "0" * 64, 2, keys=(0, 1)), Shard("a_1.rec", 32, "1" * 64, 1, keys=(2, 2)))
    >>> manifest = Manifest("a", "a", shards, classes={"cat": 0}, label_width=(1, 1))
    >>> manifest.n_records, manifest.n_bytes, manifest.file_name
    (3, 96, 'a.manifest.json')
    """

    name: str
    set: str
    shards: tuple[Shard, ...]
    classes: Mapping[str, int] | None = None
    label_width: tuple[int, int] = (0, 0)
    plan: Mapping[str, Any] | None = None
    edit: Mapping[str, Any] | None = None
    recordkit: str = __version__
    id: str | None = None

    @property
    def file_name(self) -> str:
        """Name of the manifest's own file."""
        return self.name + MANIFEST_SUFFIX

    @property
    def n_records(self) -> int:
        """Records of all shards."""
        return sum(shard.n_records for shard in self.shards)

    @property
    def n_failed(self) -> int:
        """Samples of all shards that could not be packed."""
        return sum(shard.n_failed for shard in self.shards)

    @property
    def n_bytes(self) -> int:
        """Size of the .rec files of all shards, in bytes."""
        return sum(shard.n_bytes for shard in self.shards)

    @property
    def expected_id(self) -> str:
        """The id of these facts: equal for equal shards in the same order, whatever their names are."""
        facts = _facts(self)
        unnamed = [{key: value for key, value in shard.items() if key != "rec"} for shard in facts["shards"]]
        return set_id({**facts, "shards": unnamed, "name": ""})


@dataclass(frozen=True)
class Listing:
    """The place of a shard in a manifest.

    Attributes
    ----------
    path : Path
        The manifest's file.
    manifest : Manifest
    number : int
        Number of the shard, from 0.
    """

    path: Path
    manifest: Manifest
    number: int

    @property
    def shard(self) -> Shard:
        """The shard's facts."""
        return self.manifest.shards[self.number]


def shard_from(description: Mapping[str, Any], keys: tuple[int, int] | None) -> Shard:
    """Return the shard that the description of its set, the content of PREFIX.json, describes.

    Parameters
    ----------
    description : mapping
        As the writer of the set made it: it has "files", "rec", "records" and "failed".
    keys : tuple of int, or None
        Smallest and largest key of the records; None if there are none.

    Examples
    --------
    >>> facts = {"files": ["a_0.rec"], "rec": {"bytes": 64, "sha256": "00"}, "records": 2, "failed": 0, "id": "7f"}
    >>> shard_from(facts, (0, 1))
    Shard(name='a_0.rec', n_bytes=64, sha256='00', n_records=2, n_failed=0, keys=(0, 1), id='7f')
    """
    rec = description["rec"]
    name = listed_names(description)[0]
    n_records, n_failed = description["records"], description.get("failed", 0)
    return Shard(name, rec["bytes"], rec["sha256"], n_records, n_failed, keys, description.get("id"))


def unite(
    name: str,
    descriptions: Sequence[Mapping[str, Any]],
    keys: Sequence[tuple[int, int] | None],
    *,
    earlier: Manifest | None = None,
) -> Manifest:
    """Return the manifest of sets that were written together as the shards of one dataset.

    Parameters
    ----------
    name : str
        Name of the dataset, without a folder.
    descriptions : sequence of mapping
        The content of PREFIX.json of each shard, in their order. They have the same classes, plan and edit.
    keys : sequence of (int, int) or None
        Smallest and largest key of each shard; None for a shard without records.
    earlier : Manifest, optional
        The manifest of the shards that the dataset has already, which come first. Classes, plan and edit are those of
        the new ones.

    Examples
    --------
    >>> facts = {"set": "a", "rec": {"bytes": 64, "sha256": "00"}, "records": 2, "failed": 0, "label_width": [1, 1]}
    >>> shards = [{**facts, "files": [f"a_{number}.rec"]} for number in (0, 1)]
    >>> manifest = unite("a", shards, [(0, 1), (2, 3)])
    >>> [shard.name for shard in manifest.shards], manifest.n_records, manifest.label_width
    (['a_0.rec', 'a_1.rec'], 4, (1, 1))
    >>> unite("a", [{**facts, "files": ["a_2.rec"]}], [(4, 5)], earlier=manifest).n_records
    6
    """
    first = descriptions[0]
    shards = tuple(shard_from(*facts) for facts in zip(descriptions, keys, strict=True))
    widths = [description["label_width"] for description in descriptions if description["records"]]
    if earlier is not None:
        shards = (*earlier.shards, *shards)
        widths += [earlier.label_width] if earlier.n_records else []
    return Manifest(
        name=name,
        set=first["set"],
        shards=shards,
        classes=first.get("classes"),
        label_width=(min(low for low, _ in widths), max(high for _, high in widths)) if widths else (0, 0),
        plan=first.get("plan"),
        edit=first.get("edit"),
    )


def pack(manifest: Manifest) -> bytes:
    """Return the content of the manifest's file.

    Raises
    ------
    FormatError
        Readers would refuse it, for example because it is larger than `recordkit.formats.json_file.MAX_BYTES`.

    Examples
    --------
    >>> manifest = Manifest("a", "a", (Shard("a_0.rec", 64, "0" * 64, 2, keys=(0, 1)),))
    >>> unpack(pack(manifest), "a.manifest.json").shards == manifest.shards
    True
    """
    facts = _facts(manifest)
    content = json.dumps({"format": _FORMAT, "id": manifest.expected_id, **facts}, indent=1).encode() + b"\n"
    if len(content) > json_file.MAX_BYTES:
        expected = f"a manifest of at most {json_file.MAX_BYTES} bytes"
        raise FormatError(path=manifest.file_name, expected=expected, got=len(content), advice="make fewer shards")
    unpack(content, manifest.file_name)
    return content


def read(path: str | Path) -> Manifest:
    """Read a manifest.

    Parameters
    ----------
    path : str or Path
        The file; its name need not end in ``.manifest.json``.

    Raises
    ------
    FileNotFoundError
    FormatError
        The file is too large, no JSON, or no manifest, or it names files outside its folder.
    """
    value = json_file.read(path, "a manifest of shards", advice=_ADVICE)
    return _from_json(value, str(path))


def unpack(content: bytes, path: str) -> Manifest:
    """Parse the content of a manifest's file.

    Parameters
    ----------
    content : bytes
    path : str
        For errors.

    Raises
    ------
    FormatError
        As for `read`.
    """
    try:
        value = json_file.parse(content)
    except ValueError as error:
        raise FormatError(path=path, expected="a manifest of shards", got=error, advice=_ADVICE) from None
    return _from_json(value, path)


def _facts(manifest: Manifest) -> dict[str, Any]:
    """Return the keys of the file, except "format" and "id"."""
    origin = {"plan": manifest.plan, "edit": manifest.edit}
    return {
        "recordkit": manifest.recordkit,
        "name": manifest.name,
        "set": manifest.set,
        "records": manifest.n_records,
        "failed": manifest.n_failed,
        "bytes": manifest.n_bytes,
        "label_width": list(manifest.label_width),
        "classes": None if manifest.classes is None else dict(manifest.classes),
        **{key: dict(value) for key, value in origin.items() if value is not None},
        "shards": [
            {
                "rec": shard.name,
                "bytes": shard.n_bytes,
                "sha256": shard.sha256,
                "records": shard.n_records,
                "failed": shard.n_failed,
                "keys": None if shard.keys is None else list(shard.keys),
                "id": shard.id,
            }
            for shard in manifest.shards
        ],
    }


def _from_json(value: object, path: str) -> Manifest:
    facts = _Facts(value, path, "")
    if (version := facts.number("format", 2**31)) != _FORMAT:
        advice = "a newer recordkit wrote it; upgrade" if version > _FORMAT else _ADVICE
        raise FormatError(path=path, expected=f"format {_FORMAT}", got=version, advice=advice)
    items = facts.get("shards", list)
    shards = tuple(_shard(_Facts(item, path, f"shard {number}: ")) for number, item in enumerate(items))
    if not shards:
        raise facts.error("shards", "one shard or more", "none")
    if len({shard.name for shard in shards}) != len(shards):
        raise facts.error("shards", "each file once", "one twice")
    manifest = Manifest(
        name=facts.get("name", str),
        set=facts.get("set", str),
        shards=shards,
        classes=_classes(facts),
        label_width=facts.pair("label_width", _MAX_WIDTH),
        plan=facts.optional("plan", dict),
        edit=facts.optional("edit", dict),
        recordkit=facts.get("recordkit", str),
        id=facts.optional("id", str),
    )
    for key, total in (("records", manifest.n_records), ("failed", manifest.n_failed), ("bytes", manifest.n_bytes)):
        if (stated := facts.number(key, _MAX_TOTAL)) != total:
            raise facts.error(key, f"{total}, the sum of the shards", stated)
    return manifest


def _shard(facts: _Facts) -> Shard:
    name = facts.get("rec", str)
    if not (is_file_name(name) and name.endswith(".rec") and "\\" not in name):
        raise facts.error("rec", "the name of a .rec file in this folder", repr(name))
    n_bytes = facts.number("bytes", _MAX_TOTAL)
    n_records = facts.number("records", n_bytes // _MIN_RECORD_BYTES)
    sha256 = facts.get("sha256", str)
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise facts.error("sha256", "64 hexadecimal digits", repr(sha256))
    keys = None if facts.optional("keys", list) is None else facts.pair("keys", _MAX_KEY)
    if (keys is None) != (n_records == 0):
        raise facts.error("keys", f"the smallest and the largest key of {plural(n_records, 'record')}", keys)
    return Shard(name, n_bytes, sha256, n_records, facts.number("failed", _MAX_TOTAL), keys, facts.optional("id", str))


def _classes(facts: _Facts) -> dict[str, int] | None:
    classes: dict[str, int] | None = facts.optional("classes", dict)
    if classes is not None and not all(type(label) is int for label in classes.values()):
        raise facts.error("classes", "names and whole numbers", "others")
    return classes


class _Facts:
    """A JSON object, whose values are checked as they are taken."""

    def __init__(self, value: object, path: str, place: str) -> None:
        self._path = path
        self._place = place
        if not isinstance(value, dict):
            got = f"a JSON {type(value).__name__}"
            raise FormatError(path=path, expected=f"{place}a JSON object", got=got, advice=_ADVICE)
        self._value: dict[str, Any] = value

    def error(self, key: str, expected: str, got: object) -> FormatError:
        text = f"{got!s:.100}"
        return FormatError(f"{self._place}{key}", path=self._path, expected=expected, got=text, advice=_ADVICE)

    def get(self, key: str, kind: type) -> Any:
        value = self._value.get(key)
        if type(value) is not kind:
            raise self.error(key, f"a JSON {kind.__name__}", repr(value))
        return value

    def optional(self, key: str, kind: type) -> Any:
        return None if self._value.get(key) is None else self.get(key, kind)

    def number(self, key: str, limit: int) -> int:
        value: int = self.get(key, int)
        if not 0 <= value <= limit:
            raise self.error(key, f"0 to {limit}", value)
        return value

    def pair(self, key: str, limit: int) -> tuple[int, int]:
        value = self.get(key, list)
        if len(value) != 2 or not all(type(n) is int and 0 <= n <= limit for n in value) or value[0] > value[1]:
            raise self.error(key, f"two numbers in order, 0 to {limit}", value)
        return value[0], value[1]
