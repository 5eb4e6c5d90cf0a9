"""Write the tables that come from measured files into the main README and that of this folder.

Usage: python benchmarks/readme_table.py

Between ``<!-- loading -->`` and ``<!-- end -->`` of the main README go the rates of `results/photos256.json` and
`results/mnist.json`; in the other the tables are named after the file in `results/` that they are of. A test compares.
"""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

from recordkit.bench.report import Case, Report, read_report

HERE = Path(__file__).parent


def loading() -> list[str]:
    """Return the table of the loaders."""
    reports = [read_report(HERE / "results" / f"{name}.json") for name in ("photos256", "mnist")]
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


def _facts(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    facts = json.loads((HERE / "results" / f"{name}.json").read_text())
    return facts["about"], facts["results"]


def growth() -> list[str]:
    """Return the table of growing work."""
    _, (facts,) = _facts("growth")
    lines = ["| records | pack | memory | load | memory |", "| --- | --- | --- | --- | --- |"]
    for row in facts["rows"]:
        lines.append(
            f"| {row['records']:,} | {row['pack_s']:.2f} s | {row['pack_mb']:.0f} MB | {row['load_s']:.2f} s "
            f"| {row['load_mb']:.0f} MB |"
        )
    slopes = facts["exponents"]
    return [*lines, f"| exponent | {slopes['pack_s']:.2f} | | {slopes['load_s']:.2f} | |"]


def agreement() -> list[str]:
    """Return the ratios of the same command, run after run."""
    about, (facts,) = _facts("agreement")
    n = len(facts["rows"][0]["ratios"])
    runs = " | ".join(f"run {number}" for number in range(1, n + 1))
    lines = [
        f"| {about['date']}, ratio to ImageIter | {runs} | inside |",
        f"| --- |{' --- |' * (n + 1)}",
    ]
    for row in facts["rows"]:
        cells = " | ".join(
            f"x{ratio:.2f} ±{half:.1%}" for ratio, half in zip(row["ratios"], row["half_widths"], strict=True)
        )
        lines.append(f"| {row['case']} | {cells} | {sum(row['inside'])} of {len(row['inside'])} |")
    inside = [fact for row in facts["rows"] for fact in row["inside"]]
    return [*lines, f"| all |{' |' * n} {sum(inside)} of {len(inside)} |"]


def slowed() -> list[str]:
    """Return what comparing says of the same code and of a case that was slowed down."""
    _, rows = _facts("slowed")
    lines = ["| second run | rounds | said | change | 95% interval |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        change, low, high = (f"{row[name]:+.1%}" for name in ("change", "low", "high"))
        lines.append(f"| {row['change_made']} | {row['rounds']} | {row['word']} | {change} | {low} to {high} |")
    return lines


def recipes() -> list[str]:
    """Return what the trainer's recipes reach, each with as many epochs as it was measured with."""
    lines = [
        "| recipe | epochs | accuracy, mean of seeds (lowest to highest) | a run | learning | waiting for data |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for path in sorted((HERE / "results").glob("recipe-*.json")):
        _, (facts,) = _facts(path.stem)
        runs = facts["runs"]
        cells = [f"`{facts['recipe']}`", f"{facts['epochs']}", _accuracy(runs)]
        cells += _of_a_run(runs) if facts["jobs"] == 1 else [f"{facts['jobs']} at once", "", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def training() -> list[str]:
    """Return what Module, Gluon and PyTorch learn from each iterator."""
    about, (facts,) = _facts("training")
    lines = [
        f"| MNIST, {facts['epochs']} epochs, {about['date']} | accuracy, mean of seeds (lowest to highest) "
        "| a run | learning | waiting for data |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, runs in facts["runs"].items():
        cells = [name, _accuracy(runs), *_of_a_run(runs)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _accuracy(runs: list[dict[str, float]]) -> str:
    found = [one["accuracy"] for one in runs]
    spread = f"{min(found):.2%} to {max(found):.2%}, {len(found)} seeds" if len(found) > 1 else "one seed"
    return f"{statistics.mean(found):.2%} ({spread})"


def _of_a_run(runs: list[dict[str, float]]) -> list[str]:
    """Return seconds, images per second and share of waiting, the last two where they are known."""
    seconds = f"{statistics.median(one['seconds'] for one in runs):.0f} s"
    if "rate_img_s" not in runs[0]:
        return [seconds, "", ""]
    rate, wait = (statistics.median(one[what] for one in runs) for what in ("rate_img_s", "wait_share"))
    return [seconds, f"{rate:,.0f} img/s", f"{wait:.1%}"]


TABLES = {HERE.parent / "README.md": [loading], HERE / "README.md": [agreement, slowed, growth, recipes, training]}


def filled(path: Path) -> str:
    """Return the text of a README with its tables as measured."""
    text = path.read_text()
    for table in TABLES[path]:
        name, lines = table.__name__, "\n".join(table())
        between = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text, n = re.subn(between, lambda found, lines=lines: f"{found[1]}{lines}\n{found[2]}", text, flags=re.DOTALL)
        if n != 1:
            raise SystemExit(f"{path}: expected one pair of <!-- {name} --> and <!-- end -->, got {n}")
    return text


def main() -> None:
    """Write both."""
    for path in TABLES:
        path.write_text(filled(path))


if __name__ == "__main__":
    main()
