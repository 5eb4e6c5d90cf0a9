"""InsightFace's header and identity records."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordkit.formats.insightface.faces import file_header, identity_header, is_metadata, ranges
from recordkit.formats.irheader import IRHeader, pack, unpack


@pytest.mark.parametrize(
    ("labels", "payload", "metadata"),
    [((3.0, 5.0), b"", True), ((3.0,), b"", True), ((3.0, 5.0), b"jpeg", False), (3.0, b"", False), (3.0, b"j", False)],
)
def test_a_record_with_a_vector_of_labels_and_no_image_is_metadata(labels, payload, metadata):
    assert is_metadata(IRHeader(labels, 0), payload) is metadata


@pytest.mark.parametrize("labels", [(3.0, 5.0), (1.0, 1.0), (1.0, float(2**63))])
def test_a_header_gives_the_end_of_the_images_and_of_the_identities(labels):
    assert ranges(IRHeader(labels, 0), b"") == tuple(map(int, labels))


@pytest.mark.parametrize(
    "labels",
    [3.0, (3.0,), (3.0, 5.0, 7.0), (0.0, 5.0), (5.0, 3.0), (1.5, 5.0), (1.0, 5.5), (1.0, 2.0**64), (1.0, float("nan"))],
)
def test_other_labels_are_no_header(labels):
    assert ranges(IRHeader(labels, 0), b"") is None


def test_a_record_with_an_image_is_no_header():
    assert ranges(IRHeader((3.0, 5.0), 0), b"jpeg") is None


@given(st.integers(1, 2**40), st.integers(0, 100))
def test_a_range_in_the_file_is_the_largest_within_the_real_one(first, n):
    low, high = unpack(pack(identity_header(7, first, first + n), b""))[0].labels
    held = [
        number for number in range(first, first + n + 1) if struct.unpack("<f", struct.pack("<f", number))[0] == number
    ]
    assert (low, high) == ((held[0], held[-1]) if held else (high, high))
    assert low <= high <= first + n


@given(st.integers(1, 2**40), st.integers(0, 100))
def test_a_header_in_the_file_is_read_and_not_beyond_the_real_numbers(first, n):
    header, payload = unpack(pack(file_header(first, first + n), b""))
    begin, end = ranges(header, payload)
    assert (header.id, header.id2) == (0, 1)
    assert begin <= first < begin + max(1, first >> 23) and end <= first + n
