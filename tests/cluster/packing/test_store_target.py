"""Shards are published in a real object store, once, and a restart packs what is left."""

import json

import pytest
from click.testing import CliRunner
from cluster.packing.conftest import digests

import recordkit
from recordkit import PackPlan
from recordkit.cluster import pack
from recordkit.cluster.packing.store_target import StoreTarget
from recordkit.errors import PublishError


def written(target, folder, **contents):
    with target.scratch(folder) as own:
        paths = [own / f"a_0.{suffix}" for suffix in contents]
        for path, content in zip(paths, contents.values(), strict=True):
            path.write_bytes(content)
        target.publish(paths)


def test_files_are_created_once(object_store, tmp_path):
    target = StoreTarget(f"{object_store.url}/sets/a")
    with target.hold():
        assert target.names() == set() and target.read("a_0.rec") is target.size("a_0.rec") is None
        for _ in range(2):
            written(target, tmp_path, rec=b"records", json=b"{}")
        assert target.names() == {"a_0.rec", "a_0.json"}
        assert (target.read("a_0.rec"), target.size("a_0.rec")) == (b"records", 7)
        with pytest.raises(PublishError, match=r"s3://.*/sets/a_0\.rec: expected no object, or one of"):
            written(target, tmp_path, rec=b"others!", json=b"{}")
        assert target.create("a.plan.json", b"1") and not target.create("a.plan.json", b"2")
        target.remove("a.plan.json")
        assert target.read("a.plan.json") is None
    assert list(tmp_path.glob("recordkit-*")) == []


def test_a_web_server_takes_no_files():
    with pytest.raises(PublishError, match="expected a store that takes files, got a web server"):
        StoreTarget("https://example.org/a")
    with pytest.raises(PublishError, match="expected a name in the bucket, got the bucket alone; add a name, as in s3"):
        StoreTarget("s3://bucket")


def test_a_pack_into_a_store_has_the_bytes_of_one_in_a_folder(object_store, ray, listed, folders):
    from recordkit.cli.commands.cluster import command

    url, target = f"{object_store.url}/sets/a", StoreTarget(f"{object_store.url}/sets/a")
    words = [str(listed.path), url, "--root", listed.root, "--shards", "3", "--shuffle", "--json", "--on-error", "skip"]

    def run():
        result = CliRunner().invoke(command, ["pack", *words], catch_exceptions=False)
        return json.loads(result.stdout)

    first = run()
    recordkit.pack(listed, folders[0], plan=PackPlan(shards=3, shuffle=True, on_error="skip"))
    for name in ("a.manifest.json", "a_1.json", "a_1.rec"):
        target.remove(name)
    target.create(".a_1.json.publishing", b"of an image that has changed since")
    again = run()
    expected = digests(folders[0])
    assert set(object_store.list_keys()) == {f"sets/{name}" for name in (*expected, "a.plan.json")}
    assert all(object_store.get(f"sets/{name}") == folders[0].with_name(name).read_bytes() for name in expected)
    assert (first["n_reused"], first["manifests"], again["n_reused"]) == (0, [f"{url}.manifest.json"], 2)


def test_a_failed_start_leaves_nothing_in_the_store(object_store, ray, listed):
    with pytest.raises(PublishError, match="No such file"):
        pack(listed, f"{object_store.url}/sets/a", plan=PackPlan(shards=2), scratch="/nonexistent/scratch")
    assert object_store.list_keys() == []


def test_a_new_file_needs_one_list_of_the_folder_and_not_one_for_each(faulty_store, tmp_path):
    target = StoreTarget(f"{faulty_store.url}/sets/a")
    assert target.names() == set()
    faulty_store.proxy.requests.clear()
    written(target, tmp_path, rec=b"records", idx=b"0\t0\n", json=b"{}")
    assert target.size("a_1.rec") is None
    assert not [request for request in faulty_store.proxy.requests if "list-type" in request.path]
