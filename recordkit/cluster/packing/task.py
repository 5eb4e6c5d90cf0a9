"""The functions that run as tasks on the machines of the cluster: pack one shard, or look at one that is packed.

The job of a task is opened after the fingerprint is checked, because another recordkit may not understand it.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from recordkit.cluster.fingerprint import check_fingerprint
from recordkit.cluster.library import import_ray
from recordkit.cluster.packing.part import PartSource
from recordkit.cluster.packing.scratch import TaskFolder
from recordkit.cluster.packing.target import Target
from recordkit.errors import FormatError
from recordkit.formats import json_file
from recordkit.packing.native import choose_engine
from recordkit.packing.plan import PackPlan
from recordkit.packing.planned_sets import PlannedSet
from recordkit.packing.report import Failure, SetReport
from recordkit.packing.steps import PackedSet, Resources, pack_set
from recordkit.storage.description import listed_names
from recordkit.storage.set_files import SetNames

# Seconds between two messages of a task about its progress.
_REPORT_S = 0.5

Report = Callable[[int], None]


@dataclass(frozen=True)
class Job:
    """The facts that the tasks of all shards share.

    Attributes
    ----------
    plan : PackPlan
    engine : str
        Its name.
    n_threads, memory : int
        See `recordkit.packing.steps.Resources`.
    scratch : Path or None
        Scratch folder of each machine.
    target : Target
    """

    plan: PackPlan
    engine: str
    n_threads: int
    memory: int
    scratch: Path | None
    target: Target


class ShardNames(NamedTuple):
    """The names of a shard's files.

    Attributes
    ----------
    name : str
        That of its prefix, without a folder.
    write_list, reads_list : bool
        See `recordkit.packing.planned_sets.PlannedSet`.
    is_first : bool
        The shard reports the bad rows of its source.
    """

    name: str
    write_list: bool
    reads_list: bool
    is_first: bool


def run_shard(fingerprint: Mapping[str, str], references: list[Any], counter: Any, number: int) -> PackedSet:
    """Pack a shard and publish it. This is a task.

    Parameters
    ----------
    fingerprint : mapping of str to str
        That of the driver.
    references : list
        Ray's references to the `Job`, the `ShardNames` and the `PartSource`.
    counter : actor or None
        See `recordkit.cluster.packing.counter`; None if nobody asks for progress.
    number : int
        Number of the shard.

    Raises
    ------
    ClusterError
        This machine would give other bytes than the driver.
    PackError, PublishError, RemoteError
    """
    check_fingerprint(fingerprint)
    job, names, part = import_ray().get(references)
    return pack_shard(job, names, part, None if counter is None else _reporter(counter, number))


def read_shard(fingerprint: Mapping[str, str], references: list[Any]) -> PackedSet | None:
    """Return what a published shard says of itself. This is a task; `references` has the `Job` and the `ShardNames`."""
    check_fingerprint(fingerprint)
    job, names = import_ray().get(references)
    return describe_shard(job.target, names.name)


def pack_shard(job: Job, names: ShardNames, part: PartSource, report: Report | None = None) -> PackedSet:
    """Pack a shard and publish it.

    Parameters
    ----------
    job : Job
    names : ShardNames
    part : PartSource
    report : callable, optional
        Called with the number of samples packed or left out since the last call.
    """
    target = job.target
    with target.scratch(job.scratch) as folder:
        set_names = SetNames(folder / names.name, write_list=names.write_list)
        planned = PlannedSet(part, range(len(part)), set_names, names.is_first, names.reads_list)
        resources = Resources(job.n_threads, job.memory, report)
        files = TaskFolder(folder, target.prefix_name)
        packed = pack_set(planned, job.plan, choose_engine(job.engine), files, resources)
        target.publish([folder / name for name in listed_names(packed.description)])
    return packed._replace(report=replace(packed.report, prefix=target.location(names.name)))


def describe_shard(target: Target, name: str) -> PackedSet | None:
    """Return what the files of a published shard say; None if the shard is not complete.

    Parameters
    ----------
    target : Target
    name : str
        That of its prefix, without a folder.

    Raises
    ------
    FormatError
        The files are not those of a shard.
    """
    content = target.read(f"{name}.json")
    if content is None:
        return None
    try:
        description = json_file.parse(content)
        size, n_packed, n_failed = description["rec"]["bytes"], description["records"], description["failed"]
        description = {**description, "set": description["set"], "plan": dict(description["plan"])}
        if any(target.size(file) is None for file in listed_names(description)) or target.size(f"{name}.rec") != size:
            return None
        report = SetReport(target.location(name), n_packed, n_packed, output_bytes=size)
        if n_failed:
            for failure in _read_failures(target.read(f"{name}.failed.tsv") or b""):
                report.fail(failure)
        keys = [int(line.split(b"\t")[0]) for line in (target.read(f"{name}.idx") or b"").splitlines()]
    except (ValueError, LookupError, TypeError) as error:
        advice = "remove the files of that shard and pack again"
        path = str(target.location(f"{name}.json"))
        raise FormatError(path=path, expected="the files of a shard", got=error, advice=advice) from None
    return PackedSet(report, description, (min(keys), max(keys)) if keys else None)


def _read_failures(content: bytes) -> list[Failure]:
    rows = csv.reader(io.StringIO(content.decode("utf-8", "surrogateescape")), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [Failure(int(key) if key else None, name, reason) for key, name, reason in rows]


def _reporter(counter: Any, number: int) -> Report:
    """Return a function that tells the counter now and then how many samples of a shard are done."""
    n_done, next_s = 0, time.monotonic() + _REPORT_S

    def report(n: int) -> None:
        nonlocal n_done, next_s
        n_done += n
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + _REPORT_S
            counter.set.remote(number, n_done)

    return report
