"""The files of the whole dataset: the plan, which comes before the first shard, and the manifests, which come last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from recordkit.cluster.packing.plan_file import check_same_plan, pack_plan
from recordkit.cluster.packing.target import Target
from recordkit.errors import ClusterError, FormatError, PackError, PublishError
from recordkit.formats import json_file
from recordkit.packing.planned_sets import PlannedSet, is_input
from recordkit.packing.replaced_set import find_obsolete_files
from recordkit.packing.steps import PackedSet, refuse_empty_result
from recordkit.sample import Source
from recordkit.storage import manifest as manifests
from recordkit.storage.description import listed_names
from recordkit.storage.names import MANIFEST_SUFFIX, PLAN_SUFFIX, SUFFIXES
from recordkit.storage.refusals import reading_refusal, refusal
from recordkit.storage.remote.urls import Url, is_url


class OldFiles(NamedTuple):
    """The files at the prefix of a pack.

    Attributes
    ----------
    is_begun : bool
        They are those of an earlier run of this pack, which goes on.
    names : list of str
        Files of another one, in the order in which they are removed.
    """

    is_begun: bool
    names: list[str]


def find_old_files(
    target: Target,
    planned_sets: Sequence[PlannedSet],
    sources: Mapping[str, Source],
    document: Mapping[str, Any],
    *,
    overwrite: bool,
) -> OldFiles:
    """Find the files of an earlier run of this pack, or of another one, which are refused without `overwrite`.

    Parameters
    ----------
    target : Target
    planned_sets : sequence of PlannedSet
    sources : mapping of str to Source
        No file of them is removed.
    document : mapping
        The plan, see `recordkit.cluster.packing.plan_file`.
    overwrite : bool

    Raises
    ------
    PublishError, FormatError
        There is another plan, or a dataset without one, and `overwrite` is false; or it is being read.
    """
    name = target.prefix_name + PLAN_SUFFIX
    content = target.read(name)
    if content is not None:
        try:
            check_same_plan(content, document, str(target.location(name)))
            return OldFiles(is_begun=True, names=[])
        except (PublishError, FormatError):
            if not overwrite:
                raise
    own_names = _shard_names(planned_sets)
    own_names |= {planned.dataset.name + MANIFEST_SUFFIX for planned in planned_sets if planned.dataset}
    own_names |= {target.prefix_name + suffix for suffix in (".rec", ".json", MANIFEST_SUFFIX)}
    existing = own_names & target.names()
    if overwrite:
        obsolete = find_obsolete_files(target.prefix, [target.prefix.with_name(each) for each in own_names])
        existing |= {path.name for path in obsolete} | _described_names(target, sources)
    paths = [target.prefix.with_name(each) for each in sorted(existing)]
    if read := [path for path in paths if is_input(path, sources)]:
        raise reading_refusal(read[0])
    if existing and not overwrite:
        location = target.location(min(existing))
        raise refusal(location, "a file of another dataset", way_out="name" if is_url(location) else "overwrite")
    # Readers trust the manifest, then the descriptions. The plan goes last, so that a killed run is known.
    names = sorted(existing, key=lambda each: (not each.endswith(MANIFEST_SUFFIX), not each.endswith(".json"), each))
    return OldFiles(is_begun=False, names=names if content is None else [*names, name])


def _described_names(target: Target, sources: Mapping[str, Source]) -> set[str]:
    """Return the files of the set that PREFIX.json describes, without those that are read."""
    try:
        description = json_file.parse(target.read(f"{target.prefix_name}.json") or b"{}")
    except ValueError:
        return set()
    listed = listed_names(description) if isinstance(description, dict) else []
    own_names = {target.prefix_name + suffix for suffix in SUFFIXES} & target.names()
    return {name for name in own_names.intersection(listed) if not is_input(target.prefix.with_name(name), sources)}


def create_plan(target: Target, document: Mapping[str, Any]) -> bool:
    """Create the plan's file, and return whether this call did.

    Raises
    ------
    PublishError
        Another driver has created another plan meanwhile.
    """
    name = target.prefix_name + PLAN_SUFFIX
    if target.create(name, pack_plan(document)):
        return True
    check_same_plan(target.read(name) or b"", document, str(target.location(name)))
    return False


def remove_plan(target: Target, planned_sets: Sequence[PlannedSet]) -> None:
    """Remove the plan's file, unless a file of a shard is published."""
    if not _shard_names(planned_sets) & target.names():
        target.remove(target.prefix_name + PLAN_SUFFIX)


def _shard_names(planned_sets: Sequence[PlannedSet]) -> set[str]:
    return {path.name for planned in planned_sets for path in planned.names.all()}


def create_manifests(
    target: Target, planned_sets: Sequence[PlannedSet], packed_sets: Sequence[PackedSet]
) -> list[Path | Url]:
    """Create the manifests of a dataset whose shards are all published.

    Parameters
    ----------
    target : Target
    planned_sets : sequence of PlannedSet
    packed_sets : sequence of PackedSet
        One of each planned set.

    Returns
    -------
    locations : list of Path or Url

    Raises
    ------
    PackError
        No image was packed; all files of the pack are removed.
    ClusterError
        A file of a shard is missing again.
    PublishError
        There is another manifest.
    """
    try:
        refuse_empty_result([packed.report for packed in packed_sets], target.location(target.prefix_name))
    except PackError:
        for planned in planned_sets:
            for path in reversed(planned.names.all()):
                target.remove(path.name)
        target.remove(target.prefix_name + PLAN_SUFFIX)
        raise
    _refuse_missing_files(target, packed_sets)
    shards: dict[Path, list[PackedSet]] = {}
    for planned, packed in zip(planned_sets, packed_sets, strict=True):
        if planned.dataset is not None:
            shards.setdefault(planned.dataset, []).append(packed)
    locations: list[Path | Url] = []
    for dataset, sets in shards.items():
        manifest = manifests.unite(dataset.name, [each.description for each in sets], [each.keys for each in sets])
        content = manifests.pack(manifest)
        if not target.create(manifest.file_name, content) and target.read(manifest.file_name) != content:
            raise PublishError(
                path=str(target.location(manifest.file_name)),
                expected="no manifest, or that of these shards",
                got="another one",
                advice="remove it and pack again, which keeps the shards",
            )
        locations.append(target.location(manifest.file_name))
    return locations


def _refuse_missing_files(target: Target, packed_sets: Sequence[PackedSet]) -> None:
    """Raise ClusterError if a file of a shard is gone, as it may be if two drivers write to a store at once."""
    names = target.names()
    missing = [name for packed in packed_sets for name in listed_names(packed.description) if name not in names]
    if missing:
        raise ClusterError(
            path=str(target.location(missing[0])),
            expected="the file that a task of this pack published",
            got="none; another process removed it",
            advice="pack again, which packs what is missing",
        )
