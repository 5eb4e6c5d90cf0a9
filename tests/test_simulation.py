"""The simulation of a cluster in benchmarks/ packs every image once and agrees with what can be counted."""

import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import _cluster_reading as reading
import numpy as np
import pytest
from _cluster_costs import Costs
from _cluster_model import Cluster, Job, Store, bounds, scaling_limits
from _cluster_packing import simulate

from recordkit.sampling.order import Pages
from recordkit.sampling.sampler import Sampler

PROGRAM = Path(__file__).parent.parent / "benchmarks" / "simulate_cluster.py"
COSTS = Costs(
    source_bytes=100_000,
    record_bytes=40_000,
    pack_cpu_s=1e-3,
    decode_cpu_s=3e-4,
    list_row_cpu_s=2e-6,
    list_record_cpu_s=0,
    index_record_cpu_s=4e-7,
    part_row_cpu_s=0,
    part_record_cpu_s=0,
    part_row_bytes=40,
    part_record_bytes=40,
    task_driver_s=1e-3,
    waiting_task_driver_s=0,
    shard_driver_s=1e-4,
    shard_driver_bytes=5000,
    task_driver_bytes=7000,
    get_cpu_s=2e-4,
    byte_cpu_s=2e-9,
    sent_byte_cpu_s=1e-9,
)
ALIKE = {"slow_share": 0, "spread": 0, "days_to_failure": 1e9}
NO_STORE = Store(1e12, 1e12, 1, 1, 1e15, 0.0, 1e15)


def pack(*, n_images=10**6, shard_bytes=4e7, nodes=10, store=NO_STORE, sources="pages", costs=COSTS, **cluster):
    return simulate(Job(n_images, shard_bytes, sources), Cluster(nodes, **cluster), store, costs)


def test_equal_tasks_take_the_time_of_the_closed_formula():
    outcome = pack(nodes=5, cores=4, task_cores=4, network_bytes_s=1e15, tasks_ahead=2, **ALIKE)
    assert outcome["n_shards"] == 1000
    # 1,000 tasks of 1,000 images on 5 slots of 4 cores: 200 tasks one after the other.
    image_s = 1e-3 + 100_000 * 2e-9 + 40_000 * 1e-9
    assert outcome["hours"] * 3600 == pytest.approx(200 * 1000 * image_s / 4, rel=0.01)


@pytest.mark.parametrize("cut_off_share", [0, 0.5, 1])
def test_every_image_is_packed_once_however_often_nodes_fail(cut_off_share):
    often = {"days_to_failure": 2e-4, "lost_s": 2, "replace_s": 30, "cut_off_share": cut_off_share}
    outcome = pack(shard_bytes=8e8, cores=4, **often)  # 50 tasks of 6.5 s
    assert outcome["n_failures"] > 2 and outcome["n_lost"] > 2 and outcome["wasted_share"] > 0
    assert outcome["n_images"] == 10**6 and outcome["n_published"] == outcome["n_shards"] == 50
    assert outcome["n_attempts"] == 50 + outcome["n_lost"]
    assert bool(outcome["n_twice"]) == bool(cut_off_share)


def test_without_failures_every_task_runs_once():
    outcome = pack(**ALIKE)
    assert outcome["n_attempts"] == outcome["n_published"] == 1000
    assert outcome["n_lost"] == outcome["n_twice"] == outcome["n_failures"] == outcome["wasted_share"] == 0


def test_the_same_seed_gives_the_same_run():
    assert pack(days_to_failure=1e-3) == pack(days_to_failure=1e-3)


@pytest.mark.parametrize("sources", ["objects", "pages"])
def test_more_nodes_are_never_slower_and_no_run_beats_the_closed_formula(sources):
    store = Store(source_prefixes=2)
    hours = []
    for nodes in (1, 2, 5, 10, 20, 50, 100):
        outcome = pack(nodes=nodes, store=store, sources=sources, **ALIKE)
        job, cluster = Job(10**6, 4e7, sources), Cluster(nodes, **ALIKE)
        assert outcome["hours"] >= outcome["least_hours"] * 0.999
        assert outcome["peak_gets_s"] <= store.get_s * store.source_prefixes * 1.001
        assert outcome["gets_s"] <= outcome["peak_gets_s"] * 1.001 and outcome["peak_puts_s"] <= store.put_s * 1.001
        assert min(bounds(job, cluster, store, COSTS).values()) > 0
        hours.append(outcome["hours"])
    assert all(later <= earlier * 1.001 for earlier, later in itertools.pairwise(hours))


def test_the_store_stops_the_scaling_at_the_stated_number_of_nodes():
    job, store = Job(10**7, 4e7, "objects"), Store(source_prefixes=5, n_requests=1000)
    limits = scaling_limits(job, Cluster(1), store, COSTS)
    nodes = limits["GETs of the store"]
    assert min(limits, key=limits.get) == "GETs of the store" and 1 < nodes < 10
    few, many = (bounds(job, Cluster(n), store, COSTS) for n in (int(nodes), int(nodes) + 1))
    assert max(few, key=few.get) != "GETs of the store" and max(many, key=many.get) == "GETs of the store"


def test_a_driver_that_lists_the_samples_sets_the_time_of_many_nodes():
    costs = replace(COSTS, part_record_cpu_s=5e-6)
    outcome = pack(nodes=500, costs=costs, **ALIKE)
    assert outcome["limit"] == "driver" and outcome["driver_share"] > 0.9
    assert outcome["hours"] * 3600 == pytest.approx(10**6 * 5e-6 + 1000 * 1.1e-3, rel=0.05)
    assert outcome["driver_bytes"] > pack(nodes=10, costs=costs, **ALIKE)["driver_bytes"]


@pytest.mark.parametrize(("batch", "most_gap"), [(32, 0), (32, 6), (128, 6), (256, 6)])
def test_requests_of_an_order_are_those_of_real_samplers(batch, most_gap):
    n, page, window, n_ranks = 100_000, 32, 8, 7
    n_requests = n_fetched = n_needed = 0
    sampler = Sampler(order=Pages(n, page=page, window=window), batch_size=batch, rank=3, n_ranks=n_ranks)
    for number in range(sampler.n_batches() - 1):
        indices = np.sort(sampler.batch(0, number).indices)
        gaps = np.diff(indices) - 1
        is_new = gaps > most_gap
        n_requests += 1 + is_new.sum()
        n_fetched += len(indices) + gaps[~is_new].sum()
        n_needed += len(indices)
    expected = reading.coalesced(min(1, batch / (page * window)), page, most_gap)
    assert expected.requests == pytest.approx(n_requests / n_needed, rel=0.06)
    assert expected.bytes == pytest.approx(n_fetched / n_needed, rel=0.06)


def test_a_cache_that_holds_the_dataset_spares_the_store_later_epochs():
    order, cluster = reading.Reading(10**6), Cluster(10)
    first = reading.epoch(replace(order, cache_bytes=0), cluster, Store(), COSTS)
    assert first["limit"] == "GETs of the store" and first["later_hours"] == first["hours"]
    assert first["hours"] * 3600 == pytest.approx(10**6 / 5500)
    cached = reading.epoch(replace(order, cache_bytes=1e12), cluster, Store(), COSTS)
    assert cached["later_hours"] * 3600 == pytest.approx(10**6 * (3e-4 + 2e-4) / 160)


def test_the_program_prints_and_writes_its_tables(tmp_path):
    costs, target = tmp_path / "costs.json", tmp_path / "simulation.json"
    costs.write_text(json.dumps({"results": [{"costs": COSTS.__dict__}]}))
    command = [sys.executable, str(PROGRAM), "--costs", str(costs), "--images", "200000", "--json", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    tables = {table["title"]: table["rows"] for table in json.loads(target.read_text())["results"]}
    assert {row["n_images"] for row in tables["packing"]} == {200_000}
    assert [row["nodes"] for row in tables["packing"][:5]] == [10, 30, 100, 300, 1000]
    assert "| full shuffle | 36 s, GETs of the store |" in done.stdout


def test_the_program_says_how_to_measure_missing_costs(tmp_path):
    command = [sys.executable, str(PROGRAM), "--costs", str(tmp_path / "none.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
    assert done.returncode == 1 and "none.json is missing; measure it with --measure FOLDER" in done.stderr
