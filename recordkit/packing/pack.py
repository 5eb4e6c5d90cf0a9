"""Packing a source: survey it, share it out, run the engine, publish all sets at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recordkit.errors import PackError, PlanError
from recordkit.formats.fileset import SUFFIXES
from recordkit.formats.staging import Staging
from recordkit.packing.block import block_size, pack_block
from recordkit.packing.engine import Engine
from recordkit.packing.jobs import Job, is_input, share_out
from recordkit.packing.native import choose_engine
from recordkit.packing.plan import PackPlan
from recordkit.packing.replaced_set import describe, former_files, refuse_foreign, standing_alone
from recordkit.packing.report import PackReport, Progress, SetReport
from recordkit.packing.survey import survey
from recordkit.packing.writer import SetWriter
from recordkit.sample import Source
from recordkit.sources import open_source
from recordkit.threads import ThreadedMap, count_threads


def pack(
    source: Source | Mapping[str, Source] | str | Path,
    prefix: str | Path,
    *,
    plan: PackPlan | None = None,
    engine: str = "auto",
    record_name: str | None = None,
    keep: Collection[Path] = (),
    progress: Progress | None = None,
) -> PackReport:
    """Pack images into PREFIX.rec, .idx, .lst and .json.

    The files appear together, when all is written; until then, and after any error, what stood there before still
    does. Memory does not grow with the number of images, but for 16 bytes each, 24 more for the rows of a list, or
    the file names of a folder.

    Parameters
    ----------
    source : Source, mapping of str to Source, str or Path
        What to pack. A path is opened with `recordkit.sources.open_source`. Each source of a mapping is packed to
        PREFIX_<its name>; splits are then taken from the one called "train".
    prefix : str or Path
        Folder and beginning of the names of the output files. The folder must exist.
    plan : PackPlan, optional
    engine : {"auto", "native", "python"}, default "auto"
    record_name : str, optional
        Name of the record file where it is not to be PREFIX.rec; for a plan without splits.
    keep : collection of Path
        Files that stay, even if they belong to the set that is replaced: lists that are to be packed next, say.
    progress : callable, optional
        Called with the number of samples dealt with since the last call.

    Returns
    -------
    report : PackReport
        Look at ``report.ok``: samples that could not be read are left out and counted.

    Raises
    ------
    PlanError
        The plan does not go with the source.
    SourceError, FormatError
        The source is at fault as a whole: wrong root, two rows with one key, a label that float32 would change.
    PackError
        A sample failed and ``plan.on_error`` is "raise", or there is nothing to write.
    PublishError
        The output cannot be written, another pack is writing to it, or there is a file in the way that no pack wrote.
    MissingError
        The engine is not there.

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
    ([('digits_rec_train', 6)], ['digits_rec_train.idx', 'digits_rec_train.json', 'digits_rec_train.lst',
      'digits_rec_train.rec'])
    """
    begin_s = time.monotonic()
    plan = plan or PackPlan()
    worker = choose_engine(engine)
    n_threads = count_threads(plan.threads)
    if isinstance(source, (str, Path)):
        source = open_source(source)
    sources = dict(source) if isinstance(source, Mapping) else {"": source}
    if record_name is None and Path(prefix).name.endswith(SUFFIXES):
        raise PlanError(f"{prefix}: expected a prefix, got the name of a file; leave its suffix away")
    with Staging(Path(prefix)) as staging, contextlib.ExitStack() as open_writers:
        for each in sources.values():
            survey(each, plan)
        jobs, warnings = share_out(sources, staging.prefix, plan, record_name)
        warnings += _look_at_outputs(jobs, staging.prefix)
        writers = []
        for job in jobs:
            writer = SetWriter(staging, job.names, plan)
            open_writers.callback(writer.close)
            _run(worker, job, plan, writer, n_threads, progress or (lambda n: None))
            writers.append(writer)
        reports = tuple(writer.report for writer in writers)
        _refuse_nothing(reports, staging.prefix)
        successors = [path for job in jobs for path in job.names.all()]
        gone = [
            path
            for path in former_files(staging.prefix, successors)
            if path not in keep and not is_input(path, sources)
        ]
        if gone:
            warnings.append(f"removed, of the set that was there before: {', '.join(path.name for path in gone)}")
        staging.commit(remove=successors + gone)
    ok = plan.on_error == "skip" or not any(report.n_failed for report in reports)
    return PackReport(reports, worker.name, n_threads, time.monotonic() - begin_s, tuple(warnings), ok)


def _run(engine: type[Engine], job: Job, plan: PackPlan, writer: SetWriter, n_threads: int, progress: Progress) -> None:
    if job.first:
        for place, reason in job.source.bad:
            writer.fail_row(place, reason)
    worker = engine(plan, pixels=job.source.pixels)
    size = block_size(job.source, job.order, worker)
    blocks = (job.order[begin : begin + size] for begin in range(0, len(job.order), size))
    with ThreadedMap(lambda indices: pack_block(job.source, indices, plan, worker), blocks, n_threads) as packed:
        for block in packed:
            writer.append(block)
            progress(len(block))
    of_list = "written" if job.names.write_list else "read" if job.reads_list else "none"
    writer.finish({"classes": job.source.classes, "list": of_list, "plan": _settings(plan)})


def _settings(plan: PackPlan) -> dict[str, Any]:
    """Return what made the files what they are: not the number of threads."""
    return {name: value for name, value in asdict(plan).items() if name != "threads"}


def _look_at_outputs(jobs: Sequence[Job], prefix: Path) -> list[str]:
    """Refuse outputs that are not ours to write, and warn of those that will surprise."""
    warnings = []
    for job in jobs:
        description = describe(job.names)
        refuse_foreign(job.names, description)
        if standing_alone(description, prefix):
            warnings.append(f"{job.names.prefix.name} was packed on its own and is replaced")
        beside = Path(f"{job.names.prefix}.lst")
        if not (job.names.write_list or job.reads_list) and beside.exists():
            warnings.append(f"{beside} is not the list of this set, and stays if it was made by hand")
    return warnings


def _refuse_nothing(reports: Sequence[SetReport], prefix: Path) -> None:
    """Do not replace a good set by one that has no records."""
    if any(report.n_packed for report in reports):
        return
    failures = [failure for report in reports for failure in report.failures[:1]]
    first = f"; the first: {failures[0].name}: {failures[0].reason}" if failures else ""
    n_listed = sum(report.n_listed for report in reports)
    raise PackError(f"{prefix}: expected images, got 0 of {n_listed} packed{first}; nothing was written")
