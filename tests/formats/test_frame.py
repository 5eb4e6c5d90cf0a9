"""The record frame, against bytes that MXNet itself wrote (mxnet 1.9.1, ``MXRecordIO.write``)."""

import multiprocessing
import os
import struct
import threading
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import records

from recordkit.errors import FormatError, TruncatedError, plural
from recordkit.formats import byte_source, frame
from recordkit.formats.frame import MAGIC_BYTES as M
from recordkit.formats.frame import RecordReader, RecordWriter

GOLDEN = [
    pytest.param(b"", "0a23d7ce 00000000", id="empty"),
    pytest.param(b"abc", "0a23d7ce 03000000 61626300", id="padded"),
    pytest.param(b"abcde", "0a23d7ce 05000000 61626364 65000000", id="three-bytes-of-padding"),
    pytest.param(b"abcdefgh", "0a23d7ce 08000000 61626364 65666768", id="no-padding"),
    pytest.param(M, "0a23d7ce 00000020 0a23d7ce 00000060", id="only-a-magic"),
    pytest.param(M + M, "0a23d7ce 00000020 0a23d7ce 00000040 0a23d7ce 00000060", id="two-magics"),
    pytest.param(b"abcd" + M, "0a23d7ce 04000020 61626364 0a23d7ce 00000060", id="magic-at-the-end"),
    pytest.param(M + b"ab", "0a23d7ce 00000020 0a23d7ce 02000060 61620000", id="magic-at-the-start"),
    pytest.param(
        b"abcd" + M + b"efg", "0a23d7ce 04000020 61626364 0a23d7ce 03000060 65666700", id="magic-in-the-middle"
    ),
    pytest.param(
        b"abcd" + M + b"ef" + M,
        "0a23d7ce 04000020 61626364 0a23d7ce 06000060 65660a23 d7ce0000",
        id="second-magic-unaligned",
    ),
    pytest.param(b"ab" + M + b"cd", "0a23d7ce 08000000 61620a23 d7ce6364", id="unaligned-magic"),
]

# Keys 0, 5, 3, 9 and 10 of MXNet's own g.rec; the offsets are those of its g.idx.
WHOLE_FILE = bytes.fromhex(
    "0a23d7ce1d00000000000000000080400e0a0000000000000000000000000000ffd8494d47000000"
    "0a23d7ce280000000300000000000000070000000000000000000000000000000000803f00002040000040c04a504547"
    "0a23d7ce1c000020000000000000803f01000000000000000000000000000000616263640a23d7ce0300006065666700"
    "0a23d7ce00000000"
    "0a23d7ce000000200a23d7ce00000060"
)
WHOLE_FILE_RECORDS = {
    0: bytes.fromhex("00000000000080400e0a0000000000000000000000000000ffd8494d47"),
    40: bytes.fromhex("0300000000000000070000000000000000000000000000000000803f00002040000040c04a504547"),
    88: bytes.fromhex("000000000000803f01000000000000000000000000000000616263640a23d7ce656667"),
    136: b"",
    144: M,
}


def part(cflag, data, *, magic=M, length=None, padding=b"\0"):
    """Return one part of a record, valid or not."""
    length = len(data) if length is None else length
    return magic + struct.pack("<I", cflag << 29 | length) + data + padding * (-len(data) % 4)


@pytest.fixture
def reader_of(tmp_path):
    """Return a function that opens a file with some content."""
    readers = []

    def make(content, size=None):
        path = tmp_path / f"{len(readers)}.rec"
        path.write_bytes(content)
        if size is not None:
            os.truncate(path, size)
        readers.append(RecordReader(path))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


@pytest.mark.parametrize(("record", "golden"), GOLDEN)
def test_pack_writes_what_mxnet_writes(record, golden):
    assert b"".join(frame.pack(record)).hex() == golden.replace(" ", "")


@pytest.mark.parametrize(("record", "golden"), GOLDEN)
def test_read_reads_what_mxnet_wrote(record, golden, reader_of):
    content = bytes.fromhex(golden)
    assert reader_of(content).read(0) == (record, len(content))


def test_records_are_concatenated(reader_of):
    content = bytes.fromhex("0a23d7ce 01000000 61000000 0a23d7ce 04000000 62636465")
    assert list(reader_of(content).scan()) == [(0, b"a"), (12, b"bcde")]


def test_the_writer_writes_mxnets_file(tmp_path):
    path = tmp_path / "g.rec"
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(record) for record in WHOLE_FILE_RECORDS.values()]
    assert path.read_bytes() == WHOLE_FILE
    assert offsets == list(WHOLE_FILE_RECORDS)
    assert writer.offset == 160


def test_the_reader_reads_mxnets_file_in_order_and_by_offset(reader_of):
    reader = reader_of(WHOLE_FILE)
    assert dict(reader.scan()) == WHOLE_FILE_RECORDS
    assert list(reader) == list(WHOLE_FILE_RECORDS.values())
    assert {offset: reader.read(offset)[0] for offset in (144, 0, 88, 136, 40)} == WHOLE_FILE_RECORDS


@given(st.lists(records, max_size=8))
def test_reading_undoes_writing(tmp_path_factory, payloads):
    path = tmp_path_factory.mktemp("frame") / "a.rec"
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(payload) for payload in payloads]
    with RecordReader(path) as reader:
        assert list(reader.scan()) == list(zip(offsets, payloads, strict=True))
        assert [reader.read(offset)[0] for offset in offsets] == payloads


@given(records)
def test_an_aligned_magic_in_a_file_is_always_a_head(payload):
    packed = b"".join(frame.pack(payload))
    n_hits = sum(payload[i : i + 4] == M for i in range(0, len(payload) - 3, 4))
    heads = [i for i in range(0, len(packed), 4) if packed[i : i + 4] == M]
    assert len(packed) == 8 * (n_hits + 1) + (len(payload) - 4 * n_hits + 3) // 4 * 4
    assert len(heads) == n_hits + 1


@given(st.lists(records, min_size=1, max_size=5), st.integers(0, 300))
def test_next_head_finds_the_next_record(tmp_path_factory, payloads, start):
    path = tmp_path_factory.mktemp("frame") / "a.rec"
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(payload) for payload in payloads]
    with RecordReader(path) as reader:
        assert reader.next_head(start) == next((offset for offset in offsets if offset >= start), reader.size)


@given(st.binary(max_size=64))
def test_any_bytes_give_records_or_a_format_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("frame") / "a.rec"
    path.write_bytes(content)
    try:
        with RecordReader(path) as reader:
            got = [offset for offset, _ in reader.scan()]
    except FormatError as error:
        assert error.path == str(path)
    else:
        assert got == [] and content == b""


@given(st.lists(records, max_size=3), st.data())
def test_a_file_cut_anywhere_gives_the_whole_records_then_an_error(tmp_path_factory, payloads, data):
    content = b"".join(piece for payload in payloads for piece in frame.pack(payload))
    cut = data.draw(st.integers(0, len(content)))
    path = tmp_path_factory.mktemp("frame") / "a.rec"
    path.write_bytes(content[:cut])
    got = []
    with RecordReader(path) as reader:
        try:
            got.extend(reader)
        except TruncatedError:
            assert got == payloads[: len(got)] and len(got) < len(payloads)
        else:
            assert b"".join(piece for payload in got for piece in frame.pack(payload)) == content[:cut]


@pytest.mark.parametrize("size", [0, 1, 4, 5, 6, 100])
def test_the_start_of_a_record_is_read_without_the_rest(size, reader_of, monkeypatch):
    reader = reader_of(part(0, b"first") + part(0, b"abcde") + part(0, b"last"))
    sizes = []

    def pread(source, size, offset, at_least):
        sizes.append(size)
        return source.pread(size, offset, at_least)

    monkeypatch.setattr(frame, "_pread", pread)
    assert reader.read_start(16, size) == (b"abcde"[:size], 5)
    assert sizes == [8 + size]


def test_the_start_of_a_record_in_parts_is_the_whole_record(reader_of):
    assert reader_of(part(1, b"abcd") + part(3, b"ef")).read_start(0, 2) == (b"abcd" + M + b"ef", 10)


def test_a_record_whose_start_is_read_is_checked(reader_of):
    with pytest.raises(TruncatedError, match="byte 0: expected 100 bytes and their padding, got 4 bytes"):
        reader_of(part(0, b"tiny", length=100)).read_start(0, 2)


# Damaged files: FormatError where MXNet loses data or joins parts of different records.


def test_an_empty_file_has_no_records(reader_of):
    assert list(reader_of(b"")) == []


@pytest.mark.parametrize("n", range(1, 8))
def test_trailing_bytes_are_a_truncated_head(n, reader_of):
    reader = reader_of(part(0, b"abcd") + bytes(n))
    with pytest.raises(
        TruncatedError, match=rf"0\.rec: byte 12: expected an 8-byte head, got {plural(n, 'byte')} to the end"
    ):
        list(reader)


@pytest.mark.parametrize("n", range(1, 8))
def test_a_record_cut_short_says_how_short(n, reader_of):
    reader = reader_of(part(0, b"abcdefg")[:-n])
    with pytest.raises(
        TruncatedError, match=f"byte 0: expected 7 bytes and their padding, got {plural(8 - n, 'byte')}"
    ) as e:
        reader.read(0)
    assert e.value.advice == f"run 'recordkit verify {reader.path}'"


def test_a_wrong_magic_is_shown(reader_of):
    reader = reader_of(part(0, b"abcd") + part(0, b"efgh", magic=b"\x89PNG"))
    with pytest.raises(
        FormatError, match="byte 12: expected magic 0xced7230a, got 0x474e5089; run 'recordkit verify"
    ) as e:
        list(reader)
    assert e.value.advice == f"run 'recordkit verify {reader.path}'"


def test_padding_that_is_not_zero_is_accepted(reader_of):
    assert list(reader_of(part(0, b"a", padding=b"x") + part(0, b"b"))) == [b"a", b"b"]


@pytest.mark.parametrize("cflags", [(1,), (1, 2), (1, 2, 2)])
def test_a_record_without_its_last_part_is_an_error(cflags, reader_of):
    reader = reader_of(b"".join(part(cflag, b"abcd") for cflag in cflags))
    with pytest.raises(TruncatedError, match=f"byte {12 * len(cflags)}: expected a record head, got the end of the"):
        list(reader)


@pytest.mark.parametrize(
    ("cflags", "message"),
    [
        ((2, 3), r"byte 0: expected cflag 0 or 1 \(a record begins\), got 2"),
        ((3,), r"byte 0: expected cflag 0 or 1 \(a record begins\), got 3"),
        ((1, 0), r"byte 12: expected cflag 2 or 3 \(the record goes on\), got 0"),
        ((1, 1, 3), r"byte 12: expected cflag 2 or 3 \(the record goes on\), got 1"),
        ((1, 2, 0), r"byte 24: expected cflag 2 or 3 \(the record goes on\), got 0"),
        ((4,), r"byte 0: expected cflag 0 or 1 \(a record begins\), got 4"),
        ((1, 5, 3), r"byte 12: expected cflag 2 or 3 \(the record goes on\), got 5"),
        ((7,), r"byte 0: expected cflag 0 or 1 \(a record begins\), got 7"),
    ],
)
def test_parts_out_of_order_are_an_error(cflags, message, reader_of):
    reader = reader_of(b"".join(part(cflag, b"abcd") for cflag in cflags))
    with pytest.raises(FormatError, match=message):
        list(reader)


@pytest.mark.parametrize("cflags", [(1, 3), (1, 2, 3)])
def test_only_the_last_part_has_padding(cflags, reader_of):
    reader = reader_of(b"".join(part(cflag, b"abcde") for cflag in cflags))
    with pytest.raises(FormatError, match="byte 0: expected a part of a multiple of 4 bytes, got 5"):
        list(reader)


@pytest.mark.parametrize("offset", [12, 13, 2**40, -4])
def test_an_offset_outside_the_file_is_an_error(offset, reader_of):
    reader = reader_of(part(0, b"abcd"))
    with pytest.raises(TruncatedError, match=f"byte {offset}: expected a record head, got the end of the file at byte"):
        reader.read(offset)


def test_a_missing_file_stays_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        RecordReader(tmp_path / "none.rec")


def test_a_file_that_shrank_after_it_was_opened_is_an_error(reader_of):
    reader = reader_of(part(0, b"abcd" * 4096))
    os.truncate(reader.path, 4096)
    with pytest.raises(TruncatedError, match="byte 0: expected the file to keep its 16392 bytes, got 4096; open"):
        reader.read(0)


# Resynchronisation.


def test_next_head_skips_magics_that_begin_no_record(reader_of):
    first = b"".join(frame.pack(M + b"ab" + M + b"cd" + M))  # parts 1 and 3, and an unaligned magic
    reader = reader_of(first + part(2, b"abcd") + part(3, b"") + part(4, b"") + part(6, b"") + part(1, b""))
    assert reader.next_head(1) == reader.size - 8


def test_reading_resumes_after_damage(reader_of):
    reader = reader_of(part(0, b"one") + b"\0" * 10 + b"junk!!" + part(0, b"two") + part(0, b"three"))
    got, offset = [], 0
    while offset < reader.size:
        try:
            for _, record in reader.scan(offset):
                got.append(record)
            break
        except FormatError as error:
            offset = reader.next_head(error.offset + 4)
    assert got == [b"one", b"two", b"three"]


BLOCK = 1 << 20  # bytes that next_head reads at once


@pytest.mark.parametrize("head", [BLOCK - 8, BLOCK - 4, BLOCK, BLOCK + 4, 2 * BLOCK - 4, 2 * BLOCK, 2 * BLOCK + 4])
@pytest.mark.parametrize("start", [0, 1, 4])
def test_next_head_finds_a_head_across_its_read_blocks(head, start, reader_of):
    reader = reader_of(bytes(head) + part(0, b"abcd"))
    assert reader.next_head(start) == head


@pytest.mark.parametrize("tail", [b"", b"\x0a", M, M + b"\0\0\0"])
@pytest.mark.parametrize("size", [0, 4, BLOCK, BLOCK + 4])
def test_next_head_without_a_head_is_the_end_of_the_file(size, tail, reader_of):
    reader = reader_of(bytes(size) + tail)
    assert reader.next_head(0) == reader.size
    assert reader.next_head(reader.size + 100) == reader.size


def test_next_head_ends_if_the_file_has_shrunk_since_it_was_opened(reader_of):
    reader = reader_of(bytes(100))
    os.truncate(reader.path, 40)
    assert reader.next_head(0) == reader.next_head(60) == 100


# Limits.


def peak_bytes(call):
    """Return the peak of Python's memory during a call, in bytes."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("cflag", [0, 1])
def test_a_length_beyond_the_file_is_refused_before_memory_is_allocated(cflag, reader_of):
    reader = reader_of(part(cflag, b"tiny", length=2**29 - 1))

    def read():
        with pytest.raises(TruncatedError, match="expected 536870911 bytes and their padding, got 4 bytes"):
            reader.read(0)

    assert peak_bytes(read) < 1 << 20


def test_parts_of_a_record_that_is_too_long_are_an_error(reader_of, monkeypatch):
    monkeypatch.setattr(frame, "MAX_RECORD_BYTES", 31)
    assert reader_of(part(1, bytes(12)) + part(3, bytes(15))).read(0)[0] == bytes(12) + M + bytes(15)
    with pytest.raises(FormatError, match=r"byte 20: expected a record shorter than 2\*\*29 bytes, got a longer one"):
        reader_of(part(1, bytes(12)) + part(3, bytes(16))).read(0)


def test_a_file_one_byte_too_short_for_the_longest_record_is_refused_before_memory_is_allocated(reader_of):
    # The file is sparse and takes no disk space. The record of half a GiB is not read.
    reader = reader_of(part(0, b"", length=2**29 - 1), size=8 + 2**29 - 1)

    def read():
        with pytest.raises(TruncatedError, match="expected 536870911 bytes and their padding, got 536870911 bytes to"):
            reader.read(0)

    assert peak_bytes(read) < 1 << 20


def test_a_record_of_exactly_the_limit_is_packed_and_one_byte_more_is_not():
    class Zeros(bytes):
        """Empty bytes with another length; `find` and slices see the empty content."""

        def __len__(self):
            return self.fake_length

    record = Zeros(b"")
    record.fake_length = 2**29 - 1
    assert [bytes(piece) for piece in frame.pack(record)][0] == M + struct.pack("<I", 2**29 - 1)
    record.fake_length = 2**29
    with pytest.raises(FormatError, match=r"expected a record shorter than 2\*\*29 bytes, got 536870912 bytes"):
        frame.pack(record)


def test_a_record_that_is_too_long_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(frame, "MAX_RECORD_BYTES", 3)
    with open(tmp_path / "a.rec", "wb") as file:
        writer = RecordWriter(file)
        writer.write(b"abc")
        with pytest.raises(FormatError, match="got 4 bytes"):
            writer.write(b"abcd")
        assert writer.write(b"def") == 12
    assert (tmp_path / "a.rec").read_bytes() == part(0, b"abc") + part(0, b"def")


@pytest.mark.parametrize("size", [4087, 4088, 4089, BLOCK - 8, BLOCK, 3 * BLOCK + 1])
def test_records_larger_than_the_read_window_are_whole(size, reader_of):
    record = os.urandom(16) * (size // 16) + b"x" * (size % 16)
    reader = reader_of(part(0, b"first") + b"".join(frame.pack(record)) + part(0, b"last"))
    assert list(reader) == [b"first", record, b"last"]
    assert reader.read(16)[0] == record


@pytest.mark.parametrize("most", [1, 5, 8, 13])
def test_a_system_that_returns_fewer_bytes_than_asked_changes_nothing(most, reader_of, monkeypatch):
    reader = reader_of(WHOLE_FILE)
    monkeypatch.setattr(byte_source, "pread", lambda fileno, size, offset: os.pread(fileno, min(size, most), offset))
    assert dict(reader.scan()) == WHOLE_FILE_RECORDS
    assert {offset: reader.read(offset)[0] for offset in WHOLE_FILE_RECORDS} == WHOLE_FILE_RECORDS


# Sharing a reader, which has no position.


def many_records(n=400):
    return [bytes([i % 251]) * (i * 37 % 9000) for i in range(n)]


def write_records(path, payloads):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        return [writer.write(payload) for payload in payloads]


def test_threads_share_one_reader(tmp_path):
    payloads = many_records()
    offsets = write_records(tmp_path / "a.rec", payloads)
    wrong = []

    def check(reader, step):
        for i in range(0, len(payloads) * step, step):
            i %= len(payloads)
            if reader.read(offsets[i])[0] != payloads[i]:
                wrong.append(i)
        wrong.extend(i for i, record in enumerate(reader) if record != payloads[i])

    with RecordReader(tmp_path / "a.rec") as reader:
        threads = [threading.Thread(target=check, args=(reader, step)) for step in (1, 3, 7, 399)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def scan_all(reader, payloads):
    raise SystemExit(0 if list(reader) == payloads else 1)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_forked_processes_share_one_reader(tmp_path):
    payloads = many_records()
    write_records(tmp_path / "a.rec", payloads)
    fork = multiprocessing.get_context("fork")
    with RecordReader(tmp_path / "a.rec") as reader:
        children = [fork.Process(target=scan_all, args=(reader, payloads)) for _ in range(3)]
        for child in children:
            child.start()
        assert list(reader) == payloads
        for child in children:
            child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
