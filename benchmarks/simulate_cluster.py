"""How long do 10^8 images take on 10 to 1,000 nodes? Packing, and an epoch of training, from an object store.

Usage: python benchmarks/simulate_cluster.py [--measure FOLDER] [--costs FILE] [--images N] [--json FILE]
    [--picture FILE]

Method: the costs of an image, a task, a shard and a request are measured on this machine with --measure, which needs
the native engine, Ray, obstore and SeaweedFS, and are written to --costs; without it they are read from there. Packing
is simulated by discrete events (`_cluster_packing.py`), reading has closed formulas (`_cluster_reading.py`). The rates
of the store, the nodes and the failures are assumptions; docs/guides/cluster-size.md has them with their sources.
--measure also packs with Ray on this machine and compares the time with the simulated one.

It does not show a cluster: no real one of more than one machine was measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from _cluster_costs import PACKS, Costs, measure
from _cluster_model import Cluster, Job, Store, count_shards, scaling_limits
from _cluster_packing import simulate
from _cluster_reading import Reading, epoch, scaling_limit
from _cluster_tables import TABLES
from _run import write

RESULTS = Path(__file__).parent / "results"
NODES = (10, 30, 100, 300, 1000)
SHARD_BYTES = (64e6, 128e6, 256e6, 512e6, 1e9, 2e9, 4e9)
WITHIN = 1.05
"""A shard size is advised if no other makes the pack this much faster; of those, the largest."""
# Enough requests at once that the latency of the store does not keep the processors waiting.
MANY_REQUESTS = 512
LARGE_PARTS = 32 * 2**20
ONE_PREFIX = "one object per image, one prefix"
OBJECTS, SHARDS = "one object per image, 512 requests at once", "images in shards"
BEST = "images in shards, tasks list them, parts of 32 MiB"
# Each scenario has a job, a store, and the costs that differ. Tasks that list their own samples spare the driver.
LISTED = ("list_row_cpu_s", "list_record_cpu_s", "part_row_cpu_s", "part_record_cpu_s")
BY_TASKS = dict.fromkeys((*LISTED, "part_row_bytes", "part_record_bytes"), 0.0)
SCENARIOS: dict[str, tuple[Job, Store, dict[str, float]]] = {
    ONE_PREFIX: (Job(), Store(source_prefixes=1), {}),
    "one object per image, 100 prefixes": (Job(), Store(), {}),
    OBJECTS: (Job(), Store(n_requests=MANY_REQUESTS), {}),
    "the same, tasks read their rows of the list": (Job(), Store(n_requests=MANY_REQUESTS), BY_TASKS),
    SHARDS: (Job(sources="pages"), Store(), {}),
    "images in shards, tasks list them": (Job(sources="pages"), Store(), BY_TASKS),
    BEST: (Job(sources="pages"), Store(part_bytes=LARGE_PARTS), BY_TASKS),
}
COMPARED = (ONE_PREFIX, OBJECTS, SHARDS, BEST)
NARROW = "Pages of 64 in windows of 4, ranges"
ORDERS = {
    "full shuffle": Reading(),
    "Pages of 64 in windows of 64, ranges": Reading(page=64, window=64),
    "Pages of 64 in windows of 64, whole 8 MiB": Reading(page=64, window=64, whole_pages=True),
    NARROW: Reading(page=64, window=4),
}


def packing(costs: Costs, n_images: int, seed: int) -> list[dict[str, Any]]:
    """Return the simulated packs of each scenario with each number of nodes."""
    return [
        {"scenario": name}
        | simulate(replace(job, n_images=n_images), Cluster(nodes), store, replace(costs, **changes), seed=seed)
        for name, (job, store, changes) in SCENARIOS.items()
        for nodes in NODES
    ]


def packing_limits(costs: Costs, n_images: int) -> list[dict[str, Any]]:
    """Return for each scenario the number of nodes from which each resource sets the time."""
    return [
        {
            "scenario": name,
            "nodes": scaling_limits(replace(job, n_images=n_images), Cluster(1), store, replace(costs, **changes)),
        }
        for name, (job, store, changes) in SCENARIOS.items()
    ]


def shard_sizes(costs: Costs, n_images: int, seed: int) -> list[dict[str, Any]]:
    """Return the hours of a pack for each size of a shard, and the size that is advised, for each number of nodes."""
    rows = []
    for name, nodes in itertools.product((SHARDS, BEST), NODES):
        job, store, changes = SCENARIOS[name]
        jobs = {size: replace(job, n_images=n_images, shard_bytes=size) for size in SHARD_BYTES}
        own = replace(costs, **changes)
        hours = [simulate(jobs[size], Cluster(nodes), store, own, seed=seed)["hours"] for size in SHARD_BYTES]
        advised = max(size for size, value in zip(SHARD_BYTES, hours, strict=True) if value <= WITHIN * min(hours))
        n_shards = count_shards(jobs[advised], costs)
        rows.append({"scenario": name, "nodes": nodes, "hours": hours, "advised_bytes": advised, "n_shards": n_shards})
    return rows


def sensitivity(costs: Costs, n_images: int, seed: int) -> list[dict[str, Any]]:
    """Return packs and epochs under other assumptions, on 100 nodes."""
    rows = []
    for name, case in _cases(costs).items():
        cluster = replace(Cluster(100), **case.cluster)
        packs = []
        for scenario in COMPARED:
            job, store, changes = SCENARIOS[scenario]
            own = replace(costs, **{**case.costs, **changes})
            packs.append(simulate(replace(job, n_images=n_images), cluster, case.change(store), own, seed=seed))
        order = replace(ORDERS[NARROW], n_images=n_images)
        read = epoch(order, cluster, case.change(Store()), replace(costs, **case.costs))
        rows.append({"case": name, "scenarios": list(COMPARED), "packs": packs, "epoch": read})
    return rows


@dataclass(frozen=True)
class _Case:
    """Differences from the assumptions: fields of the cluster and the costs, and how much slower the store is."""

    cluster: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    store_factor: float = 1
    latency_factor: float = 1

    def change(self, store: Store) -> Store:
        return replace(store.slower(self.store_factor), latency_s=self.latency_factor * store.latency_s)


def _cases(costs: Costs) -> dict[str, _Case]:
    return {
        "as assumed": _Case(),
        "store with a tenth of the requests and bytes per second": _Case(store_factor=10),
        "latency of the store ten times as long": _Case(latency_factor=10),
        "each node fails once a day": _Case({"days_to_failure": 1}),
        "each node fails once an hour": _Case({"days_to_failure": 1 / 24}),
        "a tenth of the nodes is slow": _Case({"slow_share": 0.1}),
        "no node is slow": _Case({"slow_share": 0.0}),
        "driver ten times as slow": _Case({"driver_factor": 10}),
        "nodes of 4 cores": _Case({"cores": 4}),
        "network of a node at 5 Gbit/s": _Case({"network_bytes_s": 0.625e9}),
        "images that take ten times as long": _Case(
            costs={"pack_cpu_s": 10 * costs.pack_cpu_s, "decode_cpu_s": 10 * costs.decode_cpu_s}
        ),
    }


def reading(costs: Costs, n_images: int) -> list[dict[str, Any]]:
    """Return an epoch in each order with each number of nodes."""
    return [
        {"order": name} | epoch(replace(order, n_images=n_images), Cluster(nodes), Store(), costs)
        for name, order in ORDERS.items()
        for nodes in NODES
    ]


def opening(costs: Costs, n_images: int) -> list[dict[str, Any]]:
    """Return the time that all nodes together need to open a dataset, for sizes of its shards."""
    return [
        {"shard_bytes": value} | epoch(Reading(n_images, shard_bytes=value), Cluster(nodes), Store(), costs)
        for value in (256e6, 1e9, 4e9)
        for nodes in NODES
    ]


def reading_limits(costs: Costs, n_images: int) -> list[dict[str, Any]]:
    """Return for each order the number of nodes up to which an epoch becomes shorter."""
    return [
        {"order": name, "nodes": scaling_limit(replace(order, n_images=n_images), Cluster(1), Store(), costs)}
        for name, order in ORDERS.items()
    ]


def run(costs: Costs, n_images: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Return all tables of the simulation."""
    return [
        {"title": "assumptions", "rows": [asdict(costs), asdict(Cluster(1)), asdict(Store()), {"n_images": n_images}]},
        {"title": "packing", "rows": packing(costs, n_images, seed)},
        {"title": "packing limits", "rows": packing_limits(costs, n_images)},
        {"title": "shard sizes", "shard_bytes": list(SHARD_BYTES), "rows": shard_sizes(costs, n_images, seed)},
        {"title": "reading", "rows": reading(costs, n_images)},
        {"title": "reading limits", "rows": reading_limits(costs, n_images)},
        {"title": "opening", "rows": opening(costs, n_images)},
        {"title": "sensitivity", "rows": sensitivity(costs, n_images, seed)},
    ]


def draw(document: dict[str, Any], path: Path) -> None:
    """Draw the hours of packs and epochs by the number of nodes, from what was written as JSON."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), layout="constrained")
    by_title = {each["title"]: each["rows"] for each in document["results"]}
    panels = (("packing", "scenario", "Packing"), ("reading", "order", "An epoch of training, first time"))
    for axes, (title, column, heading) in zip(figure.subplots(1, 2), panels, strict=True):
        for name in dict.fromkeys(row[column] for row in by_title[title]):
            rows = [row for row in by_title[title] if row[column] == name]
            axes.plot([row["nodes"] for row in rows], [row["hours"] for row in rows], marker="o", label=name)
        axes.set(xscale="log", yscale="log", xlabel="nodes of 16 cores", ylabel="hours", title=heading)
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13))
    about = document["about"]
    figure.savefig(path, dpi=110, metadata={"Description": f"{about['command']}; {about['date']}"})


def check(costs: Costs, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return runs of tasks by Ray on this machine beside their simulation.

    The seconds of a task are those of the run with one worker, so the others are predictions; recordkit.cluster.pack
    has those of a pack by a plain task. There is no store.
    """
    none = Store(1e12, 1e12, 1, 1, 1e15, 0.0, 1e15, 32)
    compared = []
    for run_ in runs:
        task_s = next(each["task_s"] for each in runs if each["title"] == (run_["title"] if run_["task_s"] else PACKS))
        mean_s, n_tasks = statistics.mean(task_s), run_["n_tasks"]
        spread = statistics.pstdev(map(math.log, task_s))
        own = replace(costs, pack_cpu_s=mean_s, get_cpu_s=0, byte_cpu_s=0, sent_byte_cpu_s=0, part_record_cpu_s=0)
        node = Cluster(1, run_["workers"], 1, 1e15, 0, 1, spread, 1e9, tasks_ahead=1, scheduled_tasks_s=1e9)
        job = Job(n_tasks, costs.record_bytes, "pages")
        simulated_s = simulate(job, node, none, own)["hours"] * 3600
        facts = {name: run_[name] for name in ("title", "workers", "n_tasks", "measured_s")}
        compared.append(facts | {"simulated_s": simulated_s, "error": simulated_s / run_["measured_s"] - 1})
    return compared


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--measure", type=Path, metavar="FOLDER", help="measure costs with photographs of a folder")
    parser.add_argument("--costs", type=Path, default=RESULTS / "cluster-costs.json")
    parser.add_argument("--images", type=int, default=10**8)
    parser.add_argument("--json", type=Path, default=RESULTS / "simulation.json")
    parser.add_argument("--picture", type=Path, help="draw the hours by the number of nodes; needs matplotlib")
    return parser.parse_args()


def main() -> None:
    """Measure if asked to, simulate, print the tables and write them."""
    arguments = parse_arguments()
    if arguments.measure:
        costs, facts = measure(arguments.measure)
        rows = check(costs, facts.pop("runs"))
        write(arguments.costs, [{"costs": asdict(costs)} | facts, {"title": "check", "rows": rows}])
    elif not arguments.costs.exists():
        sys.exit(f"{arguments.costs} is missing; measure it with --measure FOLDER")
    costs = Costs(**json.loads(arguments.costs.read_text())["results"][0]["costs"])
    results = run(costs, arguments.images)
    for title, lines in TABLES.items():
        print(f"\n{title}", *lines(results), sep="\n")
    write(arguments.json, results)
    if arguments.picture:
        draw(json.loads(arguments.json.read_text()), arguments.picture)


if __name__ == "__main__":
    main()
