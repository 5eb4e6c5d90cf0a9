"""The files of the whole dataset: the plan, which comes before the first shard, and the manifests, which come last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recordkit.cluster.packing.plan_file import check_same_plan, pack_plan
from recordkit.cluster.packing.target import Target
from recordkit.errors import ClusterError, PackError, PublishError
from recordkit.packing.planned_sets import PlannedSet
from recordkit.packing.steps import PackedSet, refuse_empty_result
from recordkit.storage import manifest as manifests
from recordkit.storage.description import listed_names
from recordkit.storage.names import MANIFEST_SUFFIX, PLAN_SUFFIX
from recordkit.storage.remote.urls import Url


def is_begun(target: Target, planned_sets: Sequence[PlannedSet], document: Mapping[str, Any]) -> bool:
    """Tell whether the plan's file of this pack is there, and refuse that of another one.

    Parameters
    ----------
    target : Target
    planned_sets : sequence of PlannedSet
    document : mapping
        The plan, see `recordkit.cluster.packing.plan_file`.

    Raises
    ------
    PublishError
        There is another plan, or a dataset without one.
    """
    name = target.prefix_name + PLAN_SUFFIX
    if (content := target.read(name)) is not None:
        check_same_plan(content, document, str(target.location(name)))
        return True
    own_names = _shard_names(planned_sets)
    own_names |= {planned.dataset.name + MANIFEST_SUFFIX for planned in planned_sets if planned.dataset}
    own_names |= {target.prefix_name + suffix for suffix in (".rec", ".json", MANIFEST_SUFFIX)}
    if existing := sorted(own_names & target.names()):
        raise PublishError(
            path=str(target.location(existing[0])),
            expected="no dataset at this prefix",
            got="a file of one",
            advice="choose another prefix, or remove the files of that dataset first",
        )
    return False


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
