"""Write the tables that come from `results/` into the main README, pages of docs/ and the README of this folder.

Usage: python benchmarks/readme_table.py

The table between ``<!-- loading -->`` and ``<!-- end -->`` of the main README has the rates of `results/photos256.json`
and `results/mnist.json`. The tables in this folder's README are named after their files in `results/`, and
docs/recipes.md has one of them too. docs/guides/cluster-size.md has the tables of `simulate_cluster.py`. A test
compares the pages with the files.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _cluster_tables as cluster

from recordkit.bench.report import Case, Report, read_report

HERE = Path(__file__).parent
_NOT_MEASURED = "Not measured yet."
_BYTE_COLUMNS = (("ratios", ".2f"), ("n_requests", ",.0f"))
_HEAD_LINES = 2


def loading() -> list[str]:
    """Return the rates of the loaders on photos and digits."""
    reports = [read_report(HERE / "results" / f"{name}.json") for name in ("photos256", "mnist")]
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
    return f"{case.median_img_s:,.0f}" + (f" (x{ratio.value:.2f})" if ratio else "")


def _facts(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    facts = json.loads((HERE / "results" / f"{name}.json").read_text())
    return facts["about"], facts["results"]


def growth() -> list[str]:
    """Return time and memory for each number of records."""
    _, (facts,) = _facts("growth")
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
    about, facts = _facts("upkeep")
    titles = " | ".join(f"{each['bytes'] / 1e9:.0f} GB, {each['title']}" for each in facts)
    lines = [f"| {about['date']} | {titles} |", f"| --- |{' --- |' * len(facts)}"]
    for cases in zip(*(each["cases"] for each in facts), strict=True):
        cells = [
            f"{statistics.median(case['seconds']):.1f} s ({min(case['seconds']):.1f} to {max(case['seconds']):.1f}), "
            f"{case['mb_s']:,.0f} MB/s, {case['share_of_cp']:.0%}, {case['peak_mb']:,.0f} MB"
            for case in cases
        ]
        lines.append(f"| `{cases[0]['name']}` | {' | '.join(cells)} |")
    return lines


def agreement() -> list[str]:
    """Return the ratios of repeated runs of the same command."""
    about, (facts,) = _facts("agreement")
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
    _, rows = _facts("slowed")
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
    for path in sorted((HERE / "results").glob("recipe-*.json")):
        _, (facts,) = _facts(path.stem)
        runs = facts["runs"]
        cells = [f"`{facts['recipe']}`", f"{facts['epochs']}", _accuracy(runs)]
        cells += _time_and_rates(runs) if facts["jobs"] == 1 else [f"{facts['jobs']} at once", "", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def training() -> list[str]:
    """Return accuracy, time and rates of Module, Gluon and PyTorch with each iterator."""
    about, (facts,) = _facts("training")
    lines = [
        f"| MNIST, {facts['epochs']} epochs, {about['date']} | accuracy, mean of seeds (lowest to highest) "
        "| a run | learning | waiting for data |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, runs in facts["runs"].items():
        cells = [name, _accuracy(runs), *_time_and_rates(runs)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def object_store() -> list[str]:
    """Return rates, processor time, requests and bytes of each reader of a store and each epoch."""
    if not _is_measured("object_store"):
        return [_NOT_MEASURED]
    about, facts = _facts("object_store")
    lines = [f"| {about['date']} | epoch 1 | epoch 2 | warm cache, new process |", "| --- | --- | --- | --- |"]
    for question in facts:
        if "unit" not in question:
            continue
        lines.append(f"| **{question['title']}, {question['unit']}** | | | |")
        for case in dict.fromkeys(row["case"] for row in question["rows"]):
            rows = {row["epoch"]: row for row in question["rows"] if row["case"] == case}
            cells = (_store_cell(rows.get(epoch)) for epoch in ("epoch 1", "epoch 2", "warm"))
            lines.append(f"| {case} | {' | '.join(cells)} |")
    return lines


def _store_cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    rates = row["rates"]
    spread = f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
    fetched = (
        f"{row['n_requests']:,.0f} requests, {row['n_bytes'] / 1e6:,.0f} MB" if row["n_bytes"] else "nothing fetched"
    )
    return f"{spread}, {row['cpu_ms_per_sample']:.3f} ms, {fetched}"


def fetched_bytes() -> list[str]:
    """Return bytes fetched over bytes needed for each dataset, order and size of the cache."""
    if not _is_measured("object_store"):
        return [_NOT_MEASURED]
    about, facts = _facts("object_store")
    lines = [f"| {about['date']} | epoch 1 | epoch 2 | requests |", "| --- | --- | --- | --- |"]
    for row in (row for question in facts if "unit" not in question for row in question["rows"]):
        ratios, requests = ([f"{value:{form}}" for value in row[key]] for key, form in _BYTE_COLUMNS)
        lines.append(f"| {row['case']} | {ratios[0]} | {ratios[1]} | {requests[0]}, {requests[1]} |")
    return lines


def faults_and_kills() -> list[str]:
    """Return a line about the runs with faults, and some about the packs with kills."""
    lines = ["| program | result |", "| --- | --- |"]
    if _is_measured("faults"):
        about, (facts,) = _facts("faults")
        first, last = facts["rss_mb"]
        lines.append(
            f"| `random_faults.py`, {about['date']} | {facts['runs']:,} epochs with {facts['faults']:,} faults: "
            f"{facts['complete']:,} complete, {sum(facts['errors'].values()):,} with one clear error, "
            f"{len(facts['wrong'])} wrong; longest {facts['longest_run_s']:.1f} s; memory {first:,.0f} MB early and "
            f"{last:,.0f} MB at the end, cache at most {facts['cache_mb']:.0f} MB |"
        )
    for name in ("kills", "kills-resize"):
        if _is_measured(name):
            lines += _kill_lines(name)
    return lines if len(lines) > _HEAD_LINES else [_NOT_MEASURED]


def _kill_lines(name: str) -> list[str]:
    about, (workers, kills, *overhead) = _facts(name)
    rows = ", ".join(f"{row['workers']} in {row['seconds']:.0f} s" for row in workers["rows"])
    differ = sum(len(facts["differ"]) for facts in (*workers["rows"], kills))
    title = f"`{about['command'].removeprefix('benchmarks/').partition(' --folder')[0]}`, {about['date']}"
    text = (
        f"{workers['n_bytes'] / 1e9:.1f} GB by workers: {rows}; {kills['killed_workers']} workers and "
        f"{kills['killed_drivers']} drivers killed: {kills['seconds']:.0f} s, {kills['twice']:.1%} of the bytes twice; "
        f"{differ} files differ"
    )
    for facts in overhead:
        overheads = facts["overheads"]
        text += (
            f"; Ray beside `recordkit pack` on one node {statistics.median(overheads):+.1%} "
            f"({min(overheads):+.1%} to {max(overheads):+.1%})"
        )
    return [f"| {title} | {text} |"]


def _is_measured(name: str) -> bool:
    return (HERE / "results" / f"{name}.json").exists()


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
        return table_of(_facts(source)[1])

    table.__name__ = name
    return table


TABLES = {
    HERE.parent / "docs" / "guides" / "cluster-size.md": [
        *(_simulation(name, "cluster-costs") for name in ("costs", "check")),
        *(_simulation(table.__name__) for table in cluster.TABLES.values()),
    ],
    HERE.parent / "README.md": [loading],
    HERE.parent / "docs" / "recipes.md": [recipes],
    HERE / "README.md": [
        agreement,
        slowed,
        growth,
        upkeep,
        recipes,
        training,
        object_store,
        fetched_bytes,
        faults_and_kills,
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
