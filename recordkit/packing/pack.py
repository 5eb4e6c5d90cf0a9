"""Packing a source: survey it, share it out, run the engine, publish all sets at once."""

from __future__ import annotations

import contextlib
import glob
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recordkit.errors import PackError, PlanError, SourceError
from recordkit.formats.fileset import Fileset, fingerprint
from recordkit.formats.irheader import exact
from recordkit.formats.staging import Staging
from recordkit.packing.block import pack_block
from recordkit.packing.choice import choose
from recordkit.packing.engine import Engine
from recordkit.packing.plan import PackPlan, order_of, partition
from recordkit.packing.report import PackReport, Progress, SetReport
from recordkit.packing.writer import SetNames, SetWriter
from recordkit.sample import Entry, Source
from recordkit.sources import ListSource, open_source
from recordkit.threads import count_threads, in_order

# So many rows are looked at together before anything is packed.
_SURVEY_BLOCK = 1024


def pack(
    source: Source | Mapping[str, Source] | str | Path,
    prefix: str | Path,
    *,
    plan: PackPlan | None = None,
    engine: str = "auto",
    record_name: str | None = None,
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
        A sample failed and ``plan.on_error`` is "fail".
    PublishError
        The output cannot be written, or another pack is writing to it.
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
    plan = plan or PackPlan()
    worker = choose(engine)
    n_threads = count_threads(plan.threads)
    if isinstance(source, (str, Path)):
        source = open_source(source)
    sources = dict(source) if isinstance(source, Mapping) else {"": source}
    begin_s = time.monotonic()
    with Staging(Path(prefix)) as staging, contextlib.ExitStack() as open_writers:
        for each in sources.values():
            _survey(each, plan)
        jobs, warnings = _share_out(sources, staging.prefix, plan, record_name)
        writers = []
        for job in jobs:
            writer = SetWriter(staging, job.names, plan)
            open_writers.callback(writer.close)
            _run(worker, job, plan, writer, n_threads, progress or (lambda n: None))
            writers.append(writer)
        reports = tuple(writer.report for writer in writers)
        _refuse_nothing(reports, staging.prefix)
        successors = [path for job in jobs for path in job.names.all()]
        former = [path for path in _former_sets(staging.prefix) if not _is_input(path, sources)]
        if gone := [path.name for path in former if path not in successors]:
            warnings.append(f"removed, of the set that was there before: {', '.join(gone)}")
        staging.commit(remove=successors + former)
    ok = plan.on_error == "skip" or not any(report.n_failed for report in reports)
    return PackReport(reports, worker.name, n_threads, time.monotonic() - begin_s, tuple(warnings), ok)


@dataclass(frozen=True)
class _Job:
    """One set to be written."""

    source: Source
    order: Sequence[int]
    names: SetNames
    with_bad_rows: bool  # rows that are no samples are reported with the first set of their source


def _run(
    engine: type[Engine], job: _Job, plan: PackPlan, writer: SetWriter, n_threads: int, progress: Progress
) -> None:
    if job.with_bad_rows:
        for place, reason in job.source.bad:
            writer.fail_row(place, reason)
    worker = engine(plan, pixels=job.source.pixels)
    blocks = (job.order[begin : begin + worker.block] for begin in range(0, len(job.order), worker.block))
    for block in in_order(lambda indices: pack_block(job.source, indices, plan, worker), blocks, n_threads):
        writer.append(block)
        progress(len(block))
    writer.finish({"classes": job.source.classes, "plan": _settings(plan)})


def _settings(plan: PackPlan) -> dict[str, Any]:
    """Return what made the files what they are: not the number of threads."""
    return {name: value for name, value in asdict(plan).items() if name != "threads"}


def _share_out(
    sources: Mapping[str, Source], prefix: Path, plan: PackPlan, record_name: str | None
) -> tuple[list[_Job], list[str]]:
    jobs: list[_Job] = []
    warnings = [note for source in sources.values() for note in source.notes]
    if plan.splits() and set(sources) - {""} and "train" not in sources:
        raise PlanError("val_ratio and test_ratio share out the training split, and this source has none")
    for name, source in sources.items():
        shared = plan.splits() and name in ("", "train")
        if shared and plan.test_ratio and "test" in sources:
            raise PlanError("test_ratio: this source has a test split of its own; use val_ratio")
        parts = partition(
            len(source),
            chunks=plan.chunks,
            train_ratio=1.0 - plan.val_ratio - plan.test_ratio if shared else 1.0,
            test_ratio=plan.test_ratio if shared else 0.0,
        )
        lost = len(source) - sum(part.end - part.begin for part in parts)
        if lost:
            warnings.append(
                f"{lost} of {len(source)} samples are in no split: the sizes are rounded down, as in im2rec"
            )
        order = order_of(len(source), shuffle=plan.shuffles(source.order), seed=plan.seed)
        for number, part in enumerate(parts):
            if part.begin == part.end and len(source):
                raise PlanError(
                    f"{prefix.name}{part.suffix}: expected samples, got 0 of {len(source)}; "
                    "change the ratios or the number of shards"
                )
            suffix = part.suffix if shared or not name else f"_{name}{part.suffix}"
            path = prefix.with_name(prefix.name + suffix)
            names = SetNames(
                path, record_name, write_list=plan.write_list and not _is_input(Path(f"{path}.lst"), sources)
            )
            for output in names.all():
                if _is_input(output, sources):
                    raise PlanError(f"{output}: expected another output, got the list that is being packed")
            jobs.append(_Job(source, order[part.begin : part.end], names, number == 0))
    return jobs, warnings


def _is_input(path: Path, sources: Mapping[str, Source]) -> bool:
    lists = [source.path for source in sources.values() if isinstance(source, ListSource)]
    return any(path.exists() and path.samefile(each) for each in lists)


def _refuse_nothing(reports: Sequence[SetReport], prefix: Path) -> None:
    """Do not replace a good set by one in which everything failed."""
    if any(report.n_packed for report in reports) or not any(report.failures for report in reports):
        return
    first = next(report.failures[0] for report in reports if report.failures)
    n_failed = sum(report.n_failed for report in reports)
    raise PackError(
        f"{prefix}: expected images, got 0 of {n_failed} packed; the first: {first.name}: {first.reason}; "
        "nothing was written"
    )


def _former_sets(prefix: Path) -> list[Path]:
    """Files that an earlier pack to this prefix left: a split it had and the new one has not would outlive it.

    Only what that pack wrote under that very name: a copy or a renamed set belongs to the user, and so do an .lst
    that was edited since and files beside a .rec that is another by now.
    """
    found: list[Path] = []
    for path in prefix.parent.glob(f"{glob.escape(prefix.name)}*.json"):
        with contextlib.suppress(ValueError, LookupError, TypeError, OSError):  # a JSON file of somebody else's
            description = Fileset(path).description()
            names = description.get("files")
            if description.get("set") == prefix.name and isinstance(names, list) and path.name in names:
                found += _written_by(description, path.parent)
    return found


def _written_by(description: Mapping[str, Any], folder: Path) -> list[Path]:
    paths = [folder / name for name in description["files"] if Path(name).name == name]
    if paths[0].exists() and paths[0].stat().st_size != description["rec"]["bytes"]:
        return []
    edited = {path for path in paths if path.suffix == ".lst" and path.exists() and not _is(path, description["lst"])}
    return [path for path in paths if path.is_file() and path not in edited]


def _is(path: Path, facts: Mapping[str, Any]) -> bool:
    return (path.stat().st_size, fingerprint(path)) == (facts["bytes"], facts["sha256"])


def _survey(source: Source, plan: PackPlan) -> None:
    """Refuse labels that would not come back, before hours of packing."""
    plan.passes_through(pixels=source.pixels)
    widths: set[int] = set()
    for begin in range(0, len(source), _SURVEY_BLOCK):
        entries = source.entries(range(begin, min(begin + _SURVEY_BLOCK, len(source))))
        rows = [entry.labels if plan.labels == "all" else entry.labels[:1] for entry in entries]
        widths.update(map(len, rows))
        if bad := {label for label in set(itertools.chain.from_iterable(rows)) if not _is_kept(label, plan)}:
            number = next(number for number, row in enumerate(rows) if bad & set(row))
            raise _label_error(next(label for label in rows[number] if label in bad), entries[number], plan)
    if plan.exact_labels and len(widths) > 1:
        raise SourceError(f"exact labels: expected the same number in every row, got {min(widths)} to {max(widths)}")


def _is_kept(label: float, plan: PackPlan) -> bool:
    return _is_int64(label) if plan.exact_labels else exact(label)


def _label_error(label: float, entry: Entry, plan: PackPlan) -> SourceError:
    where = f"{entry.name} (key {entry.key})"
    if plan.exact_labels:
        return SourceError(f"{where}: expected a whole label of 64 bits, got {label}")
    advice = "; keep such labels with exact labels (--exact-labels)" if _is_int64(label) else ""
    return SourceError(f"{where}: expected a label that float32 can hold, got {label}{advice}")


def _is_int64(label: float) -> bool:
    return int(label) == label and -(2**63) <= label < 2**63
