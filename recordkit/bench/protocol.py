"""The protocol of a comparison: check that all cases do the same work, then time them in turns, round after round.

Each case is a new process in each round, because the memory layout and the thread placement of a process change its
speed by some per cent. Its first epoch does not count. Consecutive epochs with a reset between them follow, because
some iterators alternate in speed from epoch to epoch. These epochs are cut into turns of a fraction of a second. Cases
take turns in an order that changes, and a case without its turn is stopped: a machine that changes its speed within
seconds changes it for all cases alike.
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recordkit.bench import machine
from recordkit.bench.equivalence import CHECK_WITH, check_cases
from recordkit.bench.peers.registry import find_peer
from recordkit.bench.plan import TURNS_PER_ROUND, BenchPlan
from recordkit.bench.process import CaseProcess, start_case
from recordkit.bench.report import Case, Report
from recordkit.bench.workload import Workload
from recordkit.errors import MissingError, PlanError
from recordkit.storage.fileset import fingerprint
from recordkit.version import __version__

# A file counts as cold if at most 1% of it is cached.
_MAX_CACHED_SHARE = 0.01


def run_comparison(
    plan: BenchPlan,
    *,
    command: str = "",
    progress: Callable[[int], None] | None = None,
    on_round: Callable[[Report, int], None] | None = None,
) -> Report:
    """Check and measure all cases.

    Parameters
    ----------
    plan : BenchPlan
    command : str, optional
        Command that repeats the comparison, for the report.
    progress : callable, optional
        Called with 1 after each start and each turn of a case, and with the steps of cases that are not measured;
        `BenchPlan.n_steps_per_round` in each round.
    on_round : callable, optional
        Called after each round with a copy of the report so far and the number of rounds that it will probably have.

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
    begin_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="recordkit-bench-") as scratch:
        if plan.workload.scratch is None:
            plan = replace(plan, workload=replace(plan.workload, scratch=scratch))
        report = _empty_report(plan, command)
        report.versions |= check_cases(
            report.cases,
            plan.workload,
            lambda name, path: _start(plan, name, plan.thread_counts[-1], check_path=path),
        )
        end_s = math.inf if plan.budget_s is None else begin_s + plan.budget_s
        _measure(plan, report, end_s, progress or (lambda _n: None), on_round or (lambda _report, _n: None))
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
            "turns": 1 if is_cold else TURNS_PER_ROUND,
            "cache": "cold" if is_cold else "warm, after an epoch that does not count",
            "interrupted": False,
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


def _measure(
    plan: BenchPlan,
    report: Report,
    end_s: float,
    progress: Callable[[int], None],
    on_round: Callable[[Report, int], None],
) -> None:
    """Run rounds until there are enough, and add their figures to the report after each."""
    run_round, rng = _run_cold_round if plan.cache == "cold" else _run_warm_round, np.random.default_rng(0)
    load, begin_s = machine.Load(), time.monotonic()
    n_done, n_rounds = 0, plan.rounds
    while n_done < n_rounds:
        cases = [case for case in report.cases if case.status == "measured"]
        progress(plan.n_steps_per_case_round * (len(report.cases) - len(cases)))
        load.known_s += run_round(plan, cases, rng, partial(progress, 1))
        n_done += 1
        for case in cases:
            if case.status == "failed":
                case.img_s.clear()  # the other cases have rounds that this one has not
        report.protocol["rounds"], report.noise = n_done, load.others_share()
        report.reference = _choose_reference(plan, report)
        now_s = time.monotonic()
        n_rounds = plan.schedule.n_rounds(
            n_done, (now_s - begin_s) / n_done, end_s - now_s, is_uncertain=bool(report.uncertain_cases())
        )
        on_round(copy.deepcopy(report), n_rounds)


def _choose_reference(plan: BenchPlan, report: Report) -> str:
    measured = [case.name for case in report.cases if case.measured]
    return next((name for name in (plan.reference, CHECK_WITH, *measured) if name in measured), plan.reference)


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
        for _turn in range(TURNS_PER_ROUND):
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
            "n_turns": TURNS_PER_ROUND,
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
