"""`duplicates` finds equal images, within a dataset and in several, and nothing else."""

import json
import sys

import numpy as np
import pytest

import recordkit as rk
from recordkit.errors import NotFoundError
from recordkit.formats import idx, irheader
from recordkit.formats.frame import RecordWriter
from recordkit.upkeep import comparison, duplicates


@pytest.fixture(params=["core", "no core"], autouse=True)
def reader(request):
    """Run each test with the native core and without it."""
    request.getfixturevalue("require_native" if request.param == "core" else "no_native")


def write(path, *payloads, labels=None):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        offsets = [
            writer.write(irheader.pack(irheader.IRHeader(labels[key] if labels else 1.0, key), payload))
            for key, payload in enumerate(payloads)
        ]
    path.with_suffix(".idx").write_bytes(idx.lines(range(len(offsets)), offsets))
    return path


def keys(report):
    return [[sample.key for sample in group.samples] for group in report.groups]


def test_groups_of_one_dataset(tmp_path):
    path = write(tmp_path / "a.rec", b"cat", b"dog", b"cat", b"", b"cats", b"dog", b"cat", b"owl", b"")
    report = duplicates(path)
    assert keys(report) == [[0, 2, 6], [1, 5], [3, 8]]
    assert [group.n_bytes for group in report.groups] == [3, 3, 0]
    assert (report.n_records, report.n_duplicates, report.n_disagreeing) == (9, 7, 0)


def test_a_dataset_without_records_has_none(tmp_path):
    a, b = write(tmp_path / "a.rec"), write(tmp_path / "b.rec", b"cat")
    assert (duplicates(a).groups, duplicates(a, b).groups) == ((), ())


def test_only_images_of_both_datasets_are_reported(tmp_path):
    a, b = write(tmp_path / "a.rec", b"cat", b"cat", b"dog", b"owl"), write(tmp_path / "b.rec", b"fox", b"fox", b"owl")
    (group,) = duplicates(a, b).groups
    assert [(sample.path, sample.key) for sample in group.samples] == [(str(a), 3), (str(b), 2)]


def test_images_of_two_of_several_datasets_are_reported(cli, tmp_path):
    paths = [
        write(tmp_path / "a.rec", b"cat", b"cat", b"dog"),
        write(tmp_path / "e.rec"),
        write(tmp_path / "b.rec", b"owl", b"owl", b"fox"),
        write(tmp_path / "c.rec", b"fox", b"dog", b"dog"),
    ]
    a, _, b, c = map(str, paths)
    groups = [[(sample.path, sample.key) for sample in group.samples] for group in duplicates(*paths).groups]
    assert groups == [[(a, 2), (c, 1), (c, 2)], [(b, 2), (c, 0)]]
    code, output, _ = cli("duplicates", a, b, c)
    assert code == 1 and output.splitlines()[-1] == f"{a}, {b} and {c}: 9 records, 2 groups of equal images"
    assert json.loads(cli("duplicates", a, b, c, "--json")[1])["paths"] == [a, b, c]


@pytest.mark.parametrize(("second", "agree"), [(1.0, True), (2.0, False), ((1.0, 1.0), False)])
def test_labels_that_disagree_are_marked(second, agree, tmp_path):
    (group,) = duplicates(write(tmp_path / "a.rec", b"cat", b"cat", labels=[1.0, second])).groups
    assert group.labels_agree == agree


def test_classes_of_several_datasets_agree_by_name(tmp_path):
    a = write(tmp_path / "a.rec", b"cat", b"dog", labels=[0.0, 1.0])
    b = write(tmp_path / "b.rec", b"dog", b"cat", labels=[0.0, 0.0])
    assert [group.labels_agree for group in duplicates(a, b).groups] == [True, False]
    (tmp_path / "a.json").write_text('{"classes": {"cat": 0, "dog": 1}}')
    (tmp_path / "b.json").write_text('{"classes": {"dog": 0}}')
    groups = duplicates(a, b).groups
    assert [group.labels_agree for group in groups] == [False, True]
    assert [sample.labels for sample in groups[1].samples] == [(1.0,), (0.0,)]
    (tmp_path / "b.json").write_text('{"classes": {"cat": 0, "dog": 0}}')
    assert [group.labels_agree for group in duplicates(a, b).groups] == [True, False]


def test_equal_checksums_of_other_bytes_are_no_duplicates(tmp_path, monkeypatch):
    path = write(tmp_path / "a.rec", b"cat", b"dog", b"owl", b"cat", b"owl", b"elk")
    module = sys.modules["recordkit.upkeep.compare.duplicates"]
    monkeypatch.setattr(module, "digest_payloads", lambda *_, **__: np.full(6, 3, np.uint64))
    assert keys(duplicates(path)) == [[0, 3], [2, 4]]


def test_names_are_those_of_the_list(tiny_folder, tmp_path):
    (tiny_folder / "dog" / "copy.jpg").write_bytes((tiny_folder / "cat" / "1.jpg").read_bytes())
    rk.pack(tiny_folder, tmp_path / "out")
    (group,) = duplicates(tmp_path / "out").groups
    assert {sample.name for sample in group.samples} == {"cat/1.jpg", "dog/copy.jpg"} and not group.labels_agree


def test_the_command_exits_with_1_if_it_finds_some(cli, tmp_path):
    a, b = write(tmp_path / "a.rec", b"cat", b"dog"), write(tmp_path / "b.rec", b"dog")
    assert cli("duplicates", a)[:2] == (0, f"{a}: 2 records, no equal images\n")
    code, out, _ = cli("duplicates", a, b)
    assert code == 1
    assert out.splitlines() == [
        f"3 bytes: {a}: key 1, {b}: key 0",
        f"{a} and {b}: 3 records, 1 group of equal images",
    ]
    code, out, _ = cli("duplicates", a, b, "--json")
    assert code == 1 and json.loads(out)["groups"][0]["samples"][1]["path"] == str(b)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="none"):
        duplicates(tmp_path / "none")


def test_blocks_keep_the_files_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "_BLOCK_RECORDS", 2)
    a, b = (write(tmp_path / f"{name}.rec", *(b"%d" % n for n in range(7))) for name in "ab")
    assert keys(duplicates(a, b)) == [[n, n] for n in range(7)]
