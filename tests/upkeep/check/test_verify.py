"""`verify`: a good file passes, and each kind of damage is reported with its location."""

import json
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from recordkit import PackPlan, RecordDataset, pack
from recordkit.codec import encode
from recordkit.errors import NotFoundError, PlanError
from recordkit.formats import idx, irheader
from recordkit.formats.frame import RecordWriter
from recordkit.recordio import IRHeader, MXIndexedRecordIO
from recordkit.recordio import pack as pack_record
from recordkit.sources import ListSource
from recordkit.upkeep import head, inspect, verify


@pytest.fixture
def packed(tiny_folder, tmp_path):
    """A set of 12 records at tmp_path/out."""
    pack(tiny_folder, tmp_path / "out", plan=PackPlan(shuffle=False))
    return tmp_path / "out.rec"


def problems(path, **options):
    """Name of the file, location and reason of each problem."""
    return [
        (Path(problem.path).name, location(problem), problem.reason) for problem in verify(path, **options).problems
    ]


def location(problem):
    """The field that has the location, and its value; None if the problem is that of the whole file."""
    fields = {name: getattr(problem, name) for name in ("offset", "line", "key")}
    return next(((name, value) for name, value in fields.items() if value is not None), None)


def change(path, offset, new):
    data = bytearray(path.read_bytes())
    data[offset : offset + len(new)] = new
    path.write_bytes(data)


def test_a_good_set_passes_every_check(packed):
    report = verify(packed, decode=True)
    assert report.ok
    assert (report.n_records, report.n_decoded) == (12, 12)
    assert report.checked == ["structure", "images", "description", "checksums", "index", "list"]


def test_an_index_that_is_too_large_for_the_records_takes_no_memory(packed):
    packed.with_suffix(".idx").write_bytes(b"0\t0\n" * 300_000)
    tracemalloc.start()
    try:
        ((file, _, reason),) = problems(packed)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert file == "out.idx"
    assert "got 1200000 bytes" in reason
    assert peak_bytes < 4_000_000


@pytest.mark.parametrize("with_index", [True, False])
def test_the_checksums_name_the_damaged_records(packed, with_index):
    index = idx.read(packed.with_suffix(".idx"))
    change(packed, int(index.offsets[2]) + 16, b"\x63")  # the id
    change(packed, int(index.offsets[7]) + 60, b"??")
    if not with_index:
        packed.with_suffix(".idx").unlink()
    report = verify(packed, decode=True)
    damaged = [(problem.offset, problem.key) for problem in report.problems if "expected CRC-32" in problem.reason]
    # The key is that of the index, because the id may be what is damaged.
    first_key = int(index.keys[2]) if with_index else 0x63
    assert damaged == [(int(index.offsets[2]), first_key), (int(index.offsets[7]), int(index.keys[7]))]
    assert "checksums" in report.checked


@pytest.mark.parametrize("with_index", [True, False])
def test_checksums_are_compared_behind_a_hole_only_with_an_index(packed, with_index):
    index = idx.read(packed.with_suffix(".idx"))
    change(packed, int(index.offsets[1]) + 60, b"??")
    change(packed, int(index.offsets[4]), b"????")
    change(packed, int(index.offsets[7]) + 60, b"??")
    if not with_index:
        packed.with_suffix(".idx").unlink()
    report = verify(packed)
    damaged = [problem.offset for problem in report.problems if "expected CRC-32" in problem.reason]
    assert damaged == [int(index.offsets[row]) for row in ((1, 7) if with_index else (1,))]
    note = f"out.crc: not compared with the records behind byte {index.offsets[4]}: no index counts them"
    assert any(text.endswith(note) for text in report.notes) != with_index


def test_a_record_with_a_damaged_header_keeps_its_place_among_the_checksums(packed):
    change(packed, int(idx.read(packed.with_suffix(".idx")).offsets[4]) + 8, b"\xff\xff\xff\x00")
    packed.with_suffix(".json").unlink()
    assert not [reason for _, _, reason in problems(packed) if "CRC-32" in reason]


@pytest.mark.parametrize(
    ("content", "with_json", "reason"),
    [
        (b"0123", True, r"expected 48 bytes of SHA-256 \w{64}, as in .*out.json, got 4 of \w{64}"),
        (b"0123", False, "expected 12 checksums, one per record, got 1"),
        (b"012", False, "expected 4 bytes per record, got 3 bytes"),
        (bytes(1 << 20), False, "expected the checksums of the records of at most .*"),
    ],
)
def test_checksums_of_another_set_are_a_problem(packed, content, with_json, reason):
    packed.with_suffix(".crc").write_bytes(content)
    if not with_json:
        packed.with_suffix(".json").unlink()
    ((name, _, got),) = problems(packed)
    assert name == "out.crc" and re.fullmatch(reason + "; take it from a copy of the set, or move .*", got)


def test_a_set_without_checksums_passes(tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "out", plan=PackPlan(checksums=False))
    report = verify(tmp_path / "out")
    assert report.ok and report.checked == ["structure", "description", "index", "list"]


def test_a_file_may_be_named_by_its_prefix(packed):
    assert verify(packed.with_suffix("")).n_records == 12


def test_a_bare_rec_file_passes_with_a_note_about_its_index(packed):
    for suffix in (".idx", ".lst", ".json"):
        packed.with_suffix(suffix).unlink()
    report = verify(packed)
    assert report.ok
    (note,) = report.notes
    assert note.endswith(f"idx: the file does not exist, and some readers need it; run 'recordkit reindex {packed}'")


def test_an_empty_file_is_a_problem(tmp_path):
    (tmp_path / "e.rec").touch()
    assert problems(tmp_path / "e.rec") == [("e.rec", None, "expected records, got an empty file")]


@pytest.mark.parametrize("look", [verify, inspect, head])
def test_a_missing_file_is_named(tmp_path, look):
    with pytest.raises(NotFoundError, match=r"none\.rec: expected a \.rec file, got nothing of that name"):
        look(tmp_path / "none")


def test_a_wrong_magic_loses_one_record_and_no_more(packed):
    offset = int(idx.read(packed.with_suffix(".idx")).offsets[5])
    end = int(idx.read(packed.with_suffix(".idx")).offsets[6])
    change(packed, offset, b"\0\0\0\0")
    report = verify(packed)
    assert report.n_records == 11
    reasons = [str(problem) for problem in report.problems]
    expected = "expected magic 0xced7230a, got 0x00000000"
    assert f"{packed}: byte {offset}: {expected}; {end - offset} bytes are lost" in reasons
    assert any("expected 12 records, got 11" in reason for reason in reasons)
    assert any(f"expected the offset of a record, got {offset}" in reason for reason in reasons)


def test_a_part_without_its_last_loses_that_record_only(packed):
    offset = int(idx.read(packed.with_suffix(".idx")).offsets[5])
    end = int(idx.read(packed.with_suffix(".idx")).offsets[6])
    length = int.from_bytes(packed.read_bytes()[offset + 4 : offset + 8], "little")
    change(packed, offset + 4, (1 << 29 | length + -length % 4).to_bytes(4, "little"))
    report = verify(packed)
    assert report.n_records == 11
    assert report.problems[0].offset == end
    assert "expected cflag 2 or 3 (the record goes on), got 0" in report.problems[0].reason


def test_a_truncated_file_names_where_it_ends(packed):
    whole = packed.read_bytes()
    packed.write_bytes(whole[:-40])
    offset = int(idx.read(packed.with_suffix(".idx")).offsets[11])
    report = verify(packed)
    assert report.n_records == 11
    assert report.problems[0].offset == offset
    assert "and their padding, got" in report.problems[0].reason


def test_a_flipped_bit_in_an_image_is_found_by_the_fingerprint(packed):
    change(packed, 200, bytes([packed.read_bytes()[200] ^ 1]))
    assert [(file, reason[:16]) for file, _, reason in problems(packed)] == [
        ("out.json", "expected SHA-256"),
        ("out.rec", "expected CRC-32 "),
    ]


def test_an_image_that_does_not_decode_is_found_with_decode(packed):
    offset = int(idx.read(packed.with_suffix(".idx")).offsets[3])
    change(packed, offset + 8 + 24, b"\0" * 60)
    for suffix in (".json", ".crc"):
        packed.with_suffix(suffix).unlink()
    assert verify(packed).ok
    ((file, where, reason),) = problems(packed, decode=True)
    assert (file, where) == ("out.rec", ("offset", offset))
    assert "that do not decode (no known format)" in reason


def test_the_index_of_another_file_is_found(packed, tmp_path, tiny_mnist):
    pack(tiny_mnist, tmp_path / "m")
    packed.with_suffix(".idx").write_bytes((tmp_path / "m_train.idx").read_bytes())
    found = problems(packed)
    assert any(where == ("line", 2) and "expected the offset of a record, got" in reason for _, where, reason in found)


@pytest.mark.parametrize("spoil", ["0\t0\n", "\n", "7\t0\n" * 12, "x"])
def test_the_advice_for_a_wrong_index_is_a_command_that_mends_it(cli, packed, spoil):
    packed.with_suffix(".idx").write_text(spoil)
    code, _, error = cli("verify", packed)
    (note,) = (line for line in error.splitlines() if "note: " in line)
    advice = f"run 'recordkit reindex {packed}'"
    assert code == 1 and note == f"recordkit: note: {packed.with_suffix('.idx')}: the index is wrong; {advice}"
    assert cli("reindex", packed)[0] == 0 and verify(packed).ok


def test_a_new_index_is_not_advised_for_a_damaged_file_or_for_ids_that_repeat(packed, tmp_path):
    with open(tmp_path / "b.rec", "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(irheader.pack(irheader.IRHeader(1.0, key), b"x")) for key in (4, 5, 4)]
    (tmp_path / "b.idx").write_bytes(idx.lines([4, 5, 4], offsets))
    report = verify(tmp_path / "b")
    assert not report.ok and report.notes == []
    change(packed, 0, b"\0\0\0\0")
    assert not any("reindex" in note for note in verify(packed).notes)
    packed.with_suffix(".idx").unlink()
    assert [note for note in verify(packed).notes if "idx" in note] == [
        f"{packed.with_suffix('.idx')}: the file does not exist, and some readers need it"
    ]


def test_an_index_with_other_keys_is_found(packed):
    rows = [line.split() for line in packed.with_suffix(".idx").read_text().splitlines()]
    packed.with_suffix(".idx").write_text("".join(f"{int(key) + 5}\t{offset}\n" for key, offset in rows))
    ((_, where, reason),) = problems(packed)
    assert where == ("line", 1)
    assert reason == "expected key 0, the id of the record, got 5; 12 lines differ"


def test_an_index_that_is_not_text_is_a_problem(packed):
    packed.with_suffix(".idx").write_bytes(b"\x89PNG\r\n")
    ((file, where, reason),) = problems(packed)
    assert (file, where) == ("out.idx", ("line", 1))
    assert "expected KEY and OFFSET" in reason


def test_labels_that_differ_from_the_list_are_found(packed):
    text = packed.with_suffix(".lst").read_text().replace("1.000000", "2.000000")
    packed.with_suffix(".lst").write_text(text)
    found = problems(packed)
    assert len(found) == 4
    assert found[0] == ("out.lst", ("key", 4), "expected labels (2.0,) in the record, got (1.0,)")


def test_records_that_are_not_in_the_list_are_found(packed):
    rows = packed.with_suffix(".lst").read_text().splitlines(keepends=True)
    packed.with_suffix(".lst").write_text("".join(rows[1:]))
    assert problems(packed) == [("out.lst", ("key", 0), "expected a row for each record, got none for this one")]


def test_exact_labels_are_compared_with_the_records(tiny_folder, tmp_path):
    (tmp_path / "a.lst").write_text("0\t17186135\tcat/0.jpg\n1\t3\tdog/1.jpg\n")
    pack(ListSource(tmp_path / "a.lst", tiny_folder), tmp_path / "x", plan=PackPlan(exact_labels=True))
    assert verify(tmp_path / "x").checked[-1] == "exact labels"
    description = json.loads((tmp_path / "x.json").read_text())
    np.save(tmp_path / "x.labels.npy", np.array([17186135, 4]))
    ((name, _, reason),) = problems(tmp_path / "x")
    assert (name, reason.split(",")[0]) == (
        "x.labels.npy",
        f"expected SHA-256 {description['labels']['sha256']} as in {tmp_path / 'x.json'}",
    )
    (tmp_path / "x.json").unlink()
    assert problems(tmp_path / "x") == [
        ("x.labels.npy", None, "expected the labels of the records, got different ones")
    ]


def test_a_description_that_was_edited_has_another_id(packed):
    path = packed.with_suffix(".json")
    description = json.loads(path.read_text())
    path.write_text(json.dumps({**description, "classes": {"cat": 1, "dog": 0, "owl": 2}}))
    ((name, _, reason),) = problems(packed)
    assert name == path.name and f"the id of the facts in it, got {description['id']}; was it edited?" in reason
    path.write_text(json.dumps({**description, "set": "renamed"}))
    assert not problems(packed)


def test_a_record_too_short_for_its_header_or_with_bad_labels_is_found(tmp_path):
    with open(tmp_path / "x.rec", "wb") as file:
        writer = RecordWriter(file)
        writer.write(b"short")
        writer.write(irheader.pack(irheader.IRHeader(float("nan"), 1), b"\xff\xd8\xff"))
        writer.write(irheader.pack(irheader.IRHeader(1.0, 2), b""))
    assert [(where, reason) for _, where, reason in problems(tmp_path / "x.rec")] == [
        (("offset", 0), "expected a 24-byte image header, got 5 bytes"),
        (("offset", 16), "expected finite labels, got nan"),
        (("offset", 52), "expected an image, got 0 bytes"),
    ]


@pytest.mark.parametrize("label", ["1e39", "-1e39"])
def test_a_label_of_the_list_that_float32_cannot_hold_is_a_difference(packed, label):
    listed = packed.with_suffix(".lst")
    listed.write_text(listed.read_text().replace("\t2.000000\t", f"\t{label}\t", 1))
    ((file, _, reason),) = problems(packed)
    assert (file, reason) == ("out.lst", f"expected labels ({float(label)},) in the record, got (2.0,)")


def test_json_has_the_location_as_numbers(packed, cli):
    offset = int(idx.read(packed.with_suffix(".idx")).offsets[5])
    change(packed, offset, b"\0\0\0\0")
    code, out, _ = cli("verify", packed, "--json")
    first, *others = json.loads(out)["problems"]
    assert code == 1
    assert (first["offset"], first["line"], first["key"]) == (offset, None, None)
    assert [problem["line"] for problem in others if problem["path"].endswith(".idx")] == [6]


def test_a_damaged_header_is_reported_once_with_decode(tmp_path):
    with open(tmp_path / "x.rec", "wb") as file:
        RecordWriter(file).write(b"short")
    assert problems(tmp_path / "x.rec", decode=True) == problems(tmp_path / "x.rec")


def test_progress_adds_up_to_the_size_of_a_damaged_file(packed):
    change(packed, int(idx.read(packed.with_suffix(".idx")).offsets[11]), b"\0\0\0\0")
    n_bytes = []
    verify(packed, progress=n_bytes.append)
    assert sum(n_bytes) == packed.stat().st_size


def write(path, *records):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(record) for record in records]
    path.with_suffix(".idx").write_bytes(idx.lines(range(10, 10 + len(offsets)), offsets))
    return path


def test_records_of_plain_bytes_have_no_problem_and_a_note(tmp_path):
    path = write(tmp_path / "x.rec", *(b"record_%d" % number for number in range(5)))
    report = verify(path, decode=True)
    assert (report.n_records, report.n_decoded, report.problems) == (5, 0, [])
    assert report.checked == ["structure", "index"]
    assert report.notes == [
        f"{path}: 5 records of plain bytes (text), without an image header; recordkit.recordio.MXRecordIO reads them"
    ]


def test_damage_among_plain_bytes_and_a_wrong_index_of_them_are_found(tmp_path):
    path = write(tmp_path / "x.rec", *(b"record_%d" % number for number in range(5)))
    change(path, 32, bytes(4))
    assert problems(path) == [
        ("x.rec", ("offset", 32), "expected magic 0xced7230a, got 0x00000000; 16 bytes are lost"),
        ("x.idx", ("line", 3), "expected the offset of a record, got 32"),
    ]


def test_arrays_behind_image_headers_are_a_note_and_not_decoded(tmp_path):
    array = irheader.pack(irheader.IRHeader(1.0, 10), b"\x93NUMPY\x01\0")
    report = verify(write(tmp_path / "x.rec", array), decode=True)
    assert (report.ok, report.n_decoded) == (True, 0)
    assert report.notes[0].endswith("x.rec: 1 record of npy behind an image header, no image")


def test_arrays_among_images_do_not_decode(tmp_path):
    payloads = [encode(np.zeros((2, 2, 3), np.uint8), "png"), b"\x93NUMPY\x01\0"]
    records = [irheader.pack(irheader.IRHeader(1.0, 10 + n), payload) for n, payload in enumerate(payloads)]
    ((file, _, reason),) = problems(write(tmp_path / "x.rec", *records), decode=True)
    assert file == "x.rec" and "that do not decode" in reason


def test_many_wrong_lines_of_an_index_are_one_problem(packed):
    packed.write_bytes(packed.read_bytes()[: int(idx.read(packed.with_suffix(".idx")).offsets[8])])
    found = [reason for file, _, reason in problems(packed) if file == "out.idx"]
    (reason,) = found
    assert reason.startswith("expected the offset of a record, got ") and reason.endswith(", and so in 3 more lines")


def test_a_damaged_description_is_one_problem(tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "a")
    (tmp_path / "a.json").write_text("{")
    (problem,) = verify(tmp_path / "a").problems
    assert problem.path == str(tmp_path / "a.json")


@pytest.mark.parametrize("has_header", [True, False])
def test_header_and_identities_of_insightface_files_need_no_row(tmp_path, has_header):
    """Without the header, records without an image are no identities, and each record needs a row."""
    records = [(1, 5.0, b"jpeg"), (2, 5.0, b"jpeg"), (3, (1.0, 3.0), b""), (0, (3.0, 4.0), b"")]
    with MXIndexedRecordIO(f"{tmp_path}/a.idx", f"{tmp_path}/a.rec", "w") as writer:
        for key, label, payload in records[: 3 + has_header]:
            writer.write_idx(key, pack_record(IRHeader(0, label, key, 0), payload))
    (tmp_path / "a.lst").write_text("1\t5\ta.jpg\n2\t5\tb.jpg\n")
    reasons = [problem.reason for problem in verify(tmp_path / "a.rec").problems]
    assert any("expected a row" in reason for reason in reasons) is not has_header
    assert verify(tmp_path / "a.rec").ok is has_header
    (tmp_path / "a.lst").write_text("1\t5\ta.jpg\n2\t6\tb.jpg\n9\t6\tc.jpg\n")
    report = verify(tmp_path / "a.rec")
    assert any(problem.key == 2 for problem in report.problems)
    assert any("1 row has no record" in note for note in report.notes) is has_header


def write_bad(prefix, ids, keys):
    """Write records of which the second has no image, and an index with these keys, or none."""
    with open(f"{prefix}.rec", "wb") as file:
        writer = RecordWriter(file)
        image = encode(np.zeros((4, 4, 3), np.uint8), "png")
        offsets = [
            writer.write(irheader.pack(irheader.IRHeader(0.0, key), b"" if row == 1 else image))
            for row, key in enumerate(ids)
        ]
    if keys is not None:
        Path(f"{prefix}.idx").write_bytes(idx.lines(keys, offsets))


@pytest.mark.parametrize(
    ("ids", "keys", "key", "end"),
    [([50, 57, 58], [0, 1, 2], 1, "; the id in the record is 57"), ([50, 57, 58], None, 57, ""),
     ([0, 0, 0], None, 1, "; the id in the record is 0"), ([50, 57, 58], [50, 57, 58], 57, "")],
    ids=["an index of rec2idx.py", "no index", "no ids", "an index of im2rec"],
)  # fmt: skip
@pytest.mark.parametrize("core", ["core", "no core"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bad_record_has_the_key_by_which_it_is_read(ids, keys, key, end, core, request, tmp_path):
    request.getfixturevalue("require_native" if core == "core" else "no_native")
    write_bad(tmp_path / "a", ids, keys)
    report = verify(tmp_path / "a")
    (problem,) = report.problems
    assert (problem.key, problem.reason) == (key, f"expected an image, got 0 bytes{end}")
    with RecordDataset(tmp_path / "a") as dataset:
        assert not dataset.by_key(problem.key).payload
    assert any(note.startswith("'recordkit repair") and "--decode" in note for note in report.notes)


def test_a_file_of_which_nothing_can_be_saved_has_no_advice(tmp_path):
    (tmp_path / "a.rec").write_bytes(bytes(80))
    write_bad(tmp_path / "b", [1], [1])
    change(tmp_path / "b.rec", 16, np.float32("nan").tobytes())
    for name in ("a", "b"):
        report = verify(tmp_path / name)
        assert not report.ok and not any("recordkit repair" in note for note in report.notes)


def test_a_list_is_refused(packed):
    with pytest.raises(PlanError, match="path: expected one dataset at a time"):
        verify([packed, packed])
