"""A disk that fills up at every write in turn: the old files stay, nothing is left over, and the error says so."""

import contextlib
import errno
import os
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from recordkit import PackPlan, pack
from recordkit.cli.lists import write_lists
from recordkit.codec import encode
from recordkit.errors import PublishError
from recordkit.interop.folder import write_folder
from recordkit.sources import open_source
from recordkit.storage.replacement import write_atomically
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.writer import RunWriter
from recordkit.upkeep import reindex, verify

PAGE = 4096
# Room for all that is written here twice, in pages and in files.
N_PAGES = 64
N_FILES = 40


@pytest.fixture
def disk(tmp_path):
    """A disk of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={N_PAGES * PAGE},nr_inodes={N_FILES}", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs to be allowed to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Images of which the records take several pages, and a source of them in two sizes."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(8):
        pixels = rng.integers(0, 256, (40, 40, 1), dtype=np.uint8)
        (folder / f"{number}_{number % 3}.png").write_bytes(encode(pixels, "png"))
    return folder


def fill(disk, n_free, resource):
    """Leave a number of pages or files free; return False if more than that is free for no other reason."""
    for name in os.listdir(disk):
        if name.startswith("ballast"):
            os.unlink(disk / name)
    status = os.statvfs(disk)
    if resource == "files":
        for number in range(status.f_ffree - n_free):
            (disk / f"ballast{number}").touch()
        return status.f_ffree > n_free
    (disk / "ballast").write_bytes(bytes(max(0, status.f_bfree - n_free) * PAGE))
    return status.f_bfree > n_free


def content(disk):
    paths = [path for path in disk.rglob("*") if not path.name.startswith("ballast")]
    return {str(path.relative_to(disk)): path.read_bytes() if path.is_file() else None for path in paths}


def packs(images, disk):
    pack(images, disk / "a", plan=PackPlan(threads=1, shuffle=False))
    yield lambda: pack(images, disk / "a", plan=PackPlan(threads=1, encoding="raw", exact_labels=True))
    assert verify(disk / "a").ok


def packs_splits(images, disk):
    pack(images, disk / "a", plan=PackPlan(threads=1))
    yield lambda: pack(images, disk / "a", plan=PackPlan(threads=1, val_ratio=0.5))
    assert not (disk / "a.rec").exists() and verify(disk / "a_train").ok and verify(disk / "a_val").ok


def writes_lists(images, disk):
    source = open_source(images)
    write_lists(source, disk / "a", shuffle=False)
    yield lambda: write_lists(source, disk / "a", seed=1, overwrite=True)


def exports(images, disk):
    source = open_source(images)
    yield lambda: write_folder(source, disk / "b", threads=1)
    assert len(list((disk / "b").iterdir())) == 8


def reindexes(images, disk):
    pack(images, disk / "a", plan=PackPlan(threads=1))
    (disk / "a.idx").write_text("0\t0\n")
    yield lambda: reindex(disk / "a")
    assert verify(disk / "a").ok


def replaces_a_file(_images, disk):
    write_atomically(disk / "a.json", lambda file: file.write(bytes(3 * PAGE)))
    yield lambda: write_atomically(disk / "a.json", lambda file: file.write(b"x" * 3 * PAGE))


def mxnet():
    """Return MXNet's functions with which a checkpoint is written."""

    def save_arrays(path, _arrays):
        try:
            with open(path, "wb") as file:
                file.write(bytes(3 * PAGE))
        except OSError as error:
            raise RuntimeError(f"Check failed: {error.strerror}") from error

    return SimpleNamespace(nd=SimpleNamespace(save=save_arrays), base=SimpleNamespace(MXNetError=RuntimeError))


def saves_a_checkpoint(_images, disk):
    checkpoints = Checkpoints(disk / "a")

    def save():
        with contextlib.suppress(FileNotFoundError):
            checkpoints.states_path(1).unlink()  # of the attempt before
        with RunWriter(checkpoints, resume=True) as run:
            run.save(mxnet(), (None, {}, {}), bytes(2 * PAGE), 1)

    yield save
    assert checkpoints.epochs() == [1]


def replaces_a_model(_images, disk):
    for name in ("a-0007.params", "a-0007.states", "a-run.json", "a-symbol.json"):
        (disk / name).write_text("old")

    def save():
        with RunWriter(Checkpoints(disk / "a")) as run:
            run.begin(SimpleNamespace(tojson=lambda: "{}"), {})
            run.save(mxnet(), (None, {}, {}), bytes(2 * PAGE), 1)

    yield save
    assert Checkpoints(disk / "a").epochs() == [1]


@pytest.mark.parametrize("resource", ["pages", "files"])
@pytest.mark.parametrize(
    "case",
    [packs, packs_splits, writes_lists, exports, reindexes, replaces_a_file, saves_a_checkpoint, replaces_a_model],
)
def test_a_disk_that_fills_up_at_any_write_keeps_the_old_files_and_says_so(case, resource, images, disk):
    steps = case(images, disk)
    write = next(steps)
    before = content(disk)
    n_errors = 0
    for n_free in range(N_PAGES):
        assert fill(disk, n_free, resource)
        try:
            write()
        except PublishError as error:
            n_errors += 1
            assert os.strerror(errno.ENOSPC) in str(error)
            after = content(disk)
            # A checkpoint exists once its parameters do; its states come first.
            after.pop("a-0001.states", None)
            assert after == before, (n_free, error)
            assert "; the old file is unchanged" in str(error) or "; nothing was " in str(error)
        else:
            break
    next(steps, None)
    assert n_errors and not [name for name in content(disk) if name.startswith(".")]
