"""Exports of a dataset into the numbered files of another format, a file in each task of a Ray cluster.

The driver cuts the dataset into parts by the sizes of its records, so the files depend on neither machines nor CPUs. A
file is published by put-if-absent. Before the first one, ``.export.json`` is created, which says what is written; it is
removed at the end, after the file that lists the others. So as long as it is there, the export is not complete, and the
same call goes on with the files that are missing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.cluster.connection import connect
from recordkit.cluster.packing.store_target import StoreTarget
from recordkit.cluster.packing.target import FolderTarget, Target
from recordkit.cluster.upkeep.range_source import RangeSource
from recordkit.cluster.upkeep.ranges import Range, Work, divide, run_on_ranges
from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.parts import file_ranges
from recordkit.errors import PlanError, PublishError, SourceError, enumerate_some
from recordkit.formats import json_file
from recordkit.interop.conversions import FORMATS
from recordkit.interop.export import ExportedSplit, ExportReport, LabelFacts, survey_labels
from recordkit.interop.export.output import SHARD_BYTES
from recordkit.interop.export.parts import SPLIT, PartOptions, PartWriter
from recordkit.interop.export.report import Notify, Progress, announce
from recordkit.interop.export.samples import check_samples
from recordkit.memory import choose_memory, read_size
from recordkit.sources.records import RecordSource
from recordkit.storage.refusals import refusal
from recordkit.storage.remote.urls import Url, is_url
from recordkit.upkeep.look.opening import Samples, open_images
from recordkit.version import __version__

PLAN = ".export.json"
"""The file that says what an export writes, until it is complete."""

_DEFAULT_MEMORY = 2 << 30
_FILE_SUFFIXES = tuple(each.suffix for each in FORMATS.values() if each.suffix)


@dataclass(frozen=True)
class ClusterExportReport(ExportReport):
    """The report of an export on a cluster.

    Attributes
    ----------
    n_reused : int
        Files that an earlier run of the same export had published. The size of all images is then unknown.
    """

    n_reused: int = 0

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON-compatible values."""
        return {**super().as_json(), "n_reused": self.n_reused}


class _Place(NamedTuple):
    """The place of a range in the dataset, for `RangeSource`."""

    begin: int
    classes: dict[str, int] | None
    keys_are_indices: bool


class _Part(NamedTuple):
    """A file to write."""

    place: _Place
    name: str
    writer: PartWriter
    options: PartOptions
    memory: int
    target: Target


def export(  # noqa: PLR0913 (one keyword for each choice)
    samples: Samples,
    folder: str | Path,
    *,
    format_name: str = "webdataset",
    shard_bytes: int | str = SHARD_BYTES,
    threads: int = 0,
    memory: int | str | None = None,
    on_note: Notify | None = None,
    progress: Progress | None = None,
    address: str | None = None,
) -> ClusterExportReport:
    """Write a dataset as WebDataset or Parquet on a cluster, a file in each task.

    The samples are those that ``recordkit export`` writes, in the same order. A file has samples of one .rec file, so
    there may be more files than on one machine. If a machine or the driver is lost, the same call writes the rest.

    Parameters
    ----------
    samples : RecordDataset, str, Path, or sequence of str or Path
        A whole dataset, or what `recordkit.RecordDataset` opens; all machines reach it by the same path or URL.
    folder : str or Path
        A new or an empty folder that all machines share, or a URL such as ``s3://bucket/photos``.
    format_name : {"webdataset", "parquet"}, default "webdataset"
    shard_bytes : int or str, default 2**29
        Largest size of a file, or of its images, as `write_webdataset` and `write_parquet` say.
    threads : int, default 0
        Threads, and CPUs, of a task; 0 is 1.
    memory : int or str, default "2G"
        Most memory that the images of a task may take.
    on_note : callable, optional
        Called with each note of the report before the first file is written.
    progress : callable, optional
        Called with the number of samples of the files that were written since the last call.
    address : str, optional
        See `recordkit.cluster.connection.connect`.

    Returns
    -------
    report : ClusterExportReport

    Raises
    ------
    PlanError
        The format cannot be written in parts, or `shard_bytes` is no size.
    SourceError, FormatError, NotFoundError
        The dataset is empty or damaged, two files have a key, or a label does not fit.
    PublishError
        The folder has other files, or those of another export.
    ClusterError, MissingError, RemoteError
        The cluster or the store cannot be reached, or a library is missing.

    Examples
    --------
    >>> report = recordkit.cluster.export("/shared/train", "s3://bucket/train-tar")  # doctest: +SKIP
    >>> report.sets[0].files[0]  # doctest: +SKIP
    'train-000000.tar'
    """
    begin_s = time.monotonic()
    writer = _writer_of(format_name)
    max_bytes = read_size(shard_bytes, "shard_bytes")
    n_bytes = _DEFAULT_MEMORY if memory is None else choose_memory(memory)
    target = _target_of(folder)
    _refuse_other_files(target, folder)
    with open_images(samples) as dataset, connect(address) as ray:
        source = RecordSource(dataset)
        check_samples(source)
        place = _Place(0, source.classes, source.keys_are_indices)
        facts = _survey(ray, dataset, place, threads)
        options = writer.options(facts, source.classes)
        notes = writer.notes(source, facts)
        announce([ExportedSplit(_location(folder), len(dataset), None, notes, SPLIT, ())], on_note)
        ranges = _cut(dataset, writer, options, max_bytes)
        names = [writer.file_name(number, len(ranges)) for number in range(len(ranges))]
        plan = {
            "format": format_name,
            "recordkit": __version__,
            "samples": dataset.fingerprint,
            "shard_bytes": max_bytes,
            "memory": n_bytes,
            "files": names[-1],
        }
        index = writer.index({name: each.n_samples for name, each in zip(names, ranges, strict=True)}, source.classes)
        with target.hold():
            present = _begin(target, plan, {*names, *([index[0]] if index else [])})
            missing = [number for number, name in enumerate(names) if name not in present]
            if progress and len(missing) < len(names):
                progress(sum(ranges[n].n_samples for n in range(len(names)) if names[n] in present))

            def argument(number: int) -> _Part:
                here = place._replace(begin=ranges[missing[number]].begin)
                return _Part(here, names[missing[number]], writer, options, n_bytes, target)

            work = Work(_write, argument)
            sizes = run_on_ranges(ray, [ranges[n] for n in missing], work, threads=threads, progress=progress)
            _end(target, index)
    n_reused = len(names) - len(missing)
    done = ExportedSplit(_location(folder), len(source), None if n_reused else sum(sizes), notes, SPLIT, tuple(names))
    return ClusterExportReport(format_name, (done,), time.monotonic() - begin_s, n_reused=n_reused)


def _writer_of(format_name: str) -> PartWriter:
    in_parts = {name: each.parts for name, each in FORMATS.items() if each.parts is not None}
    if format_name not in in_parts:
        raise PlanError(argument="format_name", expected=" or ".join(in_parts), got=format_name)
    return in_parts[format_name]


def _target_of(folder: str | Path) -> Target:
    if is_url(folder):
        return StoreTarget(Url.parse(folder).join(SPLIT))
    if Path(folder).suffix.lower() in _FILE_SUFFIXES:
        raise PlanError(
            path=str(folder), expected="a folder, in which each task writes a file", got="the name of a file"
        )
    return FolderTarget(Path(folder) / SPLIT)


def _location(folder: str | Path) -> Path | Url:
    return Url.parse(folder) if is_url(folder) else Path(folder)


def _survey(ray: Any, dataset: RecordDataset, place: _Place, threads: int) -> LabelFacts:
    ranges = divide(dataset)
    work = Work(_survey_range, lambda number: place._replace(begin=ranges[number].begin))
    return LabelFacts.merge(run_on_ranges(ray, ranges, work, threads=threads))


def _survey_range(dataset: RecordDataset, place: _Place, _n_threads: int) -> LabelFacts:
    return survey_labels(_source(dataset, place))


def _source(dataset: RecordDataset, place: _Place) -> RangeSource:
    return RangeSource(dataset, place.begin, place.classes, keys_are_indices=place.keys_are_indices)


def _cut(dataset: RecordDataset, writer: PartWriter, options: PartOptions, max_bytes: int) -> list[Range]:
    """Return ranges of samples of one file each, whose sizes are at most `max_bytes` together, or that are one."""
    ranges: list[Range] = []
    for begin, end, _ in file_ranges(dataset):
        if begin == end:
            continue
        found = dataset.records_at(np.arange(begin, end))
        ends = np.cumsum(writer.sizes((found.ends - found.offsets).astype(np.int64), options))
        ranges += [
            Range(dataset, begin + first, begin + last) for first, last in _cuts(ends, max_bytes - writer.file_bytes)
        ]
    return ranges


def _cuts(ends: NDArray[np.int64], max_bytes: int) -> Iterator[tuple[int, int]]:
    first = 0
    while first < len(ends):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + max_bytes, "right")))
        yield first, last
        first = last


def _refuse_other_files(target: Target, folder: str | Path) -> None:
    """Refuse a folder that has files, unless an export began to write there."""
    names = target.names() if is_url(folder) or Path(folder).is_dir() else set()
    others = sorted(name for name in names if not name.startswith(f".{SPLIT}."))
    if others and PLAN not in names:
        place = Url.parse(folder) if is_url(folder) else Path(folder)
        raise refusal(place, f"a folder with {enumerate_some(others)}", also="an empty folder", way_out="move")


def _begin(target: Target, plan: dict[str, object], own_names: set[str]) -> set[str]:
    """Create the plan's file, or compare it with the one that is there. Return the names of the files there."""
    names = target.names()
    content = json.dumps(plan, indent=1).encode() + b"\n"
    if target.create(PLAN, content):
        return set()
    earlier = target.read(PLAN) or b""
    if earlier != content:
        raise PublishError(
            f"another export began here: {_difference(earlier, plan)}",
            path=str(target.location(PLAN)),
            advice="repeat that export as it was, or choose another folder",
        )
    return names & own_names


def _difference(earlier: bytes, plan: dict[str, object]) -> str:
    try:
        document = json_file.parse(earlier)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return "its plan is not readable"
    name = next((name for name in plan if document.get(name) != plan[name]), "plan")
    return f"its {name} is {document.get(name)}, not {plan.get(name)}"


def _write(dataset: RecordDataset, part: _Part, n_threads: int) -> int:
    """Write and publish a file, and return the size of its images."""
    with part.target.scratch(None) as scratch:
        path = scratch / part.name
        source = _source(dataset, part.place)
        try:
            n_bytes = part.writer.write(path, source, part.options, threads=n_threads, memory=part.memory)
        except SourceError as error:
            error.advice = None  # it may say that nothing was written, and other tasks have written files
            raise
        part.target.publish([path])
    return n_bytes


def _end(target: Target, index: tuple[str, bytes] | None) -> None:
    """Write the file that lists the others, and then remove the plan's file."""
    if index is not None:
        name, content = index
        if not target.create(name, content) and target.read(name) != content:
            raise refusal(target.location(name), way_out="move")
    target.remove(PLAN)
