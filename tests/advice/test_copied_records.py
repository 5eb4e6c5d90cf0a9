"""Following the advices of what writes the sets of all edits."""

from pathlib import Path

import numpy as np
import pytest
from advice.walk import advice
from upkeep.edit.small_sets import write_set

import recordkit as rk
from recordkit.errors import FormatError
from recordkit.formats import frame
from recordkit.formats.list_lines import ListLines
from recordkit.upkeep.edit.inputs import Inputs, Labels
from recordkit.upkeep.edit.output import NewSet, write_sets


def error_of(inputs, new):
    with pytest.raises(FormatError) as caught:
        write_sets(inputs, [new], new.prefix, edit={})
    return str(caught.value)


def test_a_damaged_record(photos, fails, works):
    works("pack", "photos", "a")
    content = bytearray(Path("a.rec").read_bytes())
    content[60] ^= 1
    Path("a.rec").write_bytes(content)
    error = fails("merge", "a", "b")
    advice("upkeep/edit/new_set.py", "'recordkit repair {} PREFIX' writes the whole records into a new set", error)
    works("repair", "a.rec", "whole")
    assert len(rk.RecordDataset("whole")) == 3


def test_labels_for_which_a_record_has_no_room(photos, fails, works, no_native, monkeypatch):
    write_set("a", [0, 1])
    monkeypatch.setattr(frame, "MAX_RECORD_BYTES", 40)
    Path("long.lst").write_text("0\t1\t2\t3\t4\t5\tx\n1\t1\t2\t3\t4\t5\tx\n")
    Path("short.lst").write_text("0\t1\tx\n1\t1\tx\n")
    advice("dataset/copied_records.py", "give it fewer labels", fails("relabel", "a", "b", "--list", "long.lst"))
    works("relabel", "a", "b", "--list", "short.lst")


def test_exact_labels_that_would_be_lost(photos, works):
    works("pack", "photos", "exact", "--exact-labels")
    write_set("halves", [0.5, 1.5], keys=[7, 8])
    with Inputs(["exact.rec", "halves.rec"]) as inputs:
        text = "edit the inputs one by one, or relabel one of them"
        advice("upkeep/edit/new_set.py", text, error_of(inputs, NewSet(Path("b"), np.arange(6))))
    works("merge", "exact", "b")


def test_exact_labels_of_different_numbers(photos, works):
    works("pack", "photos", "a")
    ragged = Labels(np.array([1, 2, 3]), np.array([0, 1, 3], np.uint64))
    even = Labels(np.array([1, 2, 3, 4]), np.array([0, 2, 4], np.uint64))
    with Inputs(["a"]) as inputs:
        error = error_of(inputs, NewSet(Path("b"), np.arange(2), labels=ragged))
        advice("upkeep/edit/new_set.py", "give all records the same number of labels", error)
        write_sets(inputs, [NewSet(Path("b"), np.arange(2), labels=even)], Path("b"), edit={})


def test_a_list_that_is_cut_short(tmp_path):
    path = tmp_path / "a.lst"
    path.write_text("0\t1\ta.jpg\n1\t1\tb.jpg\n")
    with ListLines(path) as lines:
        path.write_text("0\t1\ta.jpg\n")
        with pytest.raises(FormatError) as caught:
            lines.read(np.array([0, 1]))
        advice("formats/list_lines.py", "open it again", str(caught.value))
    with ListLines(path) as lines:
        assert len(lines) == 1
