"""Parts of a dataset: by ratios, labels, groups, keys and sizes, by both engines."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from upkeep.edit.numbered import keys_of, make

import recordkit as rk
from recordkit import upkeep
from recordkit.errors import FormatError, NotFoundError, PlanError, PublishError, SourceError
from recordkit.upkeep import KeyParts, Ratios, Shards

HALVES = {"a": 0.5, "b": 0.5}


@pytest.fixture(autouse=True, params=["python", "native"])
def each_engine(request):
    """Read and copy records by each engine."""
    request.getfixturevalue("require_native" if request.param == "native" else "no_native")


@pytest.fixture
def rec(tmp_path):
    """The .rec file of 100 samples with the labels 0, 1 and 2."""
    return make(tmp_path / "all.rec", [float(n % 10 // 4) for n in range(100)])


def test_parts_have_exact_counts_and_together_all_records_in_their_order(rec, tmp_path):
    report = upkeep.split(rec, tmp_path / "p", Ratios({"train": 0.8, "val": 0.15, "test": 0.05}, seed=3))
    parts = [keys_of(tmp_path / f"p_{name}") for name in ("train", "val", "test")]
    assert [len(part) for part in parts] == [each.n_records for each in report.sets] == [80, 15, 5]
    assert all(part == sorted(part) for part in parts) and sorted(itertools.chain(*parts)) == list(range(100))
    assert all(upkeep.verify(each.prefix).ok for each in report.sets)
    again = upkeep.split(rec, tmp_path / "q", Ratios({"train": 0.8, "val": 0.15, "test": 0.05}, seed=3))
    assert keys_of(tmp_path / "q_val") == parts[1] and again.labels == (None, None, None)
    upkeep.split(rec, tmp_path / "r", Ratios({"train": 0.8, "val": 0.15, "test": 0.05}, seed=4))
    assert keys_of(tmp_path / "r_val") != parts[1]


def test_a_split_by_a_seed_is_the_same_on_every_machine(rec, tmp_path):
    upkeep.split(rec, tmp_path / "p", Ratios({"a": 0.9, "b": 0.1}, seed=7))
    assert keys_of(tmp_path / "p_b") == [1, 3, 32, 34, 37, 48, 58, 81, 89, 92]


def test_a_stratified_split_has_each_label_in_the_same_share(rec, tmp_path):
    report = upkeep.split(rec, tmp_path / "p", Ratios({"a": 0.75, "b": 0.25}, stratify=True))
    assert report.labels == ({0: 30, 1: 30, 2: 15}, {0: 10, 1: 10, 2: 5})
    with rk.RecordDataset(tmp_path / "p_b") as part:
        assert np.bincount(part.labels.astype(int)).tolist() == [10, 10, 5]


def test_a_label_with_fewer_records_than_parts_gets_a_note(tmp_path):
    rec = make(tmp_path / "all.rec", [1.0] * 9 + [2.0])
    report = upkeep.split(rec, tmp_path / "p", Ratios(HALVES, stratify=True))
    assert report.notes[0] == "labels with fewer records than parts, which are not in all parts: 2"


@pytest.mark.parametrize("group", ["label:1", "key//7", r"name:^(\w+)_", r"name:^\w+(?=_)"])
def test_the_records_of_a_group_stay_together(tmp_path, group):
    rec = make(tmp_path / "all.rec", [(1.0, float(n // 7)) for n in range(100)])
    rows = [f"{n}\t1\t{n // 7}\tperson{n // 7}_{n}.jpg\n" for n in reversed(range(100))]
    (tmp_path / "all.lst").write_text("".join(rows))
    upkeep.split(rec, tmp_path / "p", Ratios({"a": 0.7, "b": 0.3}, group_by=group))
    a, b = ({key // 7 for key in keys_of(tmp_path / f"p_{name}")} for name in "ab")
    assert not a & b and len(a | b) == 15
    assert abs(len(keys_of(tmp_path / "p_a")) - 70) <= 4


def test_parts_by_keys_leave_out_the_others_with_a_note(rec, tmp_path):
    report = upkeep.split(rec, tmp_path / "p", KeyParts({"a": "0:10,50", "b": "90:"}))
    assert keys_of(tmp_path / "p_a") == [*range(10), 50] and keys_of(tmp_path / "p_b") == list(range(90, 100))
    assert report.notes[0] == "79 records in no part"


@pytest.mark.parametrize("rule", [Shards(count=3), Shards(max_bytes=1300)])
def test_shards_are_one_dataset_again(rec, tmp_path, rule):
    report = upkeep.split(rec, tmp_path / "p", rule)
    assert [each.prefix.name for each in report.sets] == ["p_0", "p_1", "p_2"]
    manifest = json.loads(Path(f"{tmp_path}/p.manifest.json").read_text())
    assert [shard["records"] for shard in manifest["shards"]] == [each.n_records for each in report.sets]
    sizes = [each.n_bytes for each in report.sets]
    assert max(sizes) - min(sizes) <= 72
    content = b"".join((tmp_path / f"p_{n}.rec").read_bytes() for n in range(3))
    assert content == rec.read_bytes()


def test_classes_and_exact_labels_go_with_the_parts(tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "all", plan=rk.PackPlan(exact_labels=True, threads=1), engine="python")
    upkeep.split(tmp_path / "all", tmp_path / "p", Ratios(HALVES, stratify=True))
    with rk.RecordDataset(tmp_path / "p_b", check=True) as part:
        assert part.classes == {"cat": 0, "dog": 1, "owl": 2}
        assert part.labels.dtype == np.int64 and sorted(part.labels.tolist()) == [0, 0, 1, 1, 2, 2]
    assert upkeep.verify(tmp_path / "p_b", decode=True).ok
    assert len((tmp_path / "p_b.lst").read_text().splitlines()) == 6


def test_a_dry_run_counts_and_writes_nothing(rec, tmp_path):
    before = sorted(tmp_path.iterdir())
    report = upkeep.split(rec, tmp_path / "p", Ratios(HALVES), dry_run=True)
    assert sorted(tmp_path.iterdir()) == before
    assert [sum(counts.values()) for counts in report.labels] == [50, 50]
    assert sum(each.n_bytes for each in report.sets) == rec.stat().st_size


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            lambda: Ratios({"a": 0.999, "b": 0.001}),
            "ratios: expected a record or more in each part, got none of 100 re",
        ),
        (lambda: Ratios({"a": 1.0}), "expected two parts or more, got 1 part"),
        (lambda: Ratios({"a/../b": 0.5, "b": 0.5}), "expected names of letters"),
        (lambda: Ratios(HALVES, stratify=True, group_by="label:1"), "stratify and group_by exclude each other"),
        (lambda: Ratios(HALVES, seed=-1), "seed: expected 0 to"),
        (
            lambda: Ratios(HALVES, group_by="label"),
            "group_by: expected label:N, key//N or name:EXPRESSION, got 'label'",
        ),
        (lambda: Ratios(HALVES, group_by="key//0"), "got 'key//0'"),
        (lambda: Ratios(HALVES, group_by="label:1"), "expected 2 labels or more, got 1 in the record with key 0"),
        (lambda: Ratios(HALVES, group_by="name:("), r"group_by: expected a regular expression, got \(: "),
        (lambda: KeyParts({"a": "0:10", "b": "9:20"}), "expected parts without common keys, got key 9 in a and in b"),
        (lambda: KeyParts({"a": "0:10", "b": "100:"}), "got 100:, which no record has"),
        (lambda: Shards(), "expected either count or max_bytes, got none"),
        (lambda: Shards(count=101), "shards: expected 1 to the number of records, 100, got 101"),
    ],
)
def test_a_rule_that_does_not_fit_is_an_error(rec, tmp_path, rule, message):
    with pytest.raises(PlanError, match=message):
        upkeep.split(rec, tmp_path / "p", rule())
    assert len(list(tmp_path.iterdir())) == 2


def test_a_ratio_without_end_is_refused_before_it_is_a_number(cli, rec, tmp_path):
    code, _out, err = cli("split", rec, tmp_path / "p", "--ratios", "a=1e999999999,b=1")
    assert code == 2 and "--ratios: expected NAME=RATIO of each part" in err


def test_a_list_that_does_not_fit_is_an_error(rec, tmp_path):
    with pytest.raises(NotFoundError, match=r"all.lst: expected a .lst file"):
        upkeep.split(rec, tmp_path / "p", Ratios(HALVES, group_by="name:a"))
    (tmp_path / "all.lst").write_text("".join(f"{n}\t0\tb.jpg\n" for n in range(100)))
    with pytest.raises(PlanError, match="expected paths in which a finds a group, got 'b.jpg'"):
        upkeep.split(rec, tmp_path / "p", Ratios(HALVES, group_by="name:a"))
    (tmp_path / "all.lst").write_text("5\t0\tb.jpg\n")
    with pytest.raises(FormatError, match="all.lst: expected the keys of .*all.rec, got 0 and 98 more"):
        upkeep.split(rec, tmp_path / "p", Ratios(HALVES, group_by="name:a"))


def test_repeated_keys_and_existing_files_are_refused(rec, tmp_path):
    with pytest.raises(SourceError, match="key 7: expected each key once, got it again, the first of 1 repeated key"):
        upkeep.split(make(tmp_path / "twice.rec", [1.0] * 3, [7, 8, 7]), tmp_path / "p", Ratios(HALVES))
    (tmp_path / "p_b.rec").write_bytes(b"mine")
    with pytest.raises(PublishError, match="p_b.rec: expected no file"):
        upkeep.split(rec, tmp_path / "p", Ratios(HALVES))
    assert (tmp_path / "p_b.rec").read_bytes() == b"mine" and not (tmp_path / "p_a.rec").exists()


def test_labels_that_differ_in_their_last_digit_are_counted_apart(tmp_path):
    rec = make(tmp_path / "all.rec", [float(2**53)] * 4)
    np.save(tmp_path / "all.labels.npy", np.array([2**53, 2**53 + 1] * 2))
    report = upkeep.split(rec, tmp_path / "p", Ratios(HALVES, stratify=True), dry_run=True)
    assert report.as_json()["labels"] == [{"9007199254740992": 1, "9007199254740993": 1}] * 2


def test_a_dry_run_counts_the_classes_of_each_part(cli, tmp_path):
    make(tmp_path / "a.rec", [0, 0, 1, 1])
    (tmp_path / "a.json").write_text('{"classes": {"cat": 0, "dog": 1}}')
    code, output, error = cli("split", tmp_path / "a", tmp_path / "b", "--ratios", "x=5,y=5", "--stratify", "--dry-run")
    assert code == 0 and "labels of b_x: 1 of 0 (cat), 1 of 1 (dog)" in output and "labels of" not in error


def test_a_mapping_stands_for_its_ratios(rec, tmp_path):
    report = upkeep.split(rec, tmp_path / "p", {"train": 0.8, "test": 0.2})
    assert [each.n_records for each in report.sets] == [80, 20]
    for rule, text in (
        ("train=0.8", "rule: expected Ratios, KeyParts, Shards or a mapping"),
        ({"a": ":8", "b": "8:"}, "ratios: expected numbers, got a=':8', b='8:'"),
    ):
        with pytest.raises(PlanError, match=text):
            upkeep.split(rec, tmp_path / "q", rule)


def test_the_size_of_a_shard_may_be_a_text(rec, tmp_path):
    split = [upkeep.split(rec, tmp_path / "p", Shards(max_bytes=size), dry_run=True) for size in ("2K", 2048)]
    assert split[0].sets == split[1].sets and len(split[0].sets) > 1
    with pytest.raises(PlanError, match="max_bytes: expected a size as 512M or 2G, got 'much'"):
        Shards(max_bytes="much")
