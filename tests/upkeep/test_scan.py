"""`scan`: every record in order, and damage raised or reported."""

import struct

import pytest

from recordkit.errors import FormatError
from recordkit.formats import byte_source, frame, irheader
from recordkit.formats.frame import FIRST, LAST, MAGIC_BYTES, MIDDLE, WHOLE, RecordReader, RecordWriter
from recordkit.upkeep.check.verify import verify
from recordkit.upkeep.scan import scan


@pytest.fixture
def damaged(tmp_path):
    """A file of 5 records: record 1 has no magic, and record 3 is too short for an image header."""
    records = [irheader.pack(irheader.IRHeader(float(key), key), b"") for key in range(5)]
    records[3] = bytes(20)
    path = tmp_path / "x.rec"
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(record) for record in records]
        file.seek(offsets[1])
        file.write(b"????")
    return path


def test_the_first_damage_is_raised_by_default(damaged):
    with RecordReader(damaged) as reader:
        records = scan(reader)
        assert next(records)[1].id == 0
        with pytest.raises(FormatError, match=r"x\.rec: byte 32: expected magic"):
            next(records)


def test_with_on_damage_the_scan_continues_after_each_damage(damaged):
    damage = []
    with RecordReader(damaged) as reader:
        records = list(scan(reader, on_damage=lambda error, n_skipped: damage.append((error.offset, n_skipped))))
    assert [(offset, header.id) for offset, header, _ in records] == [(0, 0), (64, 2), (124, 4)]
    assert damage == [(32, 32), (96, 0)]


def test_progress_adds_up_to_the_size_of_the_file(damaged):
    n_bytes = []
    with RecordReader(damaged) as reader:
        list(scan(reader, on_damage=lambda _error, _n_skipped: None, progress=n_bytes.append))
        assert sum(n_bytes) == reader.size


def head(cflag, length):
    return MAGIC_BYTES + struct.pack("<I", cflag << 29 | length)


def heads_to_the_end(size, cflag, *, is_odd=0, before=b""):
    """Return heads whose records all reach to the end of the file."""
    step = 8 + len(before)
    return b"".join(before + head(cflag, max(size - end - is_odd, 0)) for end in range(step, size + 1, step))


def chains_in_a_chain(size):
    """Return first parts that a chain of middle parts follows, which no record ends."""
    return head(FIRST, size // 2) + head(FIRST, 8) * (size // 16) + head(MIDDLE, 0) * (size // 16)


HOSTILE = {
    "heads beyond the end": lambda size: head(WHOLE, 2**29 - 1) * (size // 8),
    "parts of odd sizes": lambda size: heads_to_the_end(size, FIRST, is_odd=1),
    "middle parts of odd sizes": lambda size: heads_to_the_end(size, MIDDLE, is_odd=1, before=head(FIRST, 0)),
    "records in place of parts": lambda size: heads_to_the_end(size, WHOLE, before=head(FIRST, 0)),
    "first parts without a last": lambda size: head(FIRST, 0) * (size // 8),
    "middle parts without a last": lambda size: (head(FIRST, 0) + head(MIDDLE, 0) * 15) * (size // 128),
    "chains in a chain": chains_in_a_chain,
    "records that are too long": lambda size: heads_to_the_end(size, FIRST, before=bytes(4)) + head(LAST, 0),
    "short records": lambda size: head(WHOLE, 0) * (size // 8),
    "magics": lambda size: MAGIC_BYTES * (size // 4),
    "magics beside words": lambda size: (b"x" + MAGIC_BYTES + b"xxx") * (size // 8),
    "zeros": bytes,
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_verify_reads_no_byte_more_often_whatever_the_bytes_are(hostile, tmp_path, monkeypatch):
    """A pass reads a byte once as the head after a damage, and once with its record."""
    n_bytes = 0

    def pread(descriptor, size, offset, read=byte_source.pread):
        nonlocal n_bytes
        content = read(descriptor, size, offset)
        n_bytes += len(content)
        return content

    monkeypatch.setattr(byte_source, "pread", pread)
    monkeypatch.setattr(frame, "_ORDERED_READ_BYTES", 4096)
    monkeypatch.setattr(frame, "MAX_RECORD_BYTES", 1 << 15)
    size = 1 << 17
    (tmp_path / "x.rec").write_bytes(HOSTILE[hostile](size))
    verify(tmp_path / "x.rec")
    assert n_bytes < 5 * size  # two passes: the kinds of the records, and the check
