"""New sets of records of others: their bytes, companions and errors, by both engines."""

import json
from pathlib import Path

import numpy as np
import pytest
from upkeep.edit.small_sets import write_set

import recordkit as rk
from recordkit import upkeep
from recordkit.errors import FormatError, PlanError, PublishError
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.edit.output import NewSet, write_sets
from recordkit.upkeep.labels.arrays import Labels


@pytest.fixture(autouse=True, params=["python", "native"])
def each_engine(request):
    """Read and copy records by each engine."""
    request.getfixturevalue("require_native" if request.param == "native" else "no_native")


@pytest.fixture
def packed(tiny_folder, tmp_path):
    """A packed set of twelve images, its prefix."""
    rk.pack(tiny_folder, tmp_path / "a", plan=rk.PackPlan(threads=1), engine="python")
    return tmp_path / "a"


def write(inputs, *sets, **options):
    """Write sets whose prefix is that of the first one."""
    return write_sets(inputs, sets, sets[0].prefix, edit={"command": "test"}, threads=1, **options)


def test_all_rows_give_the_same_records_index_list_and_checksums(packed, tmp_path):
    with Inputs([packed]) as inputs:
        report = write(inputs, NewSet(tmp_path / "b", np.arange(12), classes=inputs.classes[0]))
    for suffix in (".rec", ".idx", ".lst", ".crc"):
        assert Path(f"{tmp_path}/b{suffix}").read_bytes() == Path(f"{packed}{suffix}").read_bytes()
    assert upkeep.verify(tmp_path / "b").ok
    assert report.sets[0].n_bytes == packed.with_suffix(".rec").stat().st_size
    description = json.loads((tmp_path / "b.json").read_text())
    assert (description["edit"], description["records"], description["classes"]) == (
        {"command": "test"},
        12,
        {"cat": 0, "dog": 1, "owl": 2},
    )


def test_new_keys_and_labels_are_in_headers_index_and_list(packed, tmp_path):
    labels = Labels(np.array([5, 7, 8, 9], np.float32), np.array([0, 1, 3, 4], np.uint64))
    with Inputs([packed]) as inputs:
        old = [bytes(inputs.datasets[0][row].payload) for row in (3, 1, 2)]
        write(inputs, NewSet(tmp_path / "b", np.array([3, 1, 2]), np.array([70, 71, 72], np.uint64), labels))
    assert upkeep.verify(tmp_path / "b").ok
    with rk.RecordDataset(tmp_path / "b", check=True) as new:
        assert new.keys.tolist() == [70, 71, 72]
        assert new.ragged_labels()[0].tolist() == [5, 7, 8, 9]
        assert [bytes(sample.payload) for sample in new[[0, 1, 2]]] == old


def test_a_damaged_record_is_named_with_its_key_and_repair(packed, tmp_path):
    with rk.RecordDataset(packed) as dataset:
        offset, key = int(dataset.offsets[5]), int(dataset.keys[5])
    with open(f"{packed}.rec", "r+b") as file:
        file.seek(offset + 60)
        file.write(b"\xff\x00\xff")
    with Inputs([packed]) as inputs, pytest.raises(FormatError, match="CRC-32 .*'recordkit repair ") as caught:
        write(inputs, NewSet(tmp_path / "b", np.arange(12)))
    assert (caught.value.path, caught.value.offset, caught.value.key) == (f"{packed}.rec", offset, key)
    assert not list(tmp_path.glob("b*")) + list(tmp_path.glob(".b*"))


def test_a_file_with_checksums_beside_one_without_is_compared_with_them(packed, tmp_path):
    write_set(tmp_path / "c", [0], keys=[50], classes={"cat": 0, "dog": 1, "owl": 2})
    content = bytearray(packed.with_suffix(".rec").read_bytes())
    content[-10] ^= 1
    packed.with_suffix(".rec").write_bytes(content)
    with Inputs([tmp_path / "[ac].rec"]) as inputs, pytest.raises(FormatError, match="a.rec: .*CRC-32"):
        write(inputs, NewSet(tmp_path / "b", np.arange(12, -1, -1)))


def test_existing_files_are_not_replaced(packed, tmp_path):
    (tmp_path / "b.lst").write_text("mine")
    with Inputs([packed]) as inputs:
        for name, got in (("b", "one of that name; .* replace it with overwrite=True"), ("a", "the file that is read")):
            with pytest.raises(PublishError, match=f"expected no file, got {got}"):
                write(inputs, NewSet(tmp_path / name, np.arange(2)))
    assert (tmp_path / "b.lst").read_text() == "mine"


def test_a_dry_run_gives_the_same_report_and_writes_nothing(packed, tmp_path):
    labels = Labels(np.zeros(9, np.float32), np.array([0, 2, 5, 9], np.uint64))
    with Inputs([packed]) as inputs:
        sets = NewSet(tmp_path / "b_x", np.array([4, 2])), NewSet(tmp_path / "b_y", np.array([1, 5, 7]), labels=labels)
        before = sorted(tmp_path.iterdir())
        dry = write_sets(inputs, sets, tmp_path / "b", edit={}, dry_run=True)
        assert sorted(tmp_path.iterdir()) == before
        wet = write_sets(inputs, sets, tmp_path / "b", edit={})
    assert dry.sets == wet.sets
    assert all(upkeep.verify(tmp_path / name).ok for name in ("b_x", "b_y"))


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_prefix_at_which_nothing_can_be_written_is_refused_by_a_dry_run_too(packed, tmp_path, dry_run):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for name, problem in (("file/b", "a folder, got a file"), ("folder", "a file prefix, got a folder")):
        with pytest.raises(PublishError, match=f"expected {problem}"):
            upkeep.subset(packed, tmp_path / name, upkeep.Selection(first=1), dry_run=dry_run)


def test_sets_that_cannot_be_are_refused(packed, tmp_path):
    with Inputs([packed]) as inputs:
        for new, message in (
            (NewSet(tmp_path / "b", np.array([], np.int64)), "expected at least one record, got none"),
            (NewSet(tmp_path / "b", np.array([12])), "expected rows from 0 to 11"),
            (NewSet(tmp_path / "b", np.array([1]), np.array([1, 2], np.uint64)), "expected 1 key and labels"),
        ):
            with pytest.raises(PlanError, match=message):
                write(inputs, new)


def test_shards_have_a_manifest_and_open_as_one_dataset(packed, tmp_path):
    with Inputs([packed]) as inputs:
        sets = [NewSet(tmp_path / f"b_{number}", np.arange(12)[number::2]) for number in range(2)]
        report = write_sets(inputs, sets, tmp_path / "b", edit={}, shards=True)
    assert report.manifest == tmp_path / "b.manifest.json"
    with rk.RecordDataset(tmp_path / "b") as dataset, rk.RecordDataset(packed) as old:
        assert dataset.keys.tolist() == [*old.keys[0::2].tolist(), *old.keys[1::2].tolist()]


def test_exact_labels_go_with_their_records(tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "a", plan=rk.PackPlan(exact_labels=True, threads=1), engine="python")
    rows = np.array([11, 0, 5])
    with Inputs([tmp_path / "a"]) as inputs:
        exact = Labels(np.array([2**40, 1, 2]), np.arange(4, dtype=np.uint64))
        write(inputs, NewSet(tmp_path / "b", rows))
        write(inputs, NewSet(tmp_path / "c", rows, labels=exact))
        expected = inputs.labels().at(rows).values.tolist()
    for name, labels in (("b", expected), ("c", [2**40, 1, 2])):
        assert upkeep.verify(tmp_path / name).ok
        with rk.RecordDataset(tmp_path / name) as dataset:
            assert (dataset.labels.tolist(), dataset.labels.dtype) == (labels, np.int64)


def test_rows_in_any_order_and_twice_come_from_several_files(packed, tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "other", plan=rk.PackPlan(threads=1), engine="python")
    rows = np.array([15, 3, 12, 3, 0, 14])
    with Inputs([packed, tmp_path / "other"]) as inputs:
        write(inputs, NewSet(tmp_path / "b", rows, np.arange(6, dtype=np.uint64)))
        old = [dataset[[*range(len(dataset))]] for dataset in inputs.datasets]
        expected = [bytes([*old[0], *old[1]][row].payload) for row in rows]
    with rk.RecordDataset(tmp_path / "b", check=True) as dataset:
        assert [bytes(sample.payload) for sample in dataset[[*range(6)]]] == expected
    assert upkeep.verify(tmp_path / "b").ok


def test_two_names_of_one_file_are_refused(packed, tmp_path):
    for suffix in (".rec", ".idx"):
        (tmp_path / f"link{suffix}").hardlink_to(packed.with_suffix(suffix))
    with pytest.raises(PlanError, match=r"link.rec: expected each .rec file once, got .*a.rec again"):
        Inputs([packed, tmp_path / "link.rec"])


def test_no_list_is_written_without_a_row_for_each_record(packed, tmp_path):
    lines = Path(f"{packed}.lst").read_bytes().splitlines(keepends=True)
    for number, (content, reason) in enumerate(
        (
            (b"".join(lines[1:]), "expected a row for each record, got none for this one"),
            (b"".join([*lines, lines[0]]), "expected each key once, got one twice"),
            (b"0 1.0 a.jpg\n", "expected KEY, LABEL and PATH, separated by tabs"),
        )
    ):
        Path(f"{packed}.lst").write_bytes(content)
        with Inputs([packed]) as inputs:
            report = write(inputs, NewSet(tmp_path / f"b{number}", np.arange(3)))
        assert reason in report.notes[0]
        assert not (tmp_path / f"b{number}.lst").exists()
        assert upkeep.verify(tmp_path / f"b{number}").ok


def test_a_list_of_another_order_gives_its_rows_by_key(packed, tmp_path):
    lines = Path(f"{packed}.lst").read_bytes().splitlines(keepends=True)
    Path(f"{packed}.lst").write_bytes(b"\xef\xbb\xbf\n" + b"\r\n".join(line[:-1] for line in reversed(lines)))
    with Inputs([packed]) as inputs:
        write(inputs, NewSet(tmp_path / "b", np.arange(12)))
    assert (tmp_path / "b.lst").read_bytes() == b"".join(lines)


@pytest.mark.parametrize(
    "edit",
    [
        lambda source, prefix: upkeep.merge([source], prefix),
        lambda source, prefix: upkeep.split(source, prefix, {"a": 1, "b": 1}),
        lambda source, prefix: upkeep.subset(source, prefix, upkeep.Selection(keys=1)),
        lambda source, prefix: upkeep.relabel(source, prefix, labels={0: 1}),
        upkeep.shuffle,
        upkeep.repair,
    ],
)
def test_the_output_is_checked_before_anything_is_read(edit, packed, tmp_path):
    source = tmp_path / "damaged.rec"
    source.write_bytes(b"damaged")
    with pytest.raises(PublishError, match="expected no file, got one of that name"):
        edit(source, packed)
