"""Packing a source: check the labels, plan the sets, run the engine, publish all sets at once.

One image goes this way: `pack` plans the sets, `_write_set` hands blocks of a set's samples to threads,
`recordkit.packing.packed_block.pack_block` reads, encodes and frames a block, and `recordkit.packing.writer.SetWriter`
appends the blocks in order.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError, PackError, SourceError
from recordkit.memory import choose_memory
from recordkit.packing.engine import Engine
from recordkit.packing.label_check import check_classes, check_labels
from recordkit.packing.native import choose_engine
from recordkit.packing.packed_block import PackedBlock, frame_piece, pack_block
from recordkit.packing.piece import IndexBlocks, encode_alone, make_limits
from recordkit.packing.plan import PackPlan
from recordkit.packing.planned_sets import PlannedSet, is_input, plan_sets
from recordkit.packing.replaced_set import (
    check_replaced_manifest,
    check_replaced_set,
    find_obsolete_files,
    has_other_prefix,
)
from recordkit.packing.report import PackReport, Progress, SetReport
from recordkit.packing.writer import SetWriter
from recordkit.sample import Source
from recordkit.sources import open_source
from recordkit.storage.names import MANIFEST_SUFFIX, refuse_file_name
from recordkit.storage.set_files import write_manifest
from recordkit.storage.staging import Staging, check_prefix
from recordkit.threads import ThreadedMap, count_threads


def pack(
    source: Source | Mapping[str, Source] | str | Path,
    prefix: str | Path,
    *,
    plan: PackPlan | None = None,
    engine: str = "auto",
    record_name: str | None = None,
    keep: Collection[Path] = (),
    memory: int | str | None = None,
    progress: Progress | None = None,
) -> PackReport:
    """Pack images into PREFIX.rec, .idx, .lst, .crc and .json, or into several shards and a manifest that names them.

    The files appear together when all of them are complete. Until then, and after any error, the previous files stay in
    place. Memory: `memory` and 16 bytes per image, 24 more per row of a list, or the file names of a folder.

    Parameters
    ----------
    source : Source, mapping of str to Source, str or Path
        A path is opened with `recordkit.open_source`; call it to give its arguments, such as `root` or `columns`. Each
        source of a mapping is packed to PREFIX_NAME; splits are then taken from the source called "train".
    prefix : str or Path
        Folder of the output, and the beginning of its file names. The folder must exist.
    plan : PackPlan, optional
    engine : {"auto", "native", "python"}, default "auto"
    record_name : str, optional
        Name of the record file, for a plan without splits: PREFIX.rec, or PREFIX as im2rec's OUT may be. Without it the
        name is PREFIX.rec, and PREFIX may not be a folder.
    keep : collection of Path
        Files of the replaced set that stay, such as lists that will be packed next.
    memory : int or str, optional
        A number of bytes, or a text such as "512M" or "2G".
        Most memory that images may take, encoded and decoded together; by default a quarter of the memory of
        the machine or its control group. An image that needs more is a bad sample.
    progress : callable, optional
        Called with the number of samples packed or left out since the last call.

    Returns
    -------
    report : PackReport
        Check ``report.ok``: samples that could not be read are left out and counted.

    Raises
    ------
    PlanError
        The plan does not fit the source.
    SourceError, FormatError
        The source as a whole is at fault: a wrong root, two rows with one key, a label that float32 would change.
    PackError
        A sample failed and ``plan.on_error`` is "raise", or no sample could be packed.
    PublishError
        The output cannot be written, another pack is writing to it, or it would overwrite a file that no pack wrote, or
        the set of an edit.
    MissingError
        The engine is not built.

    Examples
    --------
    >>> import tempfile, recordkit
    >>> import numpy as np
    >>> from recordkit.formats import ubyte
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     digits, out = Path(folder, "digits"), Path(folder, "digits_rec")
    ...     digits.mkdir()
    ...     _ = (digits / "train-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((6, 28, 28), np.uint8)))
    ...     _ = (digits / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(np.arange(6, dtype=np.uint8)))
    ...     report = recordkit.pack(digits, out, plan=recordkit.PackPlan(encoding="raw"))
    ...     [(s.prefix.name, s.n_packed) for s in report.sets], sorted(p.name for p in Path(folder).glob("*_rec*"))
    ([('digits_rec_train', 6)], ['digits_rec_train.crc', 'digits_rec_train.idx', 'digits_rec_train.json',
      'digits_rec_train.lst', 'digits_rec_train.rec'])
    """
    begin_s = time.monotonic()
    plan = plan or PackPlan()
    engine_class = choose_engine(engine)
    n_threads, n_bytes = count_threads(plan.threads), choose_memory(memory)
    sources = _open_sources(source, plan)
    if record_name is None:
        refuse_file_name(Path(prefix))
    with Staging(Path(prefix), allow_folder=record_name is not None) as staging, contextlib.ExitStack() as open_writers:
        planned_sets, warnings = _plan(sources, staging.prefix, plan, record_name)
        reports = []
        shards: dict[Path, list[tuple[dict[str, Any], tuple[int, int] | None]]] = {}
        for planned_set in planned_sets:
            writer = SetWriter(staging, planned_set.names, plan)
            open_writers.callback(writer.close)
            set_engine = engine_class(plan, pixels=planned_set.source.pixels)
            description = _write_set(planned_set, plan, set_engine, writer, n_threads, n_bytes, progress)
            reports.append(writer.report)
            if planned_set.dataset is not None:
                shards.setdefault(planned_set.dataset, []).append((description, writer.keys))
        _refuse_empty_result(reports, staging.prefix)
        # All names that the new sets may have; some, such as .failed.tsv, may not be written this time.
        new_names = [path for planned_set in planned_sets for path in planned_set.names.all()]
        new_names += [dataset.with_name(dataset.name + MANIFEST_SUFFIX) for dataset in shards]
        obsolete_files = [
            path
            for path in find_obsolete_files(staging.prefix, new_names)
            if path not in keep and not is_input(path, sources)
        ]
        if obsolete_files:
            warnings.append(f"removed from the replaced set: {', '.join(path.name for path in obsolete_files)}")
        manifest_paths = [write_manifest(staging, dataset, facts) for dataset, facts in shards.items()]
        staging.commit(remove=new_names + obsolete_files)
    ok = plan.on_error == "skip" or not any(report.n_failed for report in reports)
    duration_s = time.monotonic() - begin_s
    return PackReport(
        tuple(reports), engine_class.name, n_threads, duration_s, tuple(warnings), ok, tuple(manifest_paths)
    )


def check_pack(
    source: Source | Mapping[str, Source] | str | Path, prefix: str | Path, *, plan: PackPlan | None = None
) -> list[str]:
    """Check what `pack` would check before it reads an image: labels, names, and the files that it would replace.

    Nothing is written. The arguments are those of `pack`, which raises the same errors.

    Returns
    -------
    warnings : list of str
    """
    plan = plan or PackPlan()
    sources, prefix = _open_sources(source, plan), Path(prefix)
    refuse_file_name(prefix)
    check_prefix(prefix)
    return _plan(sources, prefix, plan, None)[1]


def _open_sources(source: Source | Mapping[str, Source] | str | Path, plan: PackPlan) -> dict[str, Source]:
    """Return sources by the names of their sets. A path is opened; an error that advises an argument says whose."""
    if isinstance(source, (str, Path)):
        try:
            source = open_source(source, decoders=plan.decoders)
        except (FormatError, SourceError) as error:
            if error.advice and "`" in error.advice:
                error.advice += "; recordkit.open_source takes it"
            raise
    return dict(source) if isinstance(source, Mapping) else {"": source}


def _plan(
    sources: Mapping[str, Source], prefix: Path, plan: PackPlan, record_name: str | None
) -> tuple[list[PlannedSet], list[str]]:
    """Check the sources, divide them into sets, and check the files that these replace; return warnings too."""
    label_warnings = []
    for source in sources.values():
        plan.passes_through(pixels=source.pixels)  # raises if the plan does not fit the source
        check_classes(source.classes)
        label_warnings += check_labels(source, plan)
    planned_sets, warnings = plan_sets(sources, prefix, plan, record_name)
    return planned_sets, [*warnings, *dict.fromkeys(label_warnings), *_check_outputs(planned_sets, prefix)]


def _write_set(
    planned_set: PlannedSet,
    plan: PackPlan,
    engine: Engine,
    writer: SetWriter,
    n_threads: int,
    memory: int,
    progress: Progress | None,
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
    limits = make_limits(memory, n_threads)

    def append(block: PackedBlock) -> None:
        writer.append(block)
        if progress:
            progress(len(block))

    def pack_indices(indices: Sequence[int]) -> PackedBlock:
        return pack_block(source, indices, plan, engine, limits)

    with ThreadedMap(pack_indices, index_blocks, n_threads, stopped=limits.stopped) as blocks:
        for block in blocks:
            index_blocks.learn(len(block), max(block.input_bytes, len(block.frames)))
            append(block)
            for index in block.rest:
                with encode_alone(source, index, engine, limits) as piece:
                    append(frame_piece(piece, plan, engine))
    list_role = "written" if names.write_list else "read" if planned_set.reads_list else "none"
    return writer.finish({"classes": source.classes, "list": list_role, "plan": _plan_facts(plan)})


def _plan_facts(plan: PackPlan) -> dict[str, Any]:
    """Return the fields of the plan that decide the content of the files: all but the number of threads."""
    return {name: value for name, value in asdict(plan).items() if name != "threads"}


def _check_outputs(planned_sets: Sequence[PlannedSet], prefix: Path) -> list[str]:
    """Refuse to overwrite files that no pack wrote; return warnings about surprising replacements."""
    warnings = []
    for planned_set in planned_sets:
        names = planned_set.names
        description = check_replaced_set(names)
        if planned_set.dataset is not None:
            check_replaced_manifest(planned_set.dataset)
        if has_other_prefix(description, prefix):
            warnings.append(f"{names.prefix.name} was packed on its own and is replaced")
        other_list = Path(f"{names.prefix}.lst")
        if not (names.write_list or planned_set.reads_list) and other_list.exists():
            warnings.append(f"{other_list} is not the list of this set; it stays if it was made by hand")
    return warnings


def _refuse_empty_result(reports: Sequence[SetReport], prefix: Path) -> None:
    """Refuse to replace an existing set by sets without any record."""
    if any(report.n_packed for report in reports):
        return
    failures = [failure for report in reports for failure in report.failures[:1]]
    n_listed = sum(report.n_listed for report in reports)
    first = f"; the first failure: {failures[0].name}: {failures[0].reason}" if failures else ""
    raise PackError(
        path=str(prefix), expected="images", got=f"0 of {n_listed} packed{first}", advice="nothing was written"
    )
