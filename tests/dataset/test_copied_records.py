"""Copies of records: both engines give the same bytes, and the same errors about damaged files."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from peaks import needs_proc, peak_of

from recordkit import native
from recordkit.dataset import copied_records
from recordkit.dataset.copied_records import Changes, copy_records, index_lines
from recordkit.dataset.records import open_record_file
from recordkit.errors import FormatError
from recordkit.formats import frame, idx, irheader

MAGIC = frame.MAGIC_BYTES
MAGIC_LABEL = struct.unpack("<f", MAGIC)[0]
WORDS = st.sampled_from([MAGIC, b"\0\0\0\0", b"jpeg", b"\x23\xd7\xce\x0a", b"x"])
KEYS = st.sampled_from([0, 7, frame.MAGIC, frame.MAGIC << 32, 2**64 - 1])
LABELS = st.lists(st.sampled_from([0.0, 1.5, -0.0, MAGIC_LABEL]), min_size=1, max_size=3).map(tuple)
PAYLOADS = st.lists(WORDS, max_size=9).map(b"".join)


@st.composite
def records(draw):
    """A record, with one label in the header or a vector of labels."""
    labels = draw(LABELS)
    label = labels[0] if len(labels) == 1 and draw(st.booleans()) else labels
    header = irheader.IRHeader(label, draw(KEYS), draw(KEYS))
    return irheader.pack(header, draw(PAYLOADS), first_label=draw(st.booleans()))


@st.composite
def requests(draw):
    """Bytes of a file, and which records to copy with which changes; some files and offsets are wrong."""
    framed = [b"".join(frame.pack(record)) for record in draw(st.lists(records(), min_size=1, max_size=6))]
    content, bounds = bytearray(b"".join(framed)), np.cumsum([0, *map(len, framed)])
    rows = draw(st.lists(st.integers(0, len(framed) - 1), min_size=1, max_size=8))
    if draw(st.booleans()):
        rows.sort()
    for position, value in draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=2)):
        content[position] = value
    del content[draw(st.sampled_from([len(content), len(content), len(content) - 4, len(content) - 1])) :]
    offsets = bounds[rows] + draw(st.sampled_from([0, 0, 0, 4]))
    ends = bounds[np.array(rows) + 1] + draw(st.sampled_from([0, 0, 100, -8]))
    keys = draw(st.none() | st.lists(KEYS, min_size=len(rows), max_size=len(rows)))
    labels = draw(st.none() | st.lists(LABELS, min_size=len(rows), max_size=len(rows)))
    checksums = [draw(st.sampled_from([-1, zlib.crc32(content[bounds[row] + 8 : bounds[row + 1]])])) for row in rows]
    changes = Changes(
        None if keys is None else np.array(keys, np.uint64),
        None if labels is None else np.array([label for each in labels for label in each], np.float32),
        None if labels is None else np.cumsum([0, *map(len, labels)]).astype(np.uint64),
    )
    columns = np.zeros(len(rows), np.int64), offsets.astype(np.uint64), np.maximum(ends, 0).astype(np.uint64)
    return bytes(content), (*columns, np.array(checksums, np.int64)), changes


def outcome(copy, *arguments):
    """Return the results of a copy as lists, or its error."""
    try:
        return [column.tolist() for column in copy(*arguments)]
    except FormatError as error:
        return str(error)


@pytest.mark.usefixtures("require_native")
@given(request=requests())
def test_both_engines_copy_and_change_the_same_or_find_the_same_damage(tmp_path_factory, request):
    content, where, changes = request
    path = tmp_path_factory.getbasetemp() / "copied.rec"
    path.write_bytes(content)
    file = native.load().RecordFile(path)
    expected = outcome(copied_records._copy, [file], [path], *where[:2], where[3], changes)
    assert outcome(copy_records, [file], [path], *where, changes) == expected


def open_with(tmp_path, *contents):
    """Write records, and return the open file with the bounds between them."""
    framed = [b"".join(frame.pack(record)) for record in contents]
    (tmp_path / "a.rec").write_bytes(b"".join(framed))
    return open_record_file(tmp_path / "a.rec"), np.cumsum([0, *map(len, framed)]).astype(np.uint64)


@pytest.fixture(params=["python", "native"])
def each_engine(request):
    """Copy by each engine."""
    request.getfixturevalue("require_native" if request.param == "native" else "no_native")


@pytest.mark.usefixtures("each_engine")
def test_a_key_that_is_the_magic_is_escaped(tmp_path):
    record = irheader.pack(irheader.IRHeader(1.0, 3), b"jpeg")
    file, bounds = open_with(tmp_path, record, record)
    where = np.zeros(2, np.int64), bounds[:-1], bounds[1:], np.full(2, zlib.crc32(record))
    copied = copy_records([file], [tmp_path / "a.rec"], *where, Changes(np.array([frame.MAGIC, 4], np.uint64)))
    expected = [irheader.pack(irheader.IRHeader(1.0, key), b"jpeg") for key in (frame.MAGIC, 4)]
    assert copied.frames.tobytes() == b"".join(piece for record in expected for piece in frame.pack(record))
    assert copied.sizes.tolist() == [40, 36]
    assert copied.checksums.tolist() == list(map(zlib.crc32, expected))


@pytest.mark.usefixtures("each_engine")
def test_records_that_keep_key_and_labels_keep_their_padding(tmp_path):
    file, bounds = open_with(tmp_path, irheader.pack(irheader.IRHeader(1.0, 3), b"j"))
    content = bytearray((tmp_path / "a.rec").read_bytes())
    content[-1] = 1
    (tmp_path / "a.rec").write_bytes(content)
    where = np.zeros(1, np.int64), bounds[:-1], bounds[1:], np.full(1, -1)
    same = Changes(np.array([3], np.uint64), np.array([1], np.float32), np.array([0, 1], np.uint64))
    assert copy_records([file], [tmp_path / "a.rec"], *where, same).frames.tobytes() == content


@pytest.mark.usefixtures("each_engine")
def test_a_wrong_checksum_is_an_error_at_the_record(tmp_path):
    record = irheader.pack(irheader.IRHeader(1.0, 3), b"jpeg")
    file, bounds = open_with(tmp_path, record, record)
    where = np.zeros(2, np.int64), bounds[:-1], bounds[1:], np.array([-1, 5])
    with pytest.raises(FormatError, match=f"a.rec: byte 36: expected CRC-32 00000005, got {zlib.crc32(record):08x}"):
        copy_records([file], [tmp_path / "a.rec"], *where, Changes())


@pytest.mark.usefixtures("each_engine")
def test_index_lines_are_those_of_the_format(tmp_path):
    keys, offsets = np.array([0, 2**64 - 1, 17], np.uint64), np.array([0, 9, 2**64 - 1], np.uint64)
    assert index_lines(keys, offsets) == idx.lines(keys.tolist(), offsets.tolist())
    assert index_lines(keys[:0], offsets[:0]) == b""


@pytest.mark.usefixtures("require_native")
def test_columns_of_wrong_lengths_and_values_are_refused(tmp_path):
    file, _ = open_with(tmp_path, irheader.pack(irheader.IRHeader(1.0, 3), b"jpeg"))
    one, labels = np.zeros(1, np.int64), np.zeros(2, np.float32)
    for columns, changes, message in (
        ((one, one, one, np.zeros(2, np.int64)), (None, None, None), "as many checksums"),
        ((one + 1, one, one, one), (None, None, None), "numbers of files"),
        ((one - 1, one, one, one), (None, None, None), "numbers of files"),
        ((one, one, one, one), (np.zeros(2, np.uint64), None, None), "as many keys"),
        ((one, one, one, one), (None, labels, np.array([0, 3], np.uint64)), "increasing bounds"),
        ((one, one, one, one), (None, labels, np.array([1, 1], np.uint64)), "increasing bounds"),
    ):
        with pytest.raises(ValueError, match=message):
            native.load().copy_records([file], *columns, *changes)


@needs_proc()
@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("step", [1, -1])
def test_bytes_between_the_records_take_no_memory(tmp_path, step):
    small, large = (irheader.pack(irheader.IRHeader(1.0, 3), bytes(size)) for size in (100, 15_000))
    open_with(tmp_path, *[small, large] * 3_000)
    program = """
from recordkit.dataset.copied_records import Changes, copy_records
from recordkit.dataset.records import open_record_file

file = open_record_file(sys.argv[1])
rows = np.arange(0, 6_000, 2)[:: int(sys.argv[2])]
bounds = np.cumsum([0, *[132, 15_032] * 3_000]).astype(np.uint64)
where = np.zeros(len(rows), np.int64), bounds[rows], bounds[rows + 1], np.full(len(rows), -1)
begin()
print(len(copy_records([file], [sys.argv[1]], *where, Changes()).frames))
"""
    peak, (n_bytes,) = peak_of(program, tmp_path / "a.rec", step)
    assert int(n_bytes) == 132 * 3_000
    assert peak < 20_000_000


@pytest.mark.usefixtures("each_engine")
def test_a_copy_stays_as_it_is_while_others_are_made_and_dropped(tmp_path):
    contents = [irheader.pack(irheader.IRHeader(1.0, key), bytes([key]) * 4_000) for key in range(9)]
    file, bounds = open_with(tmp_path, *contents)

    def copy(row):
        where = np.zeros(1, np.int64), bounds[[row]], bounds[[row + 1]], np.full(1, -1)
        return copy_records([file], [tmp_path / "a.rec"], *where, Changes()).frames

    kept = [copy(row) for row in range(9) if copy(8 - row).size]
    assert [frames.tobytes() for frames in kept] == [b"".join(frame.pack(record)) for record in contents]
