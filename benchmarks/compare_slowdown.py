"""Whether `recordkit bench --compare` finds a change, and none where there is none.

Usage: python benchmarks/compare_slowdown.py REC [--rounds 20] [--json FILE]

Three runs on a file: two of the same code, and one in which the native engine is 10% slower: it loads as before, but
every tenth batch is thrown away and does not count. Each is compared with the first, ImageRecordIter being the
reference, or where there is no MXNet the Python engine.
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
from recordkit.bench.protocol import BenchPlan, run_comparison
from recordkit.bench.report import compare_reports
from recordkit.bench.table import verdict_lines
from recordkit.bench.workload import Workload, resolve_workload
from recordkit.cli.progress import progress_bar

_THROW_AWAY = "RECORDKIT_BENCH_THROW_AWAY"


class Slowed(RecordkitLoader):
    """The native engine; one batch of so many as the environment says is thrown away."""

    def open(self, work: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        epochs, every, numbers = (
            super().open(work, threads, check=check),
            int(os.environ.get(_THROW_AWAY, "0")),
            count(1),
        )

        def epoch() -> Iterator[tuple[Any, int]]:
            return (item for item in epochs() if not every or next(numbers) % every)

        return epoch


native = Slowed("native")


def main() -> None:
    """Run, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rec", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    work = resolve_workload(given.rec)
    reference = "python" if find_peer("image-record-iter").unavailable_reason(work) else "image-record-iter"
    plan = BenchPlan(work, (reference, f"{__file__}:native"), rounds=given.rounds)
    reports = []
    for name, every in (("first", "0"), ("the same code", "0"), ("10% slower", "10")):
        os.environ[_THROW_AWAY] = every
        with progress_bar(plan.n_steps, name, unit="turn") as progress:
            reports.append(run_comparison(plan, progress=progress))
    facts: list[dict[str, object]] = []
    for name, report in zip(("the same code", "10% slower"), reports[1:], strict=True):
        found = compare_reports(reports[0], report)
        print(f"{name}: {'; '.join(verdict_lines(found))}")
        facts += [{"change_made": name, "rounds": given.rounds, **asdict(verdict)} for _, verdict in found]
    write(given.json, facts)


if __name__ == "__main__":
    main()
