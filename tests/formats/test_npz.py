"""Arrays in NumPy's .npz files."""

import contextlib
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordkit.errors import FormatError
from recordkit.formats.numpy_files import npz


@pytest.fixture
def path(tmp_path):
    np.savez(tmp_path / "a.npz", np.arange(300), b=np.arange(3.0))
    return tmp_path / "a.npz"


def test_arrays_are_read_by_their_names(path):
    assert npz.names(path) == {"arr_0", "b"}
    assert npz.read(path).tolist() == list(range(300)) and npz.read(path, "b").tolist() == [0, 1, 2]


def test_an_array_that_is_not_there_is_an_error_with_those_that_are(path):
    with pytest.raises(FormatError, match=r"a\.npz: expected an array c in an \.npz file, got arr_0, b"):
        npz.read(path, "c")


def test_another_file_is_an_error(tmp_path):
    (tmp_path / "b.npz").write_bytes(b"\x93NUMPY")
    assert npz.names(tmp_path / "b.npz") == set()
    with pytest.raises(FormatError, match=r"b\.npz: expected an array arr_0 in an \.npz file, got no \.npz file"):
        npz.read(tmp_path / "b.npz")


def test_pickled_objects_are_not_read(tmp_path):
    np.savez(tmp_path / "b.npz", np.array([print]))
    with pytest.raises(FormatError, match=r"b\.npz: expected an array of numbers, got pickled objects"):
        npz.read(tmp_path / "b.npz")


def test_a_flipped_byte_is_an_error(path):
    content = bytearray(path.read_bytes())
    content[1000] ^= 255
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.npz: expected an array arr_0 of numbers, got "):
        npz.read(path)


def test_a_file_among_the_arrays_is_none_of_them(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("readme", b"text")
        archive.writestr("b.npy", b"text")
    assert npz.names(tmp_path / "b.npz") == {"b"}
    with pytest.raises(FormatError, match=r"b\.npz: expected an array in \.npy form, got text"):
        npz.read(tmp_path / "b.npz", "b")


def test_an_array_larger_than_memory_is_an_error(tmp_path):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (2**45,)})
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("b.npy", head.getvalue())
    with pytest.raises(FormatError, match=rf"b\.npz: expected {2**48} bytes after the header, got 0"):
        npz.read(tmp_path / "b.npz", "b")


def test_an_array_that_takes_far_more_memory_than_the_file_is_refused_before_it_is_unpacked(tmp_path):
    np.savez_compressed(tmp_path / "b.npz", np.zeros((70, 1000, 1000), np.uint8))
    tracemalloc.start()
    try:
        with pytest.raises(
            FormatError, match=r"b\.npz: expected an array of at most 67108864 bytes in a compressed file"
        ):
            npz.read(tmp_path / "b.npz")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_an_archive_that_lies_about_the_size_of_an_array_is_an_error(path):
    """The directory at the end of the file announces 100 bytes more than the array has."""
    content = bytearray(path.read_bytes())
    (size,) = struct.unpack_from("<I", content, content.rindex(b"PK\x01\x02") + 24)
    struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + 24, size + 100)
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"a\.npz: expected 2400 bytes after the header, got {size - 128 + 100}"):
        npz.read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(begin=st.integers(0, 500), noise=st.binary(min_size=1, max_size=8), is_inserted=st.booleans())
def test_a_damaged_file_is_arrays_or_a_format_error(tmp_path, begin, noise, is_inserted):
    path = tmp_path / "b.npz"
    np.savez_compressed(path, np.arange(20))
    content = path.read_bytes()
    path.write_bytes(content[:begin] + noise + content[begin + len(noise) * (not is_inserted) :])
    with contextlib.suppress(FormatError):
        npz.read(path)
