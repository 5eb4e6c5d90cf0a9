"""`scan`: every record in order, and damage raised or reported."""

import pytest

from recordkit.errors import FormatError
from recordkit.formats import irheader
from recordkit.formats.frame import RecordReader, RecordWriter
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
