"""The set that a pack replaces: which of its files are removed, and which files are only replaced on request.

PREFIX.json lists the files that were written with it ("files"), the prefix that was packed ("set"), and the size and
SHA-256 of the .rec and .lst. With these facts a pack distinguishes the files of the replaced set from copies, renamed
sets and the user's own files. The SHA-256 of a .rec is not computed here, because that would read all of it.
"""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from recordkit.errors import FormatError, PublishError
from recordkit.formats.insightface import property_file
from recordkit.storage import manifest as manifests
from recordkit.storage.checksums import CHECKSUM_BYTES
from recordkit.storage.commit import stranger
from recordkit.storage.description import described_size, listed_names
from recordkit.storage.fileset import Fileset, fingerprint
from recordkit.storage.manifest import Manifest
from recordkit.storage.names import MANIFEST_SUFFIX, PLAN_SUFFIX, SUFFIXES, belongs_to, natural_order, suffix_of
from recordkit.storage.refusals import WayOut, refusal
from recordkit.storage.set_files import SetNames
from recordkit.storage.snapshot import read_set

Overwrite = Literal["nothing", "records", "all"]
"""Files that may be replaced though no pack wrote them. "records" are the .rec and .idx, which im2rec replaces."""


def check_replaced_set(names: SetNames, overwrite: Overwrite = "nothing") -> Mapping[str, Any]:
    """Refuse to replace files that no pack wrote, a list that was edited after its pack, or the set of an edit.

    The files are those of the valid set, also if a pack to another prefix, such as ``a`` with a split ``b`` for
    ``a_b``, publishes it meanwhile or was killed.

    Returns
    -------
    description : mapping
        That of the set that has these names; an empty one if there is none.

    Raises
    ------
    PublishError
    """
    return read_set(names.prefix.with_name(names.name(".json")), lambda files, _: _check_files(names, files, overwrite))


def _check_files(names: SetNames, files: Fileset, overwrite: Overwrite) -> Mapping[str, Any]:
    description = _read_description(files.path(".json"))
    if overwrite == "all":
        return description
    _refuse_edit(description.get("edit"), files.path(".json"), overwrite)
    for final_path in names.all():
        suffix = suffix_of(final_path.name)
        path = files.path(suffix) if suffix else final_path
        if not path.exists() or path.is_dir() or (overwrite == "records" and suffix in ("", ".rec", ".idx")):
            continue
        if suffix == MANIFEST_SUFFIX and (manifest := _read_own_manifest(path)) is not None:
            _refuse_edit(manifest.edit, path, overwrite)
            continue  # the dataset was in shards
        if other := _describe_other(path, final_path.name, suffix, description):
            error = _refusal(path, other, overwrite)
            error.advice = f"pack that list itself, or {error.advice}" if suffix == ".lst" else error.advice
            raise error
    return description


def _describe_other(path: Path, name: str, suffix: str, description: Mapping[str, Any]) -> str:
    """Return what a file is that a pack may not replace; "" for one that a pack wrote under this name."""
    is_listed = name in listed_names(description)
    if suffix in ("", ".rec"):
        size = described_size(description)
        if is_listed and path.is_file() and path.stat().st_size == size:
            return ""
        if path.with_name(property_file.NAME).exists() and not is_listed:
            return "the records of an InsightFace set"
        if is_listed:
            return "records that were changed after their pack"
        return "records that no pack wrote under this name" if size is not None else "records without a description"
    if suffix == ".crc" and _are_checksums(path, description):
        return ""  # `recordkit.upkeep.reindex` wrote it later
    if suffix == ".lst" and is_listed and not _matches(path, description.get("lst")):
        return "a list that was edited after its pack"
    return "" if is_listed else "another file"


def _refusal(path: Path, other: str, overwrite: Overwrite) -> PublishError:
    way_out: WayOut = "move" if overwrite == "records" else "overwrite"  # im2rec has no option for it
    return refusal(path, other, writer="pack", way_out=way_out)


def check_replaced_manifest(dataset: Path, overwrite: Overwrite = "nothing") -> None:
    """Refuse to replace a manifest that no pack wrote under this name.

    Raises
    ------
    PublishError
    """
    if overwrite != "all":
        read_set(dataset.with_name(f"{dataset.name}.json"), lambda files, _: _check_manifest(files, overwrite))


def _check_manifest(files: Fileset, overwrite: Overwrite) -> None:
    path = files.path(MANIFEST_SUFFIX)
    if not path.exists():
        return
    manifest = _read_own_manifest(path)
    if manifest is None:
        raise _refusal(path, "another file", overwrite)
    _refuse_edit(manifest.edit, path, overwrite)


def _refuse_edit(edit: object, path: Path, overwrite: Overwrite) -> None:
    """Refuse to replace a set that was made of other sets, because no pack can make it again."""
    if edit is None:
        return
    command = edit.get("command") if isinstance(edit, Mapping) else None
    raise _refusal(path, f"one that {command or 'an edit'} wrote, which no pack can repeat", overwrite)


def _read_own_manifest(path: Path) -> Manifest | None:
    """Read a manifest; None if the file is something else, was renamed, or is a stranger's."""
    with contextlib.suppress(FormatError, OSError):
        manifest = manifests.read(path)
        return manifest if manifest.file_name == path.name and not stranger(path) else None
    return None


def _are_checksums(path: Path, description: Mapping[str, Any]) -> bool:
    n_records = description.get("records")
    return isinstance(n_records, int) and path.is_file() and path.stat().st_size == CHECKSUM_BYTES * n_records


def has_other_prefix(description: Mapping[str, Any], prefix: Path) -> bool:
    """Tell whether the replaced set was packed for another prefix."""
    packed_prefix = description.get("set")
    return isinstance(packed_prefix, str) and packed_prefix != prefix.name


def find_obsolete_files(prefix: Path, new_names: Collection[Path]) -> list[Path]:
    """Return the files of the replaced set whose names no new file takes, such as those of an old split.

    Only files that the earlier pack wrote under their present name count. A copy or a renamed set belongs to the user,
    and so do an edited .lst and the files beside a .rec that has changed since. Anybody can write a description, so it
    counts only if all files that it lists have the names of its own set. Sets that an edit made stay.
    """
    obsolete: list[Path] = []
    descriptions = prefix.parent.glob(f"{glob.escape(prefix.name)}*.json")
    for path in sorted(descriptions, key=lambda path: natural_order(path.name)):
        if path in new_names or not belongs_to(prefix.name, path.name):
            continue
        if path.name.endswith(MANIFEST_SUFFIX):
            manifest = _read_own_manifest(path)
            is_own = manifest is not None and manifest.set == prefix.name and manifest.edit is None
            obsolete += [path] if is_own else []
            continue
        description, stem = _read_description(path), path.name.removesuffix(".json")
        if path.name == prefix.name + PLAN_SUFFIX:
            obsolete += [path] if _is_plan(description, prefix) else []
            continue
        own_names = {stem, *(stem + suffix for suffix in SUFFIXES)}
        if (
            description.get("set") == prefix.name
            and description.get("edit") is None
            and path.name in listed_names(description)
            and own_names.issuperset(listed_names(description))
        ):
            obsolete += [file for file in _unchanged_files(description, path.parent) if file not in new_names]
    return obsolete


def _is_plan(content: Mapping[str, Any], prefix: Path) -> bool:
    """Tell whether this is the content of a plan that `recordkit.cluster` wrote for the prefix."""
    return content.get("set") == prefix.name and "fingerprint" in content and "shards" in content


def _read_description(path: Path) -> Mapping[str, Any]:
    """Read a description; a JSON file of another program, or of a stranger, counts as an empty one."""
    with contextlib.suppress(ValueError, OSError):
        return {} if stranger(path) else Fileset(path).description()
    return {}


def _unchanged_files(description: Mapping[str, Any], folder: Path) -> list[Path]:
    record, *side_files = (folder / name for name in listed_names(description))
    if not _matches(record, description.get("rec")):
        return []
    edited = [path for path in side_files if path.suffix == ".lst" and not _matches(path, description.get("lst"))]
    return [path for path in (record, *side_files) if path.is_file() and path not in edited]


def _matches(path: Path, facts: object) -> bool:
    """Tell whether a file has the size and SHA-256 that a description gives."""
    if not isinstance(facts, dict) or not path.is_file() or path.stat().st_size != facts.get("bytes"):
        return False
    return fingerprint(path) == facts.get("sha256")
