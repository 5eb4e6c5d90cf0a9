"""`diff` names every difference between two datasets, and nothing else."""

import json
import sys

import numpy as np
import pytest

import recordkit as rk
from recordkit.errors import FormatError, NotFoundError, PlanError
from recordkit.formats import idx, irheader
from recordkit.formats.frame import RecordWriter
from recordkit.upkeep import diff

NAN = float("nan")


@pytest.fixture(params=["core", "no core"], autouse=True)
def reader(request):
    """Run each test with the native core and without it."""
    request.getfixturevalue("require_native" if request.param == "core" else "no_native")


def write(path, samples):
    """Write (key, label, payload) samples."""
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(irheader.pack(irheader.IRHeader(label, key), image)) for key, label, image in samples]
    path.with_suffix(".idx").write_bytes(idx.lines([key for key, _, _ in samples], offsets))
    return path


SAMPLES = [(3, 1.0, b"cat"), (5, (1.0, 2.0), b"dog"), (8, NAN, b"owl"), (9, 0.0, b"")]


def differences(tmp_path, others):
    report = diff(write(tmp_path / "a.rec", SAMPLES), write(tmp_path / "b.rec", others))
    lists = {name: getattr(report, name).tolist() for name in ("removed", "added", "renumbered", "labels", "images")}
    return {name: keys for name, keys in lists.items() if keys} | ({"moved": report.n_moved} if report.n_moved else {})


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (SAMPLES, {}),
        (SAMPLES[:-1], {"removed": [9]}),
        ([*SAMPLES, (4, 0.0, b"x")], {"added": [4]}),
        ([(3, 2.0, b"cat"), *SAMPLES[1:]], {"labels": [3]}),
        ([SAMPLES[0], (5, 1.0, b"dog"), *SAMPLES[2:]], {"labels": [5]}),
        ([SAMPLES[0], (5, (1.0, 3.0), b"dog"), *SAMPLES[2:]], {"labels": [5]}),
        ([(3, 1.0, b"caT"), *SAMPLES[1:]], {"images": [3]}),
        ([*SAMPLES[:-1], (9, 0.0, b"x")], {"images": [9]}),
        ([SAMPLES[1], SAMPLES[0], *SAMPLES[2:]], {"moved": 2}),
        ([SAMPLES[3], SAMPLES[1]], {"removed": [3, 8], "moved": 2}),
        ([(7, 1.0, b"cat"), *SAMPLES[1:]], {"renumbered": [[3, 7]]}),
        ([(5, 1.0, b"cat"), (3, (1.0, 2.0), b"dog"), *SAMPLES[2:]], {"renumbered": [[3, 5], [5, 3]]}),
        ([(7, 2.0, b"cat"), *SAMPLES[1:]], {"renumbered": [[3, 7]], "labels": [3]}),
        ([(3, 1.0, b"x"), (7, 1.0, b"cat"), *SAMPLES[1:]], {"renumbered": [[3, 7]], "added": [3]}),
        ([(3, 1.0, b"dog"), *SAMPLES[2:]], {"renumbered": [[5, 3]], "removed": [3], "labels": [5]}),
        ([], {"removed": [3, 5, 8, 9]}),
    ],
)
def test_each_difference_is_named_alone(others, expected, tmp_path):
    if not others:
        others = [(1, 0.0, b"x")]
        expected = {**expected, "added": [1]}
    assert differences(tmp_path, others) == expected


def test_samples_of_a_repeated_key_are_compared_in_their_order(tmp_path):
    a = write(tmp_path / "a.rec", [(7, 0.0, b"x"), (7, 0.0, b"y")])
    b = write(tmp_path / "b.rec", [(7, 0.0, b"x"), (7, 0.0, b"z"), (7, 0.0, b"y")])
    report = diff(a, b)
    assert (report.images.tolist(), report.added.tolist(), len(report.renumbered)) == ([], [7], 0)


def test_equal_images_of_several_labels_find_those_of_the_same_labels(tmp_path):
    a = write(tmp_path / "a.rec", [(1, 0.0, b"x"), (2, 1.0, b"x"), (3, 5.0, b"y")])
    b = write(tmp_path / "b.rec", [(9, 7.0, b"x"), (10, 6.0, b"y"), (11, 1.0, b"x"), (12, 0.0, b"x")])
    report = diff(a, b)
    assert report.renumbered.tolist() == [[1, 12], [2, 11], [3, 10]]
    assert report.labels.tolist() == [3] and report.added.tolist() == [9]


def test_equal_checksums_of_other_images_are_no_other_key(tmp_path, monkeypatch):
    module = sys.modules["recordkit.upkeep.compare.diff"]
    monkeypatch.setattr(module, "digest_payloads", lambda _inputs, rows, **_: np.zeros(len(rows), np.uint64))
    report = diff(write(tmp_path / "a.rec", [(1, 0.0, b"x")]), write(tmp_path / "b.rec", [(2, 0.0, b"y")]))
    assert (report.removed.tolist(), report.added.tolist(), len(report.renumbered)) == ([1], [2], 0)


def test_changes_of_labels_are_old_and_new_with_their_names(cli, tmp_path):
    labels = [1.0, 1.0, 2.0, (1.0, 2.5), 0.0]
    a = write(tmp_path / "a.rec", [(key, label, b"%d" % key) for key, label in enumerate(labels)])
    labels = [0.0, 0.0, 3.0, (1.0, 3.5), 0.0]
    b = write(tmp_path / "b.rec", [(key, label, b"%d" % key) for key, label in enumerate(labels)])
    for path in (a, b):
        path.with_suffix(".json").write_text('{"classes": {"cat": 0, "dog": 1, "pet": 1}}')
    code, output, _ = cli("diff", a, b)
    assert code == 1 and output.splitlines() == [
        f"{a} and {b}: 2 records with other labels, 1 (dog, pet) -> 0 (cat): keys 0, 1",
        f"{a} and {b}: 1 record with other labels, 2 -> 3: key 2",
        f"{a} and {b}: 1 record with other labels, 1, 2.5 -> 1, 3.5: key 3",
    ]
    changes = json.loads(cli("diff", a, b, "--json")[1])["label_changes"]
    first = {"old": [1.0], "new": [0.0], "old_names": ["dog", "pet"], "new_names": ["cat"], "keys": [0, 1]}
    assert changes[0] == first and [change["keys"] for change in changes] == [[0, 1], [2], [3]]


def test_other_classes_are_old_and_new_labels(cli, tmp_path):
    a, b = write(tmp_path / "a.rec", SAMPLES), write(tmp_path / "b.rec", SAMPLES)
    a.with_suffix(".json").write_text('{"classes": {"cat": 0, "dog": 1, "owl": 2}}')
    b.with_suffix(".json").write_text('{"classes": {"emu": 3, "owl": 2, "dog": 0}}')
    text = "3 classes with another label or missing: cat (0 -> missing), dog (1 -> 0), emu (missing -> 3)"
    assert cli("diff", a, b)[:2] == (1, f"{a} and {b}: {text}\n")
    assert json.loads(cli("diff", a, b, "--json")[1])["classes"] == {"cat": [0, None], "dog": [1, 0], "emu": [None, 3]}


def test_a_renumbered_copy_differs_in_keys_only(cli, tmp_path):
    a = write(tmp_path / "a.rec", [(key, 0.0, b"%d" % key) for key in (3, 5, 9)])
    b = write(tmp_path / "b.rec", [(key, 0.0, b"%d" % old) for key, old in enumerate((3, 5, 9))])
    code, output, _ = cli("diff", a, b)
    assert (code, output) == (1, f"{a} and {b}: 3 records with another key: 3 -> 0, 5 -> 1, 9 -> 2\n")
    assert json.loads(cli("diff", a, b, "--json")[1])["renumbered"] == [[3, 0], [5, 1], [9, 2]]


def test_classes_and_exact_labels_are_compared(tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "a", plan=rk.PackPlan(exact_labels=True))
    rk.pack(tiny_folder, tmp_path / "b")
    (note,) = diff(tmp_path / "a", tmp_path / "b").notes
    assert note == f"only {tmp_path / 'a'} has exact labels; they were compared as float32 holds them"
    rk.pack(tiny_folder, tmp_path / "c", plan=rk.PackPlan(exact_labels=True))
    assert diff(tmp_path / "a", tmp_path / "c").is_equal
    (tiny_folder / "owl").rename(tiny_folder / "emu")
    rk.pack(tiny_folder, tmp_path / "d", plan=rk.PackPlan(exact_labels=True))
    assert set(diff(tmp_path / "a", tmp_path / "d").classes) == {"cat", "dog", "emu", "owl"} - {
        name for name in ("cat", "dog") if rk.RecordDataset(tmp_path / "d").classes[name] == {"cat": 0, "dog": 1}[name]
    }


def test_a_damaged_a_missing_and_the_same_file_are_errors(tmp_path):
    a, b = write(tmp_path / "a.rec", SAMPLES), write(tmp_path / "b.rec", SAMPLES)
    with pytest.raises(NotFoundError):
        diff(a, tmp_path / "none")
    with pytest.raises(PlanError, match=r"expected each \.rec file once"):
        diff(a, a)
    content = b.read_bytes()
    b.write_bytes(content[:36] + b"????" + content[40:])
    with (
        pytest.warns(UserWarning, match="byte 36"),
        pytest.raises(FormatError, match=r"b\.rec: byte 36: expected magic"),
    ):
        diff(a, b)


def test_exit_codes_are_those_of_diff(cli, tmp_path):
    a, b = write(tmp_path / "a.rec", SAMPLES), write(tmp_path / "b.rec", SAMPLES)
    code, out, _ = cli("diff", a, b)
    assert (code, out) == (0, f"{a} and {b}: equal, 4 records\n")
    write(b, [(3, 2.0, b"cat"), *SAMPLES[1:3]])
    code, out, _ = cli("diff", a, b)
    lines = [
        f"{a} and {b}: {text}" for text in ("1 record removed: key 9", "1 record with other labels, 1 -> 2: key 3")
    ]
    assert (code, out.splitlines()) == (1, lines)
    code, out, _ = cli("diff", a, b, "--json")
    assert code == 1 and json.loads(out)["removed"] == [9]
    assert cli("diff", a)[0] == 2


def test_many_records_take_no_python_object_each(tmp_path):
    samples = [(key, float(key % 7), b"%d" % (key // 2)) for key in range(3000)]
    a, b = write(tmp_path / "a.rec", samples), write(tmp_path / "b.rec", samples[::-1])
    report = diff(a, b, threads=2)
    assert (report.n_moved, len(report.images)) == (3000, 0)
    assert isinstance(report.added, np.ndarray)
