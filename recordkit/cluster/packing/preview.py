"""Opening the source and the output of a pack on a cluster, and its effects before it runs. Ray is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from recordkit.cluster.fingerprint import take_fingerprint
from recordkit.cluster.packing.dataset_files import find_old_files
from recordkit.cluster.packing.inputs import open_input
from recordkit.cluster.packing.plan_file import describe_plan
from recordkit.cluster.packing.store_target import StoreTarget
from recordkit.cluster.packing.target import FolderTarget, Target
from recordkit.memory import choose_memory
from recordkit.packing.plan import PackPlan, plan_or_default
from recordkit.packing.preview import make_preview
from recordkit.packing.report import PackPreview
from recordkit.packing.steps import open_sources, plan_pack
from recordkit.sample import Source
from recordkit.storage.names import refuse_file_name
from recordkit.storage.refusals import refuse_overwrite
from recordkit.storage.remote.urls import Url, is_url
from recordkit.storage.staging import check_prefix

DEFAULT_MEMORY = 2 << 30
"""The largest image takes a quarter of it. It is the same on all machines, because it decides which image is too large.
"""


@dataclass(frozen=True)
class ClusterPackPreview(PackPreview):
    """The effects of a pack on a cluster before it runs.

    Attributes
    ----------
    n_reused : int
        Shards that an earlier run of the same pack has published.
    """

    n_reused: int = 0

    def as_json(self) -> dict[str, object]:
        """Return the preview as JSON-compatible values."""
        return {**super().as_json(), "n_reused": self.n_reused}


def open_source_and_target(
    source: Source | Mapping[str, Source] | str | Path, prefix: str | Path, plan: PackPlan, *, overwrite: bool
) -> tuple[dict[str, Source], Target]:
    """Open the sources of a pack, and the place at which it publishes.

    Raises
    ------
    PlanError, SourceError, FormatError, PublishError
    """
    if isinstance(source, (str, Path)):
        source = open_input(source, decoders=plan.decoders)
    sources = open_sources(source, plan)
    if is_url(prefix):
        refuse_overwrite(overwrite=overwrite)
    target: Target = StoreTarget(prefix) if is_url(prefix) else FolderTarget(Path(prefix))
    refuse_file_name(Path(target.prefix_name))
    return sources, target


def preview_pack(
    source: Source | Mapping[str, Source] | str | Path,
    prefix: str | Path,
    *,
    plan: PackPlan | None = None,
    engine: str = "auto",
    memory: int | str | None = None,
    overwrite: bool = False,
) -> ClusterPackPreview:
    """Return what `recordkit.cluster.pack` would write and remove. Nothing is written, not even a folder.

    Parameters
    ----------
    source, prefix, plan, engine, memory, overwrite
        As for `recordkit.cluster.pack`, which raises the same errors.

    Returns
    -------
    preview : ClusterPackPreview
    """
    plan = plan_or_default(plan)
    sources, target = open_source_and_target(source, prefix, plan, overwrite=overwrite)
    if not is_url(prefix):
        check_prefix(Path(prefix))
    planned_sets, warnings = plan_pack(sources, target.prefix, plan)
    n_bytes = DEFAULT_MEMORY if memory is None else choose_memory(memory)
    fingerprint = take_fingerprint(engine)
    document = describe_plan(target.prefix_name, plan, planned_sets, memory=n_bytes, fingerprint=fingerprint)
    old_files = find_old_files(target, planned_sets, sources, document, overwrite=overwrite)
    published = target.names() if old_files.is_begun else set()
    preview = make_preview(
        planned_sets,
        plan,
        warnings,
        [target.prefix.with_name(name) for name in old_files.names],
        url=Url.parse(prefix) if is_url(prefix) else None,
    )
    values = {field.name: getattr(preview, field.name) for field in fields(PackPreview)}
    n_reused = sum(f"{planned.names.prefix.name}.json" in published for planned in planned_sets)
    return ClusterPackPreview(**values, n_reused=n_reused)
