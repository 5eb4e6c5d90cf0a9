"""Does `recordkit bench --compare` find a slowdown of 10%? It also has to report the same code as unchanged.

Usage: python benchmarks/compare_slowdown.py REC [--rounds 20] [--json FILE]

Method: three runs on a file. Two are of the same code; in the third the native engine is 10% slower: it loads as
before, but every tenth batch is discarded and does not count. The second and third run are compared with the first. The
reference is ImageRecordIter, or the Python engine if MXNet is not installed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

from _run import write

from recordkit.bench.peers.peer import StartEpoch
from recordkit.bench.peers.recordkit import RecordkitLoader
from recordkit.bench.peers.registry import find_peer
from recordkit.bench.plan import BenchPlan
from recordkit.bench.protocol import run_comparison
from recordkit.bench.report import compare_reports
from recordkit.bench.table import verdict_lines
from recordkit.bench.workload import Workload, resolve_workload
from recordkit.cli.console import Console

# Environment variable with n: every n-th batch is discarded; 0 discards none. The cases' processes inherit it.
_DISCARD = "RECORDKIT_BENCH_DISCARD"


class SlowedLoader(RecordkitLoader):
    """The native engine with discarded batches."""

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        start_epoch = super().open(workload, threads, check=check)
        n, numbers = int(os.environ.get(_DISCARD, "0")), count(1)

        def start_slowed_epoch() -> Iterator[tuple[Any, int]]:
            return (batch for batch in start_epoch() if not n or next(numbers) % n)

        return start_slowed_epoch


native = SlowedLoader("native")


def main() -> None:
    """Measure, compare and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rec", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    workload = resolve_workload(options.rec)
    reference = "python" if find_peer("image-record-iter").unavailable_reason(workload) else "image-record-iter"
    plan = BenchPlan(workload, (reference, f"{__file__}:native"), rounds=options.rounds, reference=reference)
    reports = []
    for name, n in (("first", "0"), ("the same code", "0"), ("10% slower", "10")):
        os.environ[_DISCARD] = n
        with Console().progress(plan.n_steps, name, unit="turn") as progress:
            reports.append(run_comparison(plan, progress=progress))
    facts: list[dict[str, object]] = []
    for name, report in zip(("the same code", "10% slower"), reports[1:], strict=True):
        verdicts = compare_reports(reports[0], report)
        print(f"{name}: {'; '.join(verdict_lines(verdicts))}")
        facts += [{"change_made": name, "rounds": options.rounds, **asdict(verdict)} for _, verdict in verdicts]
    write(options.json, facts)


if __name__ == "__main__":
    main()
