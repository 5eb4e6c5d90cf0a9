"""The child process that measures one case: one peer with one number of threads.

`recordkit.bench.process` starts it with a JSON request as its first argument; it answers with lines of JSON on stdout.

The process stops itself (SIGSTOP), with all its threads and workers, when its turn is over, and the parent continues it
for its next turn. So it uses no processor while other cases are measured, and the batches that it had prefetched are
still there when it continues, neither more nor fewer.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
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

from recordkit.bench.peers.peer import Peer, StartEpoch
from recordkit.bench.peers.registry import find_peer
from recordkit.bench.workload import Workload

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]  # Windows


def load_first_batch(peer: Peer, workload: Workload, threads: int) -> NDArray[Any]:
    """Return the first batch in file order, without random steps; samples that only fill it up are left out."""
    start_epoch = peer.open(workload, threads, check=True)
    batch, n_valid = next(iter(start_epoch()))
    array = batch.asnumpy() if hasattr(batch, "asnumpy") else np.asarray(batch)
    return np.array(array[:n_valid])


class OpenPeer:
    """A peer that has been opened and has loaded its first epoch.

    Attributes
    ----------
    first_batch_s : float
        Time from opening to the first batch; the libraries were imported before.
    epoch_s : float
        Time from opening to the end of the first epoch.
    cpu_s : float
        Processor time from opening to the end of the first epoch.
    n, n_batches : int
        Samples and batches of an epoch.
    """

    def __init__(self, peer: Peer, workload: Workload, threads: int) -> None:
        peer.versions()
        begin_s, begin_cpu_s = time.perf_counter(), cpu_s()
        self._start_epoch: StartEpoch = peer.open(workload, threads, check=False)
        batches = self._start_epoch()
        _, self.n = next(batches)
        self.n_batches = 1
        self.first_batch_s = time.perf_counter() - begin_s
        for _, n_valid in batches:
            self.n += n_valid
            self.n_batches += 1
        self.epoch_s, self.cpu_s = time.perf_counter() - begin_s, cpu_s() - begin_cpu_s

    def count_epochs(self, n_min: int, round_s: float | None) -> int:
        """Return the number of epochs that fill a time; load one more epoch to measure it if necessary.

        Parameters
        ----------
        n_min : int
            Minimum number of epochs.
        round_s : float or None
            Time to fill; None returns `n_min`.
        """
        if not round_s or self.epoch_s - self.first_batch_s > round_s / n_min:
            return n_min
        begin_s = time.perf_counter()
        for _ in self._start_epoch():
            pass
        return max(n_min, math.ceil(round_s / (time.perf_counter() - begin_s)))

    def run_round(self, n_epochs: int, n_turns: int, pause: Callable[[], None]) -> dict[str, Any]:
        """Load consecutive epochs, divided into turns.

        Parameters
        ----------
        n_epochs : int
        n_turns : int
            All turns have about as many batches; an epoch can end anywhere in a turn.
        pause : callable
            Called before each turn.

        Returns
        -------
        facts : dict
            "n" samples in "timed_s" seconds of turns, and "cpu_s" of this process and its workers.
        """
        counts = (n_valid for _ in range(n_epochs) for _, n_valid in self._start_epoch())
        n_batches, n, timed_s, begin_cpu_s = n_epochs * self.n_batches, 0, 0.0, cpu_s()
        for turn in range(n_turns):
            pause()
            begin_s = time.perf_counter()
            is_last = turn == n_turns - 1
            share = n_batches * (turn + 1) // n_turns - n_batches * turn // n_turns
            n += sum(islice(counts, None if is_last else share))
            timed_s += time.perf_counter() - begin_s
        return {"n": n, "timed_s": timed_s, "cpu_s": cpu_s() - begin_cpu_s}


def _process_tree() -> list[int]:
    """Return this process and its live descendants; this process alone on systems without /proc."""
    tree, queue = [], [os.getpid()]
    while queue:
        process = queue.pop()
        tree.append(process)
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                queue += map(int, task.read_text().split())
            except OSError:
                continue  # the process has ended since
    return tree


def _read_proc_files(name: str) -> Iterator[str]:
    """Yield /proc/PID/`name` of each process of the tree that is still alive."""
    for process in _process_tree():
        try:
            text = Path(f"/proc/{process}/{name}").read_text()
        except OSError:
            continue
        yield text


def cpu_s() -> float:
    """Return the processor time of this process and its descendants in seconds."""
    stats = (stat.rpartition(")")[2].split() for stat in _read_proc_files("stat"))
    ticks = sum(int(user) + int(system) for user, system in (fields[11:13] for fields in stats))
    if not ticks or not resource:
        return time.process_time()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ticks / os.sysconf("SC_CLK_TCK") + ended.ru_utime + ended.ru_stime


def peak_rss_mb() -> float:
    """Return the peak memory of this process and its descendants in MB; memory that they share counts for each."""
    total_kb = sum(
        int(line.split()[1])
        for status in _read_proc_files("status")
        for line in status.splitlines()
        if line.startswith("VmHWM")
    )
    if not total_kb and resource:
        total_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return total_kb * 1024 / 1e6


def _pause(parent: int) -> None:
    """Stop this process and its workers until the parent continues them; end them if the parent has gone."""
    if os.getppid() == parent:
        os.killpg(0, signal.SIGSTOP)
    if os.getppid() != parent:
        _end()


def _end_with_parent(parent: int) -> None:
    """Make the kernel kill this process when the parent ends, even while it is stopped; Linux only."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # the parent ended before the call
        _end()


def _redirect_stdout() -> Callable[[dict[str, Any]], None]:
    """Redirect the peer's stdout to stderr and return the JSON writer to the original stdout."""
    target = os.dup(1)
    os.dup2(2, 1)

    def write(facts: dict[str, Any]) -> None:
        os.write(target, json.dumps(facts).encode() + b"\n")

    return write


def _end() -> None:
    """End without interpreter shutdown, in which some peers' threads crash and which some peers' workers survive."""
    for process in _process_tree()[1:]:
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)
    os._exit(0)


def _resources() -> dict[str, float]:
    return {"peak_rss_mb": peak_rss_mb(), "total_cpu_s": cpu_s()}


def main() -> None:
    """Carry out the request in the first argument."""
    os.setpgrp()  # a stop or continue signal to the group reaches the workers too
    request = json.loads(sys.argv[1])
    parent = request["parent"]
    _end_with_parent(parent)
    write = _redirect_stdout()
    fields = request["workload"]
    workload = Workload(**fields | {"shape": tuple(fields["shape"])})
    peer = find_peer(request["peer"])
    if request["check_path"]:
        np.save(request["check_path"], load_first_batch(peer, workload, request["threads"]))
        write({"versions": peer.versions()})
        _end()
    open_peer = OpenPeer(peer, workload, request["threads"])
    # Some peers leave out the last batch, or fill it with samples of the next epoch.
    if not open_peer.n or abs(open_peer.n - request["n_records"]) > workload.batch_size:
        sys.exit(f"its epoch has {open_peer.n} images, the file {request['n_records']}")
    facts = {"first_batch_s": open_peer.first_batch_s}
    if request["cache"] == "cold":
        write(facts | {"n": open_peer.n, "timed_s": open_peer.epoch_s, "cpu_s": open_peer.cpu_s} | _resources())
        _end()
    write(facts)
    n_epochs = open_peer.count_epochs(request["epochs"], request["round_s"])
    facts = open_peer.run_round(n_epochs, request["n_turns"], partial(_pause, parent))
    write(facts | _resources())
    _pause(parent)  # until the parent ends this process
