"""Replacing one file: old or new, nothing of others touched, and nothing left behind."""

import os
import subprocess
import sys
import time

import pytest
from storage.users import as_nobody, needs_root

from recordkit.errors import PublishError
from recordkit.storage.replacement import write_atomically


def write(content):
    return lambda file: file.write(content.encode())


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "folder" / "a.json"
    for content in ("old", "new"):
        write_atomically(path, write(content))
    assert path.read_text() == "new"
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError("bug")])
def test_a_write_that_ends_early_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail(file):
        file.write(b"half of the new")
        raise error

    with pytest.raises(PublishError if isinstance(error, OSError) else type(error)) as caught:
        write_atomically(path, fail)
    if isinstance(error, OSError):
        assert str(caught.value) == f"{path}: No space left on device; the old file is unchanged"
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.json"]


def test_a_write_that_fails_says_nothing_of_an_old_file_if_there_is_none(tmp_path):
    def fail(_file):
        raise OSError(28, "No space left on device")

    with pytest.raises(PublishError, match=r"a\.json: No space left on device; nothing was written$"):
        write_atomically(tmp_path / "a.json", fail)
    assert os.listdir(tmp_path) == []


def test_planted_links_are_not_followed(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("secret")
    for name in (".a.json.tmp", ".a.json.00000000.tmp"):
        (tmp_path / name).symlink_to("secret")
    write_atomically(tmp_path / "a.json", write("new"))
    monkeypatch.setattr(os, "urandom", bytes)  # guessed
    with pytest.raises(PublishError, match=r"a\.json: File exists; the old file is unchanged"):
        write_atomically(tmp_path / "a.json", write("newer"))
    assert (tmp_path / "secret").read_text() == "secret" and (tmp_path / "a.json").read_text() == "new"
    assert (tmp_path / ".a.json.00000000.tmp").is_symlink()


def test_a_link_is_replaced_and_its_target_stays(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "a.json").symlink_to("mine")
    write_atomically(tmp_path / "a.json", write("new"))
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "a.json").read_text() == "new" and not (tmp_path / "a.json").is_symlink()


@needs_root
def test_old_files_of_killed_calls_are_removed_and_no_others(shared_folder):
    leftover = ".a.json.0123abcd.tmp"
    others = [
        ".a.json.0123abce.tmp",
        ".ab.json.0123abcd.tmp",
        ".a.json.tmp",
        ".a.json.0123ABCD.tmp",
        ".axjson.0123abcd.tmp",
    ]
    link = ".a.json.aaaaaaaa.tmp"
    for name in (leftover, *others):
        (shared_folder / name).touch()
        os.utime(shared_folder / name, (0, time.time() - 3700))
    (shared_folder / link).symlink_to("a.json")
    os.utime(shared_folder / others[0])  # perhaps it is being written
    with as_nobody():
        (shared_folder / ".a.json.bbbbbbbb.tmp").touch()
        os.utime(shared_folder / ".a.json.bbbbbbbb.tmp", (0, 0))
    write_atomically(shared_folder / "a.json", write("new"))
    assert sorted(os.listdir(shared_folder)) == sorted(["a.json", link, ".a.json.bbbbbbbb.tmp", *others])


def test_a_pipe_or_device_is_written_directly(tmp_path):
    # The test uses no file of /dev, because a write_atomically with a bug would replace it, and root may do that.
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(path, write("content"))
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert path.is_fifo() and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="needs names of open files")
def test_a_standard_stream_that_goes_to_a_file_is_written_directly(tmp_path):
    code = """
import sys
from pathlib import Path
from recordkit.storage.replacement import write_atomically
write_atomically(Path("/dev/fd/1"), lambda file: file.write(b"content"))
"""
    with open(tmp_path / "a.json", "wb") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    assert (tmp_path / "a.json").read_bytes() == b"content" and os.listdir(tmp_path) == ["a.json"]
