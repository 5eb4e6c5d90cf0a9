"""Run the cases: check that they do the same, then time them in turn, round after round.

Each case of each round is a process of its own: its warm-up epoch does not count, then come consecutive epochs with a
reset between, because the epochs of some iterators alternate in speed. The order of the cases turns from round to
round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.apps.bench import machine
from recordkit.apps.bench.peers.registry import PEERS, REFERENCE, find
from recordkit.apps.bench.report import Case, Report
from recordkit.apps.bench.work import Work
from recordkit.errors import PlanError
from recordkit.formats.fileset import fingerprint
from recordkit.reading.dataset import RecordDataset
from recordkit.threads import count_threads
from recordkit.version import __version__

# Mean difference from the reference engine, in grey levels, over the first batch and in its worst image. Decoders and
# resizes of others differ by less; another normalisation, crop or order of channels by more.
_MOST_MEAN, _MOST_OF_AN_IMAGE = 1.0, 2.5
_CHECK_WITH = "python"
# So much of a file may stay in the page cache, and it still counts as cold.
_MOST_CACHED = 0.01


@dataclass(frozen=True)
class BenchPlan:
    """What is measured, and how long.

    Attributes
    ----------
    work : Work
    peers : sequence of str
        Names, see `recordkit.apps.bench.peers.registry.find`.
    threads : sequence of int
        Each number, for all peers that take one; 0 for the CPUs this process may use.
    rounds : int
    epochs : int
        In a round.
    seconds : float or None
        And whole epochs until so much time is over.
    cold : bool
        Time the first epoch only, with the file out of the page cache.
    """

    work: Work
    peers: Sequence[str] = tuple(PEERS)
    threads: Sequence[int] = (0,)
    rounds: int = 7
    epochs: int = 4
    seconds: float | None = None
    cold: bool = False
    counts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.epochs < 1:
            raise PlanError(f"expected at least 1 round and 1 epoch, got {self.rounds} and {self.epochs}")
        for name in self.peers:
            find(name)
        object.__setattr__(self, "counts", tuple(sorted({count_threads(one) for one in self.threads})))


def bench(plan: BenchPlan, *, command: str = "", progress: Callable[[int], None] | None = None) -> Report:
    """Measure.

    Parameters
    ----------
    plan : BenchPlan
    command : str, optional
        What a reader has to type for the same.
    progress : callable, optional
        Called after each case of each round with 1; of those that are not measured at once.

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
        file=_describe(plan.work),
        work=plan.work.as_json(),
        versions={"recordkit": __version__, "numpy": np.__version__},
        command=command,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        protocol={
            "rounds": plan.rounds,
            "epochs": 1 if plan.cold else plan.epochs,
            "seconds": plan.seconds,
            "cache": "cold" if plan.cold else "warm, after an epoch that does not count",
        },
        reference=REFERENCE,
        noise=None,
        cases=cases,
    )
    _check(plan, report)
    runnable = [case for case in cases if case.status == "measured"]
    there = [case.name for case in runnable]
    report.reference = next((name for name in (REFERENCE, _CHECK_WITH, *there) if name in there), REFERENCE)
    if progress is not None:
        progress(plan.rounds * (len(cases) - len(runnable)))
    others_s = all_s = 0.0
    for number in range(plan.rounds):
        turn = number % max(1, len(runnable))
        for case in [*runnable[turn:], *runnable[:turn]]:
            if case.status == "measured":
                others, total = _run_once(plan, case)
                others_s, all_s = others_s + others, all_s + total
            if progress is not None:
                progress(1)
    for case in runnable:
        if case.status == "failed":
            case.img_s.clear()  # of rounds that the others cannot be compared in
    report.noise = others_s / all_s if all_s else None
    return report


def _describe(work: Work) -> dict[str, Any]:
    path = Path(work.path(".rec"))
    with RecordDataset(path) as dataset:
        return {"name": path.name, "bytes": path.stat().st_size, "records": len(dataset), "sha256": fingerprint(path)}


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
    facts, error = _start(plan, name, threads, check=str(target))
    if facts is None:
        return None, {}, "failed", error
    return np.load(target), facts["versions"], "measured", ""


def _difference(batch: NDArray[np.float32], want: NDArray[np.float32], work: Work) -> str:
    """Return in words how a batch is not the one that it has to be; nothing if it is."""
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


def _run_once(plan: BenchPlan, case: Case) -> tuple[float, float]:
    """Add a round to a case; return how long other processes had processors meanwhile, and how long there were any."""
    if plan.cold:
        _cool(plan.work)
    begin_s, begin_busy_s, begin_own_s = time.perf_counter(), machine.busy_s(), _own_s()
    facts, error = _start(plan, case.name, case.threads, check="")
    took_s, busy_s = time.perf_counter() - begin_s, machine.busy_s()
    if facts is None:
        case.status, case.note = "failed", error
    else:
        case.img_s.append(facts["n"] / facts["seconds"])
        case.cpu_s.append(facts["cpu_s"] / facts["n"] * 1000)
        case.first_batch_s.append(facts["first_batch_s"])
        case.peak_rss_mb.append(facts["peak_rss_mb"])
    if busy_s is None or begin_busy_s is None:
        return 0.0, 0.0
    others_s = busy_s - begin_busy_s - (_own_s() - begin_own_s)
    return max(0.0, others_s), took_s * (os.cpu_count() or 1)


def _own_s() -> float:
    """Return the processor time of this process and of the cases that have ended."""
    return sum(os.times()[:4])


def _start(plan: BenchPlan, name: str, threads: int, *, check: str) -> tuple[dict[str, Any] | None, str]:
    """Run a case in a process; return what it says, or why it failed."""
    asked = {"peer": name, "work": asdict(plan.work), "threads": threads, "check": check}
    asked |= {"epochs": plan.epochs, "seconds": plan.seconds, "cold": plan.cold}
    environment = {"OMP_NUM_THREADS": str(threads), "MXNET_CPU_WORKER_NTHREADS": str(threads)}
    # Threads that spin while they wait take the processors from those that work: Gluon is 4 to 20 times as slow.
    environment |= {"OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1", "MXNET_SUBGRAPH_VERBOSE": "0"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "recordkit.apps.bench.case", json.dumps(asked)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        return None, said[-1][:300] if said else f"its process ended with {done.returncode}"
    facts: dict[str, Any] = json.loads(lines[-1])
    return facts, ""


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
