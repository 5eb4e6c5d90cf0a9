"""Opening files, and replacing a file in one step."""

import os

import pytest

from recordkit.errors import FormatError, PublishError
from recordkit.formats.files import open_file, write_atomically


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "folder" / "a.json"
    for content in ("old", "new"):
        write_atomically(path, lambda temporary, content=content: temporary.write_text(content))
    assert path.read_text() == "new"
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("half of the new")
        raise OSError(28, "No space left on device")

    with pytest.raises(PublishError, match=r"a\.json: No space left on device; the old file is unchanged"):
        write_atomically(path, fail)
    assert path.read_text() == "old"


def test_a_pipe_or_device_is_written_directly(tmp_path):
    # The test uses no file of /dev, because a write_atomically with a bug would replace it, and root may do that.
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(path, lambda path: path.write_text("content"))
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert path.is_fifo() and list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_refused_before_a_read_could_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match="pipe: expected a file, got a pipe or device"):
        open_file(tmp_path / "pipe")
