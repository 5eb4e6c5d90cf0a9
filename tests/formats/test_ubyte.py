"""MNIST's file format, plain and compressed, valid and damaged."""

import gzip
import lzma
import os
import struct
import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from strategies import ubyte_arrays

from recordkit.errors import FormatError, TruncatedError, plural
from recordkit.formats import files, ubyte

GOLDEN = [
    pytest.param(np.array([7, 2, 1], np.uint8), "00000801 00000003 070201", id="labels"),
    pytest.param(
        np.arange(8, dtype=np.uint8).reshape(2, 2, 2),
        "00000803 00000002 00000002 00000002 0001020304050607",
        id="images",
    ),
    pytest.param(np.array([-1, 1], np.int8), "00000901 00000002 ff01", id="int8"),
    pytest.param(np.array([-2], np.int16), "00000b01 00000001 fffe", id="int16"),
    pytest.param(np.array([[1]], np.int32), "00000c02 00000001 00000001 00000001", id="int32"),
    pytest.param(np.array([1.5], np.float32), "00000d01 00000001 3fc00000", id="float32"),
    pytest.param(np.array([1.5], np.float64), "00000e01 00000001 3ff8000000000000", id="float64"),
    pytest.param(np.empty((0, 28, 28), np.uint8), "00000803 00000000 0000001c 0000001c", id="nothing"),
]


@pytest.fixture(params=[bytes, gzip.compress, partial(lzma.compress, preset=0)], ids=["plain", "gzip", "xz"])
def read(request, tmp_path):
    """Return a function that reads a ubyte file with some content, plain and compressed."""

    def read(content):
        path = tmp_path / "a-ubyte"
        path.write_bytes(request.param(content))
        return ubyte.read(path)

    return read


@pytest.mark.parametrize(("array", "golden"), GOLDEN)
def test_golden_bytes(array, golden, read):
    content = bytes.fromhex(golden)
    assert ubyte.pack(array) == content
    got = read(content)
    assert (got.shape, got.dtype, got.tolist()) == (array.shape, array.dtype.newbyteorder(">"), array.tolist())


@given(ubyte_arrays)
def test_reading_undoes_packing(tmp_path_factory, array):
    folder = tmp_path_factory.mktemp("ubyte")
    content = ubyte.pack(array)
    (folder / "a").write_bytes(content)
    (folder / "a.gz").write_bytes(gzip.compress(content, 1))
    for name in ("a", "a.gz"):
        got = ubyte.read(folder / name)
        assert got.shape == array.shape and ubyte.pack(got) == content


@pytest.mark.parametrize("rank", [1, 2, 31, 32])
def test_every_rank_up_to_numpys_is_read(rank, read):
    assert read(ubyte.pack(np.ones((1,) * rank, np.uint8))).shape == (1,) * rank


def test_arrays_of_any_byte_order_and_layout_are_packed_alike():
    array = np.arange(6, dtype="<i4").reshape(2, 3)
    assert ubyte.pack(array) == ubyte.pack(array.astype(">i4")) == ubyte.pack(np.asfortranarray(array))


@pytest.mark.parametrize("array", [np.zeros(1, bool), np.zeros(1, np.uint16), np.zeros(1, "U1"), np.array(1, np.uint8)])
def test_an_unsupported_type_or_rank_is_refused(array):
    with pytest.raises(FormatError, match="expected an array type of an ubyte file, got .* of rank [01]"):
        ubyte.pack(array)


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n", b"\0\0\x08\0", b"\0\0\x0a\x01", b"\x01\0\x08\x01", b"\0\x01\x08\x01", b"PK\x03\x04" * 9],
)
def test_a_wrong_magic_is_shown(content, read):
    with pytest.raises(
        FormatError,
        match=rf"a-ubyte: byte 0: expected the magic number of an .* such as 0x00000803, got 0x{content[:4].hex()}$",
    ):
        read(content)


@pytest.mark.parametrize("n", range(4))
def test_a_short_magic_says_how_short(n, read):
    with pytest.raises(
        TruncatedError, match=f"a-ubyte: byte 0: expected a 4-byte magic number, got {plural(n, 'byte')}"
    ):
        read(b"\0\0\x08\x03"[:n])


@pytest.mark.parametrize("n", range(12))
def test_short_sizes_say_how_short(n, read):
    with pytest.raises(TruncatedError, match=f"a-ubyte: byte 4: expected 3 sizes, got {n} bytes"):
        read(b"\0\0\x08\x03" + bytes(n))


@pytest.mark.parametrize(
    ("got", "error", "text"), [(0, TruncatedError, "0"), (3, TruncatedError, "3"), (5, FormatError, "more")]
)
def test_too_few_or_too_many_numbers_are_an_error(got, error, text, read):
    with pytest.raises(error, match=rf"a-ubyte: expected 4 bytes after the header, got {text}$"):
        read(bytes.fromhex("00000802 00000002 00000002") + bytes(got))


@pytest.mark.parametrize("rank", [33, 255])
def test_more_dimensions_than_numpy_has_are_refused(rank, read):
    with pytest.raises(FormatError, match=f"a-ubyte: byte 3: expected at most 32 dimensions, got {rank}"):
        read(struct.pack(">HBB", 0, 8, rank) + bytes(4 * rank))


@pytest.mark.parametrize("sizes", [(2**32 - 1, 28, 28), (2**32 - 1, 2**30, 1), (60000, 28, 28)])
def test_a_header_that_announces_more_than_the_file_has_allocates_no_memory(sizes, read):
    content = struct.pack(">HBB3I", 0, 8, 3, *sizes) + b"tiny"
    tracemalloc.start()
    try:
        n_bytes = sizes[0] * sizes[1] * sizes[2]
        with pytest.raises(FormatError, match=f"(expected {n_bytes} bytes.*, got 4$|got a header for {n_bytes} bytes)"):
            read(content)
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("sizes", [(2**32 - 1,) * 4, (2**32 - 1, 2**32 - 1, 2**32 - 1, 0), (0, 2**31, 2**32 - 1, 1)])
def test_sizes_beyond_what_numpy_counts_are_refused(sizes, read):
    content = struct.pack(f">HBB{len(sizes)}I", 0, 14, len(sizes), *sizes)
    with pytest.raises(FormatError, match=r"a-ubyte: byte 4: expected fewer than 2\*\*63 bytes, got sizes \("):
        read(content)


@pytest.mark.parametrize("cut", [3, 12, 40, -9, -8, -1])
def test_a_gzip_file_cut_short_is_an_error(cut, tmp_path):
    content = gzip.compress(ubyte.pack(np.arange(256, dtype=np.uint8)), mtime=0)
    path = tmp_path / "a.gz"
    path.write_bytes(content[:cut])
    with pytest.raises(TruncatedError, match=r"a\.gz: expected a whole gzip file, got a damaged one \("):
        ubyte.read(path)


@pytest.mark.parametrize("position", [2, 3, 60, -5])
def test_a_gzip_file_with_a_flipped_byte_is_an_error(position, tmp_path):
    content = bytearray(gzip.compress(ubyte.pack(np.arange(256, dtype=np.uint8)), mtime=0))
    content[position] ^= 0xFF
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.gz: "):
        ubyte.read(path)


def test_a_gzip_bomb_is_decompressed_only_to_the_announced_size(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(ubyte.pack(np.zeros(1000, np.uint8)) + bytes(1 << 26), 9))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="expected 1000 bytes after the header, got more"):
            ubyte.read(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()


def test_a_file_that_is_cut_after_it_was_read_keeps_its_numbers(tmp_path):
    path = tmp_path / "a-ubyte"
    path.write_bytes(ubyte.pack(np.ones(100_000, np.uint8)))
    array = ubyte.read(path)
    os.truncate(path, 0)  # an array that maps the file would end the process here
    assert array.sum() == 100_000 and not array.flags.writeable


def test_a_missing_file_stays_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        ubyte.read(tmp_path / "none")


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_the_shape_is_read_from_the_header_alone(tmp_path, compress):
    path = tmp_path / "a-ubyte"
    path.write_bytes(compress(struct.pack(">HBB3I", 0, 8, 3, 60000, 28, 28) + b"tiny"))
    assert ubyte.read_shape(path) == (60000, 28, 28)


@pytest.mark.parametrize("content", [lzma.compress(bytes(99))[:-9], b"\xfd7zXZ\0" + bytes(30)])
def test_a_damaged_xz_file_is_an_error(tmp_path, content):
    path = tmp_path / "a.xz"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.xz: "):
        ubyte.read(path)


@pytest.mark.parametrize("compress", [gzip.compress, partial(lzma.compress, preset=0)], ids=["gzip", "xz"])
@pytest.mark.parametrize(("n", "is_read"), [(1, True), (30, False)])
def test_an_array_that_takes_far_more_memory_than_the_file_is_refused_before_it_is_unpacked(
    compress, n, is_read, tmp_path
):
    content = ubyte.pack(np.zeros((n, 1000, 1000), np.uint8))
    path = tmp_path / "a-ubyte"
    path.write_bytes(compress(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_MAX_SMALL_BYTES", 2_000_000)
        tracemalloc.start()
        try:
            if is_read:
                assert not ubyte.read(path).any()
            else:
                with pytest.raises(
                    FormatError, match=r"a-ubyte: expected an array of at most \d+ bytes in a compressed"
                ):
                    ubyte.read(path)
                assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("compress", [gzip.compress, partial(lzma.compress, preset=0)], ids=["gzip", "xz"])
def test_more_streams_behind_the_array_are_an_error_before_they_are_unpacked(compress, tmp_path):
    whole = ubyte.pack(np.arange(9, dtype=np.uint8))
    path = tmp_path / "a-ubyte"
    path.write_bytes(compress(whole[:-3]) + compress(whole[-3:]))
    assert ubyte.read(path).tolist() == list(range(9))
    path.write_bytes(compress(whole) + compress(bytes(40_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="a-ubyte: expected 9 bytes after the header, got more"):
            ubyte.read(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()
