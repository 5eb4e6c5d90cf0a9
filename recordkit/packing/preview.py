"""The effects of a pack before it runs: the files that it will write, replace and remove."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recordkit.packing.plan import PackPlan, plan_or_default
from recordkit.packing.planned_sets import PlannedSet, is_input
from recordkit.packing.replaced_set import find_obsolete_files
from recordkit.packing.report import PackPreview, SetPreview
from recordkit.packing.steps import PackSource, check_outputs, open_sources, plan_facts, plan_pack
from recordkit.packing.writer import planned_suffixes
from recordkit.sample import Source
from recordkit.storage.names import MANIFEST_SUFFIX, refuse_file_name
from recordkit.storage.refusals import refuse_overwrite
from recordkit.storage.remote.urls import Url, is_url
from recordkit.storage.staging import check_prefix

if TYPE_CHECKING:
    from recordkit.storage.remote.published import ExpectedSet


def preview_pack(
    source: PackSource,
    prefix: str | Path,
    *,
    plan: PackPlan | None = None,
    overwrite: bool = False,
) -> PackPreview:
    """Return what `pack` would write, replace and remove, after all that it checks before it reads an image.

    Labels, names, and the files that would be replaced are checked. Nothing is written, not even a folder.

    Parameters
    ----------
    source, prefix, plan, overwrite
        As for `pack`, which raises the same errors.

    Returns
    -------
    preview : PackPreview

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from recordkit.formats import ubyte
    >>> digits = Path(tempfile.mkdtemp())
    >>> _ = (digits / "train-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((6, 28, 28), np.uint8)))
    >>> _ = (digits / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(np.arange(6, dtype=np.uint8)))
    >>> [(each.prefix.name, each.n_images) for each in preview_pack(digits, digits / "out" / "mnist").sets]
    [('mnist_train', 6)]
    """
    plan = plan_or_default(plan)
    sources = open_sources(source, plan)
    if is_url(prefix):
        from recordkit.storage.remote.publish import parse_prefix
        from recordkit.storage.remote.published import refuse_other_pack
        from recordkit.storage.remote.store import open_store

        refuse_overwrite(overwrite=overwrite)
        url = parse_prefix(prefix)
        store = open_store(url)
        local = Path(url.name)
        names = store.list_folder(url.parent.key) or {}
        refuse_other_pack(store, url, names, lambda: expected_sets(sources, local, plan))
        planned_sets, warnings = plan_pack(sources, local, plan)
        return make_preview(planned_sets, plan, warnings, url=url)
    prefix = Path(prefix)
    refuse_file_name(prefix)
    check_prefix(prefix)
    planned_sets, warnings = plan_pack(sources, prefix, plan)
    warnings += check_outputs(planned_sets, prefix, "all" if overwrite else "nothing")
    new_names, obsolete = old_names(planned_sets, prefix, sources)
    return make_preview(planned_sets, plan, warnings, [path for path in new_names if os.path.lexists(path)], obsolete)


def make_preview(
    planned_sets: Sequence[PlannedSet],
    plan: PackPlan,
    warnings: Sequence[str],
    old_files: Sequence[Path] = (),
    obsolete: Sequence[Path] = (),
    *,
    url: Url | None = None,
) -> PackPreview:
    """Return the preview of a pack.

    Parameters
    ----------
    planned_sets : sequence of PlannedSet
    plan : PackPlan
    warnings : sequence of str
    old_files : sequence of Path
        Files that have names of the new sets; those that the new sets will not write are removed.
    obsolete : sequence of Path
        Other files that are removed.
    url : Url, optional
        The prefix in an object store.
    """

    def place(path: Path) -> Path | Url:
        return path if url is None else url.with_name(path.name)

    sets = tuple(
        SetPreview(
            place(planned.names.prefix),
            len(planned.order),
            tuple(
                place(planned.names.prefix.with_name(planned.names.name(suffix)))
                for suffix in planned_suffixes(planned.names, plan)
            ),
        )
        for planned in planned_sets
    )
    manifests = tuple(map(place, manifest_paths(planned_sets)))
    new_files = {*manifests, *(path for each in sets for path in each.files)}
    return PackPreview(
        sets,
        manifests,
        tuple(path for path in old_files if path in new_files),
        tuple(dict.fromkeys([*(path for path in old_files if path not in new_files), *obsolete])),
        tuple(warnings),
    )


def expected_sets(sources: Mapping[str, Source], prefix: Path, plan: PackPlan) -> list[ExpectedSet]:
    """Return the facts by which a set in a store is compared with one that would be packed."""
    from recordkit.storage.remote.published import ExpectedSet

    return [
        ExpectedSet(
            planned.names.prefix.name,
            planned.names.name(".rec"),
            None if planned.dataset is None else planned.dataset.name,
            {"plan": plan_facts(plan), "classes": planned.source.classes},
        )
        for planned in plan_pack(sources, prefix, plan)[0]
    ]


def old_names(
    planned_sets: Sequence[PlannedSet], prefix: Path, sources: Mapping[str, Source], keep: Collection[Path] = ()
) -> tuple[list[Path], list[Path]]:
    """Return the names of old files that a pack replaces or removes.

    Returns
    -------
    new_names : list of Path
        All names that the new sets may have; some, such as .failed.tsv, may not be written this time.
    obsolete : list of Path
        Files of the replaced set that have other names.
    """
    new_names = [path for planned in planned_sets for path in planned.names.all()]
    new_names += manifest_paths(planned_sets)
    obsolete = find_obsolete_files(prefix, new_names)
    return new_names, [path for path in obsolete if path not in keep and not is_input(path, sources)]


def manifest_paths(planned_sets: Sequence[PlannedSet]) -> list[Path]:
    """Return the paths of the manifests that a pack writes."""
    datasets = dict.fromkeys(planned.dataset for planned in planned_sets if planned.dataset is not None)
    return [dataset.with_name(dataset.name + MANIFEST_SUFFIX) for dataset in datasets]
