"""Write the tables that come from measured files into the main README and that of this folder.

Usage: python benchmarks/readme_table.py

Between ``<!-- loading -->`` and ``<!-- end -->`` of the main README go the rates of `results/photos256.json` and
`results/mnist.json`, between ``<!-- growth -->`` and ``<!-- end -->`` of the other the rows of `results/growth.json`. A
test compares.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from recordkit.apps.bench.report import Case, Report, read

HERE = Path(__file__).parent


def loading() -> list[str]:
    """Return the table of the loaders."""
    reports = [read(HERE / "results" / f"{name}.json") for name in ("photos256", "mnist")]
    titles = dict.fromkeys(case.title for report in reports for case in report.by_rate())
    machine = reports[0].machine
    lines = [
        f"{machine['cpus']} cores of an {machine['cpu']}, {reports[0].date[:10]}, "
        f"{reports[0].protocol['rounds']} rounds; images per second, and how many times ImageIter's:",
        "",
        "| `recordkit bench` | 256-px photos, crop 224, mirror, normalise | MNIST digits, png |",
        "| --- | --- | --- |",
    ]
    return lines + [f"| {title} | {' | '.join(_cell(report, title) for report in reports)} |" for title in titles]


def _cell(report: Report, title: str) -> str:
    case: Case | None = next((case for case in report.cases if case.title == title), None)
    if case is None or not case.measured:
        return "not measured" if case is None else case.status
    ratio = report.ratio(case)
    return f"{case.median_img_s:,.0f}" + (f" (x{ratio.value:.2f})" if ratio else "")


def growth() -> list[str]:
    """Return the table of growing work."""
    facts = json.loads((HERE / "results/growth.json").read_text())["results"][0]
    lines = ["| records | pack | memory | load | memory |", "| --- | --- | --- | --- | --- |"]
    for row in facts["rows"]:
        lines.append(
            f"| {row['records']:,} | {row['pack_s']:.2f} s | {row['pack_mb']:.0f} MB | {row['load_s']:.2f} s "
            f"| {row['load_mb']:.0f} MB |"
        )
    slopes = facts["exponents"]
    return [*lines, f"| exponent | {slopes['pack_s']:.2f} | | {slopes['load_s']:.2f} | |"]


TABLES = {HERE.parent / "README.md": ("loading", loading), HERE / "README.md": ("growth", growth)}


def filled(path: Path) -> str:
    """Return the text of a README with its table as measured."""
    name, table = TABLES[path]
    lines = "\n".join(table())
    between = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
    text, n = re.subn(between, lambda found: f"{found[1]}{lines}\n{found[2]}", path.read_text(), flags=re.DOTALL)
    if n != 1:
        raise SystemExit(f"{path}: expected one pair of <!-- {name} --> and <!-- end -->, got {n}")
    return text


def main() -> None:
    """Write both."""
    for path in TABLES:
        path.write_text(filled(path))


if __name__ == "__main__":
    main()
