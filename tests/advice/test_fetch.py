"""Following the advices of `recordkit fetch`, from a folder with a copy of made-up files."""

import errno
import gzip
import hashlib
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from advice.walk import advice

from recordkit.formats import ubyte
from recordkit.interop.fetch import DATASETS, Dataset, RemoteFile, download

UNPACKED = ubyte.pack(np.arange(5, dtype=np.uint8))
OTHER = ubyte.pack(np.arange(5, dtype=np.uint8)[::-1].copy())
MIRROR = "http://127.0.0.1:9/"  # the port of nobody


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A folder that has the file of the dataset mnist, which here is tiny and has a mirror that is off."""
    monkeypatch.chdir(tmp_path)
    file = RemoteFile("labels.gz", (5,), hashlib.sha256(UNPACKED).hexdigest())
    monkeypatch.setitem(DATASETS, "mnist", Dataset("mnist", (MIRROR,), (file,)))
    Path("copy").mkdir()
    Path("copy/labels.gz").write_bytes(gzip.compress(UNPACKED))
    return Path("copy")


def test_options(copy, fails, works, monkeypatch):
    advice("interop/fetch/download.py", "give `source` too", fails("fetch", "mnist", "out", "--any-checksum"))
    works("fetch", "mnist", "out", "--any-checksum", "--from", copy)
    error = fails("fetch", "mnist", "out", "--from", "http://me:secret@127.0.0.1/")
    advice("interop/fetch/download.py", "download the files, then give their folder", error)
    works("fetch", "mnist", "out", "--from", copy)
    monkeypatch.setitem(DATASETS, "mnist", Dataset("mnist", (), DATASETS["mnist"].files))
    error = fails("fetch", "mnist", "new")
    advice("interop/fetch/download.py", "name a copy of your own with `source`", error)
    works("fetch", "mnist", "new", re.search(r"with (--from)", error)[1], copy)


def test_the_folder(copy, fails, works, monkeypatch):
    def full(_path, _target):
        raise OSError(errno.ENOSPC, "No space left on device")

    Path("file").touch()
    advice("interop/fetch/download.py", "choose another folder", fails("fetch", "mnist", "file", "--from", copy))
    works("fetch", "mnist", "folder", "--from", copy)
    with monkeypatch.context() as patch:
        patch.setattr(download, "_publish", full)
        error = fails("fetch", "mnist", "out", "--from", copy)
        advice("interop/fetch/download.py", "make room or choose another folder", error)
    works("fetch", "mnist", "out", "--from", copy)


def test_other_data_is_there(copy, fails, works):
    Path("out").mkdir()
    Path("out/labels.gz").write_bytes(gzip.compress(OTHER))
    error = fails("fetch", "mnist", "out", "--from", copy)
    advice("interop/fetch/download.py", "move it away, or keep it with `source` and `any_checksum`", error)
    works("fetch", "mnist", "out", *re.search(r"(--any-checksum)", error).groups(), "--from", copy)
    Path("out/labels.gz").unlink()
    works("fetch", "mnist", "out", "--from", copy)
    assert Path("out/labels.gz").read_bytes() == (copy / "labels.gz").read_bytes()


def test_a_copy_with_other_data(copy, fails, works):
    right = (copy / "labels.gz").read_bytes()
    (copy / "labels.gz").write_bytes(gzip.compress(OTHER))
    error = fails("fetch", "mnist", "out", "--from", copy)
    advice("interop/fetch/download.py", "put the right file there, or leave out `source`", error)
    advice("interop/fetch/download.py", "; `any_checksum` accepts a copy of your own in another order", error)
    works("fetch", "mnist", "other", "--from", copy, re.search("--any-checksum", error)[0])
    (copy / "labels.gz").write_bytes(right)
    works("fetch", "mnist", "out", "--from", copy)


def test_no_mirror_answers(copy, fails, works):
    error = fails("fetch", "mnist", "out", "--attempts", 1)
    advice("interop/fetch/download.py", "try again later, or name a copy of your own with `source`", error)
    works("fetch", "mnist", "out", re.search("with (--from)", error)[1], copy)


def test_a_damaged_archive(tmp_path, fails, works, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("copy").mkdir()
    with tarfile.open("copy/cifar.tar.gz", "w:gz") as archive:
        Path("test_batch.bin").write_bytes(np.random.default_rng(0).bytes(3073))
        archive.add("test_batch.bin")
    data = Path("copy/cifar.tar.gz").read_bytes()
    file = RemoteFile("cifar.tar.gz", (), hashlib.sha256(data).hexdigest(), len(data), r"test_batch\.bin")
    monkeypatch.setitem(DATASETS, "cifar10", Dataset("cifar10", (MIRROR,), (file,)))
    Path("copy/cifar.tar.gz").write_bytes(data[:-1000])
    error = fails("fetch", "cifar10", "out", "--from", "copy", "--any-checksum")
    advice("interop/fetch/unpack.py", "remove it, and fetch again", error)
    Path("out/cifar.tar.gz").unlink()
    Path("copy/cifar.tar.gz").write_bytes(data)
    works("fetch", "cifar10", "out", "--from", "copy")
    Path("out/test_batch.bin").write_bytes(b"mine")
    error = fails("fetch", "cifar10", "out", "--from", "copy")
    advice("interop/fetch/unpack.py", "move it away, or fetch into another folder", error)
    works("fetch", "cifar10", "other", "--from", "copy")
    Path("out/test_batch.bin").unlink()
    works("fetch", "cifar10", "out", "--from", "copy")
