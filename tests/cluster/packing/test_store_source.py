"""Tasks of a cluster fetch images and records from a real object store, with credentials of their machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sources.roots.copies import files

import recordkit
from recordkit import PackPlan
from recordkit.cluster.packing.inputs import open_input
from recordkit.errors import NotFoundError, PlanError
from recordkit.sources.records import RecordSource

pytestmark = pytest.mark.usefixtures("ray_installed")

# One Ray for several packs; it has the environment of the test, as machines of a cluster have their own.
SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
import ray
ray.init(address="local", num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
import recordkit, recordkit.cluster
from recordkit import PackPlan
for source, root, prefix, shuffle in json.loads(sys.argv[1]):
    source = recordkit.open_source(source, root=root) if root else source
    plan = PackPlan(shards=3, shuffle=shuffle, on_error="skip")
    print(json.dumps(recordkit.cluster.pack(source, prefix, plan=plan).as_json()))
"""


def run(*packs):
    environment = os.environ | {"PYTHONPATH": str(Path(recordkit.__file__).parents[1])}
    command = [sys.executable, "-c", SCRIPT, json.dumps(packs)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stdout + done.stderr


@pytest.fixture
def stored(object_store, listed):
    """The images of the list, in one folder of a store, and in a tree of three classes."""
    for path in sorted(Path(listed.root).iterdir()):
        object_store.put(f"images/{path.name}", path.read_bytes())
        object_store.put(f"tree/{int(path.stem) % 3}/{path.name}", path.read_bytes())
    return object_store


def test_images_and_records_in_a_store_give_the_bytes_of_one_machine(stored, listed, tmp_path):
    url, here = stored.url, tmp_path / "here"
    for folder in ("here", "listed", "one"):
        (tmp_path / folder).mkdir()
    reports, output = run(
        (str(listed.path), f"{url}/images", str(tmp_path / "listed" / "a"), True),
        (f"{url}/tree", None, f"{url}/sets/tree", True),
        (f"{url}/sets/tree.manifest.json", None, f"{url}/new/again", True),
        (f"{url}/sets/tree_1", None, str(tmp_path / "one" / "b"), False),
    )
    packed = [sum(each["n_packed"] for each in report["sets"]) for report in reports]
    assert packed == [18, 18, 18, 7]
    secrets = [value for name, value in stored.server.environment(None).items() if "KEY" in name]
    assert secrets and not any(secret in output for secret in secrets)
    plan = PackPlan(shards=3, shuffle=True, on_error="skip")
    recordkit.pack(listed, here / "a", plan=plan)
    recordkit.pack(f"{url}/tree", here / "tree", plan=plan)
    recordkit.pack(RecordSource(recordkit.RecordDataset(here / "tree")), here / "again", plan=plan)
    part = RecordSource(recordkit.RecordDataset(here / "tree_1.rec"))
    recordkit.pack(part, here / "b", plan=PackPlan(shards=3, shuffle=False, on_error="skip"))
    local = {name: content for name, content in files(here).items() if not name.startswith(("tree", "again"))}
    made = files(tmp_path / "listed") | files(tmp_path / "one")
    assert {name: content for name, content in made.items() if ".plan." not in name} == local
    for folder, name in (("sets", "tree"), ("new", "again")):
        keys = [key for key in stored.list_keys() if key.startswith(f"{folder}/") and ".plan." not in key]
        expected = {key: content for key, content in files(here).items() if key.startswith(name)}
        assert {key.partition("/")[2]: stored.get(key) for key in keys} == expected


def test_a_url_is_told_apart_by_what_is_there(stored, tmp_path):
    url = stored.url
    recordkit.pack(f"{url}/tree", f"{url}/sets/tree", plan=PackPlan(shards=2, on_error="skip"))
    for end in ("sets/tree", "sets/tree_0", "sets/tree.manifest.json", "sets/tree_0.rec"):
        assert isinstance(open_input(f"{url}/{end}"), RecordSource)
    assert len(open_input(f"{url}/tree", class_from="first")) == 19
    with pytest.raises(PlanError, match=r"tree: class_from: applies to images and lists, .*; leave it out"):
        open_input(f"{url}/sets/tree", class_from="first")
    with pytest.raises(NotFoundError, match="expected objects in this folder, got none"):
        open_input(f"{url}/nothing")
