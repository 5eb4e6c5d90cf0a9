"""Tasks of a cluster fetch images and records from a real object store, with credentials of their machine."""

from pathlib import Path

import pytest
from sources.roots.copies import files

import recordkit
import recordkit.cluster
from recordkit import PackPlan
from recordkit.cluster.packing.inputs import open_input
from recordkit.errors import NotFoundError, PlanError
from recordkit.sources.records import RecordSource

pytestmark = pytest.mark.usefixtures("ray")


def run(source, root, prefix, *, shuffle=True):
    """Pack on the cluster, and return the number of packed images."""
    source = recordkit.open_source(source, root=root) if root else source
    report = recordkit.cluster.pack(source, prefix, plan=PackPlan(shards=3, shuffle=shuffle, on_error="skip"))
    return report.n_packed


@pytest.fixture
def stored(object_store, listed):
    """The images of the list, in one folder of a store, and in a tree of three classes."""
    for path in sorted(Path(listed.root).iterdir()):
        object_store.put(f"images/{path.name}", path.read_bytes())
        object_store.put(f"tree/{int(path.stem) % 3}/{path.name}", path.read_bytes())
    return object_store


def test_images_and_records_in_a_store_give_the_bytes_of_one_machine(stored, listed, tmp_path, capfd):
    url, here = stored.url, tmp_path / "here"
    for folder in ("here", "listed", "one"):
        (tmp_path / folder).mkdir()
    assert run(listed.path, f"{url}/images", tmp_path / "listed" / "a") == 18
    assert run(f"{url}/tree", None, f"{url}/sets/tree") == 18
    assert run(f"{url}/sets/tree.manifest.json", None, f"{url}/new/again") == 18
    assert run(f"{url}/sets/tree_1", None, tmp_path / "one" / "b", shuffle=False) == 7
    output = "".join(capfd.readouterr())
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
