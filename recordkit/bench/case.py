"""One case: one peer with a number of threads, in a process of its own.

`recordkit.bench.process` starts it, and nobody else. Each line that it prints is a JSON object.

Between its turns it is stopped, with all its threads and workers: it stops itself, at once when a turn is over, and is
continued for the next. Nothing of it runs while others are measured, and what it had loaded ahead is there when it goes
on, neither more nor less.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.bench.peers.peer import Epochs, Peer
from recordkit.bench.peers.registry import find
from recordkit.bench.workload import Work


def first_batch(peer: Peer, work: Work, threads: int) -> NDArray[np.float32]:
    """Return the first batch of the deterministic work, without what fills it up."""
    epoch = peer.open(work, threads, check=True)
    batch, n = next(iter(epoch()))
    array = batch.asnumpy() if hasattr(batch, "asnumpy") else np.asarray(batch)
    return np.array(array[:n], np.float32)


class Start:
    """A peer that has been opened and has loaded an epoch.

    Attributes
    ----------
    first_batch_s : float
        From opening to the first batch; what does the work has been imported before.
    epoch_s : float
        From opening to the end of the first epoch.
    cpu_s : float
        The processor time of that.
    n, n_batches : int
        Samples and batches of an epoch.
    """

    def __init__(self, peer: Peer, work: Work, threads: int) -> None:
        peer.versions()
        begin_s, begin_cpu_s = time.perf_counter(), cpu_s()
        self._epoch: Epochs = peer.open(work, threads, check=False)
        batches = self._epoch()
        _, self.n = next(batches)
        self.n_batches = 1
        self.first_batch_s = time.perf_counter() - begin_s
        for _, count in batches:
            self.n += count
            self.n_batches += 1
        self.epoch_s, self.cpu_s = time.perf_counter() - begin_s, cpu_s() - begin_cpu_s

    def count_epochs(self, at_least: int, seconds: float | None) -> int:
        """Return how many epochs fill a time; load another one, to see what it takes, if that is not known.

        Parameters
        ----------
        at_least : int
            So many at least.
        seconds : float or None
            The time to fill.
        """
        if not seconds or self.epoch_s - self.first_batch_s > seconds / at_least:
            return at_least
        begin_s = time.perf_counter()
        for _ in self._epoch():
            pass
        return max(at_least, math.ceil(seconds / (time.perf_counter() - begin_s)))

    def round(self, n_epochs: int, turns: int, pause: Callable[[], None]) -> dict[str, Any]:
        """Load consecutive epochs, shared out over turns.

        Parameters
        ----------
        n_epochs : int
        turns : int
            Each is about as many batches; the ends of epochs lie anywhere in them.
        pause : callable
            Called before each turn.

        Returns
        -------
        facts : dict
            "n" samples in "seconds" of turns, and "cpu_s" of this process and its workers meanwhile.
        """
        counts = (count for _ in range(n_epochs) for _, count in self._epoch())
        total, n, took_s, begin_cpu_s = n_epochs * self.n_batches, 0, 0.0, cpu_s()
        for turn in range(turns):
            pause()
            begin_s = time.perf_counter()
            last = turn == turns - 1
            share = total * (turn + 1) // turns - total * turn // turns
            n += sum(islice(counts, None if last else share))
            took_s += time.perf_counter() - begin_s
        return {"n": n, "seconds": took_s, "cpu_s": cpu_s() - begin_cpu_s}


def _tree() -> list[int]:
    """Return the process and its descendants that are alive; the process alone where there is no /proc."""
    found, todo = [], [os.getpid()]
    while todo:
        process = todo.pop()
        found.append(process)
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                todo += map(int, task.read_text().split())
            except OSError:
                continue  # it has ended meanwhile
    return found


def _read_of_tree(name: str) -> Iterator[str]:
    """Yield that file in /proc of each process that is still alive."""
    for process in _tree():
        try:
            text = Path(f"/proc/{process}/{name}").read_text()
        except OSError:
            continue
        yield text


def cpu_s() -> float:
    """Return the processor time of the process and its descendants, in seconds."""
    ticks = sum(sum(map(int, stat.rpartition(")")[2].split()[11:13])) for stat in _read_of_tree("stat"))
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ticks / os.sysconf("SC_CLK_TCK") + ended.ru_utime + ended.ru_stime if ticks else time.process_time()


def peak_rss_mb() -> float:
    """Return the most memory that the process and its descendants had, in MB; what they share counts for each."""
    total_kb = sum(
        int(line.split()[1])
        for status in _read_of_tree("status")
        for line in status.splitlines()
        if line.startswith("VmHWM")
    )
    return (total_kb or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * 1024 / 1e6


def _pause(parent: int) -> None:
    """Stop this process and its workers, until it is this one's turn; without who would continue it, end."""
    if os.getppid() == parent:
        os.killpg(0, signal.SIGSTOP)
    if os.getppid() != parent:
        _end()


def _die_with(parent: int) -> None:
    """Have the system kill this process, stopped or not, when the measuring program ends; on Linux."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it has ended before
        _end()


def _teller() -> Callable[[dict[str, Any]], None]:
    """Return what writes facts down where nothing else is written: what peers print goes to stderr from now on."""
    target = os.dup(1)
    os.dup2(2, 1)
    return lambda facts: _discard(os.write(target, json.dumps(facts).encode() + b"\n"))


def _discard(_n: int) -> None:
    """Drop the number of bytes."""


def _end() -> None:
    """End without what interpreters do at their end: some peers' threads die of it, some peers' workers outlive it."""
    for process in _tree()[1:]:
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)
    os._exit(0)


def main() -> None:
    """Do what the argument says."""
    os.setpgrp()  # what is stopped together
    asked = json.loads(sys.argv[1])
    parent = asked["parent"]
    _die_with(parent)
    say = _teller()
    work = asked["work"]
    work["shape"] = tuple(work["shape"])
    given = Work(**work)
    peer = find(asked["peer"])
    if asked["check"]:
        np.save(asked["check"], first_batch(peer, given, asked["threads"]))
        say({"versions": peer.versions()})
        _end()
    start = Start(peer, given, asked["threads"])
    # Some leave out the last batch, or fill it up with the next epoch's.
    if not start.n or abs(start.n - asked["records"]) > given.batch_size:
        sys.exit(f"its epoch has {start.n} images, the file {asked['records']}")
    facts = {"first_batch_s": start.first_batch_s}
    if asked["cold"]:
        say(facts | {"n": start.n, "seconds": start.epoch_s, "cpu_s": start.cpu_s} | _used())
        _end()
    say(facts)
    n_epochs = start.count_epochs(asked["epochs"], asked["seconds"])
    facts = start.round(n_epochs, asked["turns"], partial(_pause, parent))
    say(facts | _used())
    _pause(parent)  # until the measuring program ends it


def _used() -> dict[str, float]:
    return {"peak_rss_mb": peak_rss_mb(), "spent_s": cpu_s()}
