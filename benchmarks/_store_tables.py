"""The tables about object stores and a cluster, made from `results/`."""

from __future__ import annotations

import statistics
from typing import Any

from _rate_tables import spread
from _results import read_facts

_BYTE_COLUMNS = (("ratios", ".2f"), ("n_requests", ",.0f"))


def object_store() -> list[str]:
    """Return rates, processor time, requests and bytes of each reader of a store and each epoch."""
    about, facts = read_facts("object_store")
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
    fetched = (
        f"{row['n_requests']:,.0f} requests, {row['n_bytes'] / 1e6:,.0f} MB" if row["n_bytes"] else "nothing fetched"
    )
    return f"{spread(row['rates'])}, {row['cpu_ms_per_sample']:.3f} ms, {fetched}"


def fetched_bytes() -> list[str]:
    """Return bytes fetched over bytes needed for each dataset, order and size of the cache."""
    about, facts = read_facts("object_store")
    lines = [f"| {about['date']} | epoch 1 | epoch 2 | requests |", "| --- | --- | --- | --- |"]
    for row in (row for question in facts if "unit" not in question for row in question["rows"]):
        ratios, requests = ([f"{value:{form}}" for value in row[key]] for key, form in _BYTE_COLUMNS)
        lines.append(f"| {row['case']} | {ratios[0]} | {ratios[1]} | {requests[0]}, {requests[1]} |")
    return lines


def faults() -> list[str]:
    """Return a line about the runs with faults."""
    about, (facts,) = read_facts("faults")
    first, last = facts["rss_mb"]
    return [
        "| epochs | faults | complete | one clear error | wrong | longest | memory early, late | largest cache |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        f"| {facts['runs']:,}, {about['date']} | {facts['faults']:,} | {facts['complete']:,} | "
        f"{sum(facts['errors'].values()):,} | {len(facts['wrong'])} | {facts['longest_run_s']:.1f} s | "
        f"{first:,.0f} MB, {last:,.0f} MB | {facts['cache_mb']:.0f} MB |",
    ]


def kills() -> list[str]:
    """Return a line for each pack whose processes were killed."""
    lines = [
        "| pack | by workers | with kills | bytes written twice | files that differ | Ray beside `recordkit pack` |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    return lines + [_kill_line(name) for name in ("kills", "kills-resize")]


def _kill_line(name: str) -> str:
    about, (workers, killed, overhead) = read_facts(name)
    n_images = "copied" if name == "kills" else "224 pixels"
    seconds = ", ".join(f"{row['workers']}: {row['seconds']:.1f} s" for row in workers["rows"])
    differ = sum(len(facts["differ"]) for facts in (*workers["rows"], killed))
    overheads = overhead["overheads"]
    cells = [
        f"{n_images}, {workers['n_bytes'] / 1e9:.2f} GB, {about['date']}",
        seconds,
        f"{killed['killed_workers']} workers, {killed['killed_drivers']} drivers: {killed['seconds']:.0f} s",
        f"{killed['twice']:.1%}",
        str(differ),
        f"{statistics.median(overheads):+.1%} ({min(overheads):+.1%} to {max(overheads):+.1%})",
    ]
    return f"| {' | '.join(cells)} |"
