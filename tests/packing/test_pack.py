"""Packing as a library call: the records, their order, the replaced files, and the errors."""

import dataclasses
import json
import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from conftest import gradient
from sources.folders import make

import recordkit
from recordkit import PackPlan, pack
from recordkit.codec import decode, encode
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import MissingError, PackError, PlanError, PublishError, SourceError
from recordkit.formats import idx, irheader, ubyte
from recordkit.formats.frame import RecordReader
from recordkit.packing import piece
from recordkit.packing.pack import pack_as_im2rec
from recordkit.packing.planned_sets import Im2recFiles
from recordkit.sample import Entry
from recordkit.sources import FolderSource, ListSource, open_source
from recordkit.storage.description import set_id
from recordkit.storage.fileset import Fileset, fingerprint


def read_records(path):
    with RecordReader(path) as reader:
        return [(header, bytes(payload)) for header, payload in map(irheader.unpack, reader)]


def file_names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def write_list(folder, text, name="a.lst"):
    path = folder / name
    path.write_text(text)
    return path


def test_the_files_of_a_folder_are_copied_in_im2recs_order(tiny_folder, tmp_path, engine):
    report = pack(tiny_folder, tmp_path / "out", engine=engine)
    assert (report.ok, report.n_packed, report.n_failed, report.engine) == (True, 12, 0, engine)
    assert file_names(tmp_path) == ["out.crc", "out.idx", "out.json", "out.lst", "out.rec"]
    rows = [line.split("\t") for line in (tmp_path / "out.lst").read_text().splitlines()]
    got = read_records(tmp_path / "out.rec")
    assert [header.id for header, _ in got] == [int(row[0]) for row in rows]
    assert [header.id for header, _ in got][:3] == [1, 4, 9]  # im2rec's shuffle of 12
    for (header, payload), (_, label, name) in zip(got, rows, strict=True):
        assert header.label == float(label) == ["cat", "dog", "owl"].index(Path(name).parent.name)
        assert payload == (tiny_folder / name).read_bytes()


def test_the_index_points_at_each_record(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "out", engine=engine)
    index = idx.read(tmp_path / "out.idx")
    with RecordReader(tmp_path / "out.rec") as reader:
        for key, offset in zip(index.keys, index.offsets, strict=True):
            assert irheader.unpack(reader.read(int(offset))[0])[0].id == key


def test_the_description_has_classes_counts_the_plan_and_a_fingerprint(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "out", plan=PackPlan(resize=16), engine=engine)
    plan = {field.name: field.default for field in dataclasses.fields(PackPlan) if field.name != "threads"}
    description = json.loads((tmp_path / "out.json").read_text())
    assert description == {
        "format": 1,
        "id": set_id(description),
        "recordkit": recordkit.__version__,
        "set": "out",
        "files": ["out.rec", "out.idx", "out.lst", "out.crc", "out.json"],
        "records": 12,
        "failed": 0,
        "label_width": [1, 1],
        **{
            suffix: {"bytes": path.stat().st_size, "sha256": fingerprint(path)}
            for suffix in ("rec", "idx", "lst", "crc")
            for path in [tmp_path / f"out.{suffix}"]
        },
        "classes": {"cat": 0, "dog": 1, "owl": 2},
        "list": "written",
        "plan": {**plan, "resize": 16, "decoders": []},
    }


def test_equal_sets_have_equal_ids_and_sets_with_other_labels_or_images_have_others(tiny_folder, tmp_path, engine):
    def pack_id(name, label, image="cat/0.jpg", **options):
        (tmp_path / f"{name}.lst").write_text(f"0\t{label}\t{image}\n")
        source = ListSource(tmp_path / f"{name}.lst", tiny_folder)
        pack(source, tmp_path / "out" / name, plan=PackPlan(exact_labels=True, **options), engine=engine)
        return json.loads((tmp_path / f"out/{name}.json").read_text())["id"]

    (tmp_path / "out").mkdir()
    first = pack_id("a", 2**24)
    assert (pack_id("a", 2**24), pack_id("b", 2**24)) == (first, first)
    # The record has the same float32 for both labels.
    others = [pack_id("a", 2**24 + 1), pack_id("a", 2**24, "dog/1.jpg"), pack_id("a", 2**24, resize=16)]
    assert len({first, *others}) == 4


def test_the_description_has_the_hash_of_exact_labels(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "out", plan=PackPlan(exact_labels=True), engine=engine)
    labels = tmp_path / "out.labels.npy"
    facts = {"bytes": labels.stat().st_size, "sha256": fingerprint(labels)}
    assert json.loads((tmp_path / "out.json").read_text())["labels"] == facts


@pytest.mark.parametrize(("encoding", "default"), [("jpg", 95), ("png", 3)])
def test_the_default_quality_is_that_of_the_plans_documentation(tiny_folder, tmp_path, engine, encoding, default):
    steps = np.random.default_rng(0).integers(0, 3, (200, 200, 3))  # no gradient: levels differ in what they find
    (tiny_folder / "cat/steps.png").write_bytes(encode((np.cumsum(steps, 1) * 9 % 256).astype(np.uint8), "png"))
    for name, quality in (("default", None), ("same", default), ("other", default + 1)):
        pack(tiny_folder, tmp_path / name, plan=PackPlan(encoding=encoding, quality=quality), engine=engine)
    default, same, other = ((tmp_path / f"{name}.rec").read_bytes() for name in ("default", "same", "other"))
    assert default == same != other


@pytest.mark.parametrize(
    "plan",
    [
        PackPlan(),
        PackPlan(resize=16, encoding="jpg"),
        PackPlan(center_crop=True, encoding="png", channels=1),
        PackPlan(encoding="raw", resize=40, filter="bilinear"),
    ],
    ids=["copied", "jpg", "png", "raw"],
)
def test_files_do_not_depend_on_the_number_of_threads(tiny_folder, tmp_path, engine, plan):
    def pack_on(threads):
        out = tmp_path / f"t{threads}"
        out.mkdir()
        with_threads = PackPlan(**{**plan.__dict__, "threads": threads})
        pack(tiny_folder, out / "x", plan=with_threads, engine=engine)
        return {path.name: path.read_bytes() for path in out.iterdir()}

    assert pack_on(1) == pack_on(2) == pack_on(7)


def test_ubyte_files_become_a_train_and_a_test_set_with_the_same_pixels(tiny_mnist, tmp_path, engine):
    pack(tiny_mnist, tmp_path / "m", engine=engine)
    assert [path.name for path in sorted(tmp_path.glob("m_*.rec"))] == ["m_test.rec", "m_train.rec"]
    pixels = np.random.default_rng(20).integers(0, 256, (20, 28, 28), np.uint8)
    for number, (header, payload) in enumerate(read_records(tmp_path / "m_train.rec")):
        assert (header.id, header.label) == (number, number % 10)
        assert payload.startswith(b"\x89PNG")
        assert np.array_equal(decode(payload, channels="keep")[:, :, 0], pixels[number])


def test_a_validation_split_is_taken_from_the_training_files_only(tiny_mnist, tmp_path, engine):
    pack(tiny_mnist, tmp_path / "m", plan=PackPlan(val_ratio=0.25), engine=engine)
    keys = {
        split: [header.id for header, _ in read_records(tmp_path / f"m_{split}.rec")]
        for split in ("train", "val", "test")
    }
    assert [len(keys[split]) for split in ("train", "val", "test")] == [15, 5, 6]
    assert sorted(keys["train"] + keys["val"]) == list(range(20))
    assert keys["val"] != sorted(keys["val"])  # drawn at random, not the last ones


def test_splits_and_shards_follow_im2recs_arithmetic(tiny_folder, tmp_path, engine):
    report = pack(tiny_folder, tmp_path / "s", plan=PackPlan(shards=2, val_ratio=0.5), engine=engine)
    assert {set_report.prefix.name: set_report.n_packed for set_report in report.sets} == {
        "s_0_train": 3, "s_0_val": 3, "s_1_train": 3, "s_1_val": 3,
    }  # fmt: skip


def test_samples_in_no_split_because_of_rounding_are_a_warning(tiny_folder, tmp_path, engine):
    report = pack(tiny_folder, tmp_path / "s", plan=PackPlan(test_ratio=0.3), engine=engine)
    assert report.n_packed == 11
    assert "1 of 12 samples is in no split" in report.warnings[0]


def test_a_split_that_would_be_empty_is_refused(tiny_folder, tmp_path):
    with pytest.raises(PlanError, match="s_test: expected samples, got 0 of 12; change the ratios"):
        pack(tiny_folder, tmp_path / "s", plan=PackPlan(test_ratio=0.01))
    assert file_names(tmp_path) == []


def test_a_repack_without_a_split_removes_the_old_split(tiny_mnist, tmp_path, engine):
    pack(tiny_mnist, tmp_path / "m", plan=PackPlan(val_ratio=0.25), engine=engine)
    (tmp_path / "m_val.txt").write_text("text of the user")
    pack(tiny_mnist, tmp_path / "m", engine=engine)
    assert [path.name for path in tmp_path.glob("m_val*")] == ["m_val.txt"]


def test_files_that_a_repack_removes_are_named(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "p", plan=PackPlan(val_ratio=0.25), engine=engine)
    assert pack(tiny_folder, tmp_path / "p", plan=PackPlan(val_ratio=0.25), engine=engine).warnings == ()
    (warning,) = pack(tiny_folder, tmp_path / "p", engine=engine).warnings
    start, _, removed = warning.partition(": ")
    assert start == "removed from the replaced set"
    assert sorted(removed.split(", ")) == [
        f"p_{part}.{suffix}" for part in ("train", "val") for suffix in ("crc", "idx", "json", "lst", "rec")
    ]


def test_files_that_a_repack_removes_are_in_natural_order(tiny_folder, tmp_path):
    arrays = np.zeros((11, 8, 8), np.uint8), np.arange(11)
    pack(arrays, tmp_path / "p", plan=PackPlan(shards=11))
    (warning,) = pack(tiny_folder, tmp_path / "p").warnings
    names = [name for name in warning.partition(": ")[2].split(", ") if name.endswith(".rec")]
    assert names == [f"p_{number}.rec" for number in range(11)]


def test_an_empty_text_is_no_folder(tmp_path):
    for function in (lambda: pack("", tmp_path / "p"), lambda: open_source("")):
        with pytest.raises(PlanError, match="expected the path of a folder or a list, got an empty text"):
            function()


def test_a_copy_or_a_renamed_set_survives_a_repack(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "d", engine=engine)
    for path in list(tmp_path.glob("d.*")):
        path.with_name(path.name.replace("d.", "d_backup.")).write_bytes(path.read_bytes())
        path.rename(path.with_name(path.name.replace("d.", "d-v1.")))
    copies = {path: path.read_bytes() for path in [*tmp_path.glob("d_backup.*"), *tmp_path.glob("d-v1.*")]}
    assert len(copies) == 10
    report = pack(tiny_folder, tmp_path / "d", plan=PackPlan(encoding="png"), engine=engine)
    assert {path: path.read_bytes() for path in copies if path.exists()} == copies
    assert report.warnings == ()


@pytest.mark.parametrize("change", ["another", "reversed", "moved"])
def test_a_rec_that_changed_after_its_pack_survives_with_its_side_files(tiny_folder, tmp_path, engine, change):
    pack(tiny_folder, tmp_path / "p", plan=PackPlan(val_ratio=0.25), engine=engine)
    record = tmp_path / "p_val.rec"
    if change == "moved":
        record.rename(tmp_path / "best.rec")
    else:
        record.write_bytes(b"bytes of the user" if change == "another" else record.read_bytes()[::-1])
    pack(tiny_folder, tmp_path / "p", engine=engine)
    survivors = ["p_val.crc", "p_val.idx", "p_val.json", "p_val.lst"] + ["p_val.rec"] * (change != "moved")
    assert [path.name for path in sorted(tmp_path.glob("p_*"))] == survivors


def test_a_list_that_an_earlier_pack_only_read_survives(tiny_folder, tmp_path, engine):
    user_list = write_list(tmp_path, "3\t1\tcat/0.jpg\n", "p.lst")
    pack(ListSource(user_list, tiny_folder), tmp_path / "p", engine=engine)
    pack(tiny_folder, tmp_path / "p", plan=PackPlan(val_ratio=0.25), engine=engine)
    assert user_list.read_text() == "3\t1\tcat/0.jpg\n"
    assert file_names(tmp_path)[0] == "p.lst" and "p.rec" not in file_names(tmp_path)


@pytest.mark.parametrize("edited", [True, False])
def test_a_list_that_a_pack_wrote_is_removed_with_its_set_unless_it_was_edited(tiny_folder, tmp_path, engine, edited):
    pack(tiny_folder, tmp_path / "p", engine=engine)
    if edited:
        rows = (tmp_path / "p.lst").read_text()
        (tmp_path / "p.lst").write_text(rows.replace("2.000000", "3.000000"))
    pack(tiny_folder, tmp_path / "p", plan=PackPlan(val_ratio=0.25), engine=engine)
    assert (tmp_path / "p.lst").exists() == edited
    assert not (tmp_path / "p.rec").exists()


@pytest.mark.parametrize("name", ["p.rec", "p.idx", "p.crc", "p.json", "p.labels.npy", "p.failed.tsv", "p.lst"])
def test_a_side_file_that_no_pack_wrote_is_not_overwritten(tiny_folder, tmp_path, engine, name):
    (tmp_path / name).write_text('{"images": []}')
    with pytest.raises(PublishError, match=rf"{name}: expected no file, or one as an earlier pack wrote it, got "):
        pack(tiny_folder, tmp_path / "p", engine=engine)
    assert (tmp_path / name).read_text() == '{"images": []}' and file_names(tmp_path) == [name]


def test_a_list_that_was_edited_after_its_pack_is_not_overwritten(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "p", engine=engine)
    before = (tmp_path / "p.rec").read_bytes()
    (tmp_path / "p.lst").write_text("text of the user")
    with pytest.raises(PublishError, match=r"p\.lst: expected no file, .*; pack that list itself, or choose another"):
        pack(tiny_folder, tmp_path / "p", plan=PackPlan(encoding="png"), engine=engine)
    assert (tmp_path / "p.lst").read_text() == "text of the user" and (tmp_path / "p.rec").read_bytes() == before


def test_a_renamed_set_is_packed_over_on_request(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "a", engine=engine)
    for path in list(tmp_path.glob("a.*")):
        path.rename(tmp_path / path.name.replace("a.", "b."))
    with pytest.raises(PublishError, match=r"b\.rec: .* got records that no pack wrote under this name; "):
        pack(tiny_folder, tmp_path / "b", engine=engine)
    assert pack(tiny_folder, tmp_path / "b", plan=PackPlan(encoding="png"), overwrite=True, engine=engine).ok


def test_the_replacement_of_a_set_packed_on_its_own_by_a_split_is_a_warning(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "p_val", engine=engine)
    report = pack(tiny_folder, tmp_path / "p", plan=PackPlan(val_ratio=0.25), engine=engine)
    assert report.warnings == ("p_val was packed on its own and is replaced",)


@pytest.mark.parametrize("prefix", ["p.rec", "p.lst", "p.labels.npy"])
def test_the_name_of_a_file_is_refused_as_a_prefix(tiny_folder, tmp_path, prefix):
    with pytest.raises(PlanError, match="expected a prefix, got the name of a file; leave out its suffix"):
        pack(tiny_folder, tmp_path / prefix)


@pytest.mark.parametrize("name", ["p", "p.rec"])
def test_the_record_file_can_have_the_name_of_the_prefix(tiny_folder, tmp_path, engine, name):
    pack_as_im2rec(tiny_folder, tmp_path / "p", Im2recFiles(name), engine=engine)
    assert file_names(tmp_path) == sorted(["p.crc", "p.idx", "p.json", "p.lst", name])
    assert len(read_records(tmp_path / name)) == 12
    assert Fileset(tmp_path / name).path(".rec") == tmp_path / name


@pytest.mark.parametrize("name", ["images.rec", "p.record", "p_1.rec", "../p.rec"])
def test_a_record_file_of_another_name_is_refused_and_the_old_set_stays(tiny_folder, tmp_path, name):
    pack(tiny_folder, tmp_path / "p")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(PlanError, match=r"^record_name: expected p or p\.rec, without splits, got "):
        pack_as_im2rec(tiny_folder, tmp_path / "p", Im2recFiles(name))
    with pytest.raises(PlanError, match=r"^record_name: expected p_val or p_val\.rec, without splits, got 'p\.rec'"):
        pack_as_im2rec(tiny_folder, tmp_path / "p", Im2recFiles("p.rec"), plan=PackPlan(val_ratio=0.25))
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert pack(tiny_folder, tmp_path / "p").ok and not list(tmp_path.glob(".*"))


def test_a_file_of_the_replaced_set_can_be_kept(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "p", plan=PackPlan(val_ratio=0.25), engine=engine)
    report = pack_as_im2rec(tiny_folder, tmp_path / "p", Im2recFiles(keep=[tmp_path / "p_val.lst"]), engine=engine)
    assert [path.name for path in tmp_path.glob("p_*")] == ["p_val.lst"]
    assert "p_val.idx" in report.warnings[0] and "p_val.lst" not in report.warnings[0]


def test_more_shards_than_samples_are_refused(tiny_folder, tmp_path):
    with pytest.raises(PlanError, match="shards: expected at most as many shards as samples, 12, got 1000000000000"):
        pack(tiny_folder, tmp_path / "p", plan=PackPlan(shards=10**12))


def test_a_pipe_next_to_the_output_does_not_block_the_pack(tiny_folder, tmp_path):
    os.mkfifo(tmp_path / "p_x.json")
    assert pack(tiny_folder, tmp_path / "p").ok


@pytest.mark.parametrize("files", ['["../q.rec", "p_x.json"]', '"p_x.json"', '[["p_x.json"], "p_x.json"]', "null"])
def test_a_json_file_of_another_program_removes_no_file(tiny_folder, tmp_path, files):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "q.rec").write_bytes(b"1234")
    (out / "p_x.json").write_text(f'{{"set": "p", "files": {files}, "rec": {{"bytes": 4}}}}')
    pack(tiny_folder, out / "p")
    assert (tmp_path / "q.rec").exists()
    assert (out / "p.rec").exists()


def test_all_labels_of_a_row_are_packed_and_widths_may_differ(tiny_folder, tmp_path, engine):
    path = write_list(tmp_path, "5\t1\t2.5\t-3\tcat/0.jpg\n9\t7\tdog/1.jpg\n3\t4\t5\towl/1.jpg\n")
    report = pack(ListSource(path, tiny_folder), tmp_path / "out", engine=engine)
    (warning,) = report.warnings
    assert warning.startswith("records have 1 to 3 labels: batches and MXNet's ImageRecordIter need the same number")
    assert [header.label for header, _ in read_records(tmp_path / "out.rec")] == [(1.0, 2.5, -3.0), 7.0, (4.0, 5.0)]
    assert json.loads((tmp_path / "out.json").read_text())["label_width"] == [1, 3]


def test_a_plan_can_pack_the_first_label_only(tiny_folder, tmp_path, engine):
    path = write_list(tmp_path, "5\t1\t2.5\tcat/0.jpg\n")
    pack(ListSource(path, tiny_folder), tmp_path / "out", plan=PackPlan(labels="first"), engine=engine)
    assert [header.label for header, _ in read_records(tmp_path / "out.rec")] == [1.0]


def test_a_label_that_float32_would_change_is_refused_and_can_be_kept_exactly(tiny_folder, tmp_path, engine):
    path = write_list(tmp_path, "0\t17186135\tcat/0.jpg\n1\t3\tdog/1.jpg\n2\t9007199254740993\towl/1.jpg\n")
    with pytest.raises(SourceError, match=r"cat/0.jpg: key 0: expected a label that float32 can hold, got 17186135"):
        pack(ListSource(path, tiny_folder), tmp_path / "out", engine=engine)
    assert file_names(tmp_path) == ["a.lst"]
    pack(ListSource(path, tiny_folder), tmp_path / "out", plan=PackPlan(exact_labels=True), engine=engine)
    labels = Fileset(tmp_path / "out").exact_labels()
    assert labels.dtype == np.int64
    assert labels.tolist() == [17186135, 3, 9007199254740993]
    assert read_records(tmp_path / "out.rec")[0][0].label == 17186136.0  # rounded to float32


def test_several_exact_labels_per_row_are_read_as_columns(tiny_folder, tmp_path, engine):
    path = write_list(tmp_path, "0\t1\t2\tcat/0.jpg\n1\t3\t4\tdog/1.jpg\n")
    pack(ListSource(path, tiny_folder), tmp_path / "out", plan=PackPlan(exact_labels=True), engine=engine)
    assert Fileset(tmp_path / "out").exact_labels().tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0\t1.5\tcat/0.jpg\n", "expected a whole label of 64 bits, got 1.5"),
        ("0\t1\tcat/0.jpg\n1\t1\t2\tdog/1.jpg\n", "expected the same number in every row, got 1 to 2"),
    ],
)
def test_fractions_and_rows_of_different_width_are_refused_as_exact_labels(tiny_folder, tmp_path, rows, message):
    with pytest.raises(SourceError, match=message):
        pack(ListSource(write_list(tmp_path, rows), tiny_folder), tmp_path / "o", plan=PackPlan(exact_labels=True))


def test_the_list_that_is_packed_is_never_changed(tiny_folder, tmp_path, engine):
    path = write_list(tmp_path, "3 \t1\tcat/0.jpg\r\n\n7\t2\tgone.jpg\n", "out.lst")
    before = path.read_bytes(), path.stat().st_mtime_ns
    report = pack(ListSource(path, tiny_folder), tmp_path / "out", engine=engine)
    assert (report.n_packed, report.n_failed) == (1, 1)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_an_output_that_is_the_input_is_refused(tiny_folder, tmp_path, engine):
    path = write_list(tmp_path, "3\t1\tcat/0.jpg\n", "a")
    with pytest.raises(PlanError, match="a: expected another output, got a file that is being packed"):
        pack_as_im2rec(ListSource(path, tiny_folder), tmp_path / "a", Im2recFiles("a"), engine=engine)
    assert path.read_text() == "3\t1\tcat/0.jpg\n"


def test_bad_images_are_left_out_and_listed_and_the_report_is_not_ok(tiny_folder, tmp_path, engine):
    (tiny_folder / "cat/empty.jpg").touch()
    (tiny_folder / "dog/text.jpg").write_text("not an image")
    report = pack(tiny_folder, tmp_path / "out", engine=engine)
    assert (report.ok, report.n_packed, report.n_failed) == (False, 12, 2)
    lines = sorted((tmp_path / "out.failed.tsv").read_text().splitlines())
    assert lines == [
        "4\tcat/empty.jpg\texpected an image, got 0 bytes",
        "9\tdog/text.jpg\texpected an image, got a file that begins with b'not an i'",
    ]
    assert len((tmp_path / "out.lst").read_text().splitlines()) == 12
    assert pack(tiny_folder, tmp_path / "out", plan=PackPlan(on_error="skip"), engine=engine).ok


def test_a_record_that_is_too_long_is_a_failure(tiny_folder, tmp_path, engine, monkeypatch):
    path = write_list(tmp_path, "0\t1\tshort\n1\t1\tlong\n2\t1\t2\tshort\n3\t1\tgone\n")
    (tiny_folder / "short").write_bytes(b"x" * 76)
    (tiny_folder / "long").write_bytes(b"x" * 77)
    monkeypatch.setattr(piece, "MAX_RECORD_BYTES", 100)
    monkeypatch.setattr(piece, "_ALWAYS_FITS_BYTES", 50)
    (set_report,) = pack(
        ListSource(path, tiny_folder), tmp_path / "out", plan=PackPlan(any_file=True), engine=engine
    ).sets
    assert [(failure.key, failure.reason) for failure in set_report.failures] == [
        (1, "expected a record shorter than 2**29 bytes, got 101 bytes"),
        (2, "expected a record shorter than 2**29 bytes, got 108 bytes"),  # two labels take 8 bytes more
        (3, "No such file or directory"),
    ]
    assert [(header.id, len(payload)) for header, payload in read_records(tmp_path / "out.rec")] == [(0, 76)]
    assert (set_report.n_listed, set_report.input_bytes, list(set_report.notes.values())) == (4, 76, [1])


def test_a_repack_without_failures_removes_the_old_list_of_failures(tiny_folder, tmp_path, engine):
    (tiny_folder / "cat/empty.jpg").touch()
    pack(tiny_folder, tmp_path / "out", engine=engine)
    (tiny_folder / "cat/empty.jpg").unlink()
    pack(tiny_folder, tmp_path / "out", engine=engine)
    assert file_names(tmp_path) == ["out.crc", "out.idx", "out.json", "out.lst", "out.rec"]


@pytest.mark.parametrize("on_error", ["report", "skip"])
def test_a_pack_without_a_good_image_keeps_the_old_files(tiny_folder, tmp_path, engine, on_error):
    pack(tiny_folder, tmp_path / "out", engine=engine)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("out*")}
    for image in tiny_folder.rglob("*.jpg"):
        image.write_bytes(b"junk")
    with pytest.raises(
        PackError, match=r"out: expected images, got 0 of 12 packed; the first failure: .*; nothing was written"
    ):
        pack(tiny_folder, tmp_path / "out", plan=PackPlan(on_error=on_error), engine=engine)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("out*")} == before


def test_all_failures_are_in_the_file_and_the_first_1000_in_the_report(tiny_folder, tmp_path, engine):
    rows = "0\t1\tcat/0.jpg\n" + "".join(f"{key}\t1\tno/{key}.jpg\n" for key in range(1, 1501))
    report = pack(ListSource(write_list(tmp_path, rows), tiny_folder), tmp_path / "out", engine=engine)
    (set_report,) = report.sets
    assert (report.n_failed, len(set_report.failures), set_report.n_listed) == (1500, 1000, 1501)
    lines = set_report.failed_path.read_text().splitlines()
    assert (len(lines), lines[-1]) == (1500, "1500\tno/1500.jpg\tNo such file or directory")


def test_on_error_raise_ends_at_the_first_failure_and_keeps_the_old_files(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "out", engine=engine)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("out*")}
    (tiny_folder / "cat/empty.jpg").touch()
    with pytest.raises(PackError, match=r"cat/empty.jpg: expected an image, got 0 bytes; nothing was packed, because"):
        pack(tiny_folder, tmp_path / "out", plan=PackPlan(on_error="raise"), engine=engine)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("out*")} == before
    assert not list(tmp_path.glob(".*staging"))


def test_a_second_folder_gets_the_class_numbers_of_the_first_or_is_refused(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "train", engine=engine)
    classes = recordkit.sources.read_classes(tmp_path / "train.json")
    val = tmp_path / "val_photos"
    (val / "owl").mkdir(parents=True)
    (val / "owl/0.jpg").write_bytes((tiny_folder / "owl/0.jpg").read_bytes())
    pack(FolderSource(val, classes=classes), tmp_path / "val", engine=engine)
    assert read_records(tmp_path / "val.rec")[0][0].label == 2.0
    (val / "newt").mkdir()
    (val / "newt/0.jpg").write_bytes((tiny_folder / "owl/0.jpg").read_bytes())
    with pytest.raises(SourceError, match="expected one of the 3 names in classes, got folder 'newt'"):
        FolderSource(val, classes=classes)


def test_raw_payloads_are_netpbm_with_the_decoded_pixels(tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "out", plan=PackPlan(encoding="raw", shuffle=False), engine=engine)
    payload = read_records(tmp_path / "out.rec")[0][1]
    assert payload.startswith(b"P6\n30 20\n255\n")
    assert np.array_equal(decode(payload), decode((tiny_folder / "cat/0.jpg").read_bytes()))


@pytest.mark.parametrize(("channels", "n"), [(3, 3), (1, 1), ("keep", 1)])
def test_images_have_the_channels_of_the_plan(tmp_path, engine, channels, n):
    root = tmp_path / "gray/x"
    root.mkdir(parents=True)
    (root / "0.png").write_bytes(encode(np.full((8, 8, 1), 77, np.uint8), "png"))
    pack(tmp_path / "gray", tmp_path / "out", plan=PackPlan(channels=channels, encoding="png"), engine=engine)
    assert decode(read_records(tmp_path / "out.rec")[0][1], channels="keep").shape == (8, 8, n)


def test_the_crop_is_before_the_resize(tiny_folder, tmp_path, engine):
    plan = PackPlan(center_crop=True, resize=10, encoding="png")
    pack(tiny_folder, tmp_path / "out", plan=plan, engine=engine)
    assert {decode(payload).shape for _, payload in read_records(tmp_path / "out.rec")} == {(10, 10, 3)}


def test_a_copied_image_with_an_exif_rotation_is_a_warning(tiny_folder, tmp_path, engine):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tiny_folder / "cat/rotated.jpg", exif=exif)
    (set_report,) = pack(tiny_folder, tmp_path / "out", engine=engine).sets
    assert list(set_report.notes) == ["rotated by EXIF only: readers that ignore EXIF will see it lying on its side"]
    pack(tiny_folder, tmp_path / "out", plan=PackPlan(encoding="png"), engine=engine)
    shapes = {decode(payload).shape for _, payload in read_records(tmp_path / "out.rec")}
    assert (30, 20, 3) in shapes  # the decoder applies the rotation


def test_copied_images_that_mxnet_cannot_decode_are_a_warning(tmp_path, engine):
    from PIL import Image

    (tmp_path / "a").mkdir()
    for suffix in ("bmp", "gif", "jpg", "png", "ppm", "tiff", "webp"):
        Image.new("RGB", (3, 3)).save(tmp_path / f"a/0.{suffix}")
    (set_report,) = pack(FolderSource(tmp_path), tmp_path / "out", engine=engine).sets
    ending = ", which MXNet's own readers cannot decode; the encoding jpg or png makes it readable there"
    assert set_report.notes == {f"{name}{ending}": 1 for name in ("GIF", "Netpbm", "WebP")}
    (set_report,) = pack(FolderSource(tmp_path), tmp_path / "out", plan=PackPlan(encoding="png"), engine=engine).sets
    assert set_report.notes == {} and set_report.n_packed == 7


class RepeatedImage:
    """A source of any length that repeats one image."""

    order, classes, pixels, bad, notes = "listed", None, False, (), ()
    payload = encode(np.zeros((4, 4, 1), np.uint8), "png")

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def entries(self, indices):
        return [Entry(index, (index % 10,), f"{index}.png") for index in indices]

    def labels(self, indices):
        return [(index % 10,) for index in indices]

    def contents(self, entries):
        return [self.payload for _ in entries]


def test_memory_does_not_grow_with_the_number_of_samples(tmp_path, engine):
    def peak(n):
        tracemalloc.start()
        pack(RepeatedImage(n), tmp_path / "out", plan=PackPlan(threads=2), engine=engine)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    small, large = peak(2_000), peak(12_000)
    assert large - small < 10_000 * 24 + 200_000  # 24 bytes per sample for the index, and noise


def test_progress_adds_up_to_the_number_of_samples(tiny_folder, tmp_path, engine):
    counts = []
    pack(tiny_folder, tmp_path / "out", engine=engine, progress=counts.append)
    assert sum(counts) == 12


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("photos", "expected a file prefix, got a folder"),
        ("/", "expected a file prefix, got a folder"),
    ],
)
def test_a_prefix_that_is_a_folder_is_refused(tiny_folder, tmp_path, prefix, message):
    with pytest.raises(PublishError, match=message):
        pack(tiny_folder, tmp_path / prefix)


def test_an_error_during_writing_leaves_no_file(tiny_folder, tmp_path, monkeypatch):
    from recordkit.packing.writer import SetWriter

    def append_to_full_disk(self, block):
        raise PublishError("disk full")

    monkeypatch.setattr(SetWriter, "append", append_to_full_disk)
    with pytest.raises(PublishError):
        pack(tiny_folder, tmp_path / "out")
    assert os.listdir(tmp_path) == ["photos"]


def test_unknown_engines_and_engines_that_are_not_built_are_refused(tiny_folder, tmp_path, no_native):
    with pytest.raises(PlanError, match="engine: expected one of auto, native, python, got 'gpu'"):
        pack(tiny_folder, tmp_path / "out", engine="gpu")
    with pytest.raises(MissingError, match=r"native engine: not built; .*, or use engine=.python."):
        pack(tiny_folder, tmp_path / "out", engine="native")
    assert pack(tiny_folder, tmp_path / "out").engine == "python"


def test_ubyte_files_cannot_be_passed_through(tiny_mnist, tmp_path):
    with pytest.raises(PlanError, match="pass_through: ubyte files hold pixels"):
        pack(tiny_mnist, tmp_path / "m", plan=PackPlan(pass_through=True))


def test_non_utf8_names_are_packed_and_listed_byte_for_byte(tiny_folder, tmp_path, engine):
    if sys.getfilesystemencoding() != "utf-8":
        pytest.skip("needs file names in UTF-8")
    raw = os.fsencode(tiny_folder / "cat") + b"/caf\xe9.jpg"
    with open(raw, "wb") as file:
        file.write((tiny_folder / "cat/0.jpg").read_bytes())
    assert pack(tiny_folder, tmp_path / "out", engine=engine).n_packed == 13
    assert b"cat/caf\xe9.jpg\n" in (tmp_path / "out.lst").read_bytes()
    assert pack(ListSource(tmp_path / "out.lst", tiny_folder), tmp_path / "again", engine=engine).ok


def test_all_labels_of_ubyte_files_are_packed_with_one_warning(tmp_path, engine):
    labels = np.stack([np.arange(4), np.full(4, 281_769)], 1).astype(np.int32)
    for split in ("train", "test"):
        (tmp_path / f"qmnist-{split}-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((4, 3, 3), np.uint8)))
        (tmp_path / f"qmnist-{split}-labels-idx2-int").write_bytes(ubyte.pack(labels))
    report = pack(tmp_path, tmp_path / "q", engine=engine)
    assert report.warnings == (
        "all 2 labels of each image are packed; in QMNIST the first is the class, and 'recordkit pack --labels first' "
        "packs it alone",
    )
    with RecordDataset(tmp_path / "q_test.rec") as records:
        assert records[3].label.tolist() == [3, 281_769]
    assert pack(tmp_path, tmp_path / "q", plan=PackPlan(labels="first"), engine=engine).warnings == ()


def test_splits_of_a_folder_are_packed_with_one_class_map_and_the_training_split_is_divided(tmp_path, engine):
    names = [f"train/{name}/{number}.jpg" for name in ("cat", "dog") for number in range(5)]
    make(tmp_path / "photos", *names, "test/dog/1.jpg", content=encode(gradient(8, 9), "jpg"))
    report = pack(tmp_path / "photos", tmp_path / "a", plan=PackPlan(val_ratio=0.2), engine=engine)
    assert [(done.prefix.name, done.n_packed) for done in report.sets] == [("a_val", 2), ("a_train", 8), ("a_test", 1)]
    with RecordDataset(tmp_path / "a_test.rec") as test_set:
        assert test_set.classes == {"cat": 0, "dog": 1} and test_set[0].label == 1
    make(tmp_path / "photos", "val/cat/1.jpg", content=encode(gradient(8, 9), "jpg"))
    with pytest.raises(PlanError, match="val_ratio: this source has a val split of its own; leave it out"):
        pack(tmp_path / "photos", tmp_path / "a", plan=PackPlan(val_ratio=0.2), engine=engine)
