"""`relabel`: labels from a list, a map, names or a function, in records, lists and exact labels."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upkeep.edit.small_sets import facts, is_sound, payloads, write_set

from recordkit.errors import FormatError, NotFoundError, PlanError, PublishError, SourceError
from recordkit.formats.irheader import fits_float32
from recordkit.upkeep import relabel
from recordkit.upkeep.labels.pairs import read_pairs
from recordkit.upkeep.labels.rename import rename_classes
from recordkit.upkeep.labels.values import LabelMap, as_labels


@pytest.fixture
def pets(tmp_path):
    """A set of five pets."""
    return write_set(tmp_path / "a", [0, 1, 2, 1, 0], classes={"cat": 0, "dog": 1, "owl": 2})


@pytest.fixture
def plain(tmp_path):
    """A set of four records without class names, whose keys are 3, 5, 9 and 4."""
    return write_set(tmp_path / "p", [0, 1, 2, 1], keys=[3, 5, 9, 4])


def test_a_map_changes_labels_and_names_follow(pets, tmp_path, both_engines):
    report = relabel(pets, tmp_path / "b", {0: 1, 1: 0})
    assert facts(tmp_path / "b") == (list(range(5)), [1, 0, 2, 0, 1], {"cat": 1, "dog": 0, "owl": 2})
    assert payloads(tmp_path / "b") == payloads(pets) and is_sound(tmp_path / "b")
    assert (tmp_path / "b.lst").read_text().splitlines()[1] == "1\t0.000000\t1.jpg"
    assert report.n_relabeled == 4 and not report.notes
    assert [(change.old, change.new, change.names, change.n_records) for change in report.changes] == [
        (0, 1, ("cat",), 2),
        (1, 0, ("dog",), 2),
    ]


@pytest.mark.parametrize("exact", [False, True])
def test_a_label_that_no_record_has_is_an_error(plain, pets, tmp_path, exact):
    for rule in ({99: 1}, {0: 5, 7.5: 1, 99: 1}):
        absent = "7.5, 99" if len(rule) > 1 else "99"
        message = f"labels: expected labels that a record has, such as 0, 1, 2, got {absent}$"
        for path in (plain, pets):
            with pytest.raises(PlanError, match=message):
                relabel(path, tmp_path / "b", rule, exact_labels=exact)
    assert not list(tmp_path.glob("b*"))


def test_a_label_of_a_class_without_records_may_change(tmp_path):
    pets = write_set(tmp_path / "a", [0], classes={"cat": 0, "emu": 3})
    report = relabel(pets, tmp_path / "b", {3: 1})
    assert facts(tmp_path / "b")[1:] == ([0], {"cat": 0, "emu": 1})
    assert report.notes[0] == f"{pets}: no record has the label 3"


def test_labels_that_become_one_are_told_with_their_counts(plain, pets, tmp_path):
    report = relabel(plain, tmp_path / "b", {1: 0})
    assert report.notes[0] == f"{plain}: 0 in 1 record, 1 in 2 records become one label, 0"
    report = relabel(pets, tmp_path / "c", {"cat": "pet", "dog": "pet"})
    assert report.notes[0] == f"{pets}: 0 (cat) in 2 records, 1 (dog) in 2 records become one label, 0"
    many = write_set(tmp_path / "m", list(range(14)))
    notes = relabel(many, tmp_path / "d", {number: number // 2 for number in range(14)}).notes
    assert (
        len([note for note in notes if "become one label" in note]) == 5
        and f"{many}: 2 more labels of several" in notes
    )


def test_a_map_that_joins_two_named_classes_needs_a_name(pets, tmp_path):
    with pytest.raises(
        PlanError, match="expected one class for each label, got the label 1 for cat, dog; name the new"
    ):
        relabel(pets, tmp_path / "b", {0: 1})
    relabel(pets, tmp_path / "b", {0: 1}, classes={"pet": 1, "owl": 2})
    assert facts(tmp_path / "b")[1:] == ([1, 1, 2, 1, 1], {"pet": 1, "owl": 2})


def test_classes_with_one_new_name_become_one(pets, tmp_path):
    report = relabel(pets, tmp_path / "b", {"cat": "pet", "dog": "pet"})
    assert facts(tmp_path / "b")[1:] == ([0, 0, 2, 0, 0], {"pet": 0, "owl": 2}) and report.n_relabeled == 2
    relabel(pets, tmp_path / "c", {"cat": "owl"})
    assert facts(tmp_path / "c")[1:] == ([2, 1, 2, 1, 2], {"owl": 2, "dog": 1})
    relabel(pets, tmp_path / "d", {"cat": "dog", "dog": "cat"})
    assert facts(tmp_path / "d")[1:] == ([0, 1, 2, 1, 0], {"dog": 0, "cat": 1, "owl": 2})


def test_a_name_that_is_not_there_is_an_error(pets, plain, tmp_path):
    with pytest.raises(PlanError, match="expected a class name, such as cat, got 'cats'"):
        relabel(pets, tmp_path / "b", {"cats": "pet"})
    with pytest.raises(PlanError, match="p: expected a dataset with class names, got one without"):
        relabel(plain, tmp_path / "b", {"cat": "pet"})
    with pytest.raises(PlanError, match="expected labels or class names, old and new, got both"):
        relabel(pets, tmp_path / "b", {"cat": 1})


def test_two_names_of_one_label_stay_together():
    assert rename_classes({"cat": 0, "kitty": 0, "dog": 1}, {"cat": "pet"}) == ({"pet": 0, "kitty": 0, "dog": 1}, {})
    with pytest.raises(PlanError, match="expected one new name for cat, kitty, which have one label, 0"):
        rename_classes({"cat": 0, "kitty": 0, "dog": 1}, {"cat": "dog"})


def test_a_list_gives_the_labels_of_its_keys(plain, tmp_path, both_engines):
    (tmp_path / "new.lst").write_text(
        "9\t2\t7\tx.jpg\n3\t5\t0\tx.jpg\n4\t6\t0.5\tx.jpg\n5\t8\t1\tx.jpg\n1\t1\t1\tx.jpg\n"
    )
    report = relabel(plain, tmp_path / "b", tmp_path / "new.lst")
    assert facts(tmp_path / "b")[1] == [[5, 0], [8, 1], [2, 7], [6, 0.5]] and is_sound(tmp_path / "b")
    assert report.n_relabeled == 4 and "1 row with keys that no record has" in report.notes[0]


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        (
            "3\t5\tx\n9\t5\tx\n",
            r"new.lst: key 5: expected a row for each record of .*p, got none for 2 records, of which",
        ),
        ("", "key 3: expected a row for each record"),
        ("3\t5\tx\n3\t6\tx\n", "new.lst: key 3: expected each key once"),
        ("3\tcat\tx\n", "new.lst: line 1: expected a finite number as LABEL"),
        ("3\t20000001\tx\n", "new.lst: key 3: expected a label that float32 can hold, got 20000001; .*--exact-labels"),
        ("3\t0.5\tx\n5\t9007199254740993\tx\n", "key 5: expected a label that float32 can hold"),
    ],
)
def test_a_list_that_does_not_fit_is_an_error(plain, tmp_path, rows, error):
    (tmp_path / "new.lst").write_text(rows)
    with pytest.raises((SourceError, FormatError), match=error):
        relabel(plain, tmp_path / "b", tmp_path / "new.lst")
    assert not list(tmp_path.glob("b*"))


def test_a_list_beside_repeated_keys_is_an_error(tmp_path):
    twice = write_set(tmp_path / "t", [1, 2], keys=[5, 5])
    (tmp_path / "new.lst").write_text("5\t1\tx\n")
    with pytest.raises(SourceError, match="t: key 5: expected each key once, .* 'recordkit merge .*t NEW --renumber'"):
        relabel(twice, tmp_path / "b", tmp_path / "new.lst")


def test_a_list_of_labels_says_nothing_about_names(pets, tmp_path):
    with pytest.raises(
        PlanError, match=r"a.rec: expected class names for the new labels, .*; keep them with classes=.*a.json"
    ):
        relabel(pets, tmp_path / "b", f"{pets}.lst")
    relabel(pets, tmp_path / "b", f"{pets}.lst", classes=f"{pets}.json")
    assert facts(tmp_path / "b") == facts(pets)
    relabel(pets, tmp_path / "c", f"{pets}.lst", classes=None)
    assert facts(tmp_path / "c")[2] is None


def test_a_function_gets_labels_and_returns_as_many(plain, tmp_path, both_engines):
    relabel(plain, tmp_path / "b", lambda labels: labels * 10)
    assert facts(tmp_path / "b")[1] == [0, 10, 20, 10]
    relabel(tmp_path / "b", tmp_path / "c", lambda labels: [[label, 1] if label else label for label in labels])
    assert facts(tmp_path / "c")[1] == [0, [10, 1], [20, 1], [10, 1]]
    relabel(tmp_path / "c", tmp_path / "d", lambda labels: np.array([len(label) for label in labels]))
    assert facts(tmp_path / "d")[1] == [1, 2, 2, 2] and is_sound(tmp_path / "d")
    relabel(plain, tmp_path / "e", lambda labels: np.stack([labels, labels == 1], 1))
    assert facts(tmp_path / "e")[1][1] == [1, 1]


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda labels: labels[1:], "expected 4 labels from the function, one row per record, got 3"),
        (lambda _: 7, "expected 4 labels from the function, got 7"),
        (lambda labels: [[]] * len(labels), "expected 1 to 1048576 labels for each record, got 0"),
        (lambda labels: ["cat"] * len(labels), "expected numbers from the function, got \\['cat'\\]"),
        (lambda labels: [[[1]]] * len(labels), "expected numbers from the function"),
        (lambda labels: labels / 0 if len(labels) else 0, "divide by zero"),
        (lambda labels: np.full(len(labels), np.nan), "key 3: expected a label that float32 can hold, got nan"),
        (lambda labels: labels.__setitem__(0, 1), "read-only"),
    ],
)
def test_a_function_that_returns_others_is_an_error(plain, tmp_path, function, error):
    with pytest.raises((PlanError, SourceError, RuntimeWarning, ValueError), match=error):
        relabel(plain, tmp_path / "b", function)


def test_exact_labels_stay_exact(tmp_path, both_engines):
    exact = write_set(tmp_path / "e", [20000000, 1], exact=[20000001, 1], has_list=False)
    relabel(exact, tmp_path / "b", {20000001: 30000001})
    assert np.load(tmp_path / "b.labels.npy").tolist() == [30000001, 1] and is_sound(tmp_path / "b")
    with pytest.raises(SourceError, match="expected a whole label of 64 bits, as exact labels are, got 0.5"):
        relabel(exact, tmp_path / "c", {1: 0.5})
    with pytest.raises(SourceError, match="the same number of exact labels in every record, got 1 to 2"):
        relabel(exact, tmp_path / "c", lambda labels: [[1, 2], [3]])


def test_labels_become_exact_on_request(plain, tmp_path):
    with pytest.raises(SourceError, match=r"p: expected a label that float32 can hold, got 20000001; .*--exact-labels"):
        relabel(plain, tmp_path / "b", {1: 20000001})
    relabel(plain, tmp_path / "b", {1: 20000001}, exact_labels=True)
    assert np.load(tmp_path / "b.labels.npy").tolist() == [0, 20000001, 2, 20000001] and is_sound(tmp_path / "b")


def test_several_labels_are_not_mapped(tmp_path):
    boxes = write_set(tmp_path / "x", [[0, 1]])
    with pytest.raises(PlanError, match="x: expected records with one label, .*; give a .lst file with all"):
        relabel(boxes, tmp_path / "b", {0: 1})


def test_only_names_may_change(plain, tmp_path):
    report = relabel(plain, tmp_path / "b", classes={"cat": 0, "dog": 1})
    assert facts(tmp_path / "b")[1:] == ([0, 1, 2, 1], {"cat": 0, "dog": 1})
    assert "1 record with labels that have no class name: 2" in report.notes
    assert (tmp_path / "b.rec").read_bytes() == (tmp_path / "p.rec").read_bytes()
    with pytest.raises(PlanError, match="nothing would change"):
        relabel(plain, tmp_path / "c")


def test_the_output_is_new_and_the_input_exists(plain, tmp_path):
    with pytest.raises(PublishError, match="p.rec: expected no file"):
        relabel(plain, plain, {0: 1})
    with pytest.raises(NotFoundError):
        relabel(tmp_path / "nothing", tmp_path / "b", {0: 1})
    with pytest.raises(NotFoundError):
        relabel(plain, tmp_path / "b", tmp_path / "nothing.lst")


@given(st.lists(st.integers(-(2**70), 2**70) | st.floats(allow_nan=False), min_size=1))
def test_labels_are_refused_as_one_label_alone_is(numbers):
    for number in numbers:
        kind = np.array([number])
        if kind.dtype == object:
            continue
        keys = np.zeros(1, np.uint64)
        try:
            as_labels(kind, exact=False, path="a", keys=keys)
        except SourceError:
            assert not fits_float32(number) or not np.isfinite(number)
        else:
            assert fits_float32(number)
        try:
            assert as_labels(kind, exact=True, path="a", keys=keys).tolist() == [number]
        except SourceError:
            assert not (float(number).is_integer() and -(2**63) <= number < 2**63)


@given(st.lists(st.integers(-5, 5), max_size=20), st.dictionaries(st.integers(-5, 5), st.integers(-5, 5)))
def test_a_map_is_that_of_a_dictionary(labels, pairs):
    for kind in (np.float32, np.int64):
        values, counts = LabelMap(pairs).apply(np.array(labels, kind), path="a")
        assert values.tolist() == [pairs.get(label, label) for label in labels] and values.dtype == kind
        assert counts.tolist() == [labels.count(label) for label in pairs]


def test_pairs_are_two_fields_with_a_tab(tmp_path):
    (tmp_path / "m.tsv").write_text("old cat\tcat\n\ndog\tpet\r\n")
    assert read_pairs(tmp_path / "m.tsv") == {"old cat": "cat", "dog": "pet"}
    for text, error in (("a b\n", "line 1: expected OLD and NEW"), ("a\tb\na\tc\n", "line 2: expected each OLD once")):
        (tmp_path / "m.tsv").write_text(text)
        with pytest.raises(FormatError, match=error):
            read_pairs(tmp_path / "m.tsv")


def test_an_error_names_the_option_that_is_at_fault(cli, pets, tmp_path):
    (tmp_path / "m.tsv").write_text("9\t5\n")
    (tmp_path / "n.tsv").write_text("cats\tpet\n")
    for option, value in (("--map", "9=5"), ("--map-file", tmp_path / "m.tsv"), ("--rename-file", tmp_path / "n.tsv")):
        code, _, error = cli("relabel", pets, tmp_path / "b", option, value)
        assert code == 2 and error.startswith(f"recordkit: {option}: expected")


def test_the_command_takes_one_rule(cli, pets, tmp_path):
    rec = f"{pets}.rec"
    code, output, error = cli("relabel", rec, tmp_path / "b", "--rename", "cat=pet", "--rename", "dog=pet")
    assert code == 0 and output == f"{tmp_path}/b.rec: 5 records, 0.0 MB\n2 records with other labels\n"
    assert f"{rec}: changed labels: 1 (dog) to 0 in 2 records" in error
    (tmp_path / "m.tsv").write_text("0\t5\n")
    code, output, _ = cli("relabel", rec, tmp_path / "c", "--map-file", tmp_path / "m.tsv", "--map", "1=6", "--json")
    assert code == 0 and json.loads(output)["n_relabeled"] == 4
    assert facts(tmp_path / "c")[1:] == ([5, 6, 2, 6, 5], {"cat": 5, "dog": 6, "owl": 2})
    assert cli("relabel", rec, tmp_path / "d", "--no-classes", "--exact-labels", "--dry-run")[0] == 0
    assert not list(tmp_path.glob("d*"))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ([], "expected --list, --map, --rename, --classes, --no-classes or --exact-labels, got none"),
        (["--map", "0=1", "--rename", "cat=x"], "--map and --rename exclude each other"),
        (["--no-classes", "--classes", "x.txt"], "--classes and --no-classes exclude each other"),
        (["--map", "cat=1"], "--map cat=1: expected a finite number as LABEL, got 'cat'"),
        (["--map", "0"], "expected OLD=NEW, got '0'"),
        (["--map", "0=1", "--map", "0=2"], "expected one new value for 0, got 1 and 2"),
    ],
)
def test_a_command_line_that_contradicts_itself_is_exit_code_2(cli, pets, tmp_path, options, error):
    code, _, message = cli("relabel", f"{pets}.rec", tmp_path / "b", *options)
    assert code == 2 and error in message
