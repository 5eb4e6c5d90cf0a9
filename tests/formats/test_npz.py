"""Arrays in NumPy's .npz files."""

import numpy as np
import pytest

from recordkit.errors import FormatError
from recordkit.formats import npz


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
    with pytest.raises(FormatError, match=r"b\.npz: expected an array arr_0 of numbers, got Object arrays cannot be"):
        npz.read(tmp_path / "b.npz")


def test_a_flipped_byte_is_an_error(path):
    content = bytearray(path.read_bytes())
    content[1000] ^= 255
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.npz: expected an array arr_0 of numbers, got "):
        npz.read(path)
