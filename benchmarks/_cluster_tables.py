"""The tables of `simulate_cluster.py` as lines of Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Results = list[dict[str, Any]]
_SHOWN = (10, 100, 1000)
"""Numbers of nodes of the tables that have a row for each."""


def hours(value: float) -> str:
    """Return a time with the unit that fits: hours, minutes or seconds."""
    if value >= 1:
        return f"{value:.1f} h"
    return f"{value * 60:.1f} min" if value >= 1 / 60 else f"{value * 3600:.0f} s"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value < 10_000 else f"{value / 1000:,.0f} k"


def size(value: float) -> str:
    """Return a number of bytes in MB or GB."""
    return f"{value / 1e6:,.0f} MB" if value < 1e9 else f"{value / 1e9:,.1f} GB"


def _table(results: Results, title: str) -> dict[str, Any]:
    return next(each for each in results if each["title"] == title)


def _lines(heads: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows]]


def _matrix(results: Results, title: str, column: str, head: str) -> list[str]:
    """Return the time of each case in a row, and of each number of nodes in a column."""
    table = _table(results, title)["rows"]
    nodes = list(dict.fromkeys(row["nodes"] for row in table))
    cells: dict[str, list[str]] = {}
    for row in table:
        cells.setdefault(row[column], []).append(f"{hours(row['hours'])}, {row['limit']}")
    return _lines([head, *(f"{n:,} nodes" for n in nodes)], [[name, *row] for name, row in cells.items()])


def packing(results: Results) -> list[str]:
    """Return the time of each pack and what limits it."""
    return _matrix(results, "packing", "scenario", "sources")


def packing_load(results: Results) -> list[str]:
    """Return the load of the store, the nodes and the driver during each pack."""
    heads = ["sources", "nodes", "GET/s", "PUT/s", "read", "written", "processors", "driver", "driver's memory"]
    rows = [
        [
            row["scenario"],
            f"{row['nodes']:,}",
            _rate(row["gets_s"]),
            _rate(row["puts_s"]),
            f"{size(row['read_bytes_s'])}/s",
            f"{size(row['write_bytes_s'])}/s",
            f"{row['processors_share']:.0%}",
            f"{row['driver_share']:.0%}",
            size(row["driver_bytes"]),
        ]
        for row in _table(results, "packing")["rows"]
        if row["nodes"] in _SHOWN
    ]
    return _lines(heads, rows)


def packing_limits(results: Results) -> list[str]:
    """Return from how many nodes on each resource sets the time of a pack."""
    table = _table(results, "packing limits")["rows"]
    names = list(dict.fromkeys(name for row in table for name in row["nodes"]))
    rows = [
        [row["scenario"], *(f"{row['nodes'][name]:,.0f}" if name in row["nodes"] else "" for name in names)]
        for row in table
    ]
    return _lines(["sources", *names], rows)


def shard_sizes(results: Results) -> list[str]:
    """Return the time of a pack for each size of a shard."""
    table = _table(results, "shard sizes")
    heads = ["sources", "nodes", *(size(value) for value in table["shard_bytes"]), "advised", "shards"]
    rows = [
        [
            row["scenario"],
            f"{row['nodes']:,}",
            *map(hours, row["hours"]),
            size(row["advised_bytes"]),
            f"{row['n_shards']:,}",
        ]
        for row in table["rows"]
    ]
    return _lines(heads, rows)


def reading(results: Results) -> list[str]:
    """Return the time of an epoch in each order and what limits it."""
    return _matrix(results, "reading", "order", "order")


def reading_load(results: Results) -> list[str]:
    """Return the load of the store during an epoch."""
    heads = ["order", "GETs per image", "bytes per byte needed", "nodes", "GET/s", "read", "faster up to"]
    limits = {row["order"]: row["nodes"] for row in _table(results, "reading limits")["rows"]}
    rows = [
        [
            row["order"],
            f"{row['requests_per_image']:.3f}",
            f"{row['bytes_per_byte']:.1f}",
            f"{row['nodes']:,}",
            _rate(row["gets_s"]),
            f"{size(row['read_bytes_s'])}/s",
            f"{limits[row['order']]:,} nodes",
        ]
        for row in _table(results, "reading")["rows"]
        if row["nodes"] in _SHOWN
    ]
    return _lines(heads, rows)


def opening(results: Results) -> list[str]:
    """Return the time until all readers have the index, before the first epoch."""
    table = _table(results, "opening")["rows"]
    nodes = list(dict.fromkeys(row["nodes"] for row in table))
    cells: dict[float, list[str]] = {}
    for row in table:
        cells.setdefault(row["shard_bytes"], []).append(f"{hours(row['open_s'] / 3600)}, {row['open_limit']}")
    return _lines(
        ["size of a shard", *(f"{n:,} nodes" for n in nodes)], [[size(value), *row] for value, row in cells.items()]
    )


def sensitivity(results: Results) -> list[str]:
    """Return packs and epochs on 100 nodes under other assumptions."""
    table = _table(results, "sensitivity")["rows"]
    heads = ["100 nodes", *table[0]["scenarios"], "work done twice", "an epoch"]
    rows = [
        [
            row["case"],
            *(f"{hours(pack['hours'])}, {pack['limit']}" for pack in row["packs"]),
            f"{max(pack['wasted_share'] for pack in row['packs']):.1%}",
            f"{hours(row['epoch']['hours'])}, {row['epoch']['limit']}",
        ]
        for row in table
    ]
    return _lines(heads, rows)


def check(results: Results) -> list[str]:
    """Return runs of real tasks beside their simulation; `results` are those of the costs."""
    rows = [
        [
            row["title"],
            f"{row['workers']}",
            f"{row['measured_s']:.2f} s",
            f"{row['simulated_s']:.2f} s",
            f"{row['error']:+.0%}",
        ]
        for row in _table(results[1:], "check")["rows"]
    ]
    return _lines(["tasks", "at once", "measured", "simulated", "difference"], rows)


def costs(results: Results) -> list[str]:
    """Return the measured costs; `results` are those of the costs."""
    names = {
        "pack_cpu_s": ("a core packs an image", 1e3, "ms"),
        "decode_cpu_s": ("a core reads, crops and normalises an image", 1e3, "ms"),
        "source_bytes": ("an image", 1e-3, "kB"),
        "record_bytes": ("its record", 1e-3, "kB"),
        "list_row_cpu_s": ("the driver plans a row of a list", 1e6, "µs"),
        "part_row_cpu_s": ("the driver gives it to a task", 1e6, "µs"),
        "part_row_bytes": ("and keeps for it until the task ends", 1, "bytes"),
        "list_record_cpu_s": ("the driver plans a record of a packed dataset", 1e6, "µs"),
        "part_record_cpu_s": ("the driver gives that to a task", 1e6, "µs"),
        "part_record_bytes": ("and keeps for that until the task ends", 1, "bytes"),
        "task_driver_s": ("the driver submits a task and takes its result", 1e3, "ms"),
        "waiting_task_driver_s": ("and each other task that waits adds", 1e6, "µs"),
        "shard_driver_s": ("the driver reads a shard's description", 1e6, "µs"),
        "shard_driver_bytes": ("and keeps for a shard", 1e-3, "kB"),
        "index_record_cpu_s": ("a reader reads a record's line of the .idx", 1e6, "µs"),
        "get_cpu_s": ("a client gets 43 kB", 1e3, "ms"),
        "byte_cpu_s": ("a client gets 1 MB of a page", 1e9, "ms"),
        "sent_byte_cpu_s": ("a client puts 1 MB of a part", 1e9, "ms"),
    }
    values = results[0]["costs"]
    rows = [[text, f"{values[name] * factor:,.2f} {unit}"] for name, (text, factor, unit) in names.items()]
    return _lines(["what", "costs"], rows)


TABLES: dict[str, Callable[[Results], list[str]]] = {
    "Packing": packing,
    "Load of the store and the driver while packing": packing_load,
    "From how many nodes on a resource sets the time of a pack": packing_limits,
    "Time of a pack by the size of a shard": shard_sizes,
    "An epoch of training": reading,
    "Load of the store while reading": reading_load,
    "Opening the dataset on all nodes": opening,
    "Other assumptions": sensitivity,
}
