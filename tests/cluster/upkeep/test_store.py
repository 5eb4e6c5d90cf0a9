"""Files in an object store are read where the tasks run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import recordkit as rk

PROGRAM = """
import json, sys
import recordkit
from recordkit import cluster, upkeep
from recordkit.cluster.connection import connect
url, cache = sys.argv[1:]
recordkit.configure_remote(cache_dir=cache)
with connect("local"):
    reports = [module.stats(url) for module in (cluster, upkeep)]
    reports += [module.duplicates(url) for module in (cluster, upkeep)]
print(json.dumps([report.as_json() for report in reports]))
"""


def test_reports_about_shards_in_a_store_are_those_of_one_machine(object_store, ray_installed, tiny_folder, tmp_path):
    (tiny_folder / "dog" / "0.jpg").write_bytes((tiny_folder / "cat" / "0.jpg").read_bytes())
    rk.pack(tiny_folder, tmp_path / "a", plan=rk.PackPlan(shards=3))
    for path in tmp_path.glob("a*.*"):
        object_store.put(f"sets/{path.name}", path.read_bytes())
    program = [sys.executable, "-c", PROGRAM, f"{object_store.url}/sets/a", str(tmp_path / "cache")]
    environment = os.environ | {"PYTHONPATH": str(Path(rk.__file__).parents[1])}
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    stats, expected_stats, duplicates, expected_duplicates = json.loads(done.stdout.splitlines()[-1])
    assert stats == expected_stats and stats["n_images"] == 12
    assert duplicates == expected_duplicates and duplicates["n_duplicates"] == 2
