"""`repair`: every whole record behind damage is in the new set, with its key, labels, classes and list."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import recordkit as rk
from recordkit import codec
from recordkit.dataset.frame_chain import choose_records, find_spans
from recordkit.errors import FormatError, NotFoundError, PublishError
from recordkit.formats import byte_source, frame, idx, irheader
from recordkit.formats.frame import RecordWriter, pack
from recordkit.upkeep import repair, verify

sys.path.insert(0, str(Path(__file__).parent))
import random_damages

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(params=["core", "no core"])
def reader(request):
    """Run a test with the native core and without it."""
    request.getfixturevalue("require_native" if request.param == "core" else "no_native")


@pytest.fixture
def packed(tiny_folder, tmp_path):
    """A set of 12 records with classes and exact labels, at tmp_path/out."""
    rk.pack(tiny_folder, tmp_path / "out", plan=rk.PackPlan(shuffle=False, exact_labels=True))
    return tmp_path / "out.rec"


def offsets_of(path):
    return idx.read(path.with_suffix(".idx")).offsets.tolist()


def change(path, offset, new):
    content = path.read_bytes()
    path.write_bytes(content[:offset] + new + content[offset + len(new) :])


def write(path, *records):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        return [writer.write(record) for record in records]


def record(key, payload=b"jpeg"):
    return irheader.pack(irheader.IRHeader(float(key), key), payload)


@pytest.mark.parametrize("seed", range(13))  # one of each kind of damage
def test_no_record_is_lost_that_could_be_saved(seed, tmp_path, reader):
    counts = random_damages.one(list(random_damages.KINDS)[seed], seed, tmp_path)
    assert counts["intact"] and not counts["lost more than the least"] and not counts["others kept with .crc"]


def test_a_repaired_set_is_a_good_one_with_labels_classes_and_list(packed, tmp_path, reader):
    offsets = offsets_of(packed)
    content = packed.read_bytes()
    packed.write_bytes(content[: offsets[3] + 9] + b"inserted" + content[offsets[3] + 9 :])  # everything behind moves
    report = repair(packed, tmp_path / "new")
    assert verify(tmp_path / "new").ok
    with rk.RecordDataset(tmp_path / "new", check=True) as new:
        assert new.keys.tolist() == [0, 1, 2, *range(4, 12)]
        assert new.labels.dtype == np.int64 and new.labels.tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
        assert new.classes == {"cat": 0, "dog": 1, "owl": 2}
    assert len((tmp_path / "new.lst").read_text().splitlines()) == 11
    (lost,) = report.lost
    assert (lost.offset, lost.n_bytes, lost.keys) == (offsets[3], offsets[4] - offsets[3] + 8, (3,))
    assert report.n_lost_records == 1


def test_a_record_with_another_checksum_is_lost_and_never_copied(packed, tmp_path):
    change(packed, offsets_of(packed)[5] + 60, b"??")
    report = repair(packed, tmp_path / "new")
    (lost,) = report.lost
    assert (report.n_records, lost.keys) == (11, (5,))
    assert lost.reason.startswith("expected the CRC-32 of a record of the set, got ")


def test_labels_of_a_set_without_an_index_follow_from_the_checksums(packed, tmp_path):
    change(packed, offsets_of(packed)[0], b"????")
    packed.with_suffix(".idx").unlink()
    repair(packed, tmp_path / "new")
    assert rk.RecordDataset(tmp_path / "new").labels.tolist() == [0] * 3 + [1] * 4 + [2] * 4


def test_exact_labels_are_never_guessed(packed, tmp_path):
    change(packed, offsets_of(packed)[0], b"????")
    packed.with_suffix(".idx").unlink()
    packed.with_suffix(".crc").unlink()
    with pytest.raises(FormatError, match=r"out.labels.npy: expected an index that counts the records behind byte 0"):
        repair(packed, tmp_path / "new")
    assert not (tmp_path / "new.rec").exists()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda good: good[:36] + b"????" + good[40:], "expected magic 0xced7230a, got 0x3f3f3f3f"),
        (lambda good: good[:36] + bytes(36) + good[72:], "expected a record, got zero bytes"),
        (lambda good: good[:40] + (64).to_bytes(4, "little") + good[44:], "expected one record, got one that reaches"),
        (lambda good: good[:40] + (3 << 29 | 28).to_bytes(4, "little") + good[44:], "expected cflag 0 or 1"),
    ],
)
def test_each_damage_loses_one_record_and_has_its_reason(spoil, reason, tmp_path, reader):
    write(tmp_path / "a.rec", *map(record, range(4)))
    (tmp_path / "a.rec").write_bytes(spoil((tmp_path / "a.rec").read_bytes()))
    report = repair(tmp_path / "a", tmp_path / "b")
    (lost,) = report.lost
    assert (lost.offset, lost.n_bytes, lost.keys) == (36, 36, (1,))
    assert lost.reason.startswith(reason)


def test_zeros_at_the_end_are_one_range(tmp_path):
    write(tmp_path / "a.rec", *map(record, range(4)))
    with open(tmp_path / "a.rec", "ab") as file:
        file.truncate(5000)
    (lost,) = repair(tmp_path / "a", tmp_path / "b").lost
    assert (lost.offset, lost.n_bytes, lost.reason) == (144, 4856, "expected a record, got zero bytes")


def test_an_image_that_contains_records_is_one_record(tmp_path, reader):
    inner = b"?" + b"".join(b"".join(pack(record(key))) for key in (90, 91))  # not at a multiple of 4
    write(tmp_path / "a.rec", record(0), record(1, inner), record(2), record(3))
    change(tmp_path / "a.rec", 0, b"????")
    repair(tmp_path / "a", tmp_path / "b")
    assert rk.RecordDataset(tmp_path / "b").keys.tolist() == [1, 2, 3]


def test_records_removed_without_a_trace_are_named_by_the_index(tmp_path):
    offsets = write(tmp_path / "a.rec", *(record(key, bytes(4 * key)) for key in range(6)))
    (tmp_path / "a.idx").write_bytes(idx.lines(range(6), offsets))
    content = (tmp_path / "a.rec").read_bytes()
    (tmp_path / "a.rec").write_bytes(content[: offsets[2]] + content[offsets[4] :])
    (lost,) = repair(tmp_path / "a", tmp_path / "b").lost
    assert (lost.offset, lost.n_bytes, lost.keys) == (offsets[2], 0, (2, 3))


def test_records_of_one_key_have_a_line_of_the_index_each(tmp_path):
    offsets = write(tmp_path / "a.rec", *(record(key) for key in (7, 7, 8, 7)))
    (tmp_path / "a.idx").write_bytes(idx.lines([7, 7, 8, 7], offsets))
    assert repair(tmp_path / "a", tmp_path / "b").lost == ()
    change(tmp_path / "a.rec", offsets[3], b"lost")
    (lost,) = repair(tmp_path / "a", tmp_path / "c").lost
    assert (lost.offset, lost.keys) == (offsets[3], (7,))


def test_a_good_file_loses_nothing(packed, tmp_path):
    report = repair(packed, tmp_path / "new")
    assert not report.lost and report.n_lost_records == 0
    assert (tmp_path / "new.rec").read_bytes() == packed.read_bytes()


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\x0a\x23\xd7\xce" * 5])
def test_a_file_without_a_whole_record_is_an_error(content, tmp_path):
    (tmp_path / "a.rec").write_bytes(content)
    with pytest.raises(
        FormatError, match=f"a.rec: expected at least one whole record, got none in {len(content)} bytes"
    ):
        repair(tmp_path / "a", tmp_path / "b")


def test_the_damaged_set_and_other_sets_stay(packed, tmp_path):
    with pytest.raises(PublishError, match="expected no file, got the file that is read"):
        repair(packed, packed.with_suffix(""))
    with pytest.raises(NotFoundError):
        repair(tmp_path / "none", tmp_path / "new")


def test_time_is_linear_in_a_file_of_overlapping_records():
    n = 200_000
    offsets = np.arange(0, 8 * n, 8, dtype=np.uint64)
    for words in (np.full(n, 4096, np.uint32), np.full(n, 1 << 29 | 64, np.uint32), np.full(n, 2 << 29, np.uint32)):
        words[0] = 1 << 29
        begin_s = time.process_time()
        choose_records(find_spans(offsets, words, 8 * n), offsets, 8 * n)
        assert time.process_time() - begin_s < 30


def test_the_command_lists_what_is_lost_and_ends_with_0(cli, packed, tmp_path):
    change(packed, offsets_of(packed)[5], b"????")
    code, out, error = cli("repair", packed, tmp_path / "new", "--dry-run")
    assert code == 0 and "11 records would be saved" in out and not (tmp_path / "new.rec").exists()
    code, out, error = cli("repair", packed, tmp_path / "new")
    assert code == 0 and f"{tmp_path / 'new'}.rec: 11 records saved; " in out and "of 1 record lost in 1 place" in out
    assert f"byte {offsets_of(packed)[5]}: expected magic 0xced7230a, got 0x3f3f3f3f; " in error and "; key 5" in error
    code, out, _ = cli("repair", packed, tmp_path / "other", "--json")
    assert code == 0 and json.loads(out)["lost"][0]["keys"] == [5]


def test_hostile_parts_that_reach_over_whole_records_are_not_read(tmp_path, monkeypatch):
    """Each first part claims all that follows, so reading them would take the square of the size."""
    n, record = 2000, irheader.pack(irheader.IRHeader(1.0, 7), b"")
    whole = frame.MAGIC_BYTES + len(record).to_bytes(4, "little") + record
    step = 8 + len(whole)
    parts = [frame.MAGIC_BYTES + (1 << 29 | (n - row) * step - 8).to_bytes(4, "little") + whole for row in range(n)]
    (tmp_path / "a.rec").write_bytes(b"".join(parts))
    n_bytes = 0

    def pread(descriptor, size, offset, read=byte_source.pread):
        nonlocal n_bytes
        n_bytes += size
        return read(descriptor, size, offset)

    monkeypatch.setattr(byte_source, "pread", pread)
    report = repair(tmp_path / "a.rec", tmp_path / "b", dry_run=True)
    assert (report.n_records, report.n_lost_bytes) == (n, 8 * n)
    assert n_bytes < 20 * n * step


def test_a_pattern_is_no_file_to_repair(packed, tmp_path):
    with pytest.raises(NotFoundError, match="expected a .rec file"):
        repair(tmp_path / "*.rec", tmp_path / "b")


def test_verify_names_the_lost_bytes_that_repair_loses(packed, tmp_path):
    content = packed.read_bytes()
    begin = offsets_of(packed)[5]
    packed.write_bytes(content[:begin] + b"xyz" + content[begin + 40 :])  # what follows has moved
    for suffix in (".idx", ".crc", ".json", ".labels.npy"):
        packed.with_suffix(suffix).unlink(missing_ok=True)
    ((offset, reason),) = [(problem.offset, problem.reason) for problem in verify(packed).problems if problem.offset]
    (lost,) = repair(packed, tmp_path / "b").lost
    assert (offset, reason) == (lost.offset, f"{lost.reason}; {lost.n_bytes} bytes are lost")


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("companions", [(".crc", ".idx"), (".idx",)])
@pytest.mark.parametrize("decode", [True, False])
def test_progress_adds_up_to_the_size_of_the_file(packed, tmp_path, companions, decode, dry_run):
    if ".crc" not in companions:
        packed.with_suffix(".crc").unlink()
    n_bytes = []
    repair(packed, tmp_path / "new", decode=decode, dry_run=dry_run, progress=n_bytes.append)
    assert sum(n_bytes) == packed.stat().st_size and len(n_bytes) >= 1 + decode + (not dry_run)


def test_records_with_a_bad_image_are_left_out_on_request(tmp_path, reader):
    image = codec.encode(np.zeros((4, 4, 3), np.uint8), "png")
    bad = {1: b"no image", 3: b"", 5: image[:40]}
    payloads = [bad.get(row, image) for row in range(8)]
    records = [irheader.pack(irheader.IRHeader(float(row), 100 + row), each) for row, each in enumerate(payloads)]
    records[6] = irheader.pack(irheader.IRHeader(float("nan"), 106), image)
    offsets = write(tmp_path / "a.rec", *records)
    (tmp_path / "a.idx").write_bytes(idx.lines(range(8), offsets))
    change(tmp_path / "a.rec", offsets[2], b"????")
    problems = {problem.offset: problem for problem in verify(tmp_path / "a", decode=True).problems if problem.offset}
    report = repair(tmp_path / "a", tmp_path / "b", decode=True)
    assert [(lost.offset, lost.keys) for lost in report.lost] == [(offsets[n], (n,)) for n in (1, 2, 3, 5, 6)]
    assert all(problems[lost.offset].reason.startswith(lost.reason) for lost in report.lost)
    assert report.n_lost_bytes + (tmp_path / "b.rec").stat().st_size == (tmp_path / "a.rec").stat().st_size
    saved = verify(tmp_path / "b", decode=True)
    assert saved.ok and any("the keys are not the ids of 3 records" in note for note in saved.notes)
    with rk.RecordDataset(tmp_path / "b") as dataset:
        assert [(sample.key, sample.label) for sample in dataset] == [(0, 0.0), (4, 4.0), (7, 7.0)]
    assert repair(tmp_path / "a", tmp_path / "c").n_records == 7


def test_a_file_of_bad_images_only_is_an_error(tmp_path):
    write(tmp_path / "a.rec", record(0), record(1))
    with pytest.raises(FormatError, match=r"a.rec: expected at least one good record, got none in 72 bytes"):
        repair(tmp_path / "a", tmp_path / "b", decode=True)


@pytest.mark.parametrize("lost", [True, False])
def test_keys_of_an_index_with_positions_stay(tmp_path, reader, lost):
    offsets = write(tmp_path / "a.rec", *(record(key, bytes(key)) for key in range(50, 56)))
    (tmp_path / "a.idx").write_bytes(idx.lines(range(6), offsets))
    if lost:
        change(tmp_path / "a.rec", offsets[2], b"????")
    repair(tmp_path / "a", tmp_path / "b")
    with rk.RecordDataset(tmp_path / "b") as dataset:
        assert dataset.keys.tolist() == [0, 1, *([] if lost else [2]), 3, 4, 5]
