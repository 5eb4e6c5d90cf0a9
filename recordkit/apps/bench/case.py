"""One case: one peer with a number of threads, in a process of its own, once.

``python -m recordkit.apps.bench.case JSON`` is what `recordkit.apps.bench.measure` starts, and nobody else. The last
line that it prints is a JSON object.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.apps.bench.peers.peer import Peer
from recordkit.apps.bench.peers.registry import find
from recordkit.apps.bench.work import Work


def first_batch(peer: Peer, work: Work, threads: int) -> NDArray[np.float32]:
    """Return the first batch of the deterministic work, without what fills it up."""
    epoch = peer.open(work, threads, check=True)
    batch, n = next(iter(epoch()))
    array = batch.asnumpy() if hasattr(batch, "asnumpy") else np.asarray(batch)
    return np.array(array[:n], np.float32)


def run(peer: Peer, work: Work, threads: int, *, epochs: int, seconds: float | None, cold: bool) -> dict[str, Any]:
    """Time consecutive epochs, after one that does not count; of a cold cache the first one alone.

    Parameters
    ----------
    epochs : int
        At least so many.
    seconds : float or None
        And whole ones until so much time is over.
    cold : bool

    Returns
    -------
    facts : dict
        "n" samples in "seconds", "cpu_s" of this process and its workers meanwhile, "first_batch_s" from opening to the
        first batch, "peak_rss_mb" of the process and its workers, each one's highest.
    """
    begin_s, begin_cpu_s = time.perf_counter(), cpu_s()
    epoch = peer.open(work, threads, check=False)
    batches = epoch()
    _, n = next(batches)
    first_batch_s = time.perf_counter() - begin_s
    n += sum(count for _, count in batches)
    if not cold:
        n, done = 0, 0
        begin_s, begin_cpu_s = time.perf_counter(), cpu_s()
        while done < epochs or (seconds is not None and time.perf_counter() - begin_s < seconds):
            n += sum(count for _, count in epoch())
            done += 1
    took_s, used_s = time.perf_counter() - begin_s, cpu_s() - begin_cpu_s
    return {
        "n": n,
        "seconds": took_s,
        "cpu_s": used_s,
        "first_batch_s": first_batch_s,
        "peak_rss_mb": peak_rss_mb(),
    }


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


def main() -> None:
    """Do what the argument says."""
    asked = json.loads(sys.argv[1])
    work = asked["work"]
    work["shape"] = tuple(work["shape"])
    given = Work(**work)
    peer = find(asked["peer"])
    if asked["check"]:
        np.save(asked["check"], first_batch(peer, given, asked["threads"]))
        facts: dict[str, Any] = {"versions": peer.versions()}
    else:
        options = {name: asked[name] for name in ("epochs", "seconds", "cold")}
        facts = run(peer, given, asked["threads"], **options)
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    # Some peers' threads take the process down when the interpreter ends under them, some peers' workers would stay.
    for process in _tree()[1:]:
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()
