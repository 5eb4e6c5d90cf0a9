"""Subsets and shuffled sets: their records, companions and errors, by both engines."""

import json

import numpy as np
import pytest
from upkeep.edit.numbered import make

import recordkit as rk
from recordkit import upkeep
from recordkit.errors import FormatError, PlanError, PublishError, SourceError
from recordkit.upkeep import Selection


@pytest.fixture(autouse=True, params=["python", "native"])
def each_engine(request):
    """Read and copy records by each engine."""
    request.getfixturevalue("require_native" if request.param == "native" else "no_native")


@pytest.fixture
def packed(tiny_folder, tmp_path):
    """A packed set of twelve images of three classes, its prefix."""
    rk.pack(tiny_folder, tmp_path / "all", plan=rk.PackPlan(threads=1, exact_labels=True), engine="python")
    return tmp_path / "all"


def samples(prefix):
    with rk.RecordDataset(prefix, check=True) as dataset:
        rows = list(range(len(dataset)))
        return [(sample.key, int(sample.label), bytes(sample.payload)) for sample in dataset[rows]]


def test_a_subset_has_the_selected_samples_with_all_that_belongs_to_them(packed, tmp_path):
    report = upkeep.subset(packed, tmp_path / "new", Selection(classes=["owl", "cat"], where="bytes > 0", first=5))
    assert samples(tmp_path / "new") == [sample for sample in samples(packed) if sample[1] != 1][:5]
    with rk.RecordDataset(tmp_path / "new") as new:
        assert new.classes == {"cat": 0, "dog": 1, "owl": 2} and new.labels.dtype == np.int64
    assert upkeep.verify(tmp_path / "new", decode=True).ok and report.n_records == 5
    edit = json.loads((tmp_path / "new.json").read_text())["edit"]
    assert edit["selection"] == {"classes": ["owl", "cat"], "where": "bytes > 0", "first": 5}
    assert [part["name"] for part in edit["inputs"]] == ["all"]


def test_a_list_orders_a_subset(packed, tmp_path):
    keys = [key for key, _, _ in samples(packed)][::-2]
    (tmp_path / "some.lst").write_text("".join(f"{key}\t0\tx.jpg\n" for key in keys))
    upkeep.subset(packed, tmp_path / "new", Selection(listed=tmp_path / "some.lst"))
    assert [key for key, _, _ in samples(tmp_path / "new")] == keys
    assert upkeep.verify(tmp_path / "new").ok
    lines = (tmp_path / "new.lst").read_text().splitlines()
    assert [int(line.split("\t")[0]) for line in lines] == keys and "x.jpg" not in lines[0]


def test_a_dry_run_of_a_subset_writes_nothing(packed, tmp_path):
    before = sorted(tmp_path.iterdir())
    report = upkeep.subset(packed, tmp_path / "new", Selection(every=5), dry_run=True)
    assert (report.n_records, report.dry_run) == (3, True) and sorted(tmp_path.iterdir()) == before


def test_an_empty_selection_or_an_output_that_is_the_input_is_an_error(packed, tmp_path):
    with pytest.raises(PlanError, match="no record is selected"):
        upkeep.subset(packed, tmp_path / "new", Selection(where="label == 9"))
    with pytest.raises(PublishError, match="all.rec: expected no file"):
        upkeep.subset(packed, packed, Selection(first=1))
    assert len(samples(packed)) == 12


def test_a_damaged_record_that_is_selected_is_an_error_and_another_one_is_not(packed, tmp_path):
    content = bytearray(packed.with_suffix(".rec").read_bytes())
    content[-40] ^= 1
    packed.with_suffix(".rec").write_bytes(content)
    with pytest.raises(FormatError, match="recordkit repair"):
        upkeep.subset(packed, tmp_path / "new", Selection(every=11))
    assert not list(tmp_path.glob("new*"))
    upkeep.subset(packed, tmp_path / "new", Selection(first=11))
    assert upkeep.verify(tmp_path / "new").ok


def test_a_shuffled_set_has_all_samples_in_another_order_by_the_seed(packed, tmp_path):
    upkeep.shuffle(packed, tmp_path / "a", seed=1)
    upkeep.shuffle(packed, tmp_path / "b", seed=1)
    upkeep.shuffle(packed, tmp_path / "c", seed=2)
    old, new = samples(packed), samples(tmp_path / "a")
    assert new != old and sorted(new) == sorted(old) and new != samples(tmp_path / "c")
    assert (tmp_path / "a.rec").read_bytes() == (tmp_path / "b.rec").read_bytes()
    assert upkeep.verify(tmp_path / "a", decode=True).ok


def test_shuffled_samples_may_be_numbered_anew(packed, tmp_path):
    upkeep.shuffle(packed, tmp_path / "a", seed=1)
    upkeep.shuffle(packed, tmp_path / "b", seed=1, keys="renumber")
    assert [row[1:] for row in samples(tmp_path / "a")] == [row[1:] for row in samples(tmp_path / "b")]
    assert [row[0] for row in samples(tmp_path / "b")] == list(range(12))
    assert upkeep.verify(tmp_path / "b").ok


@pytest.mark.parametrize("edit", [upkeep.shuffle, lambda *paths: upkeep.subset(*paths, Selection(keys="7:"))])
def test_repeated_keys_are_refused(tmp_path, edit):
    rec = make(tmp_path / "twice.rec", [1.0] * 3, [7, 8, 7])
    with pytest.raises(SourceError, match="key 7: expected each key once.*merge .*--renumber'"):
        edit(rec, tmp_path / "p")
    upkeep.shuffle(rec, tmp_path / "p", keys="renumber")
    assert upkeep.verify(tmp_path / "p").ok


def test_an_empty_file_and_a_bad_seed_are_errors(tmp_path):
    rec = make(tmp_path / "none.rec", [])
    with pytest.raises(PlanError, match="expected at least one record"):
        upkeep.shuffle(rec, tmp_path / "p")
    with pytest.raises(PlanError, match="no record is selected"):
        upkeep.subset(rec, tmp_path / "p", Selection(first=1))
    with pytest.raises(PlanError, match="seed: expected 0 to"):
        upkeep.shuffle(rec, tmp_path / "p", seed=2**64)


def test_a_subset_without_a_condition_is_refused(cli, tmp_path):
    make(tmp_path / "plain.rec", [0, 1])
    code, _, error = cli("subset", tmp_path / "plain", tmp_path / "new", "--seed", 5)
    assert code == 2 and "expected a condition, such as --label or --where, got none" in error
    for selection in (Selection(), Selection(seed=5), Selection(labels=[], classes=[])):
        with pytest.raises(PlanError, match="expected a condition, such as labels or where, got none"):
            upkeep.subset(tmp_path / "plain", tmp_path / "new", selection)
    assert not (tmp_path / "new.rec").exists()


def test_keys_of_an_index_with_positions_are_kept(tmp_path):
    path = make(tmp_path / "a.rec", [0.0] * 5, keys=range(50, 55))
    lines = path.with_suffix(".idx").read_text().splitlines()
    path.with_suffix(".idx").write_text("".join(f"{row}\t{line.split()[1]}\n" for row, line in enumerate(lines)))
    upkeep.subset(path, tmp_path / "new", Selection(keys="1,3:"))
    for check in (True, False):
        with rk.RecordDataset(tmp_path / "new", check=check) as new:
            assert [(sample.key, bytes(sample.payload)) for sample in new] == [(1, b"51"), (3, b"53"), (4, b"54")]
    assert upkeep.verify(tmp_path / "new").ok


@pytest.mark.parametrize("selection", ["label == 3", [1, 2]])
def test_a_selection_of_another_type_is_refused(selection, packed, tmp_path):
    with pytest.raises(PlanError, match=r"selection: expected a Selection, such as Selection\(where='label == 3'\)"):
        upkeep.subset(packed, tmp_path / "new", selection)
