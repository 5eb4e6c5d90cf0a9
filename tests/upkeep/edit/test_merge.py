"""`merge`: several datasets as one, with their keys, labels, classes and lists, by both engines."""

import itertools
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upkeep.edit.small_sets import facts, is_sound, payload_of, payloads, write_set

from recordkit.errors import FormatError, NotFoundError, PlanError, PublishError, SourceError
from recordkit.upkeep import merge
from recordkit.upkeep.division.sizes import even_bounds
from recordkit.upkeep.labels.class_maps import unite_classes


@pytest.fixture
def two(tmp_path):
    """Two sets whose keys do not collide."""
    return [write_set(tmp_path / "a", [0, 1, 0]), write_set(tmp_path / "b", [1, 2], keys=[7, 3])]


def test_records_keys_labels_and_paths_follow_each_other(two, tmp_path, both_engines):
    report = merge(two, tmp_path / "all")
    assert facts(tmp_path / "all") == ([0, 1, 2, 7, 3], [0, 1, 0, 1, 2], None)
    assert payloads(tmp_path / "all") == [payload_of(key) for key in (0, 1, 2, 7, 3)]
    assert (tmp_path / "all.rec").read_bytes() == b"".join(Path(f"{prefix}.rec").read_bytes() for prefix in two)
    assert (tmp_path / "all.lst").read_text().splitlines()[3] == "7\t1.000000\t7.jpg"
    assert is_sound(tmp_path / "all") and report.n_records == 5 and report.n_relabeled == 0


def test_renumbered_keys_are_positions_in_headers_index_and_list(tmp_path, both_engines):
    prefixes = [write_set(tmp_path / name, [1, 2], keys=[5, 6]) for name in "ab"]
    merge(prefixes, tmp_path / "all", keys="renumber")
    assert facts(tmp_path / "all")[0] == [0, 1, 2, 3]
    assert is_sound(tmp_path / "all")
    assert (tmp_path / "all.lst").read_text().splitlines()[2] == "2\t1.000000\t5.jpg"


def test_a_repeated_key_is_an_error_that_names_both_datasets(tmp_path):
    prefixes = [write_set(tmp_path / "a", [1, 2], keys=[5, 6]), write_set(tmp_path / "b", [1, 2, 3], keys=[8, 6, 5])]
    with pytest.raises(
        SourceError, match=r"key 5: .* in .*a and in .*b, the first of 2 repeated keys; .* keys=.renumber."
    ):
        merge(prefixes, tmp_path / "all")
    with pytest.raises(SourceError, match=r"key 4: .* in .*c twice"):
        merge([write_set(tmp_path / "c", [1, 2], keys=[4, 4])], tmp_path / "all")
    assert not list(tmp_path.glob("all*"))


@pytest.fixture
def fails(tmp_path):
    """Merge sets, each the arguments of `write_set` or a path that does not exist; compare the error with a text."""

    def run(text, *sets):
        paths = [tmp_path / name if rest is None else write_set(tmp_path / name, *rest[:1], **rest[1])
                 for name, rest in sets]  # fmt: skip
        with pytest.raises((SourceError, NotFoundError), match=text.replace("DIR", re.escape(str(tmp_path)) + "/")):
            merge(paths, tmp_path / "all")

    return run


PETS = {"cat": 0, "dog": 1}


def test_all_missing_datasets_are_named(fails):
    fails("DIRx.rec: .*, and so for DIRy.rec, DIRz.rec", ("a", ([0], {})), *((f"{name}.rec", None) for name in "xyz"))


def test_all_datasets_with_repeated_keys_are_named(fails):
    sets = [(name, ([0, 0], {"keys": [7 + n, 20 - n]})) for n, name in enumerate("ab")]
    same = [(name, ([0], {"keys": [7]})) for name in "cd"]
    fails("DIRc: key 7: .* in DIRa and in DIRc, the first of 2 repeated keys in DIRa, DIRc, DIRd; number", *sets, *same)


def test_all_datasets_that_contradict_the_first_are_named(fails):
    first = ("a", ([0, 1], {"classes": PETS}))
    fails(
        "DIRb: expected class names, as DIRa has, got labels without names, and so in DIRc; name them",
        first,
        *((name, ([0], {"keys": [7 + n]})) for n, name in enumerate("bc")),
    )
    fails(
        "DIRb: .* got cat, dog, which .* cat with 0, dog with 1; and so cat, dog, which .* dog with 1 in DIRc; give",
        first,
        *((name, ([0], {"keys": [7 + n], "classes": {"cat": 0, "dog": 0}})) for n, name in enumerate("bc")),
    )
    fails(
        "DIRb: expected the label 1 for the class dog, .* got 0, and so in DIRc; change",
        first,
        *((name, ([[0, 1]], {"keys": [7 + n], "classes": {"dog": 0}})) for n, name in enumerate("bc")),
    )


def test_all_datasets_with_other_labels_are_named(fails):
    fails(
        "DIRb: expected 1 label per record, as in DIRa, got 2 labels, and 3 labels in DIRc; fill",
        ("a", ([0], {})),
        *((name, ([[0] * (2 + n)], {"keys": [7 + n]})) for n, name in enumerate("bc")),
    )
    fails(
        "DIRb: key 2: expected a class name for the label 1, which emu gets .* got none, and so for 2 in DIRb, "
        "1 in DIRc, 2 in DIRc; name",
        *((name, ([1, 2], {"keys": [2 + 2 * n, 3 + 2 * n], "classes": {"cat": 0}})) for n, name in enumerate("bc")),
        ("d", ([2, 3], {"keys": [8, 9], "classes": {"emu": 2, "owl": 3}})),
    )
    fails(
        "DIRb: key 0: expected a whole label up to .* because DIRe has exact labels, got 0.5, and so in DIRc$",
        ("e", ([0], {"keys": [8], "exact": [0]})),
        *((name, ([0.5], {"keys": [n]})) for n, name in enumerate("bc")),
    )


def test_labels_of_other_datasets_follow_their_names(tmp_path, both_engines):
    first = write_set(tmp_path / "a", [0, 1], classes={"cat": 0, "dog": 1})
    second = write_set(tmp_path / "b", [0, 1, 2, 0], keys=range(10, 14), classes={"bird": 0, "cat": 1, "owl": 2})
    report = merge([first, second], tmp_path / "all")
    classes = {"cat": 0, "dog": 1, "bird": 2, "owl": 3}
    assert facts(tmp_path / "all") == ([0, 1, 10, 11, 12, 13], [0, 1, 2, 0, 3, 2], classes)
    assert is_sound(tmp_path / "all") and report.n_relabeled == 4
    changes = [(change.old, change.new, change.names, change.n_records) for change in report.changes]
    assert changes == [(0, 2, ("bird",), 2), (1, 0, ("cat",), 1), (2, 3, ("owl",), 1)]
    assert json.loads(json.dumps(report.as_json()))["changes"][0]["names"] == ["bird"]


def test_equal_class_maps_leave_every_byte(tmp_path):
    prefixes = [write_set(tmp_path / name, [1, 0], keys=keys, classes={"x": 0, "y": 1}) for name, keys in
                (("a", [0, 1]), ("b", [2, 3]))]  # fmt: skip
    assert merge(prefixes, tmp_path / "all").changes == ()
    assert (tmp_path / "all.rec").read_bytes() == b"".join(Path(f"{prefix}.rec").read_bytes() for prefix in prefixes)


def test_labels_without_class_names_beside_names_are_an_error(tmp_path):
    named = write_set(tmp_path / "a", [0], classes={"cat": 0})
    unnamed = write_set(tmp_path / "b", [0], keys=[1])
    with pytest.raises(SourceError, match=r"b: expected class names, as .*a has, got labels without names; name them"):
        merge([named, unnamed], tmp_path / "all")


def test_an_empty_dataset_needs_no_class_names(tmp_path):
    named = write_set(tmp_path / "a", [0], classes={"cat": 0})
    merge([named, write_set(tmp_path / "b", [], has_list=False)], tmp_path / "all")
    assert facts(tmp_path / "all")[2] == {"cat": 0}


def test_a_label_without_a_name_may_not_get_one_by_accident(tmp_path):
    first = write_set(tmp_path / "a", [0, 1], classes={"cat": 0})
    second = write_set(tmp_path / "b", [0], keys=[9], classes={"dog": 0})
    with pytest.raises(SourceError, match=r"a: key 1: expected a class name for the label 1, which dog gets"):
        merge([first, second], tmp_path / "all")


def test_a_label_without_a_name_stays_and_is_told(tmp_path):
    first = write_set(tmp_path / "a", [0, -1, -1], classes={"cat": 0})
    second = write_set(tmp_path / "b", [0], keys=[9], classes={"dog": 0})
    report = merge([first, second], tmp_path / "all")
    assert facts(tmp_path / "all")[1] == [0, -1, -1, 1]
    assert "2 records with labels without a class name, which stay: -1" in " ".join(report.notes)


def test_several_labels_of_a_record_are_never_mapped(tmp_path):
    first = write_set(tmp_path / "a", [[0, 5], [1, 5]], classes={"cat": 0, "dog": 1})
    same = write_set(tmp_path / "b", [[1, 6]], keys=[7], classes={"dog": 1})
    merge([first, same], tmp_path / "same")
    assert facts(tmp_path / "same")[1] == [[0, 5], [1, 5], [1, 6]]
    other = write_set(tmp_path / "c", [[0, 6]], keys=[7], classes={"dog": 0})
    with pytest.raises(SourceError, match=r"c: expected the label 1 for the class dog, because records with several"):
        merge([first, other], tmp_path / "all")


def test_one_label_with_names_of_two_classes_is_an_error(tmp_path):
    first = write_set(tmp_path / "a", [0], classes={"cat": 0, "kitty": 1})
    second = write_set(tmp_path / "b", [0], keys=[1], classes={"cat": 0, "kitty": 0})
    with pytest.raises(
        SourceError, match=r"one class for the label 0, got cat, kitty, which .* cat with 0, kitty with 1"
    ):
        merge([first, second], tmp_path / "all")


@given(st.lists(st.permutations(["a", "b", "c", "d"]).flatmap(lambda names: st.integers(1, 4).map(
    lambda n: {name: label for label, name in enumerate(names[:n])})), min_size=1, max_size=4))  # fmt: skip
def test_united_classes_keep_every_name_of_every_label(maps):
    union = unite_classes(maps, [str(number) for number in range(len(maps))])
    for classes, new_labels in zip(maps, union.new_labels, strict=True):
        for name, label in classes.items():
            assert union.classes[name] == new_labels.get(label, label)
    assert sorted(union.classes.values()) == list(range(len(union.classes)))
    assert union.new_labels[0] == {}


def test_other_numbers_of_labels_need_a_value_to_pad_with(tmp_path, both_engines):
    first = write_set(tmp_path / "a", [3, 4])
    second = write_set(tmp_path / "b", [[1, 2, 3]], keys=[9])
    with pytest.raises(SourceError, match=r"b: expected 1 label per record, as in .*a, got 3 labels; .*pad_labels=0"):
        merge([first, second], tmp_path / "all")
    report = merge([first, second], tmp_path / "all", pad_labels=-1)
    assert facts(tmp_path / "all")[1] == [[3, -1, -1], [4, -1, -1], [1, 2, 3]]
    assert is_sound(tmp_path / "all") and report.n_relabeled == 2
    assert (tmp_path / "all.lst").read_text().splitlines()[0] == "0\t3.000000\t-1.000000\t-1.000000\t0.jpg"


@pytest.mark.parametrize("number", [10**39, 10**400, 1e39, float("inf"), float("nan")])
def test_labels_are_filled_up_with_a_number_that_float32_has(tmp_path, number):
    sets = [write_set(tmp_path / "a", [3]), write_set(tmp_path / "b", [[1, 2]], keys=[9])]
    with pytest.raises(PlanError, match="pad_labels: expected a number that float32 can hold"):
        merge(sets, tmp_path / "all", pad_labels=number)


@pytest.mark.parametrize("shards", [1, 2])
def test_a_prefix_without_a_name_is_an_error(two, shards):
    with pytest.raises(PublishError, match=r"^\.: expected a file prefix, got a folder; add a name, as in train$"):
        merge(two, "", shards=shards)


def test_datasets_with_rows_of_any_length_stay_as_they_are(tmp_path):
    boxes = write_set(tmp_path / "a", [[1, 2], [1, 2, 3, 4]])
    single = write_set(tmp_path / "b", [7], keys=[9])
    merge([boxes, single], tmp_path / "all")
    assert facts(tmp_path / "all")[1] == [[1, 2], [1, 2, 3, 4], 7]


def test_exact_labels_of_one_dataset_make_those_of_all_exact(tmp_path, both_engines):
    exact = write_set(tmp_path / "a", [20000000, 1], exact=[20000001, 1], has_list=False)
    plain = write_set(tmp_path / "b", [3], keys=[9], has_list=False)
    report = merge([exact, plain], tmp_path / "all")
    assert np.load(tmp_path / "all.labels.npy").tolist() == [20000001, 1, 3]
    assert is_sound(tmp_path / "all") and report.n_relabeled == 0
    broken = write_set(tmp_path / "c", [3, 0.5], keys=[8, 9])
    with pytest.raises(
        SourceError, match=r"c: key 9: expected a whole label up to 2\*\*24, because .*a has exact labels"
    ):
        merge([exact, broken], tmp_path / "all2")
    large = write_set(tmp_path / "d", [20000000], keys=[8])
    with pytest.raises(SourceError, match=r"d: key 8: expected a whole label up to 2\*\*24"):
        merge([exact, large], tmp_path / "all2")


def test_exact_labels_of_other_numbers_are_padded_or_refused(tmp_path):
    exact = write_set(tmp_path / "a", [1], exact=[20000001], has_list=False)
    boxes = write_set(tmp_path / "b", [[1, 2], [1, 2, 3]], keys=[8, 9])
    with pytest.raises(SourceError, match="expected 1 label per record"):
        merge([exact, boxes], tmp_path / "all")
    with pytest.raises(PlanError, match="pad_labels: expected a whole number, as the labels are exact"):
        merge([exact, boxes], tmp_path / "all", pad_labels=0.5)
    merge([exact, boxes], tmp_path / "all", pad_labels=0)
    assert np.load(tmp_path / "all.labels.npy").tolist() == [[20000001, 0, 0], [1, 2, 0], [1, 2, 3]]


def test_one_file_by_two_names_is_an_error(two, tmp_path):
    (tmp_path / "link.rec").symlink_to(tmp_path / "a.rec")
    os.link(tmp_path / "a.rec", tmp_path / "hard.rec")
    for other in ("a.rec", "link.rec", "hard.rec"):
        with pytest.raises(PlanError, match="expected each .rec file once"), pytest.warns() if other != "a.rec" else \
                pytest.MonkeyPatch.context():  # fmt: skip
            merge([two[0], tmp_path / other], tmp_path / "all")


def test_an_output_that_exists_or_is_an_input_stays(two, tmp_path):
    before = (tmp_path / "a.rec").read_bytes()
    with pytest.raises(PublishError, match="a.rec: expected no file"):
        merge(two, tmp_path / "a")
    assert (tmp_path / "a.rec").read_bytes() == before


def test_an_output_that_exists_is_refused_before_anything_is_read(two, tmp_path):
    with pytest.raises(PublishError, match="a.rec: expected no file"):
        merge([tmp_path / "none"], tmp_path / "a")


def test_a_set_whose_publishing_was_killed_is_completed_before_it_is_refused(two, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("recordkit.storage.staging.finish", lambda *_, **_options: None)
        merge(two, tmp_path / "all")
    assert not (tmp_path / "all.rec").exists()
    with pytest.raises(PublishError, match="all.rec: expected no file"):
        merge([tmp_path / "none"], tmp_path / "all")
    assert facts(tmp_path / "all")[0] == [0, 1, 2, 7, 3] and not list(tmp_path.glob(".*"))


def test_a_command_without_the_name_of_the_new_set_says_so(two, cli, tmp_path):
    code, _, error = cli("merge", f"{two[0]}.rec", f"{two[1]}.rec")
    assert code == 2 and f"the name of the new set, PREFIX, is missing after {two[1]}.rec, which exists" in error


def test_shards_are_even_in_bytes_and_named_by_a_manifest(two, tmp_path):
    report = merge(two, tmp_path / "all", shards=2)
    manifest = json.loads((tmp_path / "all.manifest.json").read_text())
    assert [shard["rec"] for shard in manifest["shards"]] == ["all_0.rec", "all_1.rec"]
    assert [each.n_records for each in report.sets] == [3, 2] and report.manifest == tmp_path / "all.manifest.json"
    assert facts(tmp_path / "all_0")[0] == [0, 1, 2] and facts(tmp_path / "all_1")[0] == [7, 3]
    with pytest.raises(PlanError, match="shards: expected 1 to the number of records, 5, got 6"):
        merge(two, tmp_path / "other", shards=6)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30), st.integers(1, 30))
def test_an_even_cut_gives_every_part_a_record(sizes, n_parts):
    n_parts = min(n_parts, len(sizes))
    bounds = even_bounds(np.cumsum(np.array(sizes, np.int64)), n_parts)
    parts = [sum(sizes[begin:end]) for begin, end in itertools.pairwise(bounds)]
    assert bounds[0] == 0 and bounds[-1] == len(sizes) and all(np.diff(bounds) > 0)
    assert max(parts) <= sum(sizes) / n_parts + max(sizes) or min(np.diff(bounds)) == 1


def test_a_dry_run_writes_nothing_and_reports_the_same(two, tmp_path):
    dry = merge(two, tmp_path / "all", dry_run=True)
    assert not list(tmp_path.glob("all*")) and not list(tmp_path.glob(".all*"))
    wet = merge(two, tmp_path / "all")
    assert (dry.sets, dry.notes, dry.changes) == (wet.sets, wet.notes, wet.changes) and dry.dry_run


def test_a_damaged_or_missing_input_leaves_nothing(two, tmp_path, both_engines):
    with pytest.raises(NotFoundError, match=r"nothing\.rec"):
        merge([two[0], tmp_path / "nothing"], tmp_path / "all")
    damaged = bytearray((tmp_path / "b.rec").read_bytes())
    damaged[0:4] = bytes(4)
    (tmp_path / "b.rec").write_bytes(damaged)
    with pytest.raises(FormatError, match=r"b\.rec: byte 0: expected magic"):
        merge(two, tmp_path / "all")
    assert not list(tmp_path.glob("all*")) and not list(tmp_path.glob(".all*"))


def test_the_command_prints_sets_and_changes(cli, tmp_path):
    write_set(tmp_path / "a", [0, 1], classes={"cat": 0, "dog": 1})
    write_set(tmp_path / "b", [0], keys=[0], classes={"dog": 0})
    arguments = ["merge", tmp_path / "a.rec", tmp_path / "b.rec", tmp_path / "all"]
    code, _, error = cli(*arguments)
    assert code == 1 and "number the records anew with --renumber" in error
    code, output, error = cli(*arguments, "--renumber")
    assert code == 0 and output == f"{tmp_path}/all.rec: 3 records, 0.0 MB\n1 record with other labels\n"
    assert f"note: {tmp_path}/b.rec: changed labels: 0 (dog) to 1 in 1 record" in error
    code, output, _ = cli(*arguments[:-1], tmp_path / "more", "--renumber", "--dry-run", "--json")
    assert code == 0 and json.loads(output)["dry_run"] and not (tmp_path / "more.rec").exists()


def test_one_path_need_not_be_a_list(tmp_path):
    assert merge(f"{write_set(tmp_path / 'a', [1, 2])}.rec", tmp_path / "all").n_records == 2
