"""What stands at the names that a pack is going to write, and what goes with the set it replaces.

PREFIX.json lists the files that were written with it ("files"), for which prefix ("set"), and the size and SHA-256 of
the .rec and .lst. By that a later pack tells its predecessor's files from copies, renamed sets and the user's own.
"""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from recordkit.errors import PublishError
from recordkit.formats.fileset import SUFFIXES, Fileset, fingerprint
from recordkit.packing.writer import SetNames


def describe(names: SetNames) -> Mapping[str, Any]:
    """Return the description that stands where a set's is going to be written; an empty one if there is none."""
    return _described(names.prefix.with_name(names.name(".json")))


def refuse_foreign(names: SetNames, description: Mapping[str, Any]) -> None:
    """Refuse to write over a side file that no pack wrote, or over a list that was edited since.

    The .rec and .idx are what the user asked to replace, whoever made them.

    Raises
    ------
    PublishError
    """
    written = _suffixes(description)
    for path in names.all():
        suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), "")
        if suffix in ("", ".rec", ".idx") or not path.exists():
            continue
        if suffix not in written or (suffix == ".lst" and not _is(path, description.get("lst"))):
            advice = "pack that list itself, or " if suffix == ".lst" else ""
            raise PublishError(
                f"{path}: expected no file, or one as an earlier pack wrote it, got another; {advice}"
                "move it away or choose another prefix"
            )


def standing_alone(description: Mapping[str, Any], prefix: Path) -> bool:
    """Tell whether a set was packed for another prefix."""
    packed_for = description.get("set")
    return isinstance(packed_for, str) and packed_for != prefix.name


def former_files(prefix: Path, successors: Collection[Path]) -> list[Path]:
    """Return files of an earlier pack to this prefix that will have no successor: those of a split it had, say.

    Only what that pack wrote under that very name: a copy or a renamed set belongs to the user, and so do an .lst
    that was edited since and files beside a .rec that is another by now.
    """
    found: list[Path] = []
    for path in prefix.parent.glob(f"{glob.escape(prefix.name)}*.json"):
        description = _described(path)
        if description.get("set") == prefix.name and path.name in _files(description) and path not in successors:
            found += [each for each in _unchanged(description, path.parent) if each not in successors]
    return found


def _described(path: Path) -> Mapping[str, Any]:
    """Read a description; a JSON file of somebody else's says nothing."""
    with contextlib.suppress(ValueError, OSError):
        return Fileset(path).description()
    return {}


def _files(description: Mapping[str, Any]) -> list[str]:
    """Return the names that the description says were written together, the .rec first."""
    names = description.get("files")
    plain = isinstance(names, list) and all(isinstance(name, str) and Path(name).name == name for name in names)
    return names if plain else []  # type: ignore[return-value]


def _suffixes(description: Mapping[str, Any]) -> set[str]:
    names = _files(description)
    prefix = next((name.removesuffix(".json") for name in names if name.endswith(".json")), None)
    return {suffix for suffix in SUFFIXES if f"{prefix}{suffix}" in names}


def _unchanged(description: Mapping[str, Any], folder: Path) -> list[Path]:
    record, *others = (folder / name for name in _files(description))
    if not _is(record, description.get("rec")):
        return []
    edited = [path for path in others if path.suffix == ".lst" and not _is(path, description.get("lst"))]
    return [path for path in (record, *others) if path.is_file() and path not in edited]


def _is(path: Path, facts: object) -> bool:
    """Tell whether a file has the size and SHA-256 that a description gives."""
    if not isinstance(facts, dict) or not path.is_file() or path.stat().st_size != facts.get("bytes"):
        return False
    return fingerprint(path) == facts.get("sha256")
