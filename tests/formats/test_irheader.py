"""The image record header, against bytes that MXNet itself wrote (mxnet 1.9.1, ``recordio.pack``)."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import headers

from recordkit.errors import FormatError, TruncatedError, plural
from recordkit.formats.irheader import HEADER_SIZE, IRHeader, fits_float32, pack, unpack, unpack_at

GOLDEN = [
    pytest.param(
        IRHeader(4.0, 2574),
        b"\xff\xd8IMG",
        "00000000 00008040 0e0a000000000000 0000000000000000 ffd8494d47",
        id="one-label",
    ),
    pytest.param(
        IRHeader((1.0, 2.5, -3.0), 7),
        b"JPEG",
        "03000000 00000000 0700000000000000 0000000000000000 0000803f 00002040 000040c0 4a504547",
        id="three-labels",
    ),
    pytest.param(
        IRHeader((5.0,), 9),
        b"J",
        "01000000 00000000 0900000000000000 0000000000000000 0000a040 4a",
        id="a-vector-of-one",
    ),
    pytest.param(
        IRHeader(1.5, 2**64 - 1, 1),
        b"",
        "00000000 0000c03f ffffffffffffffff 0100000000000000",
        id="largest-id-and-no-payload",
    ),
    pytest.param(
        IRHeader((3.0, 5.0), 0, 1),
        b"",
        "02000000 00000000 0000000000000000 0100000000000000 00004040 0000a040",
        id="insightface-header",
    ),
]


@pytest.mark.parametrize(("header", "payload", "golden"), GOLDEN)
def test_pack_writes_what_mxnet_writes(header, payload, golden):
    assert pack(header, payload).hex() == golden.replace(" ", "")


@pytest.mark.parametrize(("header", "payload", "golden"), GOLDEN)
def test_unpack_reads_what_mxnet_wrote(header, payload, golden):
    got, rest = unpack(bytes.fromhex(golden))
    assert (got, bytes(rest)) == (header, payload)


def test_no_labels_are_packed_as_the_single_label_zero():
    golden = "00000000 00000000 0900000000000000 0000000000000000 4a"
    assert pack(IRHeader((), 9), b"J").hex() == golden.replace(" ", "")


def test_the_first_label_in_the_header_as_native_im2rec_writes_it_is_ignored():
    golden = bytes.fromhex("02000000 00008040 0700000000000000 0000000000000000 00008040 0000a040 4a")
    assert pack(IRHeader((4.0, 5.0), 7), b"J", first_label=True) == golden
    assert unpack(golden)[0] == IRHeader((4.0, 5.0), 7)


@given(headers, st.binary(max_size=64), st.booleans())
def test_unpack_undoes_pack(header, payload, first_label):
    record = pack(header, payload, first_label=first_label)
    got, rest = unpack(record)
    assert (got, bytes(rest)) == (header, payload)
    assert unpack(memoryview(record))[0] == header


@given(st.binary(max_size=80))
def test_pack_undoes_unpack_of_any_bytes(record):
    try:
        header, payload = unpack(record)
    except TruncatedError:
        return
    again = pack(header, bytes(payload))
    if not any(math.isnan(label) for label in header.labels):  # the bits of a NaN may change
        # The label in the header is ignored if a vector follows.
        assert again[8:] == record[8:] and again[:4] == record[:4]


@pytest.mark.parametrize("size", range(HEADER_SIZE))
def test_a_short_header_says_how_short(size):
    with pytest.raises(TruncatedError, match=f"expected a 24-byte image header, got {plural(size, 'byte')}"):
        unpack(bytes(size))


@pytest.mark.parametrize(("flag", "size"), [(1, 27), (2, 28), (2**31, 100), (2**32 - 1, 28)])
def test_labels_beyond_the_record_are_refused(flag, size):
    record = struct.pack("<I", flag) + bytes(size - 4)
    with pytest.raises(TruncatedError) as caught:
        unpack(record)
    assert str(caught.value) == (
        f"expected an image header and its labels, got {plural(size, 'byte')}, of which the first 4 "
        f"announce {plural(flag, 'label')}"
    )


def test_an_error_of_a_record_in_a_file_has_its_location():
    with pytest.raises(
        TruncatedError, match=r"^a\.rec: byte 8: expected a 24-byte .*; run 'recordkit verify a\.rec'"
    ) as e:
        unpack_at(bytes(3), "a.rec", 8)
    assert (e.value.path, e.value.offset, e.value.advice) == ("a.rec", 8, "run 'recordkit verify a.rec'")


def test_the_labels_are_a_tuple_also_if_there_is_one():
    assert IRHeader(1.5, 1).labels == IRHeader((1.5,), 1).labels == (1.5,)
    assert IRHeader((), 1).labels == ()


def test_the_payload_is_a_view_of_the_record():
    record = bytearray(pack(IRHeader(1.0, 1), b"jpeg"))
    _, payload = unpack(memoryview(record))
    record[24:] = b"JPEG"
    assert payload == b"JPEG"


@pytest.mark.parametrize(("key", "key2"), [(-1, 0), (2**64, 0), (0, -1), (0, 2**64)])
def test_an_id_outside_64_bits_is_refused(key, key2):
    with pytest.raises(FormatError, match=rf"expected an id from 0 to 2\*\*64 - 1, got {key} and {key2}$"):
        pack(IRHeader(1.0, key, key2), b"")


@pytest.mark.parametrize("label", [1e39, (1.0, -1e39)])
def test_a_label_beyond_float32_is_refused(label):
    with pytest.raises(FormatError) as caught:
        pack(IRHeader(label, 1), b"")
    assert str(caught.value) == f"expected labels within float32's range, got {label}"


@pytest.mark.parametrize("label", [math.inf, -math.inf, -0.0, 2.0**-149, float(2**24)])
def test_every_float32_survives(label):
    got = unpack(pack(IRHeader(label, 1), b""))[0].label
    assert (got, math.copysign(1, got)) == (label, math.copysign(1, label))


def test_nan_survives():
    assert math.isnan(unpack(pack(IRHeader(math.nan, 1), b""))[0].label)


@pytest.mark.parametrize("label", [0, -5, 2**24, 2**24 + 2, -(2**24), 2**40, 0.1, 1e-50, 2.0**127, math.inf, math.nan])
def test_labels_that_float32_can_hold_fit(label):
    assert fits_float32(label)


@pytest.mark.parametrize(
    "label", [2**24 + 1, -(2**24) - 1, 17091659, 2**63 - 1, 1e39, 10**39, 10**400, float(2**24 + 1)]
)
def test_whole_labels_that_float32_rounds_do_not_fit(label):
    assert not fits_float32(label)
