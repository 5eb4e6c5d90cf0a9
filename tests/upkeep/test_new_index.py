"""`reindex`: the index of im2rec to the byte, the keys that a dataset without an index has, and nothing for damage."""

import json
import os
import sys
import warnings
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recordkit
from recordkit import RecordDataset
from recordkit.errors import FormatError, NotFoundError, PublishError, TruncatedError
from recordkit.formats import idx
from recordkit.formats.frame import MAGIC_BYTES, RecordWriter
from recordkit.formats.irheader import IRHeader, pack
from recordkit.recordio import MXIndexedRecordIO, MXRecordIO
from recordkit.storage.locks import lock_folder
from recordkit.storage.replacement import write_atomically
from recordkit.storage.staging import Staging
from recordkit.upkeep import reindex, verify


@pytest.fixture(params=["core", "no core"])
def reader(request):
    """Run a test with the native core and without it."""
    request.getfixturevalue("require_native" if request.param == "core" else "no_native")


def write(prefix, ids, payload=b"jpeg"):
    """Write PREFIX.rec; return the lines that an index with the ids as keys has."""
    with open(f"{prefix}.rec", "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(pack(IRHeader(1.0, key), payload + bytes(key % 3))) for key in ids]
    return idx.lines(list(ids), offsets)


def keys_without_index(prefix):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RecordDataset(prefix).keys.tolist()


@pytest.mark.parametrize("options", [["--pass-through"], ["--resize", "16"]])
def test_a_lost_index_is_written_as_im2rec_wrote_it(im2rec, tiny_folder, tmp_path, reader, options):
    assert im2rec("--list", "--recursive", tmp_path / "a", tiny_folder)[0] == 0
    assert im2rec(*options, tmp_path / "a", tiny_folder)[0] == 0
    index = (tmp_path / "a.idx").read_bytes()
    (tmp_path / "a.idx").unlink()
    (report,) = reindex(tmp_path / "a.rec")
    assert (tmp_path / "a.idx").read_bytes() == index
    assert (report.path, report.idx_path) == (str(tmp_path / "a.rec"), str(tmp_path / "a.idx"))
    assert (report.n_records, report.keys, report.outcome, report.notes) == (12, "ids", "written", ())
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"a.rec", "a.idx", "a.lst", "a.json"}


def test_an_index_with_the_same_bytes_is_not_written_again(tmp_path, reader):
    (tmp_path / "a.idx").write_bytes(write(tmp_path / "a", [7, 5, 6]))
    before = (tmp_path / "a.idx").stat()
    assert reindex(tmp_path / "a")[0].outcome == "unchanged"
    assert (tmp_path / "a.idx").stat() == before


@pytest.mark.parametrize(
    ("old", "note"),
    [
        (b"", "the old index, of 0 lines, did not have the offsets of these records"),
        (b"0\t0\n1\t44\n2\t96\n", "the old index, of 3 lines, did not have the offsets of these records"),
        (b"0\t0\n1\t40\n2\t80\n", "the keys of 3 records changed: the one at byte 0 had key 0 and has key 7"),
        (b"7\t0\n5\t40\n8\t80\n", "the keys of 1 record changed: the one at byte 80 had key 8 and has key 6"),
        (b"5 40\r\n6 80\r\n7 0\r\n", "the old index had the same keys and offsets in another order or form"),
        (b"7\t0\nx\n", "the old index was damaged: line 2: expected KEY and OFFSET, whole numbers with a tab"),
    ],
)
def test_a_wrong_index_is_replaced_and_its_difference_is_said(tmp_path, old, note):
    lines = write(tmp_path / "a", [7, 5, 6])
    (tmp_path / "a.idx").write_bytes(old)
    (report,) = reindex(tmp_path / "a")
    assert (report.outcome, len(report.notes)) == ("replaced", 1) and report.notes[0].startswith(note)
    assert (tmp_path / "a.idx").read_bytes() == lines


def test_without_ids_the_keys_are_positions_as_in_a_dataset_without_an_index(tmp_path, reader):
    write(tmp_path / "a", [0, 0, 0])
    keys = keys_without_index(tmp_path / "a")
    (report,) = reindex(tmp_path / "a")
    assert report.keys == "positions"
    assert report.notes == ("all 3 records have the id 0, so the keys are their positions, 0 to 2",)
    assert idx.read(tmp_path / "a.idx").keys.tolist() == keys == [0, 1, 2]
    assert RecordDataset(tmp_path / "a").keys.tolist() == keys and verify(tmp_path / "a").ok


def test_ids_that_repeat_in_part_stay_the_keys(tmp_path):
    write(tmp_path / "a", [4, 5, 4])
    keys = keys_without_index(tmp_path / "a")
    (report,) = reindex(tmp_path / "a")
    assert report.keys == "ids"
    assert report.notes == ("1 key with several records each; MXNet's readers by key find only the last one",)
    with RecordDataset(tmp_path / "a") as dataset:
        assert dataset.keys.tolist() == keys == [4, 5, 4]
        with pytest.raises(KeyError, match="key 4: 2 samples have it"):
            dataset.by_key(4)


def test_a_single_record_keeps_its_id(tmp_path):
    lines = write(tmp_path / "a", [9])
    assert reindex(tmp_path / "a")[0].keys == "ids" and (tmp_path / "a.idx").read_bytes() == lines


def test_an_empty_file_gets_an_empty_index(tmp_path):
    write(tmp_path / "a", [])
    assert reindex(tmp_path / "a")[0].n_records == 0
    assert (tmp_path / "a.idx").read_bytes() == b"" and len(RecordDataset(tmp_path / "a")) == 0


def test_header_and_identities_of_insightface_files_keep_their_keys(tmp_path, reader):
    records = [pack(IRHeader(float(key), key), b"jpeg") for key in (1, 2, 3)]
    records += [pack(IRHeader(labels, key), b"") for key, labels in ((0, (4.0, 6.0)), (4, (1.0, 3.0)), (5, (3.0, 4.0)))]
    with open(tmp_path / "a.rec", "wb") as file:
        writer = RecordWriter(file)
        for record in records:
            writer.write(record)
    reindex(tmp_path / "a")
    assert idx.read(tmp_path / "a.idx").keys.tolist() == [1, 2, 3, 0, 4, 5]
    assert RecordDataset(tmp_path / "a").keys.tolist() == [1, 2, 3]


def test_a_record_in_several_parts_is_one_line(tmp_path, reader):
    lines = write(tmp_path / "a", [3, 9, 6], payload=2 * MAGIC_BYTES)
    assert reindex(tmp_path / "a")[0].n_records == 3
    assert (tmp_path / "a.idx").read_bytes() == lines


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40))
def test_keys_are_the_same_before_and_after(tmp_path_factory, ids):
    prefix = tmp_path_factory.mktemp("reindex") / "a"
    write(prefix, ids)
    keys = keys_without_index(prefix)
    reindex(prefix)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert RecordDataset(prefix).keys.tolist() == keys


def test_many_records_are_written_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["recordkit.upkeep.new_index"], "_BLOCK_SIZE", 4)
    lines = write(tmp_path / "a", range(5, 16))
    steps = []
    assert reindex(tmp_path / "a", progress=steps.append)[0].outcome == "written"
    assert (tmp_path / "a.idx").read_bytes() == lines
    assert len(steps) == 1 + 3 and sum(steps) == (tmp_path / "a.rec").stat().st_size
    assert reindex(tmp_path / "a")[0].outcome == "unchanged"
    (tmp_path / "a.idx").write_bytes(lines + b"1\t2\n")
    assert reindex(tmp_path / "a")[0].outcome == "replaced"


@pytest.mark.parametrize("old", [None, b"0\t0\n"])
def test_a_damaged_file_gets_no_index_and_the_error_has_the_place(tmp_path, reader, old):
    write(tmp_path / "a", [7, 5, 6])
    data = bytearray((tmp_path / "a.rec").read_bytes())
    data[40:44] = b"????"
    (tmp_path / "a.rec").write_bytes(data)
    if old is not None:
        (tmp_path / "a.idx").write_bytes(old)
    with pytest.raises(FormatError, match=r"a\.rec: byte 40: expected magic .*; run 'recordkit verify") as caught:
        reindex(tmp_path / "a")
    assert caught.value.offset == 40
    assert ((tmp_path / "a.idx").read_bytes() if old is not None else (tmp_path / "a.idx").exists()) == (old or False)


def test_a_file_that_is_cut_or_has_a_damaged_header_gets_no_index(tmp_path, reader):
    write(tmp_path / "a", [7, 5])
    (tmp_path / "a.rec").write_bytes((tmp_path / "a.rec").read_bytes()[:-4])
    with pytest.raises(TruncatedError, match=r"a\.rec: byte 40: "):
        reindex(tmp_path / "a")
    with open(tmp_path / "b.rec", "wb") as file:
        RecordWriter(file).write(pack(IRHeader(1.0, 0), b"\xff\xd8\xff"))
        RecordWriter(file).write(b"no image header")
    with pytest.raises(TruncatedError, match=r"b\.rec: byte 36: expected a 24-byte image header, got 15 bytes"):
        reindex(tmp_path / "b")
    with pytest.raises(NotFoundError, match=r"c\.rec: expected a \.rec file, got nothing of that name"):
        reindex(tmp_path / "c")
    assert not list(tmp_path.glob("*.idx"))


def test_records_without_an_image_header_have_their_positions_as_keys(tmp_path, reader):
    path = tmp_path / "texts.rec"
    with MXRecordIO(path, "w") as writer:
        for number in range(3):
            writer.write(b"record_%d" % number)
    (report,) = reindex(path)
    assert (report.keys, report.notes) == (
        "positions",
        ("3 records of plain bytes (text), without an image header, so the keys are their positions",),
    )
    with MXIndexedRecordIO(path.with_suffix(".idx"), path, "r") as records:
        assert [records.read_idx(key) for key in records.keys] == [b"record_0", b"record_1", b"record_2"]


def test_an_index_that_cannot_be_written_or_read_is_an_error(tmp_path, monkeypatch):
    write(tmp_path / "a", [7])
    os.mkfifo(tmp_path / "a.idx")
    with pytest.raises(FormatError, match=r"a\.idx: expected a file, got a pipe or device"):
        reindex(tmp_path / "a")
    (tmp_path / "a.idx").unlink()
    monkeypatch.setattr(os, "urandom", bytes)
    (tmp_path / ".a.idx.00000000.tmp").mkdir()
    with pytest.raises(PublishError, match=r"a\.idx: "):
        reindex(tmp_path / "a")


def test_a_pack_that_publishes_meanwhile_keeps_its_index(tmp_path):
    write(tmp_path / "a", [7, 5])

    def pack(_n_bytes):
        with Staging(tmp_path / "a") as staging:
            staging.create("a.rec").close()
            write(staging.folder / "a", [1, 2, 3])
            with staging.create("a.idx") as file:
                file.write(b"the index of the pack")
            staging.commit()

    with pytest.raises(PublishError, match=r"a\.rec: expected the file that was read, got another one; run this again"):
        reindex(tmp_path / "a", progress=pack)
    assert (tmp_path / "a.idx").read_bytes() == b"the index of the pack"
    assert reindex(tmp_path / "a")[0].n_records == 3


def test_a_staged_set_that_is_completed_meanwhile_gets_no_index_in_the_staging_folder(tmp_path):
    folder = tmp_path / ".a.staging"
    folder.mkdir(0o755)
    write(folder / "a", [7, 5])
    (folder / "a.lst").touch()
    (folder / "commit").write_text(json.dumps({"publish": ["a.rec", "a.lst"], "remove": ["a.idx"]}))

    def complete(_n_bytes):
        with Staging(tmp_path / "a"):
            pass

    with pytest.raises(PublishError, match=r"a\.rec: expected the file that was read, got another one; run this again"):
        reindex(tmp_path / "a", progress=complete)
    assert sorted(os.listdir(tmp_path)) == ["a.lst", "a.rec"]


def test_the_index_is_written_under_the_lock_of_packs(tmp_path, monkeypatch):
    write(tmp_path / "a", [7, 5])
    module = sys.modules["recordkit.upkeep.new_index"]

    def check_lock(path, write):
        with pytest.raises(BlockingIOError):
            lock_folder(tmp_path, wait=False)
        write_atomically(path, write)

    monkeypatch.setattr(module, "write_atomically", check_lock)
    assert reindex(tmp_path / "a")[0].outcome == "written"
    lock_folder(tmp_path, wait=False).release()


def test_a_part_without_the_suffix_gets_an_index_of_its_own_name(im2rec, tiny_folder, tmp_path):
    assert im2rec("--list", "--recursive", tmp_path / "a", tiny_folder)[0] == 0
    assert im2rec(tmp_path / "a.lst", tiny_folder, tmp_path / "b.rec", "nsplit=2", "part=1", "unchanged=1")[0] == 0
    index = tmp_path / "b.rec.part001.idx"
    before = index.read_bytes()
    index.unlink()
    assert reindex(tmp_path / "b.rec.part001")[0].idx_path == str(index)
    assert index.read_bytes() == before != b""


def test_the_reader_by_key_opens_after_the_command_that_its_error_advises(cli, tmp_path):
    write(tmp_path / "a", [7, 5])
    with pytest.raises(NotFoundError, match=r"a\.idx: expected an \.idx file, .*; run 'recordkit reindex") as caught:
        MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "r")
    command = caught.value.advice.removeprefix("run 'recordkit ").removesuffix("'")
    assert cli(*command.split())[0] == 0
    with MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "r") as records:
        assert records.keys == [7, 5]


def test_the_command_indexes_several_files_and_goes_on_after_a_bad_one(cli, tmp_path):
    write(tmp_path / "a", [7, 5])
    (tmp_path / "b.rec").write_bytes(b"no frame")
    write(tmp_path / "c", [0, 0])
    (tmp_path / "folder.rec").mkdir()
    names = [tmp_path / f"{name}.rec" for name in "abc"]
    code, output, error = cli("reindex", tmp_path / "folder.rec", *names)
    assert code == 1
    assert output.splitlines() == [
        f"{tmp_path}/a.idx: written, 2 records; the keys are the ids of the records",
        f"{tmp_path}/c.idx: written, 2 records; the keys are their positions",
        "4 datasets, 2 problems",
    ]
    assert error.splitlines() == [
        f"recordkit: {tmp_path}/folder.rec: Is a directory",
        f"recordkit: {tmp_path}/b.rec: byte 0: expected magic 0xced7230a, got 0x66206f6e; run 'recordkit verify "
        f"{tmp_path}/b.rec'",
        f"recordkit: note: {tmp_path}/c.idx: all 2 records have the id 0, so the keys are their positions, 0 to 1",
    ]
    assert not (tmp_path / "b.idx").exists()
    code, output, error = cli("reindex", names[0], names[2], "--json")
    documents = list(map(json.loads, output.splitlines()))
    assert (code, error) == (0, "") and [document["outcome"] for document in documents] == ["unchanged"] * 2
    assert documents[1]["notes"] and documents[0]["keys"] == "ids"
    assert cli("reindex", names[0], "--quiet") == (0, "", "")
    assert cli("reindex")[0] == 2


def test_a_set_without_checksums_gets_those_that_a_pack_writes(tiny_folder, tmp_path, reader):
    recordkit.pack(tiny_folder, tmp_path / "a")
    checksums, index = (tmp_path / "a.crc").read_bytes(), (tmp_path / "a.idx").read_bytes()
    (tmp_path / "a.idx").unlink()
    recordkit.pack(tiny_folder, tmp_path / "a", plan=recordkit.PackPlan(checksums=False))
    assert reindex(tmp_path / "a")[0].crc_path is None and not (tmp_path / "a.crc").exists()
    (report,) = reindex(tmp_path / "a", checksums=True)
    assert (report.crc_path, report.outcome) == (str(tmp_path / "a.crc"), "unchanged")
    assert ((tmp_path / "a.crc").read_bytes(), (tmp_path / "a.idx").read_bytes()) == (checksums, index)
    assert "checksums" in verify(tmp_path / "a").checked and len(RecordDataset(tmp_path / "a", check=True)) == 12
    recordkit.pack(tiny_folder, tmp_path / "a")  # the file counts as one of the replaced set


def test_checksums_are_not_made_of_records_that_may_be_damaged(tiny_folder, tmp_path):
    recordkit.pack(tiny_folder, tmp_path / "a")
    with pytest.raises(PublishError, match="a.crc: expected no checksums, got some; run 'recordkit verify"):
        reindex(tmp_path / "a", checksums=True)
    recordkit.pack(tiny_folder, tmp_path / "a", plan=recordkit.PackPlan(checksums=False))
    content = bytearray((tmp_path / "a.rec").read_bytes())
    content[60] ^= 1
    (tmp_path / "a.rec").write_bytes(content)
    with pytest.raises(
        FormatError, match=r"a.rec: expected the SHA-256 \w{64} of .*a.json, got \w{64}; run 'recordkit"
    ):
        reindex(tmp_path / "a", checksums=True)
    assert not (tmp_path / "a.crc").exists()


def test_a_file_of_plain_bytes_gets_checksums(tmp_path, reader):
    with MXRecordIO(str(tmp_path / "a.rec"), "w") as writer:
        writer.write(b"text")
    reindex(tmp_path / "a", checksums=True)
    assert (tmp_path / "a.crc").read_bytes() == zlib.crc32(b"text").to_bytes(4, "little")


def test_a_path_stands_for_all_its_files(tiny_folder, tmp_path):
    (tmp_path / "out").mkdir()
    recordkit.pack(tiny_folder, tmp_path / "out/a", plan=recordkit.PackPlan(shards=3))
    for path in (tmp_path / "out/a", tmp_path / "out/a.manifest.json", tmp_path / "out", tmp_path / "out/*.rec"):
        indexes = {index: index.read_bytes() for index in (tmp_path / "out").glob("*.idx")}
        for index in indexes:
            index.unlink()
        n_bytes = []
        reports = reindex(path, progress=n_bytes.append)
        assert {index: index.read_bytes() for index in (tmp_path / "out").glob("*.idx")} == indexes
        assert [report.path for report in reports] == [str(each) for each in sorted((tmp_path / "out").glob("*.rec"))]
        assert sum(n_bytes) == sum(each.stat().st_size for each in (tmp_path / "out").glob("*.rec"))


def test_several_files_are_one_list_of_reports(tmp_path):
    lines = [write(tmp_path / name, [7, 5]) for name in "ab"]
    reports = reindex([tmp_path / "a.rec", str(tmp_path / "b")])
    assert [report.outcome for report in reports] == ["written", "written"]
    assert [(tmp_path / f"{name}.idx").read_bytes() for name in "ab"] == lines
