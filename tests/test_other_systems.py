"""recordkit on a system without POSIX's own modules and calls, as Windows: it packs, reads, loads and checks files.

Such a system is not at hand; a fresh process hides what it lacks and refuses what it refuses. The core is hidden too,
because the wheel for such systems has none.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import recordkit

ROOT = Path(recordkit.__file__).parents[1]

HIDE = """
import concurrent.futures, fcntl, multiprocessing, os, shutil, signal, subprocess, sys, tempfile, threading
import click, numpy, PIL.Image

shutil._use_fd_functions = False
get_flags, is_directory = fcntl.fcntl, os.path.isdir
for name in ("fcntl", "resource", "pwd", "grp", "termios", "recordkit.native._core"):
    sys.modules[name] = None
for name in ("pread", "sched_getaffinity", "posix_fadvise", "fork", "killpg", "fchmod", "O_DIRECTORY", "O_NOFOLLOW",
             "statvfs", "sysconf", "setpgrp", "mkfifo", "register_at_fork"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGSTOP", "SIGCONT", "SIGALRM", "setitimer"):
    delattr(signal, name)

def open_no_folder(path, flags, *rest, system_open=os.open, **options):
    if is_directory(path):
        raise PermissionError(13, "Permission denied", os.fspath(path))
    return system_open(path, flags, *rest, **options)

def sync_only_if_writable(file, system_sync=os.fsync):
    if get_flags(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(9, "Bad file descriptor")
    system_sync(file)

def rename_to_a_new_name(source, target, *, system_rename=os.rename):
    if os.path.exists(target):
        raise FileExistsError(17, "File exists", os.fspath(target))
    system_rename(source, target)

os.open, os.fsync, os.rename = open_no_folder, sync_only_if_writable, rename_to_a_new_name
"""


@pytest.fixture
def other_system():
    """Return a function that runs code in a process of such a system."""

    def run(code, *arguments, check=True):
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "error", "-W", "ignore::recordkit.errors.SlowEngineWarning", "-c", HIDE + code]
        command += map(str, arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
        assert not (check and done.returncode), done.stderr
        return done

    return run


def commands(*lines):
    """Return code that runs commands of the command line."""
    return f"""
from recordkit.cli.main import main
for words in {[line.split() for line in lines]!r}:
    sys.argv = ["recordkit", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (words, end.code)
"""


def test_a_folder_is_packed_twice_read_loaded_and_verified(other_system, tiny_folder, tmp_path):
    code = """
import recordkit as rk
from recordkit import recordio
from recordkit.upkeep import verify

root, prefix = sys.argv[1:]
for _ in range(2):
    report = rk.pack(root, prefix)
    assert report.ok and report.engine == "python"
with rk.RecordDataset(prefix + ".rec") as dataset:
    assert len(dataset) == 12
with rk.Loader(prefix + ".rec", batch_size=5, transforms=[rk.CenterCrop(16)], shuffle=True) as loader:
    assert sum(batch.n_valid for _ in range(2) for batch in loader) == 24
    assert loader.timing.n_disk_reads == 0
assert verify(prefix + ".rec", decode=True).ok
reader = recordio.MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "r")
assert recordio.unpack_img(reader.read_idx(3))[1].shape[2] == 3
"""
    other_system(code, tiny_folder, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out.crc", "out.idx", "out.json", "out.lst", "out.rec", "photos",
    ]  # fmt: skip


def test_the_command_line_works(other_system, tiny_folder, tmp_path):
    lines = [
        f"list {tiny_folder} {tmp_path}/a",
        f"pack {tmp_path}/a.lst {tmp_path}/a --root {tiny_folder}",
        f"pack {tiny_folder} {tmp_path}/b",
        f"info {tmp_path}/a.rec",
        f"head {tmp_path}/a.rec",
        f"verify {tmp_path}/a.rec --decode",
        "doctor",
    ]
    done = other_system(commands(*lines))
    assert "12 records, ok" in done.stdout and "recordkit works, but slowly" in done.stdout


def test_a_second_pack_to_the_same_prefix_is_refused(other_system, tmp_path):
    code = """
from pathlib import Path
from recordkit.errors import PublishError
from recordkit.storage.staging import Staging

prefix = Path(sys.argv[1])
with Staging(prefix) as staging:
    try:
        Staging(prefix)
    except PublishError as error:
        print(error)
    with staging.create("a.rec") as file:
        file.write(b"new")
    staging.commit()
"""
    output = other_system(code, tmp_path / "a").stdout
    lock = tmp_path / ".a.staging.lock"
    assert output == (
        f"{tmp_path}/.a.staging: another process is writing to this prefix; wait until it ends, or remove {lock} if it "
        "was killed\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.rec"] and (tmp_path / "a.rec").read_bytes() == b"new"


def test_threads_read_one_file_at_the_same_time(other_system, tmp_path):
    code = """
from recordkit.formats.frame import RecordReader, RecordWriter
from recordkit.threads import ThreadedMap, count_threads

assert count_threads(0) >= 1
records = [bytes([n % 256]) * (n + 1) for n in range(300)]
with open(sys.argv[1], "wb") as file:
    writer = RecordWriter(file)
    offsets = [writer.write(record) for record in records]
with RecordReader(sys.argv[1]) as reader, ThreadedMap(lambda at: reader.read(at)[0], offsets * 5, 8) as results:
    assert list(results) == records * 5
"""
    other_system(code, tmp_path / "a.rec")


def test_a_comparison_says_what_it_needs(other_system, tiny_folder, tmp_path):
    other_system(commands(f"pack {tiny_folder} {tmp_path}/a"))
    code = commands(f"bench {tmp_path}/a.rec --peers python --quick")
    error = other_system(code, check=False).stderr
    assert re.search(
        r"^recordkit: a comparison pauses processes by signals, which this system does not have$", error, re.M
    )


@pytest.mark.parametrize("module", ["recordkit.bench.child", "recordkit.cli.im2rec.main", "recordkit.training.fit"])
def test_every_program_is_imported(other_system, module):
    other_system(f"import {module}")
