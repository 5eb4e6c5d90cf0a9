"""A pack on a cluster writes the bytes of a pack on one machine, refuses what it must, and goes on where it ended."""

import json
import os
import shutil
import subprocess
import warnings

import numpy as np
import pytest
from cluster.packing.conftest import N, digests

import recordkit
from recordkit import PackPlan, RecordDataset
from recordkit.cluster import pack
from recordkit.cluster.packing.dataset_files import create_manifests
from recordkit.codec import encode
from recordkit.errors import ClusterError, FormatError, PackError, PlanError, PublishError
from recordkit.sources.records import RecordSource

pytestmark = pytest.mark.usefixtures("ray")


def compare(source, folders, plan, *, again=None):
    """Pack a source on this machine and on the cluster, and return both reports; the files are equal."""
    one, many = folders
    expected = recordkit.pack(source if again is None else again, one, plan=plan)
    report = pack(source, many, plan=plan)
    assert digests(one) == digests(many)
    assert [
        (each.n_listed, each.n_packed, each.n_failed, each.n_missing, each.input_bytes, each.notes)
        for each in report.sets
    ] == [
        (each.n_listed, each.n_packed, each.n_failed, each.n_missing, each.input_bytes, each.notes)
        for each in expected.sets
    ]
    assert [each.failures for each in report.sets] == [each.failures for each in expected.sets]
    assert (report.ok, report.warnings, report.n_reused) == (expected.ok, expected.warnings, 0)
    return expected, report


def test_a_shuffled_list_with_bad_images_gives_the_same_files_and_report(listed, folders):
    plan = PackPlan(shards=3, shuffle=True, resize=8, encoding="png")
    expected, report = compare(listed, folders, plan)
    assert (report.n_packed, report.n_failed, report.ok) == (N - 2, 2, False)
    assert report.manifests == (folders[1].with_name("a.manifest.json"),)
    assert len(RecordDataset(folders[1])) == expected.n_packed
    assert sorted(path.name for path in folders[1].parent.glob(".*")) == []


def test_splits_and_a_folder_of_classes_give_the_same_files(tiny_folder, folders):
    plan = PackPlan(shards=2, val_ratio=0.25, seed=7)
    _, report = compare(tiny_folder, folders, plan)
    assert [path.name for path in report.manifests] == ["a_val.manifest.json", "a_train.manifest.json"]


def test_ubyte_files_are_sent_to_the_tasks(tiny_mnist, folders):
    compare(tiny_mnist, folders, PackPlan(shards=3, shuffle=True, exact_labels=True))


def test_a_list_of_columns_and_a_row_without_an_image(tmp_path, folders, listed):
    lines = ["id,kind", *(f"{key},{'cat' if key % 2 else 'dog'}" for key in range(N))]
    (tmp_path / "photos.csv").write_text("\n".join(lines) + "\n")
    source = recordkit.open_source(tmp_path / "photos.csv", root=listed.root, columns="path,class")
    compare(source, folders, PackPlan(shards=4, on_error="skip"))


def test_records_are_packed_anew_into_other_shards(listed, folders, tmp_path):
    recordkit.pack(listed, tmp_path / "old", plan=PackPlan(shards=3, on_error="skip"))
    with RecordDataset(tmp_path / "old") as dataset:
        source = RecordSource(dataset)
        compare(tmp_path / "old.manifest.json", folders, PackPlan(shards=4), again=source)
    for prefix in folders:
        shutil.rmtree(prefix.parent)
        prefix.parent.mkdir()
    with RecordDataset(tmp_path / "old") as dataset:
        compare(RecordSource(dataset), folders, PackPlan(shards=2, shuffle=True, encoding="raw"))


def test_progress_counts_each_sample_once(listed, folders):
    steps = []
    pack(listed, folders[1], plan=PackPlan(shards=3), progress=steps.append)
    assert sum(steps) == N and all(step > 0 for step in steps)


def test_a_finished_pack_is_not_repeated(listed, folders):
    plan = PackPlan(shards=3)
    first = pack(listed, folders[1], plan=plan)
    before = {path.name: path.stat().st_ino for path in folders[1].parent.iterdir()}
    again = pack(listed, folders[1], plan=plan)
    assert {path.name: path.stat().st_ino for path in folders[1].parent.iterdir()} == before
    assert (again.n_reused, again.n_packed, again.n_failed, again.ok) == (3, first.n_packed, 2, False)
    assert [each.failures for each in again.sets] == [each.failures for each in first.sets]


def test_a_restart_packs_only_what_is_left(listed, folders):
    plan = PackPlan(shards=4, on_error="skip")
    pack(listed, folders[1], plan=plan)
    expected = digests(folders[1])
    kept = folders[1].with_name("a_1.rec").stat().st_ino
    for name in ("a.manifest.json", "a_0.json", "a_2.idx", "a_3.rec", "a_3.json"):
        folders[1].with_name(name).unlink()
    folders[1].with_name("a_0.rec").write_bytes(b"of an image that has changed since")
    report = pack(listed, folders[1], plan=plan)
    assert digests(folders[1]) == expected
    assert report.n_reused == 1 and folders[1].with_name("a_1.rec").stat().st_ino == kept


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"plan": PackPlan(shards=3, resize=9, encoding="png")}, "its resize is 8, not 9"),
        ({"plan": PackPlan(shards=4, resize=8, encoding="png")}, "its shards is 3, not 4"),
        ({"memory": "1G"}, "its memory is 2147483648, not 1073741824"),
        ({"engine": "python"}, "with another recordkit: its engine is python, not native"),
    ],
)
def test_another_plan_at_the_same_prefix_is_refused(listed, folders, change, text):
    if "engine" in change and not recordkit.native.available():
        pytest.skip("there is one engine only")
    first = {"plan": PackPlan(shards=3, resize=8, encoding="png")}
    pack(listed, folders[1], **first)
    before = digests(folders[1])
    with pytest.raises(PublishError, match=f"another pack began here: {text}; repeat that pack as it was, choose"):
        pack(listed, folders[1], **(first | change))
    assert digests(folders[1]) == before


def test_another_list_or_root_is_refused(listed, folders, tmp_path):
    pack(listed, folders[1], plan=PackPlan(shards=3))
    text = listed.path.read_text()
    listed.path.write_text(text.replace("\t1\t", "\t2\t"))
    other = recordkit.open_source(listed.path, root=listed.root)
    with pytest.raises(PublishError, match=r"its source had other samples or another root \(sha256 is"):
        pack(other, folders[1], plan=PackPlan(shards=3))
    listed.path.write_text(text)
    shutil.copytree(listed.root, tmp_path / "copies")
    with pytest.raises(PublishError, match=r"another root \(root is '.*images', not '.*copies'\)"):
        pack(recordkit.open_source(listed.path, root=tmp_path / "copies"), folders[1], plan=PackPlan(shards=3))


def test_the_plan_says_what_is_packed(listed, folders):
    pack(listed, folders[1], plan=PackPlan(shards=3, threads=1))
    plan = json.loads(folders[1].with_name("a.plan.json").read_text())
    assert plan["shards"][1] == {"name": "a_1", "source": "", "begin": 7, "end": 14}
    assert plan["sources"][""]["samples"] == N and "threads" not in plan["plan"]


def test_a_dataset_of_another_pack_is_refused_and_stays(listed, folders):
    recordkit.pack(listed, folders[1], plan=PackPlan(shards=2))
    before = digests(folders[1])
    with pytest.raises(PublishError, match=r"a\.manifest\.json: expected no file, got a file of another dataset"):
        pack(listed, folders[1], plan=PackPlan(shards=3))
    assert digests(folders[1]) == before


def test_another_dataset_is_replaced_on_request_and_a_begun_pack_goes_on(listed, folders):
    one, many = folders
    recordkit.pack(listed, many, plan=PackPlan(shards=4))
    recordkit.pack(listed, one, plan=PackPlan(shards=3))
    report = pack(listed, many, plan=PackPlan(shards=3), overwrite=True)
    assert "removed another dataset: a.manifest.json, a_0.json" in report.warnings[-1]
    assert digests(many) == digests(one) and not many.with_name("a_3.rec").exists()
    again = pack(listed, many, plan=PackPlan(shards=3), overwrite=True)
    assert again.n_reused == 3 and not again.warnings
    pack(listed, many, plan=PackPlan(shards=2), overwrite=True)  # the plan of another pack goes too
    recordkit.pack(listed, one, plan=PackPlan(shards=2))
    assert digests(many) == digests(one)


def test_a_dataset_is_not_removed_if_the_cluster_cannot_be_reached(listed, folders, monkeypatch):
    def fail(_address):
        raise ClusterError("no answer")

    recordkit.pack(listed, folders[1], plan=PackPlan(shards=2))
    before = digests(folders[1])
    monkeypatch.setattr("recordkit.cluster.packing.pack.connect", fail)
    with pytest.raises(ClusterError, match="no answer"):
        pack(listed, folders[1], plan=PackPlan(shards=3), overwrite=True)
    assert digests(folders[1]) == before


def test_an_input_is_never_replaced(listed, folders):
    recordkit.pack(listed, folders[1], plan=PackPlan(shards=2))
    before = digests(folders[1])
    with pytest.raises(PlanError, match="a_0.rec: expected another output, got a file that is being packed"):
        pack(folders[1], folders[1], plan=PackPlan(shards=3), overwrite=True)
    assert digests(folders[1]) == before


def test_a_dry_run_says_what_would_be_written_and_removed(tiny_folder, tmp_path, cli):
    prefix = tmp_path / "new" / "a"
    words = ("cluster", "pack", tiny_folder, prefix, "--shards", 2, "--dry-run")
    code, output, _ = cli(*words)
    assert code == 0 and output.splitlines() == [
        f"{prefix}_0.rec: 6 images, with .idx, .lst, .crc, .json",
        f"{prefix}_1.rec: 6 images, with .idx, .lst, .crc, .json",
        f"{prefix}.manifest.json: the manifest of these shards",
        "12 images would be packed; a dry run writes nothing",
    ]
    assert not prefix.parent.exists()
    recordkit.pack(tiny_folder, prefix)
    before = digests(prefix)
    assert cli(*words)[0] == 1
    code, output, _ = cli(*words, "--overwrite", "--json")
    facts = json.loads(output)
    assert code == 0 and digests(prefix) == before
    assert sorted(facts["removed"]) == [f"{prefix}.{end}" for end in ("crc", "idx", "json", "lst", "rec")]
    assert (facts["replaced"], facts["n_reused"]) == ([], 0)
    assert cli(*words[:-1], "--overwrite")[0] == 0
    assert cli(*words)[1].splitlines()[-1] == "2 shards of an earlier run would be kept"


def test_nothing_is_replaced_in_a_store(tiny_folder):
    with pytest.raises(PlanError, match="overwrite: nothing is replaced in an object store"):
        pack(tiny_folder, "s3://bucket/a", plan=PackPlan(shards=2), overwrite=True)


def test_a_shard_of_another_pack_in_the_place_of_one_is_refused(listed, folders, tmp_path):
    plan = PackPlan(shards=3)
    pack(listed, folders[1], plan=plan)
    folders[1].with_name("a_0.json").write_bytes(folders[1].with_name("a_2.json").read_bytes())
    for suffix in (".rec", ".idx", ".lst", ".crc"):
        shutil.copy(folders[1].with_name(f"a_2{suffix}"), folders[1].with_name(f"a_0{suffix}"))
    with pytest.raises(PublishError, match=r"a_0\.json: expected a shard of this pack, of 7 samples, got that of"):
        pack(listed, folders[1], plan=plan)


@pytest.mark.parametrize(
    ("name", "content"), [("a_0.json", "[]"), ("a_0.json", '{"rec": {"bytes": 1}}'), ("a_0.idx", "x")]
)
def test_files_that_are_not_those_of_a_shard_are_named(listed, folders, name, content):
    plan = PackPlan(shards=3)
    pack(listed, folders[1], plan=plan)
    folders[1].with_name(name).write_text(content)
    with pytest.raises(FormatError, match=r"a_0\.json: expected the files of a shard, got"):
        pack(listed, folders[1], plan=plan)


def late_removal(patch, path):
    """Remove a file when all shards are packed, before the manifest is written."""

    def create_late(*arguments):
        path.unlink()
        return create_manifests(*arguments)

    patch.setattr("recordkit.cluster.packing.pack.create_manifests", create_late)


def test_a_file_that_is_removed_before_the_manifest_is_an_error_and_not_a_dataset(listed, folders, monkeypatch):
    plan, path = PackPlan(shards=3, on_error="skip"), folders[1].with_name("a_1.rec")
    late_removal(monkeypatch, path)
    with pytest.raises(ClusterError, match=r"a_1\.rec: expected the file that a task of this pack published, got"):
        pack(listed, folders[1], plan=plan)
    assert not folders[1].with_name("a.manifest.json").exists()


def fails_to_connect(patch, ray):
    patch.setattr(ray, "is_initialized", lambda: False)
    return {"address": "127.0.0.1:1"}, ClusterError


def has_no_scratch(_patch, _ray):
    return {"scratch": "/nonexistent/scratch"}, PublishError


def has_machines_that_are_too_small(_patch, _ray):
    return {"plan": PackPlan(shards=2, threads=3)}, PlanError


@pytest.mark.parametrize("fails", [fails_to_connect, has_no_scratch, has_machines_that_are_too_small])
def test_a_failed_start_leaves_nothing_that_refuses_the_next(ray, listed, folders, monkeypatch, fails):
    with monkeypatch.context() as patch:
        options, error = fails(patch, ray)
        with pytest.raises(error):
            pack(listed, folders[1], **{"plan": PackPlan(shards=2), **options})
    assert list(folders[1].parent.iterdir()) == []


def test_a_failure_keeps_the_plan_of_an_earlier_run_or_of_published_shards(listed, folders):
    plan = PackPlan(shards=3)
    pack(listed, folders[1], plan=plan)
    for path in folders[1].parent.glob("a_*"):
        path.unlink()
    folders[1].with_name("a.manifest.json").unlink()
    with pytest.raises(PublishError):
        pack(listed, folders[1], plan=plan, scratch="/nonexistent/scratch")
    folders[1].with_name("a.plan.json").unlink()

    def stop(_number):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(listed, folders[1], plan=plan, progress=stop)
    assert folders[1].with_name("a.plan.json").exists()


def test_a_pack_on_one_machine_replaces_that_of_a_cluster_with_its_plan(listed, folders):
    pack(listed, folders[1], plan=PackPlan(shards=3))
    recordkit.pack(listed, folders[1], plan=PackPlan(shards=2))
    assert not [path.name for path in folders[1].parent.iterdir() if "plan" in path.name or path.name.startswith("a_2")]


def test_raise_stops_without_a_manifest_and_the_next_call_goes_on(listed, folders):
    plan = PackPlan(shards=4, on_error="raise")
    with pytest.raises(PackError, match="there is no manifest yet, because on_error is 'raise'"):
        pack(listed, folders[1], plan=plan)
    assert not folders[1].with_name("a.manifest.json").exists()
    for key in (4, 17):
        image = encode(np.full((5, 5, 3), key, np.uint8), "png")
        (folders[1].parents[1] / "images" / f"{key}.png").write_bytes(image)
    report = pack(listed, folders[1], plan=plan)
    assert report.ok and report.n_packed == N
    recordkit.pack(listed, folders[0], plan=plan)
    assert digests(folders[0]) == digests(folders[1])


def test_a_pack_without_any_image_leaves_nothing(listed, folders):
    for path in (folders[1].parents[1] / "images").iterdir():
        path.write_bytes(b"none")
    with pytest.raises(PackError, match="0 of 20 packed; .*nothing was written"):
        pack(listed, folders[1], plan=PackPlan(shards=3))
    assert list(folders[1].parent.iterdir()) == []


def test_a_task_refuses_to_run_with_another_codec(listed, folders, monkeypatch):
    from recordkit.cluster.fingerprint import take_fingerprint

    other = take_fingerprint("auto") | {"pillow": "9.0", "recordkit": "0.0.1"}
    monkeypatch.setattr("recordkit.cluster.packing.pack.take_fingerprint", lambda _engine: other)
    with pytest.raises(ClusterError, match=r"the machine .* would not give the same bytes: recordkit is .*, pillow is"):
        pack(listed, folders[1], plan=PackPlan(shards=3))
    assert digests(folders[1]) == {}


def test_more_threads_than_a_machine_has_are_refused(listed, folders):
    with pytest.raises(PlanError, match="threads: expected at most 2, the CPUs of the largest machine"):
        pack(listed, folders[1], plan=PackPlan(shards=2, threads=3))


def test_a_scratch_folder_is_used_and_left_empty(listed, folders, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    plan = PackPlan(shards=3)
    pack(listed, folders[1], plan=plan, scratch=scratch)
    recordkit.pack(listed, folders[0], plan=plan)
    assert digests(folders[0]) == digests(folders[1]) and list(scratch.iterdir()) == []


def test_a_full_scratch_disk_is_one_error_and_a_restart_does_the_rest(listed, folders, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8192", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs to be allowed to mount a tmpfs")
    plan = PackPlan(shards=2, encoding="raw", on_error="skip")
    try:
        with pytest.raises(PublishError, match=os.strerror(28)):
            pack(listed, folders[1], plan=plan, scratch=disk)
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    report = pack(listed, folders[1], plan=plan)
    recordkit.pack(listed, folders[0], plan=plan)
    assert digests(folders[0]) == digests(folders[1]) and report.ok


def test_two_drivers_at_once_are_refused(listed, folders):
    from recordkit.cluster.packing.target import FolderTarget

    with FolderTarget(folders[1]).hold():
        with pytest.raises(PublishError, match="another process is writing to this prefix: a pack on a cluster"):
            pack(listed, folders[1], plan=PackPlan(shards=2))


def test_a_source_that_cannot_travel_is_refused(folders):
    class Odd:
        order, classes, bad, notes, pixels = "listed", None, [], [], False

        def __len__(self):
            return 2

        def entries(self, indices):
            return [recordkit.sample.Entry(index, (0.0,), str(index)) for index in indices]

        def labels(self, indices):
            return [(0.0,) for _ in indices]

        def contents(self, entries):
            return [b"" for _ in entries]

    with warnings.catch_warnings(), pytest.raises(PlanError, match="expected a source that tasks can read"):
        pack(Odd(), folders[1], plan=PackPlan(shards=2))
