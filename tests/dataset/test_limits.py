"""Limits of what a .rec file and its index may hold, the same in both engines."""

import struct

import numpy as np
import pytest

from recordkit import RecordDataset
from recordkit.dataset.records import open_record_file, read_index
from recordkit.errors import FormatError
from recordkit.formats import frame, idx, irheader
from recordkit.formats.irheader import MAX_LABELS, IRHeader
from recordkit.recordio import MXIndexedRecordIO


@pytest.fixture(params=["native", "python"], autouse=True)
def reader(request):
    """Run each test with the native core and without it."""
    request.getfixturevalue("require_native" if request.param == "native" else "no_native")


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file of one record with a number of labels, all 0."""

    def write(n_labels, payload=b"jpeg"):
        record = struct.pack("<IfQQ", n_labels, 0, 7, 0) + bytes(4 * n_labels) + payload
        (tmp_path / "a.rec").write_bytes(b"".join(frame.pack(record)))
        (tmp_path / "a.idx").write_bytes(idx.lines([7], [0]))
        return tmp_path / "a.rec"

    return write


def test_a_record_has_a_million_labels_at_most(write):
    with RecordDataset(write(MAX_LABELS)) as dataset:
        assert dataset.labels.shape == (1, MAX_LABELS)


@pytest.mark.parametrize("payload", [b"", b"jpeg"])
def test_more_labels_are_an_error_before_they_are_read(write, payload):
    path = write(MAX_LABELS + 1, payload)
    file = open_record_file(path)
    with pytest.raises(FormatError) as caught:
        file.headers(np.zeros(1, np.uint64))
    file.close()
    assert str(caught.value) == (
        f"{path}: byte 0: expected at most 1048576 labels, got 1048577; run 'recordkit verify {path}'"
    )


def test_no_record_with_more_labels_is_written():
    with pytest.raises(FormatError, match="expected at most 1048576 labels, got 1048577"):
        irheader.pack(IRHeader((0.0,) * (MAX_LABELS + 1), 0), b"")


def test_an_index_far_larger_than_the_records_is_not_read(write, tmp_path):
    path = write(0)
    with open(tmp_path / "a.idx", "ab") as file:
        file.truncate(1 << 36)
    size = path.stat().st_size
    with pytest.raises(FormatError, match="expected an index of these records of at most 65536 bytes, got 68719476736"):
        read_index(tmp_path / "a.idx", size)
    with pytest.raises(FormatError, match="expected an index of these records of at most 65536 bytes, got 68719476736"):
        MXIndexedRecordIO(tmp_path / "a.idx", path, "r")
    with pytest.warns(UserWarning, match="of at most 65536 bytes"), RecordDataset(path) as dataset:
        assert len(dataset) == 1


def test_an_index_of_the_shortest_records_and_longest_numbers_is_read(tmp_path):
    n = 2000
    (tmp_path / "a.idx").write_bytes(idx.lines([2**64 - 1 - key for key in range(n)], [2**64 - 1] * n))
    assert len(read_index(tmp_path / "a.idx", 8 * n)[1]) == n
