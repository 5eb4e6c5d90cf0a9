"""A pack never leaves a mixed or damaged set if it is killed, interrupted, started twice, or the disk is full."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recordkit.storage.fileset import Fileset, fingerprint
from recordkit.upkeep import verify

# Packs a folder in a loop without pauses, so that signals arrive in every phase.
PACK = """
import sys
from recordkit import PackPlan, pack
while True:
    for encoding in ("png", "raw"):
        pack(sys.argv[1], sys.argv[2], plan=PackPlan(encoding=encoding, threads=2))
        if len(sys.argv) > 3: sys.exit()
"""


@pytest.fixture
def photos(tiny_folder):
    for image in list(tiny_folder.rglob("*.jpg")):
        for copy in range(5):
            image.with_name(f"{image.stem}_{copy}.jpg").write_bytes(image.read_bytes())
    return tiny_folder


def check_complete(prefix):
    """Check that the files of the prefix are one complete set; return its encoding."""
    files = Fileset(prefix)
    description = files.description()
    assert description["rec"]["sha256"] == fingerprint(files.path(".rec"))
    report = verify(prefix)
    assert report.ok, [str(problem) for problem in report.problems]
    assert not report.notes
    return description["plan"]["encoding"]


def check_not_mixed(prefix):
    """Check that the files with the final names fit each other, for readers that do not know recordkit."""
    rec, idx = Path(f"{prefix}.rec"), Path(f"{prefix}.idx")
    if rec.exists() and idx.exists():
        end = int(idx.read_text().splitlines()[-1].split()[1])
        assert rec.read_bytes()[end : end + 4] == bytes.fromhex("0a23d7ce")
        assert len(idx.read_text().splitlines()) == 72
    description = Path(f"{prefix}.json")
    if rec.exists() and description.exists():
        assert fingerprint(rec) in description.read_text()


def start(photos, prefix, *more):
    return subprocess.Popen([sys.executable, "-c", PACK, str(photos), str(prefix), *more], stderr=subprocess.DEVNULL)


# Forks a packing process for each line of its input, and kills it after that many seconds. A fork saves the imports, if
# the names are used before it: recordkit imports a module when a name of it is used.
KILL = f"""
import os, signal, sys, time
import PIL.Image, PIL.PngImagePlugin, PIL.JpegImagePlugin
from recordkit import PackPlan, native, pack
native.available()
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        {PACK.strip().replace(chr(10), chr(10) + "        ")}
    time.sleep(float(line))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    print("killed", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(4))
def test_after_a_kill_at_a_random_moment_the_set_is_the_old_one_or_the_new_one(photos, tmp_path, round_):
    prefix = tmp_path / "out"
    assert start(photos, prefix, "once").wait() == 0
    randomness = random.Random(round_)
    encodings = set()
    command = [sys.executable, "-c", KILL, str(photos), str(prefix)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killer:
        for number in range(400):
            if number >= 50 and encodings == {"png", "raw"}:
                break
            # If no pack was complete within 50 times 0.12 s, the machine is busy, so wait longer.
            killer.stdin.write(f"{randomness.uniform(0, 0.12 * (1 + number // 50))}\n")
            killer.stdin.flush()
            assert killer.stdout.readline() == "killed\n"
            check_not_mixed(prefix)
            encodings.add(check_complete(prefix))
        killer.stdin.close()
    assert start(photos, prefix, "once").wait() == 0
    assert check_complete(prefix) == "png"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "photos") == [
        "out.crc", "out.idx", "out.json", "out.lst", "out.rec",
    ]  # fmt: skip
    assert encodings == {"png", "raw"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_pack_leaves_the_old_set_and_no_temporary_files(photos, tmp_path, number, code):
    prefix = tmp_path / "out"
    assert start(photos, prefix, "once").wait() == 0
    before = fingerprint(Path(f"{prefix}.rec"))
    rows = "".join(f"{key}\t1\tcat/0.jpg\n" for key in range(200_000))
    (tmp_path / "long.lst").write_text(rows)
    command = [
        sys.executable,
        "-m",
        "recordkit",
        "pack",
        str(tmp_path / "long.lst"),
        str(prefix),
        "--root",
        str(photos),
    ]

    def reset_signal():
        signal.signal(number, signal.SIG_DFL)  # a background job of a shell inherits an ignored SIGINT

    process = subprocess.Popen(
        [*command, "--resize", "300"], stderr=subprocess.PIPE, text=True, preexec_fn=reset_signal
    )
    while not list(tmp_path.glob(".out.staging/out.rec")):
        time.sleep(0.01)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == code
    # A slow machine also prints lines of progress.
    assert stderr.splitlines()[-1] in ("recordkit: interrupted", "recordkit: terminated")
    assert fingerprint(Path(f"{prefix}.rec")) == before
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_keeps_the_old_set_and_is_an_error_of_one_line(photos, tmp_path):
    prefix = tmp_path / "out"
    assert start(photos, prefix, "once").wait() == 0
    before = fingerprint(Path(f"{prefix}.rec"))

    def limit_file_size():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that a write fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    command = [sys.executable, "-m", "recordkit", "pack", str(photos), str(prefix), "--encoding", "raw"]
    # Coverage of child processes would write its data to a file over the limit too, and print that it could not.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    process = subprocess.run(command, preexec_fn=limit_file_size, capture_output=True, text=True, env=environment)
    assert process.returncode == 1
    assert process.stderr == f"recordkit: {tmp_path}: File too large; nothing was published\n"
    assert fingerprint(Path(f"{prefix}.rec")) == before
    assert not list(tmp_path.glob(".*"))


def test_the_second_of_two_packs_to_one_prefix_is_refused(photos, tmp_path):
    prefix = tmp_path / "out"
    first = start(photos, prefix)
    try:
        while not list(tmp_path.glob(".out.staging/out.rec")):
            time.sleep(0.001)
        first.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WNOWAIT)
        command = [sys.executable, "-m", "recordkit", "pack", str(photos), str(prefix)]
        second = subprocess.run(command, capture_output=True, text=True)
    finally:
        first.kill()
        first.wait()
    if (tmp_path / ".out.staging").exists():  # otherwise the first was stopped between two packs
        assert second.returncode == 1
        assert "another process is writing to this prefix; wait until it ends" in second.stderr
    assert subprocess.run(command, capture_output=True).returncode == 0
    check_complete(prefix)
