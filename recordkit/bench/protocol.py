"""Run the cases: check that they do the same, then time them in turn, round after round.

In each round each case is a new process, because a process can be lucky, by some per cent, with where its memory
and its threads lie. Its first epoch does not count; then come consecutive epochs with a reset between, because the
epochs of some iterators alternate in speed. They are cut into turns of a fraction of a second, one case after the other
in an order that changes, and who has no turn is stopped: machines change their speed within seconds, and so for all
alike.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.bench import machine
from recordkit.bench.peers.registry import PEERS, REFERENCE, find
from recordkit.bench.process import CaseProcess, started
from recordkit.bench.report import Case, Report
from recordkit.bench.workload import Work
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError
from recordkit.formats.fileset import fingerprint
from recordkit.threads import count_threads
from recordkit.version import __version__

# Mean difference from the reference engine, in grey levels, over the first batch and in its worst image. Decoders and
# resizes of others differ by less; another normalisation, crop or order of channels by more.
_MOST_MEAN, _MOST_OF_AN_IMAGE = 1.0, 2.5
_CHECK_WITH = "python"
# So much of a file may stay in the page cache, and it still counts as cold.
_MOST_CACHED = 0.01
# Of a case in a round.
_TURNS = 30


@dataclass(frozen=True)
class BenchPlan:
    """What is measured, and how long.

    Attributes
    ----------
    work : Work
    peers : sequence of str
        Names, see `recordkit.bench.peers.registry.find`.
    threads : sequence of int
        Each number, for all peers that take one; 0 for the CPUs this process may use.
    rounds : int
        At least.
    most_rounds : int
        So many as long as an interval is wide, see `recordkit.bench.report.WIDE`; no more than `rounds` if fewer.
    epochs : int
        In a round.
    seconds : float or None
        And as many whole epochs as fill so much time.
    cold : bool
        Time the first epoch only, with the file out of the page cache.
    """

    work: Work
    peers: Sequence[str] = tuple(PEERS)
    threads: Sequence[int] = (0,)
    rounds: int = 12
    most_rounds: int = 0
    epochs: int = 2
    seconds: float | None = 1.0
    cold: bool = False
    counts: tuple[int, ...] = field(init=False)
    n_records: int = field(init=False)

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.epochs < 1:
            raise PlanError(f"expected at least 1 round and 1 epoch, got {self.rounds} and {self.epochs}")
        for name in self.peers:
            find(name)
        object.__setattr__(self, "counts", tuple(sorted({count_threads(one) for one in self.threads})))
        with RecordDataset(self.work.path(".rec")) as dataset:
            object.__setattr__(self, "n_records", len(dataset))

    @property
    def n_steps(self) -> int:
        """How often `bench` tells of progress, if no rounds are added."""
        return self.rounds * self.n_steps_a_case * len(self.peers) * len(self.counts)

    @property
    def n_steps_a_case(self) -> int:
        """How often in a round of one case."""
        return 1 if self.cold else 1 + _TURNS


def bench(plan: BenchPlan, *, command: str = "", progress: Callable[[int, str], None] | None = None) -> Report:
    """Measure.

    Parameters
    ----------
    plan : BenchPlan
    command : str, optional
        What a reader has to type for the same.
    progress : callable, optional
        Called with 1 after each start and each turn of a case, `BenchPlan.n_steps` in all. For each round that is
        added it goes back by one, and says why.

    Returns
    -------
    report : Report

    Raises
    ------
    OSError
        The page cache cannot be emptied.
    """
    cases = [
        Case(name, peer.title, threads, note=peer.note if plan.work.shape[0] == 1 else "")
        for name in plan.peers
        for peer in [find(name)]
        for threads in plan.counts
    ]
    report = Report(
        machine=machine.describe(),
        file=_describe(plan),
        work=plan.work.as_json(),
        versions={"recordkit": __version__, "numpy": np.__version__},
        command=command,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        protocol={
            "rounds": 0,
            "epochs": 1 if plan.cold else plan.epochs,
            "seconds": plan.seconds,
            "turns": 1 if plan.cold else _TURNS,
            "cache": "cold" if plan.cold else "warm, after an epoch that does not count",
        },
        reference=REFERENCE,
        noise=None,
        cases=cases,
    )
    _check(plan, report)
    runnable = [case for case in cases if case.status == "measured"]
    tell = progress or (lambda _n, _why: None)
    tell(plan.n_steps // len(cases) * (len(cases) - len(runnable)), "")
    begin_s, begin_busy_s, begin_own_s = time.perf_counter(), machine.busy_s(), time.process_time()
    one_round, order = _cold_round if plan.cold else _warm_round, np.random.default_rng(0)
    spent_s, widest = 0.0, ""
    while (n_done := report.protocol["rounds"]) < plan.rounds or (n_done < plan.most_rounds and widest):
        why = "" if n_done < plan.rounds else f"round {n_done + 1}: {widest}"
        if why:
            tell(-plan.n_steps_a_case * len(runnable), why)
        spent_s += one_round(plan, runnable, order, partial(tell, 1, why))
        report.protocol["rounds"] += 1
        report.reference = _reference(report)
        widest = _widest(report)
    took_s, busy_s, own_s = time.perf_counter() - begin_s, machine.busy_s(), time.process_time() - begin_own_s
    if busy_s is not None and begin_busy_s is not None and runnable:
        others_s = busy_s - begin_busy_s - own_s - spent_s
        report.noise = max(0.0, others_s) / took_s / (os.cpu_count() or 1)
    for case in runnable:
        if case.status == "failed":
            case.img_s.clear()  # of rounds that the others cannot be compared in
    return report


def _reference(report: Report) -> str:
    there = [case.name for case in report.cases if case.measured]
    return next((name for name in (REFERENCE, _CHECK_WITH, *there) if name in there), REFERENCE)


def _widest(report: Report) -> str:
    """Return in words whose ratio is known worst, if it is not known well enough."""
    half_widths = [(found.half_width, case.title) for case in report.wide() if (found := report.ratio(case))]
    return "{1} ±{0:.1%}".format(*max(half_widths)) if half_widths else ""


def _describe(plan: BenchPlan) -> dict[str, Any]:
    path = Path(plan.work.path(".rec"))
    return {"name": path.name, "bytes": path.stat().st_size, "records": plan.n_records, "sha256": fingerprint(path)}


def _check(plan: BenchPlan, report: Report) -> None:
    """Compare a batch of each peer with the reference engine's; mark those that are not there or do something else."""
    threads = plan.counts[-1]
    with tempfile.TemporaryDirectory(prefix="recordkit-bench-") as folder:
        want: NDArray[np.float32] | None = None
        seen: dict[str, tuple[str, str]] = {}
        for name in dict.fromkeys((_CHECK_WITH, *(case.name for case in report.cases))):
            batch, versions, status, note = _checked(plan, name, threads, Path(folder))
            if want is None:
                if batch is None:
                    raise PlanError(f"the reference engine cannot load a batch: {note}")
                want = batch
            elif batch is not None:
                said = _difference(batch, want, plan.work)
                if said:
                    status, note = "differs", said
            report.versions |= versions
            seen[name] = status, note
        for case in report.cases:
            status, note = seen[case.name]
            case.status, case.note = status, note or case.note


def _checked(
    plan: BenchPlan, name: str, threads: int, folder: Path
) -> tuple[NDArray[np.float32] | None, dict[str, str], str, str]:
    reason = find(name).why_not(plan.work)
    if reason:
        return None, {}, "absent", reason
    target = folder / "batch.npy"
    with _started(plan, name, threads, check=str(target)) as process:
        if process.error is not None:
            return None, {}, "failed", process.error
        return np.load(target), process.facts()["versions"], "measured", ""


def _difference(batch: NDArray[np.float32], want: NDArray[np.float32], work: Work) -> str:
    """Return in words how a batch is not the one that it has to be; nothing if it is."""
    if len(want) < work.batch_size:
        batch = batch[: len(want)]  # DALI fills up its only batch with what comes next
    if batch.shape != want.shape:
        return f"its first batch is {batch.shape}, not {want.shape}"
    levels = np.abs(batch - want) * np.array(work.std, np.float32)[:, None, None]
    mean, worst = float(levels.mean()), max(float(image.mean()) for image in levels)
    if mean <= _MOST_MEAN and worst <= _MOST_OF_AN_IMAGE:
        return ""
    return (
        f"not compared: its first batch differs from recordkit python's by {mean:.2f} grey levels, {worst:.2f} in the "
        f"worst image; at most {_MOST_MEAN} and {_MOST_OF_AN_IMAGE} are the same work"
    )


def _warm_round(plan: BenchPlan, cases: Sequence[Case], order: np.random.Generator, step: Callable[[], None]) -> float:
    """Measure with what is in the page cache; return the processor time of the cases, in seconds."""
    with contextlib.ExitStack() as stack:
        there = []
        for index in order.permutation(len(cases)):
            case = cases[index]
            there.append((case, stack.enter_context(_started(plan, case.name, case.threads))))
            step()
        for case, process in there:
            if process.error is None:
                case.first_batch_s.append(process.facts()["first_batch_s"])
        for _turn in range(_TURNS):
            for index in order.permutation(len(there)):
                there[index][1].turn()
                step()
        for case, process in there:
            _note(case, process)
        spent: list[float] = [process.facts().get("spent_s", 0.0) for _, process in there]
        return sum(spent)


def _cold_round(plan: BenchPlan, cases: Sequence[Case], order: np.random.Generator, step: Callable[[], None]) -> float:
    """Measure first epochs of a file that is not in the page cache; return the processor time of the cases."""
    spent_s = 0.0
    for index in order.permutation(len(cases)):
        case = cases[index]
        _cool(plan.work)
        with _started(plan, case.name, case.threads) as process:
            if process.error is None:
                case.first_batch_s.append(process.facts()["first_batch_s"])
            _note(case, process)
            spent_s += process.facts().get("spent_s", 0.0)
        step()
    return spent_s


def _note(case: Case, process: CaseProcess) -> None:
    """Add a round to a case."""
    if process.error is not None:
        case.status, case.note = "failed", process.error
        return
    facts = process.facts()
    case.img_s.append(facts["n"] / facts["seconds"])
    case.cpu_s.append(facts["cpu_s"] / facts["n"] * 1000)
    case.peak_rss_mb.append(facts["peak_rss_mb"])


def _started(
    plan: BenchPlan, name: str, threads: int, *, check: str = ""
) -> contextlib.AbstractContextManager[CaseProcess]:
    asked = {"peer": name, "work": asdict(plan.work), "records": plan.n_records, "threads": threads, "check": check}
    return started(asked | {"turns": _TURNS, "epochs": plan.epochs, "seconds": plan.seconds, "cold": plan.cold})


def _cool(work: Work) -> None:
    """Take the .rec file, and the images if there is a folder of them, out of the page cache."""
    path = Path(work.path(".rec"))
    paths = [path] if work.root is None else [path, *(one for one in Path(work.root).rglob("*") if one.is_file())]
    for one in paths:
        machine.drop_from_cache(one)
    share = machine.cached_share(path)
    if share > _MOST_CACHED:
        raise PlanError(
            f"{path}: expected a file that the page cache can let go of, got {share:.0%} still in memory; "
            "another process has it mapped, or it lies in memory (tmpfs): use --cache warm"
        )
