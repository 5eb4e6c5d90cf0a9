"""Write the tables that come from `results/` into the main README, pages of docs/ and the README of this folder.

Usage: python benchmarks/readme_table.py

The table between ``<!-- loading -->`` and ``<!-- end -->`` of the main README has the rates of `results/photos256.json`
and `results/mnist.json`. The tables in this folder's README are named after their files in `results/`, and
docs/recipes.md has one of them too. docs/comparison.md has the table of `compare_threads.py`; of docs/guides/,
cluster-size.md has the tables of `simulate_cluster.py`, transforms.md that of `compare_functions.py`, and students.md
that of `compare_photographs.py`. A test compares the pages with the files.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _cluster_tables as cluster
from _core_tables import entropy, planes_difference, planes_output, threads
from _rate_tables import colors, loading_rows, rates
from _results import RESULTS, read_facts
from _store_tables import faults, fetched_bytes, kills, object_store

from recordkit.bench.equivalence import OTHER_WORK
from recordkit.bench.report import Case, Report, read_report

HERE = Path(__file__).parent


def loading() -> list[str]:
    """Return the rates of the loaders on photos and digits."""
    reports = [read_report(RESULTS / f"{name}.json") for name in ("photos256", "mnist")]
    titles = dict.fromkeys(case.title for report in reports for case in report.by_rate())
    machine = reports[0].machine
    lines = [
        "Images per second, and in brackets the ratio to MXNet's ImageIter, measured on "
        f"{machine['cpus']} cores of an {machine['cpu']}, {reports[0].date[:10]}, "
        f"{reports[0].protocol['rounds']} rounds:",
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
    other_work = ", other work" if case.name in OTHER_WORK and case.note else ""
    return f"{case.median_img_s:,.0f}" + (f" (x{ratio.value:.2f})" if ratio else "") + other_work


def growth() -> list[str]:
    """Return time and memory for each number of records."""
    _, (facts,) = read_facts("growth")
    lines = ["| records | pack | memory | load | memory |", "| --- | --- | --- | --- | --- |"]
    for row in facts["rows"]:
        lines.append(
            f"| {row['records']:,} | {row['pack_s']:.2f} s | {row['pack_mb']:.0f} MB | {row['load_s']:.2f} s "
            f"| {row['load_mb']:.0f} MB |"
        )
    exponents = facts["exponents"]
    return [*lines, f"| exponent | {exponents['pack_s']:.2f} | | {exponents['load_s']:.2f} | |"]


def upkeep() -> list[str]:
    """Return seconds, rate, share of `cp` and memory of the commands for existing sets, for large and small records."""
    about, facts = read_facts("upkeep")
    gigabytes = [each["bytes"] / 1e9 for each in facts]
    sizes = [f"{size:.0f} GB" if size >= 1 else f"{size:.1f} GB" for size in gigabytes]
    titles = " | ".join(f"{size}, {each['title']}" for size, each in zip(sizes, facts, strict=True))
    lines = [f"| {about['date']} | {titles} |", f"| --- |{' --- |' * len(facts)}"]
    columns = [{case["name"]: case for case in each["cases"]} for each in facts]
    for name in dict.fromkeys(name for column in columns for name in column):
        cells = [
            f"{statistics.median(case['seconds']):.1f} s ({min(case['seconds']):.1f} to {max(case['seconds']):.1f}), "
            f"{case['mb_s']:,.0f} MB/s, {case['share_of_cp']:.0%}, {case['peak_mb']:,.0f} MB"
            if (case := column.get(name))
            else ""
            for column in columns
        ]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return lines


def agreement() -> list[str]:
    """Return the ratios of repeated runs of the same command."""
    about, (facts,) = read_facts("agreement")
    n = len(facts["rows"][0]["ratios"])
    runs = " | ".join(f"run {number}" for number in range(1, n + 1))
    lines = [
        f"| {about['date']}, ratio to ImageIter | {runs} | inside |",
        f"| --- |{' --- |' * (n + 1)}",
    ]
    for row in facts["rows"]:
        cells = " | ".join(
            f"x{ratio:.2f} ±{half_width:.1%}"
            for ratio, half_width in zip(row["ratios"], row["half_widths"], strict=True)
        )
        lines.append(f"| {row['case']} | {cells} | {sum(row['inside'])} of {len(row['inside'])} |")
    inside = [is_inside for row in facts["rows"] for is_inside in row["inside"]]
    return [*lines, f"| all |{' |' * n} {sum(inside)} of {len(inside)} |"]


def slowed() -> list[str]:
    """Return the verdicts on the same code and on a loader that was slowed down."""
    _, rows = read_facts("slowed")
    lines = ["| second run | rounds | verdict | change | 95% interval |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        change, low, high = (f"{row[name]:+.1%}" for name in ("change", "low", "high"))
        lines.append(f"| {row['change_made']} | {row['rounds']} | {row['word']} | {change} | {low} to {high} |")
    return lines


def recipes() -> list[str]:
    """Return accuracy, time and rates of the trainer's recipes."""
    lines = [
        "| recipe | epochs | accuracy, mean of seeds (lowest to highest) | a run | learning | waiting for data |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for path in sorted(RESULTS.glob("recipe-*.json")):
        _, (facts,) = read_facts(path.stem)
        runs = facts["runs"]
        cells = [f"`{facts['recipe']}`", f"{facts['epochs']}", _accuracy(runs)]
        cells += _time_and_rates(runs) if facts["jobs"] == 1 else [f"{facts['jobs']} at once", "", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def training() -> list[str]:
    """Return accuracy, time and rates of Module, Gluon and PyTorch with each iterator."""
    about, (facts,) = read_facts("training")
    lines = [
        f"| MNIST, {facts['epochs']} epochs, {about['date']} | accuracy, mean of seeds (lowest to highest) "
        "| a run | learning | waiting for data |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, runs in facts["runs"].items():
        cells = [name, _accuracy(runs), *_time_and_rates(runs)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def functions() -> list[str]:
    """Return the processor time of a sample with functions among its transforms."""
    about, (facts,) = read_facts("functions")
    versions = " and ".join(f"{name} {about['versions'][name]}" for name in ("torch", "torchvision"))
    note = f", {about['note']}" if "note" in about else ""
    lines = [f"Measured on {about['date']} with {versions}{note}:", "", "| steps | µs |", "| --- | --- |"]
    return lines + [f"| {row['steps']} | {row['cpu_us']:,.0f} |" for row in facts["rows"]]


def photographs() -> list[str]:
    """Return how many pictures of handwriting were named right, for all ways but the published images themselves."""
    about, (facts,) = read_facts("photographs")
    rows = [row for row in facts["rows"] if row["kind"] != "as published"]
    n = sum(row["n_images"] for row in rows)
    lines = [f"| {about['date']} | named right, of {n} | wrong without a word |", "| --- | --- | --- |"]
    for name in (name for name in rows[0] if name not in ("kind", "n_images")):
        n_right, n_silent = (sum(row[name][count] for row in rows) for count in ("n_right", "n_silent"))
        lines.append(f"| {name} | {n_right} | {n_silent} |")
    return lines


def _accuracy(runs: list[dict[str, float]]) -> str:
    accuracies = [run["accuracy"] for run in runs]
    spread = "one seed"
    if len(accuracies) > 1:
        spread = f"{min(accuracies):.2%} to {max(accuracies):.2%}, {len(accuracies)} seeds"
    return f"{statistics.mean(accuracies):.2%} ({spread})"


def _time_and_rates(runs: list[dict[str, float]]) -> list[str]:
    """Return the medians of seconds, images per second and waiting share; the last two are empty if unknown."""
    seconds = f"{statistics.median(run['seconds'] for run in runs):.0f} s"
    if "rate_img_s" not in runs[0]:
        return [seconds, "", ""]
    rate, wait = (statistics.median(run[name] for run in runs) for name in ("rate_img_s", "wait_share"))
    return [seconds, f"{rate:,.0f} img/s", f"{wait:.1%}"]


def _simulation(name: str, source: str = "simulation") -> Callable[[], list[str]]:
    """Return a table of `simulate_cluster.py` that is made from its results, or from the measured costs."""

    def table() -> list[str]:
        table_of: Callable[[list[dict[str, Any]]], list[str]] = getattr(cluster, name)
        return table_of(read_facts(source)[1])

    table.__name__ = name
    return table


TABLES = {
    HERE.parent / "docs" / "guides" / "cluster-size.md": [
        *(_simulation(name, "cluster-costs") for name in ("costs", "check")),
        *(_simulation(table.__name__) for table in cluster.TABLES.values()),
    ],
    HERE.parent / "docs" / "guides" / "students.md": [photographs],
    HERE.parent / "docs" / "guides" / "transforms.md": [functions],
    HERE.parent / "docs" / "comparison.md": [threads],
    HERE.parent / "README.md": [loading],
    HERE.parent / "docs" / "recipes.md": [recipes],
    HERE / "README.md": [
        agreement,
        slowed,
        growth,
        loading_rows,
        rates("packing"),
        entropy,
        upkeep,
        recipes,
        training,
        object_store,
        fetched_bytes,
        rates("ray_reading"),
        colors,
        planes_output,
        planes_difference,
        faults,
        kills,
    ],
}


def fill_tables(path: Path) -> str:
    """Return the text of a page with its tables made from the results."""
    text = path.read_text()
    for table in TABLES[path]:
        name = table.__name__
        text, n = _fill(text, name, "\n".join(table()))
        if n != 1:
            raise SystemExit(f"{path}: expected one pair of <!-- {name} --> and <!-- end -->, got {n}")
    return text


def _fill(text: str, name: str, lines: str) -> tuple[str, int]:
    """Return the text with a table in each place of that name, and the number of places."""
    between = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
    return re.subn(between, lambda match: f"{match[1]}{lines}\n{match[2]}", text, flags=re.DOTALL)


def main() -> None:
    """Write the pages."""
    for path in TABLES:
        path.write_text(fill_tables(path))


if __name__ == "__main__":
    main()
