"""The samples of .rec files as a source."""

import numpy as np
import pytest
from sources.folders import rows

import recordkit as rk
from recordkit.errors import SourceError
from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
from recordkit.sources.records import RecordSource


def write(prefix, *records):
    with MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "w") as writer:
        for key, label in records:
            writer.write_idx(key, pack(IRHeader(0, label, key, 0), b"image %d" % key))


def test_entries_have_keys_labels_and_the_index_in_their_names(tmp_path):
    write(tmp_path / "a", (7, 5.0), (3, [0.1, 2.0]))
    write(tmp_path / "b", (9, 1.0))
    source = RecordSource(rk.RecordDataset([tmp_path / "a", tmp_path / "b"]))
    assert rows(source) == [
        (7, (5.0,), "a.rec: sample 0"),
        (3, (0.1, 2.0), "a.rec: sample 1"),
        (9, (1.0,), "b.rec: sample 2"),
    ]
    assert (source.classes, source.order, source.pixels, source.bad) == (None, "listed", False, [])


def test_contents_are_the_payloads_of_any_entries(tmp_path):
    write(tmp_path / "a", *((key, 0.0) for key in (4, 2, 8)))
    source = RecordSource(rk.RecordDataset(tmp_path / "a"))
    assert source.contents(source.entries([2, 0])) == [b"image 8", b"image 4"]
    assert source.contents([]) == []


def test_a_subset_is_a_source(tmp_path):
    write(tmp_path / "a", *((key, float(key)) for key in range(5)))
    source = RecordSource(rk.RecordDataset(tmp_path / "a")[1::2])
    assert rows(source) == [(1, (1.0,), "a.rec: sample 0"), (3, (3.0,), "a.rec: sample 1")]
    assert source.contents(source.entries([1])) == [b"image 3"]


def test_fractions_are_the_shortest_that_float32_rounds_to_those_of_the_file(tmp_path):
    labels = [0.1, 1e-7, 1 / 3, 16777217.0, -0.5]
    write(tmp_path / "a", (0, labels))
    (row,) = RecordSource(rk.RecordDataset(tmp_path / "a")).labels([0])
    assert row[:2] == (0.1, 1e-7) and len(repr(row[2])) <= 11
    assert np.array_equal(np.float32(row), np.float32(labels))


def test_exact_labels_are_whole_numbers(tmp_path, tiny_folder):
    (tmp_path / "a.lst").write_text("0\t17186135\tcat/0.jpg\n")
    plan = rk.PackPlan(exact_labels=True)
    rk.pack(rk.open_source(tmp_path / "a.lst", root=tiny_folder), tmp_path / "a", plan=plan)
    assert RecordSource(rk.RecordDataset(tmp_path / "a")).labels([0]) == [(17186135,)]


def test_a_key_of_two_files_is_refused(tmp_path):
    write(tmp_path / "a", (0, 0.0), (1, 0.0))
    write(tmp_path / "b", (1, 0.0))
    problem = r"a\.rec: expected each key once, got 1 in .*b\.rec too; take the files one by one"
    with pytest.raises(SourceError, match=problem):
        RecordSource(rk.RecordDataset(str(tmp_path / "*.rec")))


def test_a_file_with_a_key_twice_gets_other_keys_and_a_note(tmp_path):
    write(tmp_path / "a", (5, 0.0), (5, 1.0), (7, 2.0))
    source = RecordSource(rk.RecordDataset(tmp_path / "a"))
    assert [entry.key for entry in source.entries([2, 0, 1])] == [2, 0, 1]
    (note,) = source.notes
    assert note.endswith("a.rec: several records have the key 5, so the keys are 0 to 2")
