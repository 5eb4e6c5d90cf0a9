"""Do runs of `recordkit bench` agree? Each ratio of one run against the 95% intervals of the others.

Usage: python benchmarks/compare_repeats.py A.json B.json [C.json ...] [--json FILE]

The files are what the same command wrote, run after run. An interval says where another run would find the ratio, 19
times of 20: so of all cells (a case, a run, another run) about 95% are to be inside, if the intervals are honest.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

from _run import write

from recordkit.bench.report import Report, read_report


def cells(reports: list[Report]) -> list[dict[str, object]]:
    """Return of each case, but not of the reference, its ratios, and which of them lie in the others' intervals."""
    rows: list[dict[str, object]] = []
    for cases in zip(*(report.cases for report in reports), strict=True):
        found = [report.ratio(case) for report, case in zip(reports, cases, strict=True)]
        if any(ratio is None for ratio in found) or cases[0].name == reports[0].reference:
            continue
        ratios = [ratio for ratio in found if ratio is not None]
        pairs = itertools.permutations(ratios, 2)
        rows.append(
            {
                "case": cases[0].label,
                "ratios": [ratio.value for ratio in ratios],
                "half_widths": [ratio.half_width for ratio in ratios],
                "inside": [one.low <= other.value <= one.high for one, other in pairs],
            }
        )
    return rows


def main() -> None:
    """Print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", type=Path, nargs="+")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    reports = [read_report(path) for path in given.reports]
    if len(reports) < 2:
        parser.error("expected at least two files")
    if len({(report.file["sha256"], report.title) for report in reports}) > 1:
        parser.error("expected runs of the same file and work")
    rows = cells(reports)
    for row in rows:
        ratios = "  ".join(
            f"x{value:.2f} ±{half:.1%}" for value, half in zip(row["ratios"], row["half_widths"], strict=True)
        )
        print(f"{row['case']:44} {ratios}  {sum(row['inside'])} of {len(row['inside'])} inside")
    inside = [fact for row in rows for fact in row["inside"]]
    widest = max(half for row in rows for half in row["half_widths"])
    print(f"{sum(inside)} of {len(inside)} inside ({sum(inside) / len(inside):.0%}); widest half {widest:.1%}")
    write(given.json, [{"file": reports[0].file["name"], "command": reports[0].command, "rows": rows}])


if __name__ == "__main__":
    main()
