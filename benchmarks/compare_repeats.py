"""Do runs of `recordkit bench` agree? Each ratio of one run is looked up in the 95% intervals of the other runs.

Usage: python benchmarks/compare_repeats.py A.json B.json [C.json ...] [--json FILE]

Method: the files are reports of the same command, run after run. An interval is meant to contain the ratio of another
run 19 times of 20, so about 95% of all ratios are inside the intervals of the other runs if the intervals are right.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

from _run import write

from recordkit.bench.report import Report, read_report


def compare_cases(reports: list[Report]) -> list[dict[str, Any]]:
    """Return a row for each case except the reference: its ratios, and whether each is in each other run's interval."""
    rows: list[dict[str, Any]] = []
    for cases in zip(*(report.cases for report in reports), strict=True):
        known = (report.ratio(case) for report, case in zip(reports, cases, strict=True))
        ratios = [ratio for ratio in known if ratio is not None]
        if len(ratios) < len(reports) or cases[0].name == reports[0].reference:
            continue
        rows.append(
            {
                "case": cases[0].label,
                "ratios": [ratio.value for ratio in ratios],
                "half_widths": [ratio.half_width for ratio in ratios],
                "inside": [run.low <= repeat.value <= run.high for run, repeat in itertools.permutations(ratios, 2)],
            }
        )
    return rows


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", type=Path, nargs="+")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    reports = [read_report(path) for path in options.reports]
    if len(reports) < 2:
        parser.error("expected at least two files")
    if len({(report.file["sha256"], report.title) for report in reports}) > 1:
        parser.error("expected runs of the same file and workload")
    rows = compare_cases(reports)
    for row in rows:
        pairs = zip(row["ratios"], row["half_widths"], strict=True)
        ratios = "  ".join(f"x{ratio:.2f} ±{half_width:.1%}" for ratio, half_width in pairs)
        print(f"{row['case']:44} {ratios}  {sum(row['inside'])} of {len(row['inside'])} inside")
    inside = [is_inside for row in rows for is_inside in row["inside"]]
    widest = max(half_width for row in rows for half_width in row["half_widths"])
    print(f"{sum(inside)} of {len(inside)} inside ({sum(inside) / len(inside):.0%}); widest interval ±{widest:.1%}")
    write(options.json, [{"file": reports[0].file["name"], "command": reports[0].command, "rows": rows}])


if __name__ == "__main__":
    main()
