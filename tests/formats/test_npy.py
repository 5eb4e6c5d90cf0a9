"""Reading NumPy's .npy files."""

import io
import os

import numpy as np
import pytest

from recordkit.errors import FormatError
from recordkit.formats.numpy_files import npy


def content(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def with_header(text, numbers=b""):
    """Return a file whose header is a text."""
    header = text.encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + numbers


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.zeros(0),
        np.float32(3),
        np.array([1, 2], ">i2"),
        np.zeros((0, 5)),
    ],
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_an_array_comes_back(array, version, tmp_path):
    array = np.asarray(array)
    (tmp_path / "a.npy").write_bytes(content(array, version=version))
    got = npy.read(tmp_path / "a.npy")
    assert got.dtype == array.dtype and got.shape == array.shape and np.array_equal(got, array)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (with_header("{'descr': '<i8', 'fortran_order': False, 'shape': (9223372036854775807, 2)}"), "bytes after"),
        (with_header("{'descr': '<i8', 'fortran_order': False, 'shape': (1099511627776,)}"), "bytes after the header"),
        (with_header("{'descr': '<i8', 'fortran_order': False, 'shape': (-1,)}"), "sizes of at least 0"),
        (with_header("{'descr': '<i8', 'fortran_order': False, 'shape': (True,)}"), "8?1? bytes after the header"),
        (with_header("{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", bytes(17)), "16 bytes after"),
        (with_header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"), "got pickled objects"),
        (with_header("{'descr': '<U0', 'fortran_order': False, 'shape': (4,)}"), "got empty texts"),
        (with_header("(" * 4000), "got damage"),
        (with_header("-" * 4000), "got damage"),
        (with_header("{'descr': '<i8', 'fortran_order': False, 'shape': ()}" + " " * 5000, bytes(8)), "got damage"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 9999, "got damage"),
        (b"\x93NUMPY\x09\x00" + bytes(200), "got damage"),
        (b"PK\x03\x04" + bytes(99), "got zip"),
    ],
)
def test_other_content_is_an_error_before_memory_is_taken(data, problem, tmp_path):
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(FormatError, match=rf"a\.npy: expected .*{problem}"):
        npy.read(tmp_path / "a.npy")


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path, monkeypatch):
    whole = content(np.arange(100))
    (tmp_path / "a.npy").write_bytes(whole)
    as_it_was = os.stat(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(whole[:-8])
    monkeypatch.setattr(os, "fstat", lambda _descriptor: as_it_was)
    with pytest.raises(FormatError, match=r"a\.npy: expected 800 bytes after the header, got 792"):
        npy.read(tmp_path / "a.npy")
