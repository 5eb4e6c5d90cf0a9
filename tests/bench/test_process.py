"""A case and its process: epochs in turns, stopped in between, and nothing left when the measuring program goes."""

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

from recordkit.bench.case import Start
from recordkit.bench.process import started
from recordkit.bench.workload import fitted


@pytest.fixture(scope="module")
def rec(tmp_path_factory):
    path = tmp_path_factory.mktemp("process") / "photos.rec"
    return write(path, [save(picture(noise(40, 50)), "JPEG") for _ in range(20)])


def asked(rec, peer="python", **options):
    work = asdict(fitted(rec, shape=(3, 32, 32), batch_size=8))
    facts = {"peer": peer, "work": work, "records": 20, "threads": 1, "check": "", "turns": 2, "epochs": 1}
    return facts | {"seconds": None, "cold": False} | options


def state(pid):
    """The letter of /proc: T is stopped; nothing if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def until(fact, timeout_s=60):
    end_s = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < end_s, "it did not become true in time"
        time.sleep(0.01)
    return found


class Counting:
    """Epochs of three batches with 10 samples; what happens is written down."""

    def __init__(self):
        self.events = []

    def versions(self):
        return {}

    def open(self, _work, _threads, *, check):
        def epoch():
            for count in (4, 4, 2):
                self.events.append(count)
                yield None, count

        return epoch


def test_epochs_are_shared_out_over_turns():
    peer = Counting()
    start = Start(peer, None, 1)
    assert (start.n, start.n_batches) == (10, 3) and 0 < start.first_batch_s <= start.epoch_s
    peer.events.clear()
    facts = start.round(2, 4, lambda: peer.events.append("pause"))
    assert peer.events == ["pause", 4, "pause", 4, 2, "pause", 4, "pause", 4, 2]
    assert facts["n"] == 20 and facts["seconds"] > 0


class Sleeping(Counting):
    """Epochs of three batches that are there after some time, all at once."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def open(self, work, threads, *, check):
        epoch = super().open(work, threads, check=check)

        def sleeping():
            time.sleep(self.seconds)
            return epoch()

        return sleeping


def test_as_many_epochs_as_fill_the_time():
    start = Start(Sleeping(0.1), None, 1)
    assert 2 <= start.count_epochs(1, 0.35) <= 4
    assert start.count_epochs(2, None) == start.count_epochs(2, 0.01) == 2


def test_another_epoch_is_loaded_only_to_see_what_it_takes():
    peer = Counting()
    start = Start(peer, None, 1)
    start.epoch_s = start.first_batch_s + 1
    start.count_epochs(2, None)
    start.count_epochs(2, 1.9)
    assert len(peer.events) == 3
    start.count_epochs(2, 2.1)
    assert len(peer.events) == 6


def test_more_turns_than_batches():
    pauses = []
    assert Start(Counting(), None, 1).round(1, 10, lambda: pauses.append(1))["n"] == 10
    assert len(pauses) == 10


def test_who_has_no_turn_is_stopped(rec):
    with ExitStack() as stack:
        one, other = (stack.enter_context(started(asked(rec))) for _ in range(2))
        pids = [process._process.pid for process in (one, other)]
        for process in (one, other, one, other):
            assert [state(pid) for pid in pids] == ["T", "T"]
            process.turn()
        for process in (one, other):
            assert process.error is None and process.facts()["n"] == 20
    assert not any(map(state, pids))


def test_one_that_ends_before_its_turns_are_over_is_an_error(rec, tmp_path):
    (tmp_path / "peers.py").write_text(
        "import os\n"
        "from recordkit.bench.peers.own import Recordkit\n"
        "class Ending(Recordkit):\n"
        "    def __init__(self): super().__init__('python'); self.n = 0\n"
        "    def open(self, work, threads, *, check):\n"
        "        epoch = super().open(work, threads, check=check)\n"
        "        def ending():\n"
        "            self.n += 1\n"
        "            if self.n == 2: os._exit(0)\n"
        "            return epoch()\n"
        "        return ending\n"
        "ending = Ending()\n"
    )
    with started(asked(rec, f"{tmp_path / 'peers.py'}:ending")) as process:
        assert process.error is None
        process.turn()
        assert process.error == "its process ended before its turns were over"
        process.turn()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("when", ["in its turn", "stopped"])
def test_nothing_is_left_when_the_measuring_program_goes(rec, number, when):
    if sys.platform != "linux":
        pytest.skip("looks into /proc")
    words = [rec, "--peers", "python,python", "--shape", "3,32,32", "--rounds", "1000"]
    program = subprocess.Popen(
        [sys.executable, "-m", "recordkit", "bench", *map(str, words)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def cases():
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    try:
        pids = until(lambda: len(cases()) == 2 and cases())
        until(lambda: "T" in map(state, pids) if when == "stopped" else "R" in map(state, pids))
        os.kill(program.pid, number)
        program.wait(60)
        until(lambda: not any(state(pid) not in ("", "Z") for pid in pids))
    finally:
        program.kill()
        program.wait()
