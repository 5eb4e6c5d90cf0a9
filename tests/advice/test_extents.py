"""Advice about files that have bytes of an object in a store."""

from advice.walk import advice

from recordkit.storage.remote.extents import _PythonExtents


def test_a_file_without_all_bytes(tmp_path):
    path = tmp_path / "page"

    def fetch(begin, end):
        if not path.exists():
            path.write_bytes(bytes(range(10)))
        extents.add_file(begin, end, path)

    extents = _PythonExtents(10, fetch)
    path.write_bytes(bytes(3))
    advice("storage/remote/extents.py", "delete it", lambda: extents.read(10, 0))
    path.unlink()
    assert extents.read(10, 0) == bytes(range(10))
