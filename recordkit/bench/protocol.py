"""The protocol of a comparison: check that all cases do the same work, then time them in turns, round after round.

Each case is a new process in each round, because the memory layout and the thread placement of a process change its
speed by some per cent. Its first epoch does not count. Consecutive epochs with a reset between them follow, because
some iterators alternate in speed from epoch to epoch. These epochs are cut into turns of a fraction of a second. Cases
take turns in an order that changes, and a case without its turn is stopped: a machine that changes its speed within
seconds changes it for all cases alike.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recordkit.bench import machine
from recordkit.bench.equivalence import CHECK_WITH, check_cases
from recordkit.bench.peers.registry import PEERS, REFERENCE, find_peer
from recordkit.bench.process import CaseProcess, start_case
from recordkit.bench.report import Case, Report
from recordkit.bench.workload import Workload
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import MissingError, PlanError
from recordkit.storage.fileset import fingerprint
from recordkit.threads import count_threads
from recordkit.version import __version__

# A file counts as cold if at most 1% of it is cached.
_MAX_CACHED_SHARE = 0.01
_TURNS_PER_ROUND = 30


@dataclass(frozen=True)
class BenchPlan:
    """The cases of a comparison, and the number and length of its rounds.

    Attributes
    ----------
    workload : Workload
    peers : sequence of str
        Names, see `recordkit.bench.peers.registry.find_peer`.
    threads : sequence of int
        Numbers of threads; every peer is measured with each of them. 0 means the CPUs that this process may use.
    rounds : int
        Minimum number of rounds.
    max_rounds : int
        While a ratio is uncertain (see `recordkit.bench.report.WIDE`), rounds are added up to this number. It has no
        effect if it is below `rounds`.
    epochs : int
        Minimum number of epochs in a round.
    round_s : float or None
        Minimum time of a round in seconds; it is filled with whole epochs.
    cache : {"warm", "cold"}
        "cold": time only the first epoch, after the file was dropped from the page cache.
    reference : str
        Peer that the others are compared with. If it is not measured, the Python engine replaces it, or else the first
        measured peer.
    thread_counts : tuple of int
        `threads`, resolved and sorted.
    n_records : int
        Records of the file.
    """

    workload: Workload
    peers: Sequence[str] = tuple(PEERS)
    threads: Sequence[int] = (0,)
    rounds: int = 12
    max_rounds: int = 0
    epochs: int = 2
    round_s: float | None = 1.0
    cache: str = "warm"
    reference: str = REFERENCE
    thread_counts: tuple[int, ...] = field(init=False)
    n_records: int = field(init=False)

    def __post_init__(self) -> None:
        for argument, value in (("rounds", self.rounds), ("epochs", self.epochs)):
            if value < 1:
                raise PlanError(argument=argument, expected="at least 1", got=value)
        if self.cache not in ("warm", "cold"):
            raise PlanError(argument="cache", expected="warm or cold", got=repr(self.cache))
        for name in self.peers:
            find_peer(name)
        object.__setattr__(self, "thread_counts", tuple(sorted({count_threads(threads) for threads in self.threads})))
        with RecordDataset(self.workload.path(".rec")) as dataset:
            object.__setattr__(self, "n_records", len(dataset))

    @property
    def n_steps(self) -> int:
        """Number of progress steps of `run_comparison` if no rounds are added."""
        return self.rounds * self.n_steps_per_case_round * len(self.peers) * len(self.thread_counts)

    @property
    def n_steps_per_case_round(self) -> int:
        """Number of progress steps of one case in one round."""
        return 1 if self.cache == "cold" else 1 + _TURNS_PER_ROUND


def run_comparison(plan: BenchPlan, *, command: str = "", progress: Callable[[int, str], None] | None = None) -> Report:
    """Check and measure all cases.

    Parameters
    ----------
    plan : BenchPlan
    command : str, optional
        Command that repeats the comparison, for the report.
    progress : callable, optional
        Called with 1 and a text after each start and each turn of a case, `BenchPlan.n_steps` times in all. Before an
        added round it is called with the negative number of the steps of that round. The text is the reason for an
        added round, otherwise "".

    Returns
    -------
    report : Report
        Peers that are missing, fail or do different work are cases with that status.

    Raises
    ------
    PlanError
        The Python engine cannot load the file, or the page cache does not let go of it.
    MissingError
        The system has no signals that stop and continue a process, as Windows.
    """
    if not hasattr(os, "killpg"):
        raise MissingError("a comparison pauses processes by signals, which this system does not have")
    with tempfile.TemporaryDirectory(prefix="recordkit-bench-") as scratch:
        if plan.workload.scratch is None:
            plan = replace(plan, workload=replace(plan.workload, scratch=scratch))
        report = _empty_report(plan, command)
        report.versions |= check_cases(
            report.cases,
            plan.workload,
            lambda name, path: _start(plan, name, plan.thread_counts[-1], check_path=path),
        )
        _measure(plan, report, progress or (lambda _n, _reason: None))
    return report


def _empty_report(plan: BenchPlan, command: str) -> Report:
    path = Path(plan.workload.path(".rec"))
    is_cold = plan.cache == "cold"
    return Report(
        machine=machine.describe(),
        file={
            "name": path.name,
            "bytes": path.stat().st_size,
            "records": plan.n_records,
            "sha256": fingerprint(path),
        },
        workload=plan.workload.as_json(),
        versions={"recordkit": __version__, "numpy": np.__version__},
        command=command,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        protocol={
            "rounds": 0,
            "epochs": 1 if is_cold else plan.epochs,
            "round_s": plan.round_s,
            "turns": 1 if is_cold else _TURNS_PER_ROUND,
            "cache": "cold" if is_cold else "warm, after an epoch that does not count",
        },
        reference=plan.reference,
        noise=None,
        cases=[
            Case(name, peer.title, threads, note=peer.note(plan.workload))
            for name in plan.peers
            for peer in [find_peer(name)]
            for threads in plan.thread_counts
        ],
    )


def _measure(plan: BenchPlan, report: Report, progress: Callable[[int, str], None]) -> None:
    """Run rounds until there are enough, and add their figures to the report."""
    cases = [case for case in report.cases if case.status == "measured"]
    progress(plan.n_steps // len(report.cases) * (len(report.cases) - len(cases)), "")
    run_round, rng = _run_cold_round if plan.cache == "cold" else _run_warm_round, np.random.default_rng(0)
    begin_s, begin_busy_s, begin_parent_s = time.perf_counter(), machine.busy_s(), time.process_time()
    cases_cpu_s, reason = 0.0, ""
    while (n_rounds := report.protocol["rounds"]) < plan.rounds or (n_rounds < plan.max_rounds and reason):
        text = "" if n_rounds < plan.rounds else f"round {n_rounds + 1}: {reason}"
        if text:
            progress(-plan.n_steps_per_case_round * len(cases), text)
        cases_cpu_s += run_round(plan, cases, rng, partial(progress, 1, text))
        report.protocol["rounds"] += 1
        report.reference = _choose_reference(plan, report)
        reason = _most_uncertain(report)
    wall_s, busy_s, parent_s = time.perf_counter() - begin_s, machine.busy_s(), time.process_time() - begin_parent_s
    if busy_s is not None and begin_busy_s is not None and cases:
        others_s = busy_s - begin_busy_s - parent_s - cases_cpu_s
        report.noise = max(0.0, others_s) / wall_s / (os.cpu_count() or 1)
    for case in cases:
        if case.status == "failed":
            case.img_s.clear()  # the other cases have rounds that this one has not


def _choose_reference(plan: BenchPlan, report: Report) -> str:
    measured = [case.name for case in report.cases if case.measured]
    return next((name for name in (plan.reference, CHECK_WITH, *measured) if name in measured), plan.reference)


def _most_uncertain(report: Report) -> str:
    """Return the case with the widest interval and its half width as text; "" if no ratio is uncertain."""
    ratios = [(report.ratio(case), case.title) for case in report.uncertain_cases()]
    half_widths = [(ratio.half_width, title) for ratio, title in ratios if ratio is not None]
    return "{1} ±{0:.1%}".format(*max(half_widths)) if half_widths else ""


def _run_warm_round(
    plan: BenchPlan, cases: Sequence[Case], rng: np.random.Generator, step: Callable[[], None]
) -> float:
    """Measure with the file in the page cache; return the processor time of the cases in seconds."""
    with contextlib.ExitStack() as stack:
        running = []
        for index in rng.permutation(len(cases)):
            case = cases[index]
            running.append((case, stack.enter_context(_start(plan, case.name, case.threads))))
            step()
        for case, process in running:
            _record_first_batch(case, process)
        for _turn in range(_TURNS_PER_ROUND):
            for index in rng.permutation(len(running)):
                running[index][1].run_turn()
                step()
        return sum(_record_round(case, process) for case, process in running)


def _run_cold_round(
    plan: BenchPlan, cases: Sequence[Case], rng: np.random.Generator, step: Callable[[], None]
) -> float:
    """Measure first epochs with the file out of the page cache; return the processor time of the cases in seconds."""
    total_s = 0.0
    for index in rng.permutation(len(cases)):
        case = cases[index]
        _drop_from_cache(plan.workload)
        with _start(plan, case.name, case.threads) as process:
            _record_first_batch(case, process)
            total_s += _record_round(case, process)
        step()
    return total_s


def _record_first_batch(case: Case, process: CaseProcess) -> None:
    if process.error is None:
        case.first_batch_s.append(process.facts()["first_batch_s"])


def _record_round(case: Case, process: CaseProcess) -> float:
    """Add the figures of a round to a case, or mark it as failed; return the processor time of its process."""
    facts: dict[str, Any] = process.facts()
    if process.error is not None:
        case.status, case.note = "failed", process.error
    else:
        case.img_s.append(facts["n"] / facts["timed_s"])
        case.cpu_s_per_1000.append(facts["cpu_s"] / facts["n"] * 1000)
        case.peak_rss_mb.append(facts["peak_rss_mb"])
    return float(facts.get("total_cpu_s", 0.0))


def _start(
    plan: BenchPlan, name: str, threads: int, *, check_path: str = ""
) -> contextlib.AbstractContextManager[CaseProcess]:
    return start_case(
        {
            "peer": name,
            "workload": asdict(plan.workload),
            "n_records": plan.n_records,
            "threads": threads,
            "check_path": check_path,
            "n_turns": _TURNS_PER_ROUND,
            "epochs": plan.epochs,
            "round_s": plan.round_s,
            "cache": plan.cache,
        }
    )


def _drop_from_cache(workload: Workload) -> None:
    """Drop the .rec file and the images of `root` from the page cache."""
    path = Path(workload.path(".rec"))
    images = [] if workload.root is None else [file for file in Path(workload.root).rglob("*") if file.is_file()]
    for file in (path, *images):
        machine.drop_from_cache(file)
    share = machine.cached_share(path)
    if share > _MAX_CACHED_SHARE:
        raise PlanError(
            path=str(path),
            expected="a file that the page cache can let go of",
            got=f"{share:.0%} still in memory",
            advice="another process has it mapped, or it lies in memory (tmpfs): use `cache=warm`",
        )
