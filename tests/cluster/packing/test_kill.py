"""A cluster of several node processes, of which workers, nodes and drivers are killed: the files stay the same."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from cluster.packing.conftest import digests

import recordkit
from recordkit import PackPlan
from recordkit.codec import encode

N_IMAGES, N_SHARDS = 240, 12
OPTIONS = ["--shards", str(N_SHARDS), "--shuffle", "--resize", "96", "--quality", "90"]
PLAN = PackPlan(shards=N_SHARDS, shuffle=True, resize=96, quality=90)
MAX_S = 180
NODE = {"object_store_memory": 80_000_000}


@pytest.fixture(scope="module")
def cluster(ray_installed):
    """A head without CPUs and two nodes of one CPU each."""
    from ray.cluster_utils import Cluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **NODE})
        for _ in range(2):
            nodes.add_node(num_cpus=1, **NODE)
    yield nodes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray does not wait for the processes of a node that it kills
        nodes.shutdown()
        nodes = None
        gc.collect()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A list of images that take some milliseconds each, and the files that a pack on this machine makes of them."""
    folder = tmp_path_factory.mktemp("images")
    y, x = np.mgrid[:500, :640]
    for key in range(N_IMAGES):
        pixels = np.stack([x * (1 + key % 3), y * (1 + key % 5), x + y + key], 2).astype(np.uint8)
        (folder / f"{key}.jpg").write_bytes(encode(pixels, "jpg"))
    (folder / "33.jpg").write_bytes(b"bad")
    (folder / "a.lst").write_text("".join(f"{key}\t{key % 7}\t{key}.jpg\n" for key in range(N_IMAGES)))
    out = tmp_path_factory.mktemp("one") / "a"
    recordkit.pack(recordkit.open_source(folder / "a.lst"), out, plan=PLAN)
    return folder / "a.lst", digests(out)


class Driver:
    """A driver in a process of its own, the command of a user."""

    def __init__(self, cluster, source, prefix):
        command = [sys.executable, "-m", "recordkit", "cluster", "pack", str(source), str(prefix), *OPTIONS]
        root = str(Path(recordkit.__file__).parents[1])
        self.process = subprocess.Popen(
            [*command, "--address", cluster.address, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": root},
        )

    def wait_for(self, event):
        """Wait until a function returns something true, and return that; None if the driver ends before."""
        begin_s = time.monotonic()
        while self.process.poll() is None and time.monotonic() - begin_s < MAX_S:
            if value := event():
                return value
            time.sleep(0.005)
        return None

    def finish(self):
        """Return the report of the driver."""
        out, errors = self.process.communicate(timeout=MAX_S)
        assert self.process.returncode == 1 and "33.jpg: " in errors, errors  # one image is bad
        return json.loads(out)


def busy_workers(cluster):
    """Return the processes that run a task of this cluster."""
    raylets = {info.process.pid for node in cluster.list_all_nodes() for info in node.all_processes["raylet"]}
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::run_shard" in (path / "cmdline").read_bytes():
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                found += [int(path.name)] if parent in raylets else []
        except OSError:  # it has ended
            continue
    return found


def described(prefix):
    return sorted(path.name for path in prefix.parent.glob("a_*.json"))


# Ray does not wait for the processes of a node that it kills, and says so when it drops them.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.slow
def test_killed_workers_and_drivers_change_no_byte(cluster, images, tmp_path):
    source, expected = images
    prefix = tmp_path / "a"
    rng = np.random.default_rng(5)
    n_killed = n_drivers = 0
    for _ in range(2):
        driver = Driver(cluster, source, prefix)
        n_before = len(described(prefix))
        for _ in range(2):
            if workers := driver.wait_for(lambda: busy_workers(cluster)):
                os.kill(int(rng.choice(workers)), signal.SIGKILL)
                n_killed += 1
        if driver.wait_for(lambda before=n_before: len(described(prefix)) > before + 1):
            driver.process.kill()
            n_drivers += 1
        driver.process.wait(timeout=MAX_S)
        driver.process.communicate()
    assert n_killed >= 3 and n_drivers >= 1
    n_left = N_SHARDS - len(described(prefix))
    report = Driver(cluster, source, prefix).finish()
    assert report["ok"] is False
    assert report["n_reused"] >= N_SHARDS - n_left > 0
    assert digests(prefix) == expected
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


@pytest.mark.slow
def test_a_lost_node_changes_no_byte(cluster, images, tmp_path):
    source, expected = images
    prefix = tmp_path / "a"
    driver = Driver(cluster, source, prefix)
    assert driver.wait_for(lambda: described(prefix))
    node = sorted(cluster.worker_nodes, key=lambda node: node.unique_id)[0]
    cluster.remove_node(node, allow_graceful=False)
    driver.wait_for(lambda: len(described(prefix)) > 3)
    cluster.add_node(num_cpus=1, **NODE)
    driver.finish()
    assert digests(prefix) == expected


def test_a_terminated_driver_says_so_and_leaves_no_parts(cluster, images, tmp_path):
    source, expected = images
    prefix = tmp_path / "a"
    driver = Driver(cluster, source, prefix)
    assert driver.wait_for(lambda: described(prefix))
    driver.process.terminate()
    _, errors = driver.process.communicate(timeout=MAX_S)
    assert driver.process.returncode == 143 and errors.splitlines()[-1] == "recordkit: terminated"
    assert sorted(path.name for path in tmp_path.glob(".*")) == [] and len(described(prefix)) < N_SHARDS
    assert Driver(cluster, source, prefix).finish()["n_reused"] >= 1
    assert digests(prefix) == expected
