"""Files of arrays: MXNet's bytes, its older versions, and damage."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordkit.errors import FormatError, TruncatedError
from recordkit.record_iter import ndarray_file

# Written by mx.nd.save of MXNet 1.9.1.
GOLDEN = """
12010000 00000000 00000000 00000000 01000000 00000000
c9fa93f9 00000000 03000000 01000000 00000000 01000000 00000000 02000000 00000000 01000000 00000000 00000000
0000803f 00002040 01000000 00000000 08000000 00000000 6d65616e 5f696d67
"""
GOLDEN_ARRAY = np.array([[[1, 2.5]]], np.float32)


def file_of(array_bytes, n_names=0):
    return struct.pack("<QQQ", 0x112, 0, 1) + array_bytes + struct.pack("<Q", n_names)


def test_golden_bytes():
    golden = bytes.fromhex(GOLDEN)
    assert ndarray_file.pack({"mean_img": GOLDEN_ARRAY}) == golden
    ((name, array),) = ndarray_file.unpack(golden)
    assert (name, array.dtype, array.tolist()) == ("mean_img", np.float32, GOLDEN_ARRAY.tolist())


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("<Iiqqq", 0xF993FAC8, 3, 1, 1, 2),  # before version 1.0
        struct.pack("<IIII", 3, 1, 1, 2),  # before version 0.12
        struct.pack("<Iiiqqq", 0xF993FACA, 0, 3, 1, 1, 2),  # with NumPy's shapes
    ],
)
@pytest.mark.parametrize("device", [1, 2])
def test_all_versions_are_read_whatever_the_device(head, device):
    content = file_of(head + struct.pack("<iii", device, 0, 0) + GOLDEN_ARRAY.tobytes())
    ((name, array),) = ndarray_file.unpack(content)
    assert name == "" and np.array_equal(array, GOLDEN_ARRAY)


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "u1", "i4", "i1", "i8"])
def test_mxnet_and_recordkit_read_each_others_files(mx, tmp_path, dtype):
    arrays = {"a": np.arange(6).reshape(2, 3).astype(dtype), "b": np.array([7], dtype)}
    path = str(tmp_path / "a.nd")
    mx.nd.save(path, {name: mx.nd.array(array, dtype=dtype) for name, array in arrays.items()})
    content = (tmp_path / "a.nd").read_bytes()
    got = dict(ndarray_file.unpack(content))
    assert all(got[name].dtype == arrays[name].dtype and np.array_equal(got[name], arrays[name]) for name in arrays)
    assert ndarray_file.pack(got) == content
    (tmp_path / "a.nd").write_bytes(ndarray_file.pack(arrays))
    assert all(np.array_equal(array.asnumpy(), arrays[name]) for name, array in mx.nd.load(path).items())


GOLDEN_BYTES = bytes.fromhex(GOLDEN)


@pytest.mark.parametrize("size", range(16, len(GOLDEN_BYTES), 5))
def test_a_cut_file_says_where_it_ends(size):
    with pytest.raises(TruncatedError, match=r"byte \d+: expected \d+ bytes?, got \d+ bytes?"):
        ndarray_file.unpack(GOLDEN_BYTES[:size])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a file of mx.nd.save, which begins with 0x112, got b''"),
        (bytes(40), "expected a file of mx.nd.save"),
        (file_of(struct.pack("<IiI", 0xF993FAC9, 1, 2)), "expected a dense array, got an array of storage type 1"),
        (file_of(struct.pack("<Iii", 0xF993FAC9, 0, -1)), "expected a rank of 0 to 32, got -1"),
        (file_of(struct.pack("<I", 2**31)), "expected a rank of 0 to 32, got 2147483648"),
        (file_of(struct.pack("<Iiiqiii", 0xF993FAC9, 0, 1, -2, 1, 0, 0)), "expected sizes of at least 0"),
        (
            file_of(struct.pack("<Iiiqiii", 0xF993FAC9, 0, 1, 2**62, 1, 0, 0)),
            r"expected 18446744073709551616 bytes, got",
        ),
        (
            file_of(struct.pack("<Iii3qiii", 0xF993FAC9, 0, 3, 0, 2**62, 2**62, 1, 0, 0)),
            r"expected sizes of an array, got \(0, ",
        ),
        (file_of(struct.pack("<Iiiqiii", 0xF993FAC9, 0, 1, 1, 1, 0, 99)), "a type of 0 to 7, got .* and 99"),
        (file_of(struct.pack("<Iii", 0xF993FAC9, 0, 0), 3), "expected 0 or 1 names, got 3"),
        (struct.pack("<QQQ", 0x112, 0, 2**60), "expected 4 bytes, got 0 bytes"),
    ],
)
def test_damage_is_named_before_memory_is_asked_for(content, message):
    with pytest.raises(FormatError, match=message):
        ndarray_file.unpack(content)


@given(st.binary(max_size=60), st.integers(0, len(GOLDEN_BYTES)))
def test_arbitrary_bytes_are_arrays_or_a_format_error(noise, begin):
    content = GOLDEN_BYTES[:begin] + noise + GOLDEN_BYTES[begin + len(noise) :]
    with contextlib.suppress(FormatError):
        ndarray_file.unpack(content)
