"""Packing on a cluster, as its driver does it; see `recordkit.cluster.packing`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordkit.cluster.connection import connect
from recordkit.cluster.fingerprint import take_fingerprint
from recordkit.cluster.library import import_ray
from recordkit.cluster.packing.counter import Counter, ProgressReader
from recordkit.cluster.packing.dataset_files import create_manifests, create_plan, find_old_files, remove_plan
from recordkit.cluster.packing.part import PartSource
from recordkit.cluster.packing.plan_file import describe_plan
from recordkit.cluster.packing.preview import DEFAULT_MEMORY, open_source_and_target
from recordkit.cluster.packing.task import Job, ShardNames, read_shard, run_shard
from recordkit.cluster.tasks import TaskCall, Tasks
from recordkit.errors import PackError, PublishError, RecordkitError, enumerate_some, plural
from recordkit.memory import choose_memory
from recordkit.packing.plan import PackPlan, plan_or_default
from recordkit.packing.planned_sets import PlannedSet
from recordkit.packing.report import PackReport, Progress
from recordkit.packing.steps import PackedSet, plan_facts, plan_pack
from recordkit.sample import Source
from recordkit.storage.remote.publish import claim_name


@dataclass(frozen=True)
class ClusterPackReport(PackReport):
    """The report of a pack on a cluster.

    Attributes
    ----------
    n_reused : int
        Shards that an earlier run of the same pack had published.
    n_repeated : int
        Tasks that were run again after an error of a disk or a network.
    """

    n_reused: int = 0
    n_repeated: int = 0

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON-compatible values."""
        return {**super().as_json(), "n_reused": self.n_reused, "n_repeated": self.n_repeated}


def pack(  # noqa: PLR0913 (one keyword for each choice)
    source: Source | Mapping[str, Source] | str | Path,
    prefix: str | Path,
    *,
    plan: PackPlan | None = None,
    engine: str = "auto",
    memory: int | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    address: str | None = None,
    scratch: str | Path | None = None,
) -> ClusterPackReport:
    """Pack images on the machines of a Ray cluster, a shard in each task, into the files that `recordkit.pack` writes.

    The files are the same bytes for any number of machines. If the driver or a machine is lost, the same call goes on:
    shards that are published are not packed again. All machines need the same recordkit, and the images under the same
    paths; ubyte files are sent to them.

    Parameters
    ----------
    source : Source, mapping of str to Source, str or Path
        As for `recordkit.pack`; also a .rec file, a manifest or the prefix of one, whose records are packed anew.
    prefix : str or Path
        Folder of the output, which all machines see under the same path, and the beginning of its file names; or a URL
        such as ``s3://bucket/train``.
    plan : PackPlan, optional
        ``plan.shards`` is the number of tasks; a shard of about 1 GB is a good size. ``plan.threads`` is the number of
        threads, and of CPUs, of a task; 0 is 1.
    engine : {"auto", "native", "python"}, default "auto"
    memory : int or str, default "2G"
        Most memory that the images of a task may take, encoded and decoded together.
    overwrite : bool, default False
        Remove the files of another pack or dataset at the prefix before the first shard is packed, but never an input.
        Nothing is replaced in an object store.
    progress : callable, optional
        Called with the number of samples packed or left out since the last call, on all machines.
    address : str, optional
        Address of the cluster, as of ``ray.init``; see `recordkit.cluster.connection.connect`.
    scratch : str or Path, optional
        Folder on each machine in which a task packs its shard before it is copied to the output. By default it packs it
        beside the output, and gives it its name; for a URL, in the system's folder of temporary files.

    Returns
    -------
    report : ClusterPackReport
        Check ``report.ok``: samples that could not be read are left out and counted.

    Raises
    ------
    PlanError, SourceError, FormatError, MissingError
        As `recordkit.pack` raises them; Ray is missing.
    PackError
        A sample failed and ``plan.on_error`` is "raise", or no sample could be packed.
    PublishError
        The output cannot be written, another pack is writing to it, or it has files of another pack and
        `overwrite` is false.
    ClusterError
        The cluster cannot be reached, a machine would give other bytes, or a task was lost too often.

    Examples
    --------
    >>> report = recordkit.cluster.pack("train.lst", "out/train", plan=PackPlan(shards=100))  # doctest: +SKIP
    >>> report.n_packed, report.manifests  # doctest: +SKIP
    (1281167, (PosixPath('out/train.manifest.json'),))
    """
    begin_s = time.monotonic()
    import_ray()
    plan = plan_or_default(plan)
    fingerprint = take_fingerprint(engine)
    n_bytes = DEFAULT_MEMORY if memory is None else choose_memory(memory)
    sources, target = open_source_and_target(source, prefix, plan, overwrite=overwrite)
    with target.hold():
        planned_sets, warnings = plan_pack(sources, target.prefix, plan)
        document = describe_plan(target.prefix_name, plan, planned_sets, memory=n_bytes, fingerprint=fingerprint)
        old_files = find_old_files(target, planned_sets, sources, document, overwrite=overwrite)
        folder = None if scratch is None else Path(scratch)
        job = Job(plan, fingerprint["engine"], plan.threads or 1, n_bytes, folder, target)
        with connect(address) as ray:
            for name in old_files.names:
                target.remove(name)
            if old_files.names:
                warnings.append(f"removed another dataset: {enumerate_some(old_files.names)}")
            run = _Run(ray, job, planned_sets, fingerprint, progress)
            is_new = not old_files.is_begun and create_plan(target, document)
            with run.removing_plan() if is_new else contextlib.nullcontext():
                packed_sets = run.pack_all()
        manifest_paths = create_manifests(target, planned_sets, packed_sets)
    reports = tuple(packed.report for packed in packed_sets)
    return ClusterPackReport(
        reports,
        job.engine,
        job.n_threads,
        time.monotonic() - begin_s,
        tuple(warnings),
        ok=plan.on_error == "skip" or not any(report.n_failed for report in reports),
        manifests=tuple(manifest_paths),
        n_reused=run.n_reused,
        n_repeated=run.n_repeated,
    )


class _Run:
    """One run of a pack on a cluster.

    Attributes
    ----------
    n_reused, n_repeated : int
        As in the report.
    """

    def __init__(
        self,
        ray: Any,
        job: Job,
        planned_sets: Sequence[PlannedSet],
        fingerprint: Mapping[str, str],
        progress: Progress | None,
    ) -> None:
        self._ray = ray
        self._job = job
        self._planned_sets = planned_sets
        self._fingerprint = dict(fingerprint)
        self._counter = _start_counter(ray) if progress else None
        self._progress = ProgressReader(ray, self._counter, progress)
        self._tasks = Tasks(ray, job.n_threads, self._progress.poll)
        self._job_reference = ray.put(job)
        self._packed: dict[int, PackedSet] = {}
        self.n_reused = 0

    @property
    def n_repeated(self) -> int:
        """Tasks that were run again."""
        return self._tasks.n_repeated

    @contextlib.contextmanager
    def removing_plan(self) -> Iterator[None]:
        """Remove the plan's file if the block fails before anything is published, so that it blocks no other plan."""
        try:
            yield
        except BaseException:
            if not self._tasks.n_abandoned:  # such a task may publish later
                with contextlib.suppress(RecordkitError):  # of a store that does not answer; the first error says more
                    remove_plan(self._job.target, self._planned_sets)
            raise

    def pack_all(self) -> list[PackedSet]:
        """Take the shards that are published already, pack the others, and return all."""
        names = self._job.target.names()
        described = [number for number in self._numbers() if f"{self._name(number)}.json" in names]
        for number, packed in self._run(self._reading(described)):
            if packed is not None:
                self._check_reused(number, packed)
                self._note(number, packed)
        self.n_reused = len(self._packed)
        for number in self._numbers():
            if number not in described:
                self._remove_unfinished(number, names)
        left = [number for number in self._numbers() if number not in self._packed]
        try:
            for number, packed in self._run(self._packing(left)):
                self._note(number, packed)
        except PackError as error:
            error.advice = (
                "there is no manifest yet, because `on_error` is 'raise'; correct or remove the image and pack again, "
                "which packs only what is left"
            )
            raise
        return [self._packed[number] for number in self._numbers()]

    def _numbers(self) -> range:
        return range(len(self._planned_sets))

    def _name(self, number: int) -> str:
        return self._planned_sets[number].names.prefix.name

    def _run(self, calls: Iterator[TaskCall]) -> Iterator[tuple[int, Any]]:
        with contextlib.closing(self._tasks.run(calls)) as results:
            yield from results

    def _note(self, number: int, packed: PackedSet) -> None:
        self._packed[number] = packed
        self._progress.finish(number, packed.report.n_listed)

    def _reading(self, numbers: Sequence[int]) -> Iterator[TaskCall]:
        task = self._tasks.remote(read_shard)
        for number in numbers:
            references = [self._job_reference, self._ray.put(self._shard_names(number))]
            yield TaskCall(number, lambda references=references: task.remote(self._fingerprint, references))  # type: ignore[misc]  # the default binds it

    def _packing(self, numbers: Sequence[int]) -> Iterator[TaskCall]:
        task = self._tasks.remote(run_shard)
        for number in numbers:
            part = self._ray.put(PartSource(self._planned_sets[number]))
            references = [self._job_reference, self._ray.put(self._shard_names(number)), part]

            def start(references: list[Any] = references, number: int = number) -> Any:
                return task.remote(self._fingerprint, references, self._counter, number)

            yield TaskCall(number, start)

    def _shard_names(self, number: int) -> ShardNames:
        planned = self._planned_sets[number]
        return ShardNames(self._name(number), planned.names.write_list, planned.reads_list, planned.is_first)

    def _check_reused(self, number: int, packed: PackedSet) -> None:
        """Refuse a shard of another pack in the place of one of this pack."""
        planned, description = self._planned_sets[number], packed.description
        n_rows = len(planned.order) + (len(planned.source.bad) if planned.is_first else 0)
        facts = plan_facts(self._job.plan)
        got = {**facts, **{key: value for key, value in description["plan"].items() if key in facts}}
        is_same_plan = {**got, "decoders": list(got["decoders"])} == {**facts, "decoders": list(facts["decoders"])}
        if packed.report.n_listed != n_rows or not is_same_plan or description["set"] != self._job.target.prefix_name:
            raise PublishError(
                path=str(self._job.target.location(f"{self._name(number)}.json")),
                expected=f"a shard of this pack, of {plural(n_rows, 'sample')}",
                got="that of another one",
                advice="remove the files of that shard and pack again",
            )

    def _remove_unfinished(self, number: int, names: set[str]) -> None:
        """Remove files of a shard that an earlier run did not publish to its end.

        Its images may have changed since; a task that still runs publishes all files again that it misses. In a store,
        where another driver may publish at the same time, a shard that is complete by now stays.
        """
        description = f"{self._name(number)}.json"
        own_names = [*(path.name for path in self._planned_sets[number].names.all()), claim_name(description)]
        unfinished = [name for name in own_names if name in names]
        if unfinished and self._job.target.size(description) is None:
            for name in unfinished:
                self._job.target.remove(name)


def _start_counter(ray: Any) -> Any:
    """Start the actor that counts, if possible on the machine of the driver."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    return ray.remote(Counter).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()
