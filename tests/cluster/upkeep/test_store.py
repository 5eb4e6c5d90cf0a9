"""Files in an object store are read where the tasks run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import recordkit as rk
from recordkit.interop.webdataset import read_webdataset

PROGRAM = """
import json, sys
import recordkit
from recordkit import cluster, upkeep
from recordkit.cluster.connection import connect
url, cache = sys.argv[1:]
recordkit.configure_remote(cache_dir=cache)
with connect("local"):
    reports = [module.verify(url) for module in (cluster, upkeep)]  # first, when the tasks know of no store yet
    reports += [module.stats(url) for module in (cluster, upkeep)]
    reports += [module.duplicates(url) for module in (cluster, upkeep)]
    tars = cluster.export(url, f"{url}-tar", format_name="webdataset")
print(tars.sets[0].path)
print(json.dumps([report.as_json() for report in reports]))
"""


def check_export(object_store, folder):
    """Compare the tar files in the store with a dataset in a folder."""
    names = [key.removeprefix("sets/a-tar/") for key in object_store.list_keys() if key.startswith("sets/a-tar/")]
    assert sorted(names) == ["_info.json", *(f"train-{number:06d}.tar" for number in range(3))]
    (folder / "tar").mkdir()
    for name in names:
        (folder / "tar" / name).write_bytes(object_store.get(f"sets/a-tar/{name}"))
    source = read_webdataset(folder / "tar")
    entries = source.entries(range(12))
    with rk.RecordDataset(folder / "a") as dataset:
        assert [entry.key for entry in entries] == dataset.keys.tolist()
        assert [*map(bytes, source.contents(entries))] == [bytes(sample.payload) for sample in dataset]


def test_reports_and_exports_of_shards_in_a_store_are_those_of_one_machine(
    object_store, ray_installed, tiny_folder, tmp_path
):
    (tiny_folder / "dog" / "0.jpg").write_bytes((tiny_folder / "cat" / "0.jpg").read_bytes())
    rk.pack(tiny_folder, tmp_path / "a", plan=rk.PackPlan(shards=3))
    for path in tmp_path.glob("a*.*"):
        object_store.put(f"sets/{path.name}", path.read_bytes())
    program = [sys.executable, "-c", PROGRAM, f"{object_store.url}/sets/a", str(tmp_path / "cache")]
    environment = os.environ | {"PYTHONPATH": str(Path(rk.__file__).parents[1])}
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    verified, expected, stats, expected_stats, duplicates, expected_duplicates = json.loads(
        done.stdout.splitlines()[-1]
    )
    assert stats == expected_stats and stats["n_images"] == 12
    assert done.stdout.splitlines()[-2] == f"{object_store.url}/sets/a-tar"
    check_export(object_store, tmp_path)
    assert verified == expected and verified["ok"]
    assert duplicates == expected_duplicates and duplicates["n_duplicates"] == 2
