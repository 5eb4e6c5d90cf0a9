"""Reading image files, with and without the native core."""

import os

import pytest

from recordkit.errors import ImageError
from recordkit.sources.files import read_images


@pytest.fixture(params=["native", "python"])
def reader(request):
    request.getfixturevalue("require_native" if request.param == "native" else "no_native")


@pytest.mark.usefixtures("reader")
def test_files_are_read_in_order_and_other_paths_give_errors(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "empty").touch()
    (tmp_path / "caf\udce9").write_bytes(b"latin")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "broken").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 2**29)
    names = ["a", "missing", "empty", "caf\udce9", "link", "broken", "pipe", ".", "x\0y", "\ud800", "huge", "a/b", "a"]
    contents = read_images([str(tmp_path / name) for name in names])
    assert [str(content) if isinstance(content, ImageError) else content for content in contents] == [
        b"abc",
        "No such file or directory",
        b"",
        b"latin",
        b"abc",
        "No such file or directory",
        "expected a regular file, got a folder, pipe or device",
        "expected a regular file, got a folder, pipe or device",
        "expected a path without zero bytes",
        "expected a path without zero bytes",
        "expected a file that fits in a record (2**29 bytes), got 536870912 bytes",
        "Not a directory",
        b"abc",
    ]
