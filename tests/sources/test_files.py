"""Reading image files, with the core and without it."""

import os

import pytest

from recordkit.errors import ImageError
from recordkit.sources.files import read_images


@pytest.fixture(params=["with the core", "without it"])
def whichever(request):
    request.getfixturevalue("require_native" if request.param == "with the core" else "no_native")


@pytest.mark.usefixtures("whichever")
def test_files_are_read_and_what_is_none_is_an_error_in_its_place(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "empty").touch()
    (tmp_path / "caf\udce9").write_bytes(b"latin")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "broken").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 2**29)
    names = ["a", "missing", "empty", "caf\udce9", "link", "broken", "pipe", ".", "x\0y", "\ud800", "huge", "a/b", "a"]
    got = read_images([str(tmp_path / name) for name in names])
    assert [str(each) if isinstance(each, ImageError) else each for each in got] == [
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
