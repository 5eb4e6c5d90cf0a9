"""The child process of a case: epochs in turns, stopped between them, and ended with its parent."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import pytest
from images import noise, picture, save, write

from recordkit.bench.child import OpenPeer
from recordkit.bench.process import start_case
from recordkit.bench.workload import resolve_workload


@pytest.fixture(scope="module")
def rec(tmp_path_factory):
    path = tmp_path_factory.mktemp("process") / "photos.rec"
    return write(path, [save(picture(noise(40, 50)), "JPEG") for _ in range(20)])


def make_request(rec, peer="python"):
    workload = asdict(resolve_workload(rec, shape=(3, 32, 32), batch_size=8))
    request = {"peer": peer, "workload": workload, "n_records": 20, "threads": 1, "check_path": "", "n_turns": 2}
    return request | {"epochs": 1, "round_s": None, "cache": "warm"}


def state(pid):
    """Return the state letter in /proc, T for a stopped process; "" if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def wait_until(fact, timeout_s=300):
    end_s = time.monotonic() + timeout_s
    while not (value := fact()):
        assert time.monotonic() < end_s, "it did not become true in time"
        time.sleep(0.01)
    return value


class Counting:
    """Epochs of three batches with 10 samples in all; `events` has the size of each batch."""

    def __init__(self):
        self.events = []

    def versions(self):
        return {}

    def open(self, _workload, _threads, *, check):
        def epoch():
            for count in (4, 4, 2):
                self.events.append(count)
                yield None, count

        return epoch


def test_epochs_are_divided_into_turns():
    peer = Counting()
    start = OpenPeer(peer, None, 1)
    assert (start.n, start.n_batches) == (10, 3) and 0 < start.first_batch_s <= start.epoch_s
    peer.events.clear()
    facts = start.run_round(2, 4, lambda: peer.events.append("pause"))
    assert peer.events == ["pause", 4, "pause", 4, 2, "pause", 4, "pause", 4, 2]
    assert facts["n"] == 20 and facts["timed_s"] > 0


class Sleeping(Counting):
    """Epochs of three batches that arrive together after some time."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def open(self, workload, threads, *, check):
        epoch = super().open(workload, threads, check=check)

        def sleeping():
            time.sleep(self.seconds)
            return epoch()

        return sleeping


def test_epochs_fill_the_time():
    start = OpenPeer(Sleeping(0.1), None, 1)
    assert 2 <= start.count_epochs(1, 0.35) <= 4
    assert start.count_epochs(2, None) == start.count_epochs(2, 0.01) == 2


def test_another_epoch_is_loaded_only_if_its_time_is_unknown():
    peer = Counting()
    start = OpenPeer(peer, None, 1)
    start.epoch_s = start.first_batch_s + 1
    start.count_epochs(2, None)
    start.count_epochs(2, 1.9)
    assert len(peer.events) == 3
    start.count_epochs(2, 2.1)
    assert len(peer.events) == 6


def test_there_may_be_more_turns_than_batches():
    pauses = []
    assert OpenPeer(Counting(), None, 1).run_round(1, 10, lambda: pauses.append(1))["n"] == 10
    assert len(pauses) == 10


def test_a_case_without_its_turn_is_stopped(rec):
    with ExitStack() as stack:
        first, second = (stack.enter_context(start_case(make_request(rec))) for _ in range(2))
        pids = [process._process.pid for process in (first, second)]
        for process in (first, second, first, second):
            assert [state(pid) for pid in pids] == ["T", "T"]
            process.run_turn()
        for process in (first, second):
            assert process.error is None and process.facts()["n"] == 20
    assert not any(map(state, pids))


def test_a_process_that_ends_early_is_an_error(rec, tmp_path):
    (tmp_path / "peers.py").write_text(
        "import os\n"
        "from recordkit.bench.peers.recordkit import RecordkitLoader\n"
        "class Ending(RecordkitLoader):\n"
        "    def __init__(self): super().__init__('python'); self.n = 0\n"
        "    def open(self, workload, threads, *, check):\n"
        "        epoch = super().open(workload, threads, check=check)\n"
        "        def ending():\n"
        "            self.n += 1\n"
        "            if self.n == 2: os._exit(0)\n"
        "            return epoch()\n"
        "        return ending\n"
        "ending = Ending()\n"
    )
    with start_case(make_request(rec, f"{tmp_path / 'peers.py'}:ending")) as process:
        assert process.error is None
        process.run_turn()
        assert process.error == "its process ended before its turns were over"
        process.run_turn()


def test_what_a_peer_leaves_in_the_folder_of_temporary_files_is_in_the_scratch_folder(rec, tmp_path):
    (tmp_path / "peers.py").write_text(
        "import tempfile\n"
        "from recordkit.bench.peers.recordkit import RecordkitLoader\n"
        "class Leaving(RecordkitLoader):\n"
        "    def open(self, *arguments, **options):\n"
        "        tempfile.mkdtemp(prefix='left-')\n"
        "        return super().open(*arguments, **options)\n"
        "leaving = Leaving('python')\n"
    )
    request = make_request(rec, f"{tmp_path / 'peers.py'}:leaving")
    request["workload"]["scratch"] = str(tmp_path)
    with start_case(request) as process:
        assert process.error is None
    assert len(list(tmp_path.glob("left-*"))) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("when", ["running", "stopped"])
def test_cases_end_with_the_measuring_program(rec, number, when):
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    words = [rec, "--peers", "python,python", "--shape", "3,32,32", "--rounds", "1000"]
    program = subprocess.Popen(
        [sys.executable, "-m", "recordkit", "bench", *map(str, words)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def cases():
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    try:
        pids = wait_until(lambda: len(cases()) == 2 and cases())
        wait_until(lambda: "T" in map(state, pids) if when == "stopped" else "R" in map(state, pids))
        os.kill(program.pid, number)
        program.wait(300)
        wait_until(lambda: not any(state(pid) not in ("", "Z") for pid in pids))
    finally:
        program.kill()
        program.wait()
