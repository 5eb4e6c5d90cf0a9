"""Exports on a cluster have the samples of those on one machine, and go on after they were stopped."""

import json

import images
import numpy as np
import pytest
from advice.walk import advice, text_of
from click.testing import CliRunner
from interop.records import write_records

import recordkit as rk
from recordkit import RecordDataset
from recordkit.cluster import export
from recordkit.cluster.upkeep import export as export_module
from recordkit.cluster.upkeep.export import PLAN, _cuts
from recordkit.errors import PlanError, PublishError, SourceError
from recordkit.interop.conversions import FORMATS

pytest.importorskip("pyarrow", reason="pyarrow is not installed")

EACH_FORMAT = pytest.mark.parametrize("format_name", ["webdataset", "parquet"])


@pytest.fixture
def shards(tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "a", plan=rk.PackPlan(shards=3))
    return tmp_path / "a.manifest.json"


def samples(folder, format_name):
    source = FORMATS[format_name].read(folder)
    entries = source.entries(range(len(source)))
    contents = map(bytes, source.contents(entries))
    return source.classes, [(each.key, each.labels, image) for each, image in zip(entries, contents, strict=True)]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@EACH_FORMAT
def test_one_file_becomes_the_bytes_of_one_machine(ray, tiny_folder, tmp_path, format_name):
    rk.pack(tiny_folder, tmp_path / "a")
    report = export(tmp_path / "a", tmp_path / "many", format_name=format_name)
    with RecordDataset(tmp_path / "a") as dataset:
        expected = FORMATS[format_name].write(dataset, tmp_path / "one")
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    assert report.sets[0].as_json() == {**expected.sets[0].as_json(), "path": str(tmp_path / "many")}


@pytest.mark.parametrize(
    ("format_name", "shard_bytes", "n_files"),
    [("webdataset", 1, 12), ("webdataset", 6500, 6), ("parquet", 1, 12), ("parquet", 2800, 6)],
)
def test_small_files_have_the_samples_of_one_machine_in_its_order(
    ray, shards, tmp_path, format_name, shard_bytes, n_files
):
    steps = []
    report = export(
        shards, tmp_path / "many", format_name=format_name, shard_bytes=shard_bytes, threads=2, progress=steps.append
    )
    with RecordDataset(shards) as dataset:
        FORMATS[format_name].write(dataset, tmp_path / "one")
    assert samples(tmp_path / "many", format_name) == samples(tmp_path / "one", format_name)
    assert len(report.sets[0].files) == len(steps) == n_files and sum(steps) == 12
    if shard_bytes > 1 and format_name == "webdataset":
        assert max(path.stat().st_size for path in (tmp_path / "many").glob("*.tar")) <= shard_bytes


@EACH_FORMAT
@pytest.mark.parametrize("labels", [[0.5, 2.0, -1e30, 7.0], [(1.0, 2.0), 3.0, (0.1, 1e10), 5.0]])
def test_labels_of_all_files_decide_the_form_of_each(ray, tmp_path, format_name, labels):
    rows = [(key, label, images.every_format()["jpg"]) for key, label in enumerate(labels)]
    for name, part in (("a", rows[:2]), ("b", rows[2:])):
        write_records(tmp_path / name, part).close()
    files = [tmp_path / "a.rec", tmp_path / "b.rec"]
    export(files, tmp_path / "many", format_name=format_name)
    with RecordDataset(files) as dataset:
        FORMATS[format_name].write(dataset, tmp_path / "one")
    assert samples(tmp_path / "many", format_name) == samples(tmp_path / "one", format_name)


def test_keys_that_a_file_has_twice_become_indices(ray, tmp_path):
    write_records(tmp_path / "a", [(key % 5, 1.0, images.every_format()["png"]) for key in range(6)]).close()
    notes = []
    export(tmp_path / "a.rec", tmp_path / "many", shard_bytes=1, on_note=notes.append)
    assert [key for key, *_ in samples(tmp_path / "many", "webdataset")[1]] == [*range(6)]
    assert "several records have the key 0" in notes[0]


@EACH_FORMAT
def test_an_export_that_was_stopped_goes_on(ray, shards, tmp_path, format_name, monkeypatch):
    done = export(shards, tmp_path / "one", format_name=format_name, shard_bytes=2800)

    def stop(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(export_module, "_end", stop)
        with pytest.raises(KeyboardInterrupt):
            export(shards, tmp_path / "many", format_name=format_name, shard_bytes=2800)
    assert PLAN in contents(tmp_path / "many") and "_info.json" not in contents(tmp_path / "many")
    (tmp_path / "many" / done.sets[0].files[1]).unlink()
    error = text_of(lambda: export(shards, tmp_path / "many", format_name=format_name, shard_bytes=2900))
    advice("cluster/upkeep/export.py", "repeat that export as it was, or choose another folder", error)
    assert "another export began here: its shard_bytes is 2800, not 2900" in error
    report = export(shards, tmp_path / "many", format_name=format_name, shard_bytes=2800)
    assert report.n_reused == len(done.sets[0].files) - 1 and report.sets[0].n_bytes is None
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


def test_a_folder_with_files_is_refused_and_stays(ray, shards, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "note.txt").write_text("mine")
    error = text_of(lambda: export(shards, tmp_path / "b"))
    advice("storage/refusals.py", "move it away or choose another name", error)
    with pytest.raises(PublishError, match="expected no file, or an empty folder, got a folder with note.txt"):
        export(shards, tmp_path / "b")
    assert contents(tmp_path / "b") == {"note.txt": b"mine"}
    (tmp_path / "b" / "note.txt").unlink()
    for name in ("b", "c"):
        assert export(shards, tmp_path / name).n_images == 12


def test_an_index_of_others_is_not_replaced(ray, shards, tmp_path, monkeypatch):
    info = tmp_path / "b" / "_info.json"

    def publish(*arguments):
        info.write_text("others")
        return end(*arguments)

    end = export_module._end
    with monkeypatch.context() as patch:
        patch.setattr(export_module, "_end", publish)
        error = text_of(lambda: export(shards, tmp_path / "b"))
    advice("storage/refusals.py", "move it away or choose another name", error)
    assert "_info.json: expected no file, got one of that name" in error and info.read_text() == "others"
    info.unlink()
    assert export(shards, tmp_path / "b").n_reused == 3 and PLAN not in contents(tmp_path / "b")


def test_formats_that_tasks_cannot_write_are_refused(ray_installed, shards, tmp_path):
    with pytest.raises(PlanError, match="format_name: expected webdataset or parquet, got folder"):
        export(shards, tmp_path / "b", format_name="folder")
    with pytest.raises(PlanError, match="expected a folder, .*, got the name of a file"):
        export(shards, tmp_path / "b.parquet", format_name="parquet")


def test_what_cannot_be_exported_leaves_no_folder(ray, tmp_path):
    rec = images.write(tmp_path / "a.rec", [images.every_format()["png"]] * 2, [1.0, float("nan")])
    with pytest.raises(SourceError, match="a.rec: sample 1: .*expected a finite label"):
        export(rec, tmp_path / "b")
    assert not (tmp_path / "b").exists()


@EACH_FORMAT
def test_a_record_without_an_image_is_the_error_of_one_machine_and_leaves_no_index(ray, tmp_path, format_name):
    good, other = images.every_format()["png"], b"no image"
    write_records(tmp_path / "a", [(0, 1.0, good), (1, 1.0, good)]).close()
    write_records(tmp_path / "b", [(2, 1.0, good), (3, 1.0, other)]).close()
    files = [tmp_path / "a.rec", tmp_path / "b.rec"]
    with pytest.raises(SourceError, match="b.rec: sample 3") as caught:
        export(files, tmp_path / "many", format_name=format_name)
    with RecordDataset(files) as dataset, pytest.raises(SourceError) as expected:
        FORMATS[format_name].write(dataset, tmp_path / "one")
    assert str(caught.value) == str(expected.value)
    assert contents(tmp_path / "many").keys() <= {PLAN, "train-000000.tar", "train-00000-of-00002.parquet"}


def test_cuts_keep_to_the_size_and_make_progress():
    ends = np.cumsum([3, 3, 9, 1, 1, 1])
    assert list(_cuts(ends, 6)) == [(0, 2), (2, 3), (3, 6)]
    assert list(_cuts(ends, -5)) == [(n, n + 1) for n in range(6)]


def test_the_command(ray, shards, tmp_path):
    from recordkit.cli.commands.cluster import command

    words = ["export", str(shards), str(tmp_path / "b"), "--to", "webdataset"]
    done = CliRunner().invoke(command, words, standalone_mode=False)
    assert done.exception is None and "12 images" in done.stdout and "train: 3 .tar" in done.stdout
    done = CliRunner().invoke(command, [*words[:2], str(tmp_path / "c"), *words[3:], "--json"], standalone_mode=False)
    assert json.loads(done.stdout)["n_images"] == 12 and json.loads(done.stdout)["n_reused"] == 0
