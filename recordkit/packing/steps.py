"""The steps of a pack, which `recordkit.packing.pack` takes on one machine, and `recordkit.cluster` on several.

`open_sources` and `plan_pack` decide which sets will be written, `pack_set` writes one of them. A set may be written in
any process that has its samples and the plan: its bytes depend on nothing else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from recordkit.errors import FormatError, PackError, PlanError, SourceError
from recordkit.packing.engine import Engine
from recordkit.packing.label_check import check_classes, check_labels
from recordkit.packing.piece import IndexBlocks, PackedBlock, encode_alone, frame_piece, make_limits, pack_block
from recordkit.packing.plan import PackPlan
from recordkit.packing.planned_sets import PlannedSet, plan_sets
from recordkit.packing.replaced_set import Overwrite, check_replaced_manifest, check_replaced_set, has_other_prefix
from recordkit.packing.report import Progress, SetReport
from recordkit.packing.writer import SetWriter
from recordkit.sample import Source
from recordkit.sources import open_source
from recordkit.sources.arrays import array_source
from recordkit.storage.remote.urls import Url
from recordkit.storage.set_files import Creator
from recordkit.threads import ThreadedMap


class PackedSet(NamedTuple):
    """A set that was written.

    Attributes
    ----------
    report : SetReport
    description : dict
        The content of PREFIX.json.
    keys : (int, int) or None
        Smallest and largest key of the records; None if there are none.
    """

    report: SetReport
    description: dict[str, Any]
    keys: tuple[int, int] | None


PackSource = Source | tuple[Any, Any] | Mapping[str, Source | tuple[Any, Any]] | str | Path
"""A source of `recordkit.pack`, or several by name. A tuple is a pair of arrays, images and labels."""


class Resources(NamedTuple):
    """The resources that packing one set may use.

    Attributes
    ----------
    n_threads : int
    memory : int
        Most memory that images may take, in bytes.
    progress : callable, optional
        Called with the number of samples packed or left out since the last call.
    """

    n_threads: int
    memory: int
    progress: Progress | None = None


def open_sources(source: PackSource, plan: PackPlan) -> dict[str, Source]:
    """Return sources by the names of their sets. A path is opened; an error that advises an argument says whose.

    Parameters
    ----------
    source : Source, pair of arrays, mapping of str to these, str or Path
        As for `recordkit.pack`.
    plan : PackPlan
    """
    if source == "":
        raise PlanError(argument="source", expected="the path of a folder or a list", got="an empty text")
    if isinstance(source, (str, Path)):
        try:
            source = open_source(source, decoders=plan.decoders)
        except (FormatError, SourceError) as error:
            if error.advice and "`" in error.advice:
                error.advice += "; recordkit.open_source takes it"
            raise
    sources = source if isinstance(source, Mapping) else {"": source}
    return {name: _source_or_arrays(each) for name, each in sources.items()}


def _source_or_arrays(source: Source | tuple[Any, Any]) -> Source:
    """Return a source, or that of a pair of arrays."""
    if isinstance(source, list | tuple):
        return array_source(source)
    if not hasattr(source, "entries"):
        raise PlanError(argument="source", expected="a path, arrays (images, labels) or a Source", got=repr(source))
    return source


def plan_pack(
    sources: Mapping[str, Source], prefix: Path, plan: PackPlan, record_name: str | None = None
) -> tuple[list[PlannedSet], list[str]]:
    """Check the sources and divide them into sets.

    Parameters
    ----------
    sources : mapping of str to Source
    prefix : Path
    plan : PackPlan
    record_name : str, optional
        See `recordkit.pack`.

    Returns
    -------
    planned_sets : list of PlannedSet
    warnings : list of str

    Raises
    ------
    PlanError, SourceError
    """
    label_warnings = []
    for source in sources.values():
        plan.passes_through(pixels=source.pixels)  # raises if the plan does not fit the source
        check_classes(source.classes)
        label_warnings += check_labels(source, plan)
    planned_sets, warnings = plan_sets(sources, prefix, plan, record_name)
    return planned_sets, [*warnings, *dict.fromkeys(label_warnings)]


def pack_set(
    planned_set: PlannedSet, plan: PackPlan, engine: type[Engine], staging: Creator, resources: Resources
) -> PackedSet:
    """Pack one set into a staging folder.

    Parameters
    ----------
    planned_set : PlannedSet
    plan : PackPlan
    engine : type
        As `recordkit.packing.native.choose_engine` returns it.
    staging : Creator
        The caller publishes its files. Its prefix is that of the pack, with which the set's own begins.
    resources : Resources

    Returns
    -------
    packed_set : PackedSet

    Raises
    ------
    PackError
        A sample failed and ``plan.on_error`` is "raise".
    PublishError
        A file cannot be written.
    """
    with contextlib.closing(SetWriter(staging, planned_set.names, plan)) as writer:
        set_engine = engine(plan, pixels=planned_set.source.pixels)
        description = _write_set(planned_set, plan, set_engine, writer, resources)
    return PackedSet(writer.report, description, writer.keys)


def _write_set(
    planned_set: PlannedSet, plan: PackPlan, engine: Engine, writer: SetWriter, resources: Resources
) -> dict[str, Any]:
    """Pack the samples of one set, block by block on several threads, and write them in order.

    Returns
    -------
    description : dict
        The content of PREFIX.json.
    """
    source, order, names = planned_set.source, planned_set.order, planned_set.names
    if planned_set.is_first:
        for bad in source.bad:
            writer.fail_row(bad.location, bad.reason)
    index_blocks = IndexBlocks(order, engine.block_size)
    limits = make_limits(resources.memory, resources.n_threads)

    def append(block: PackedBlock) -> None:
        writer.append(block)
        if resources.progress:
            resources.progress(len(block))

    def pack_indices(indices: Sequence[int]) -> PackedBlock:
        return pack_block(source, indices, plan, engine, limits)

    with ThreadedMap(pack_indices, index_blocks, resources.n_threads, stopped=limits.stopped) as blocks:
        for block in blocks:
            index_blocks.learn(len(block), max(block.input_bytes, len(block.frames)))
            append(block)
            for index in block.rest:
                with encode_alone(source, index, engine, limits) as piece:
                    append(frame_piece(piece, plan, engine))
    list_role = "written" if names.write_list else "read" if planned_set.reads_list else "none"
    return writer.finish({"classes": source.classes, "list": list_role, "plan": plan_facts(plan)})


def plan_facts(plan: PackPlan) -> dict[str, Any]:
    """Return the fields of the plan that decide the content of the files: all but the number of threads."""
    return {name: value for name, value in asdict(plan).items() if name != "threads"}


def check_outputs(planned_sets: Sequence[PlannedSet], prefix: Path, overwrite: Overwrite) -> list[str]:
    """Refuse to replace files that no pack wrote; return warnings about surprising replacements."""
    warnings = []
    for planned_set in planned_sets:
        names = planned_set.names
        description = check_replaced_set(names, overwrite)
        if planned_set.dataset is not None:
            check_replaced_manifest(planned_set.dataset, overwrite)
        if has_other_prefix(description, prefix):
            warnings.append(f"{names.prefix.name} was packed on its own and is replaced")
        other_list = Path(f"{names.prefix}.lst")
        if not (names.write_list or planned_set.reads_list) and other_list.exists():
            warnings.append(f"{other_list} is not the list of this set; it stays if it was made by hand")
    return warnings


def refuse_empty_result(reports: Sequence[SetReport], prefix: Path | Url) -> None:
    """Refuse to replace an existing set by sets without any record."""
    if any(report.n_packed for report in reports):
        return
    failures = [failure for report in reports for failure in report.failures[:1]]
    n_listed = sum(report.n_listed for report in reports)
    first = f"; the first failure: {failures[0].name}: {failures[0].reason}" if failures else ""
    raise PackError(
        path=str(prefix), expected="images", got=f"0 of {n_listed} packed{first}", advice="nothing was written"
    )
