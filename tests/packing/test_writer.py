"""The files of one set: rows that could not be read, and the write-back of a large file."""

import errno
import hashlib
import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from recordkit import PackPlan, pack
from recordkit.codec import encode
from recordkit.errors import PackError
from recordkit.sample import BadEntry, Entry
from recordkit.storage import set_files


class OneImage:
    """A source of one image and of two rows that could not be read."""

    order, classes, pixels, notes = "listed", None, False, ()
    bad = (BadEntry("a.lst", "expected a finite number\tas LABEL", 3), BadEntry("caf\udce9.jpg", "no label"))

    def __len__(self):
        return 1

    def entries(self, indices):
        return [Entry(5, (2,), "0.png") for _ in indices]

    def labels(self, indices):
        return [(2,) for _ in indices]

    def contents(self, entries):
        return [encode(np.zeros((4, 4, 1), np.uint8), "png") for _ in entries]


def test_rows_that_could_not_be_read_are_failures_without_a_key(tmp_path):
    (report,) = pack(OneImage(), tmp_path / "a").sets
    assert (report.n_listed, report.n_packed, report.n_failed) == (3, 1, 2)
    assert [failure.key for failure in report.failures] == [None, None]
    assert (tmp_path / "a.failed.tsv").read_bytes() == (
        b"\ta.lst: line 3\texpected a finite number as LABEL\n\tcaf\xe9.jpg\tno label\n"
    )


def test_the_first_row_that_could_not_be_read_ends_a_pack_that_raises(tmp_path):
    with pytest.raises(PackError) as caught:
        pack(OneImage(), tmp_path / "a", plan=PackPlan(on_error="raise"))
    assert str(caught.value) == (
        "a.lst: line 3: expected a finite number\tas LABEL; nothing was packed, because on_error is 'raise'"
    )
    assert os.listdir(tmp_path) == []


@pytest.fixture
def advised(monkeypatch):
    """Record the ranges that are given to the disk, with the size that the file had; the first call fails."""
    ranges = []

    def posix_fadvise(fileno, begin, n_bytes, advice):
        assert advice == os.POSIX_FADV_DONTNEED
        ranges.append((begin, n_bytes, os.fstat(fileno).st_size))
        if len(ranges) == 1:
            raise OSError(errno.EINVAL, "no such advice")

    monkeypatch.setattr(set_files, "_WRITE_BACK_BYTES", 100)
    monkeypatch.setattr(os, "posix_fadvise", posix_fadvise, raising=False)
    monkeypatch.setattr(os, "POSIX_FADV_DONTNEED", 4, raising=False)
    return ranges


def test_a_file_is_written_back_in_pieces_of_at_least_the_limit(tmp_path, advised):
    with open(tmp_path / "a", "wb") as raw:
        file = set_files._HashingFile(raw)
        for size in (99, 1, 99, 50, 100):
            file.write(b"x" * size)
    assert advised == [(0, 100, 100), (100, 149, 249), (249, 100, 349)]
    assert file.facts() == {"bytes": 349, "sha256": hashlib.sha256(b"x" * 349).hexdigest()}
    assert Path(tmp_path, "a").read_bytes() == b"x" * 349


def test_a_system_without_advice_writes_the_same(monkeypatch):
    monkeypatch.setattr(set_files, "_WRITE_BACK_BYTES", 2)
    monkeypatch.delattr(os, "posix_fadvise", raising=False)
    raw = io.BytesIO()
    file = set_files._HashingFile(raw)
    file.write(b"abc")
    assert raw.getvalue() == b"abc" and file.facts()["bytes"] == 3


def test_large_pieces_are_hashed_by_another_thread_while_they_are_written(monkeypatch):
    monkeypatch.setattr(set_files, "_SHARED_BYTES", 3)
    raw, threads = io.BytesIO(), []
    file = set_files._HashingFile(raw)
    update = file.hash
    file.hash = lambda piece: (threads.append(threading.current_thread()), update(piece))
    for piece in (b"abc", b"de", b"fghi"):
        file.write(piece)
    assert raw.getvalue() == b"abcdefghi"
    assert file.facts() == {"bytes": 9, "sha256": hashlib.sha256(b"abcdefghi").hexdigest()}
    file.close()
    assert threads[0] is threads[2] is not threading.current_thread() is threads[1]
    assert not threads[0].is_alive()


def test_a_file_is_closed_even_if_the_wait_for_its_thread_is_interrupted(monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    raw = io.BytesIO()
    file = set_files._HashingFile(raw)
    monkeypatch.setattr(file._side_thread, "close", interrupt)
    with pytest.raises(KeyboardInterrupt):
        file.close()
    assert raw.closed
