"""Every advice of `recordkit.cluster` is followed, as in tests/advice/, which looks up the texts of this file too."""

import contextlib
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from advice.test_installation import installs
from advice.walk import advice, commands, text_of
from click.testing import CliRunner
from cluster.packing.test_pack import late_removal

import recordkit as rk
import recordkit.cluster
from recordkit import PackPlan
from recordkit.cluster.connection import connect
from recordkit.cluster.fingerprint import check_fingerprint, take_fingerprint
from recordkit.cluster.machines import Machines
from recordkit.cluster.packing.inputs import open_input
from recordkit.cluster.packing.part import PartSource
from recordkit.cluster.packing.target import FolderTarget
from recordkit.cluster.tasks import TaskCall, Tasks
from recordkit.packing.steps import plan_pack

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")

PLAN = PackPlan(shards=2)


@pytest.fixture
def pack(ray, tiny_folder, tmp_path):
    """Return a function that packs photos to out/NAME, by default two shards of out/a."""
    (tmp_path / "out").mkdir()

    def run(name="a", plan=PLAN, **options):
        return rk.cluster.pack(options.pop("source", tiny_folder), tmp_path / "out" / name, plan=plan, **options)

    return run


def removed(folder, pattern):
    for path in folder.glob(pattern):
        path.unlink()


def test_the_command_needs_shards(pack, tiny_folder, tmp_path):
    from recordkit.cli.commands.cluster import command

    words = ["pack", str(tiny_folder), str(tmp_path / "out" / "a")]
    error = CliRunner().invoke(command, words, standalone_mode=False).exception
    advice(
        "cli/commands/cluster.py",
        "--shards is missing: the number of tasks, each of which packs one file of about 1 GB",
        str(error),
    )
    assert CliRunner().invoke(command, [*words, "--shards", "2"], standalone_mode=False).exception is None


def test_ray_is_missing(monkeypatch, ray_installed):
    monkeypatch.setitem(sys.modules, "ray", None)
    error = text_of(lambda: rk.cluster.library.import_ray())
    advice("cluster/library.py", "pip install 'recordkit[cluster]'", error)
    assert installs(error, "ray")
    monkeypatch.delitem(rk.cluster.__dict__, "Decode", raising=False)
    monkeypatch.delitem(sys.modules, "recordkit.cluster.decode", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    advice("cluster/__init__.py", "pip install 'recordkit[cluster]'", text_of(lambda: rk.cluster.Decode))


def test_a_key_twice(ray, tmp_path, tiny_folder):
    images = [path.read_bytes() for path in sorted(tiny_folder.rglob("*.jpg"))[:2]]
    dataset = ray.data.from_arrow(pa.table({"image": images, "label": [0, 1], "key": [5, 5]}))
    error = text_of(lambda: rk.cluster.write(dataset, tmp_path / "a"))
    advice("cluster/block_source.py", "drop the column, and the keys are the numbers of the rows", error)
    assert rk.cluster.write(dataset.drop_columns(["key"]), tmp_path / "a").ok


def test_no_cluster_at_an_address(ray, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ray, "is_initialized", lambda: False)
        error = text_of(lambda: connect("127.0.0.1:1").__enter__())
    advice("cluster/connection.py", "start one with 'ray start --head', or correct `address`", error)
    address = ray.get_runtime_context().gcs_address
    code = "import sys; from recordkit.cluster.connection import connect; connect(sys.argv[1]).__enter__()"
    subprocess.run([sys.executable, "-c", code, address], check=True, cwd=Path(rk.__file__).parents[1])


def test_decode(tiny_folder):
    images = [path.read_bytes() for path in sorted(tiny_folder.rglob("*.jpg"))[:2]]
    error = text_of(rk.cluster.Decode)
    advice("cluster/decode.py", "end the transforms with a crop, or give `size`", error)
    rk.cluster.Decode(size=(8, 8))
    decode = rk.cluster.Decode([rk.CenterCrop(8)])
    table = pa.table({"image": images, "number": [0, 1]})
    advice("cluster/decode.py", "give `batch_format=pyarrow` to map_batches", lambda: decode(images))
    error = text_of(lambda: decode(table))
    advice(
        "cluster/decode.py",
        "rename one with rename_columns, or add keys, on which random draws depend, with map_batches",
        error,
    )
    assert decode(table.rename_columns(["image", "key"]))["data"].shape == (2, 8, 8, 3)


def test_another_recordkit():
    other = take_fingerprint("auto") | {"pillow": "0"}
    error = text_of(lambda: check_fingerprint(other))
    advice("cluster/fingerprint.py", "install the same recordkit, Pillow and libjpeg on all machines", error)
    check_fingerprint(take_fingerprint("auto"))


def test_machines_that_cannot_run_a_task(ray, pack):
    error = text_of(lambda: pack(plan=PackPlan(shards=2, threads=3)))
    advice("cluster/machines.py", "give fewer `threads`, each of which takes a CPU", error)
    assert pack(plan=PackPlan(shards=2, threads=2)).ok

    @ray.remote
    def task(name):
        importlib.import_module(name)

    error = text_of(lambda: list(Tasks(ray, 1).run([TaskCall(0, lambda: task.remote("no_such_module"))])))
    advice("cluster/tasks.py", "install the same recordkit on all machines", error)
    assert list(Tasks(ray, 1).run([TaskCall(0, lambda: task.remote("recordkit"))])) == [(0, None)]


def test_no_machine_for_long(ray):
    clock = SimpleNamespace(now_s=0)
    empty = SimpleNamespace(nodes=lambda: [{"Alive": True, "Resources": {}}])
    machines = Machines(empty, 1, clock=lambda: clock.now_s)
    clock.now_s = 600
    advice(
        "cluster/machines.py",
        "run 'ray start --address HOST:PORT' on a machine that has one, and then the same again; what is published "
        "stays",
        machines.check,
    )
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--help"]
    assert "--address" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    empty.nodes, clock.now_s = ray.nodes, 1200
    machines.check()


def test_a_token_that_is_refused(ray, monkeypatch):
    def refuse(*_arguments, **_options):
        raise ray.exceptions.RayError("Authentication token is missing or incorrect")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    advice(
        "cluster/connection.py",
        "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or the file ~/.ray/auth_token to what 'ray get-auth-token' prints "
        "on the machine that runs 'ray start --head'",
        lambda: connect("auto").__enter__(),
    )
    token = "0123456789abcdef" * 4
    show = [sys.executable, "-m", "ray.scripts.scripts", "get-auth-token"]
    environment = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    assert token in subprocess.run(show, capture_output=True, text=True, check=True, env=environment).stdout


def test_arguments_of_lists_for_records(tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "a")
    error = text_of(lambda: open_input(tmp_path / "a.rec", root=tmp_path))
    advice("cluster/packing/inputs.py", "leave it out", error)
    assert len(open_input(tmp_path / "a.rec")) == 12


def test_files_of_another_dataset(pack, tiny_folder, tmp_path):
    out = tmp_path / "out"
    rk.pack(tiny_folder, out / "a", plan=PLAN)
    error = text_of(pack)
    advice("storage/refusals.py", "choose another name, or replace it with `overwrite=True`", error)
    assert pack("b").ok
    assert pack(overwrite=True).ok


def test_another_manifest(pack, tmp_path):
    pack()
    manifest = tmp_path / "out" / "a.manifest.json"
    manifest.write_text("{}")
    error = text_of(pack)
    advice("cluster/packing/dataset_files.py", "remove it and pack again, which keeps the shards", error)
    manifest.unlink()
    assert pack().n_reused == 2


def test_a_file_that_goes_before_the_manifest(pack, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        late_removal(patch, tmp_path / "out" / "a_1.rec")
        error = text_of(pack)
    advice("cluster/packing/dataset_files.py", "pack again, which packs what is missing", error)
    assert pack().n_reused == 1


def test_a_shard_of_another_pack_and_a_damaged_one(pack, tmp_path):
    out = tmp_path / "out"
    pack()
    description = json.loads((out / "a_0.json").read_text())
    (out / "a_0.json").write_text(json.dumps(description | {"set": "b"}))
    advice("cluster/packing/pack.py", "remove the files of that shard and pack again", text_of(pack))
    removed(out, "a_0.*")
    assert pack().n_reused == 1
    (out / "a_0.idx").write_text("x")
    advice("cluster/packing/task.py", "remove the files of that shard and pack again", text_of(pack))
    removed(out, "a_0.*")
    assert pack().n_reused == 1


def test_a_bad_image(pack, tiny_folder):
    image = tiny_folder / "cat" / "0.jpg"
    content = image.read_bytes()
    image.write_bytes(b"none")
    plan = PackPlan(shards=2, on_error="raise")
    advice(
        "cluster/packing/pack.py",
        "there is no manifest yet, because `on_error` is 'raise'; correct or remove the image and pack again, which "
        "packs only what is left",
        lambda: pack(plan=plan),
    )
    image.write_bytes(content)
    report = pack(plan=plan)
    assert report.ok and report.n_packed == 12


def test_a_source_of_this_process(tiny_folder, tmp_path):
    source = rk.open_source(tiny_folder)
    names = ("order", "classes", "bad", "notes", "pixels", "entries", "labels", "contents", "first_contents")
    odd = type("Odd", (), {name: getattr(source, name) for name in names} | {"__len__": lambda _self: len(source)})()
    (planned, *_), _ = plan_pack({"": odd}, tmp_path / "a", PackPlan())
    advice("cluster/packing/part.py", "pack it with recordkit.pack", lambda: PartSource(planned))
    assert rk.pack(odd, tmp_path / "a").ok


def test_another_plan(pack, tmp_path):
    out = tmp_path / "out"
    pack()
    another = {"plan": PackPlan(shards=3)}
    error = text_of(lambda: pack(**another))
    advice(
        "cluster/packing/plan_file.py",
        "repeat that pack as it was, choose another prefix, or remove that file and the shards beside it",
        error,
    )
    assert pack().n_reused == 2 and pack("b", **another).ok
    removed(out, "a*")
    assert pack(**another).ok
    (out / "a.plan.json").write_text("none")
    advice("cluster/packing/plan_file.py", "choose another prefix", lambda: pack(**another))
    assert pack("c", **another).ok


def test_files_that_others_remove_or_change(tmp_path, monkeypatch):
    target = FolderTarget(tmp_path / "a")

    def publish(content):
        with target.scratch(None) as folder:
            (folder / "a_0.rec").write_bytes(content)
            target.publish([folder / "a_0.rec"])

    with target.hold():
        with monkeypatch.context() as patch:
            patch.setattr(FolderTarget, "names", lambda _self: set())
            advice("cluster/packing/target.py", "run the same again", lambda: publish(b"1"))
        publish(b"1")
        advice(
            "cluster/packing/target.py",
            "the images may have changed meanwhile; remove the files of this shard and run the same again",
            lambda: publish(b"2"),
        )
        removed(tmp_path, "a_0.*")
        publish(b"2")


def test_reading(ray, tmp_path, photos_of_two_widths):
    path = photos_of_two_widths
    error = text_of(lambda: rk.cluster.read(path, classes=True))
    advice("cluster/reading.py", "leave out `classes`, or name them with 'recordkit relabel'", error)
    error = text_of(lambda: rk.cluster.read(path).take_all())
    advice("cluster/record_table.py", "read with `label_lists=True`", error)
    assert len(rk.cluster.read(path, label_lists=True).take_all()) == 2


@pytest.fixture
def photos_of_two_widths(tiny_folder, tmp_path):
    """A record file of two images, of which the second has two labels."""
    shutil.copy(tiny_folder / "cat" / "0.jpg", tmp_path)
    (tmp_path / "b.lst").write_text("0\t1\t0.jpg\n1\t1\t2\t0.jpg\n")
    with contextlib.suppress(UserWarning):
        rk.pack(rk.open_source(tmp_path / "b.lst", root=tmp_path), tmp_path / "b")
    return tmp_path / "b.rec"


def test_verifying_one_set(tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "a")
    error = text_of(lambda: rk.cluster.verify(tmp_path / "a"))
    advice("cluster/upkeep/verify.py", "run 'recordkit verify {}'", error)
    (words,) = commands(error)
    assert rk.upkeep.verify(words[1]).ok


def test_another_list_of_exported_files(ray, tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "a")

    def write_list(_number):
        (tmp_path / "out" / "_info.json").write_text("{}")

    error = text_of(lambda: rk.cluster.export(tmp_path / "a", tmp_path / "out", progress=write_list))
    advice("storage/refusals.py", "move it away or choose another name", error)
    assert rk.cluster.export(tmp_path / "a", tmp_path / "out2").sets
