"""Following the advices of what writes the sets of all edits."""

import json
from pathlib import Path

import numpy as np
import pytest
from advice.walk import advice
from upkeep.edit.numbered import make
from upkeep.edit.small_sets import write_set

import recordkit as rk
from recordkit.errors import FormatError
from recordkit.formats import frame
from recordkit.formats.list_lines import ListLines
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.edit.output import NewSet, write_sets
from recordkit.upkeep.labels.arrays import Labels


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
        error = error_of(inputs, NewSet(Path("b"), np.arange(6)))
        advice("upkeep/edit/new_set.py", "edit the inputs one by one, or relabel one of them", error)
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


def test_an_output_without_a_name(photos, fails, works):
    works("pack", "photos", "a")
    (example,) = advice("storage/staging.py", "add a name, as in {}", fails("shuffle", "a", "."))
    works("shuffle", "a", example)


def test_more_changes_of_labels_than_are_printed(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        make(Path(f"{name}.rec"), [100.0 * ord(name) + number for number in range(15)])
    _, output, _ = cli("diff", "a", "b")
    (n_more,) = advice("cli/commands/diff.py", "{} with other labels; --json lists all", output.splitlines()[10])
    assert n_more == "a and b: 5 more records"
    assert len(json.loads(cli("diff", "a", "b", "--json")[1])["label_changes"]) == 15


def test_more_groups_and_more_losses_than_are_printed(photos, works, cli):
    image = Path("photos/cat/0.jpg").read_bytes()
    for number in range(44):
        Path(f"photos/cat/same{number}.jpg").write_bytes(image + bytes([number // 2]))
    works("pack", "photos", "a", "--no-shuffle", "--no-checksums")
    _, output, _ = cli("duplicates", "a")
    (n_more,) = advice("cli/commands/duplicates.py", "and {} more; --json lists all", output)
    assert len(json.loads(cli("duplicates", "a", "--json")[1])["groups"]) == 20 + int(n_more)
    content = bytearray(Path("a.rec").read_bytes())
    with rk.RecordDataset("a") as dataset:
        for offset in dataset.offsets[:44:2].tolist():
            content[offset] ^= 1
    Path("a.rec").write_bytes(content)
    _, _, error = cli("repair", "a.rec", "b")
    (n_more,) = advice("cli/commands/repair.py", "and {} more; --json lists all", error)
    assert len(json.loads(cli("repair", "a.rec", "c", "--json")[1])["lost"]) == 20 + int(n_more)
