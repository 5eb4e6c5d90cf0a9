"""Kill processes of a pack on a cluster and compare the bytes; measure what Ray costs beside `recordkit pack`.

Usage: python benchmarks/random_kills.py --photos DIR [--images N] [--shards N] [--resize N]
           [--workers NUMBERS] [--kill-workers N] [--kill-drivers N] [--seed N] [--repeats N]
           [--folder DIR] [--json FILE]

--photos:       folder of JPEGs, written once at 256 pixels and quality 95, and repeated to --images files of names of
                their own, 50,000 by default, by hard links.
--shards:       number of shards; 100 by default.
--resize:       length of the short side, so that the images are decoded and encoded; by default their bytes are copied.
--workers:      numbers of nodes of Ray with one CPU each, between commas; 1,2,4 by default.
--kill-workers: workers that are killed while they pack a shard, by SIGKILL at random; 20 by default.
--kill-drivers: how often the driver is killed; 5 by default. It is started again by the same command.
--repeats:      rounds of the comparison with `recordkit pack`; 5 by default.

The program packs by `recordkit pack` and by `recordkit cluster pack` with each number of nodes, and then kills with the
largest number. Kills are spread at random over the work: they happen when a random share of the bytes is written. The
SHA-256 of all files of all shards is compared with that of `recordkit pack`; exit code 1: they differ.

"Twice" is the share of the bytes that a killed task had written, and that another task wrote again. The overhead of Ray
is measured on one node of as many CPUs as threads that `recordkit pack` has, in turn, round after round: seconds of the
report, in which the connection to the cluster is, and without the start of the cluster itself.

It needs recordkit[cluster], the native engine and Linux. It does not show several machines, nor disks of a cluster.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _ray_nodes
from _run import write
from compare_packing import write_list

import recordkit as rk
from recordkit.interop.folder import write_folder
from recordkit.sources import ListSource

RECORDKIT = [sys.executable, "-m", "recordkit"]
TASK = "run_shard"
N_THREADS = 2
# Photos that are written at 256 pixels; the images are links to them.
N_PHOTOS = 200
_POLL_S = 0.03
# The longest time without a byte more before a run counts as hanging.
_HANG_S = 300


@dataclass(frozen=True)
class Work:
    """Images to pack, and how.

    Attributes
    ----------
    rows : Path
        List of the images.
    images : Path
        Folder of the images.
    n_shards : int
    resize : int, optional
        Length of the short side; None copies the bytes of the images.
    """

    rows: Path
    images: Path
    n_shards: int
    resize: int | None = None

    def command(self, prefix: Path, address: str | None = None, threads: int = 1) -> list[str]:
        """Return the command line of a pack, on a cluster if there is an address."""
        words = [*RECORDKIT, *(["cluster"] if address else []), "pack", str(self.rows), str(prefix), "--json"]
        words += ["--root", str(self.images), "--shards", str(self.n_shards), "--threads", str(threads)]
        words += ["--resize", str(self.resize)] if self.resize else []
        return words + (["--address", address] if address else [])


@dataclass
class Kills:
    """Kills that are to come, and what they cost.

    Attributes
    ----------
    plan : list of (float, str)
        Share of the bytes after which a kill happens, and "worker" or "driver", in order.
    lost : list of (Path, int)
        Files of shards that killed processes were writing, with the bytes written.
    """

    plan: list[tuple[float, str]]
    lost: list[tuple[Path, int]] = field(default_factory=list)

    @classmethod
    def draw(cls, n_workers: int, n_drivers: int, rng: random.Random) -> Kills:
        """Draw the times of some kills."""
        kinds = ["worker"] * n_workers + ["driver"] * n_drivers
        return cls(sorted((rng.uniform(0.02, 0.9), kind) for kind in kinds))


def make_images(photos: Path, folder: Path, n_images: int) -> tuple[Path, Path]:
    """Write the images and their list; return the list and the folder of the images."""
    plan = rk.PackPlan(resize=256, quality=95)
    rows_file = write_list(folder / "photos.lst", photos, N_PHOTOS)
    rk.pack(ListSource(rows_file, photos), folder / "small", plan=plan)
    write_folder(rk.RecordDataset(folder / "small.rec"), folder / "originals", name="{key:06d}")
    originals = sorted(path for path in (folder / "originals").rglob("*") if path.suffix == ".jpg")
    images, rows = folder / "images", []
    for number in range(n_images):
        name = f"{number % 100:02d}/{number:06d}.jpg"
        path = images / name
        if number < 100:
            path.parent.mkdir(parents=True)
        os.link(originals[number % len(originals)], path)
        rows.append(f"{number}\t{number % 1000}\t{name}\n")
    (folder / "rows.lst").write_text("".join(rows))
    return folder / "rows.lst", images


def digests(prefix: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a packed set."""
    paths = sorted(prefix.parent.glob(f"{prefix.name}_*")) + sorted(prefix.parent.glob(f"{prefix.name}.*"))
    found = {}
    for path in paths:
        if path.name.endswith(".plan.json"):
            continue  # a pack on one machine has none
        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 22):
                digest.update(block)
        found[path.name.removeprefix(prefix.name)] = digest.hexdigest()
    return found


def differences(expected: dict[str, str], got: dict[str, str]) -> list[str]:
    """Return the names of files that differ, are missing, or are there in addition."""
    return sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name))


def remove(prefix: Path) -> None:
    """Remove the files of a set, and let the disk finish, so that each run meets the same disk."""
    shutil.rmtree(prefix.parent, ignore_errors=True)
    prefix.parent.mkdir(parents=True)
    os.sync()


def pack(command: Sequence[str]) -> dict[str, Any]:
    """Run a pack to its end and return its report."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


class KilledPack:
    """A pack whose processes are killed by plan.

    Parameters
    ----------
    command : sequence of str
        That of the driver.
    prefix : Path
        Its output.
    n_bytes : int
        Bytes of all .rec files in the end.
    kills : Kills
    rng : random.Random
        Chooses the workers to kill.

    Attributes
    ----------
    n_drivers : int
        Drivers that were started.
    """

    def __init__(self, command: Sequence[str], prefix: Path, n_bytes: int, kills: Kills, rng: random.Random) -> None:
        self._command = command
        self._prefix = prefix
        self._n_bytes = n_bytes
        self._kills = kills
        self._rng = rng
        self._waiting = list(kills.plan)
        self.n_drivers = 0

    def run(self) -> dict[str, Any]:
        """Run drivers until one ends by itself, and return its report."""
        while True:
            self.n_drivers += 1
            with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
                driver = subprocess.Popen(self._command, stdout=output, stderr=errors, text=True)
                was_killed = self._watch(driver)
                output.seek(0)
                errors.seek(0)
                if was_killed:
                    continue
                if driver.returncode:
                    raise SystemExit(f"the driver failed:\n{errors.read()[-3000:]}")
                report: dict[str, Any] = json.loads(output.read())
                return report

    def _watch(self, driver: subprocess.Popen[str]) -> bool:
        """Kill by plan until the driver ends; return whether it was killed."""
        most, last_s = 0.0, time.monotonic()
        while driver.poll() is None:
            share = self._written() / self._n_bytes
            if share > most:
                most, last_s = share, time.monotonic()
            if time.monotonic() - last_s > _HANG_S:
                driver.kill()
                driver.wait()
                raise SystemExit(f"no byte more in {_HANG_S} s; the pack hangs")
            if self._waiting and share >= self._waiting[0][0]:
                kind = self._waiting[0][1]
                if kind == "driver":
                    self._waiting.pop(0)
                    self._kill_driver(driver)
                    return True
                if self._kill_worker():
                    self._waiting.pop(0)
            time.sleep(_POLL_S)
        return False

    def _written(self) -> int:
        published = sum(path.stat().st_size for path in self._prefix.parent.glob(f"{self._prefix.name}_*.rec"))
        writers = _ray_nodes.task_processes(TASK)
        return published + sum(sum(_ray_nodes.written_files(process, ".rec").values()) for process in writers)

    def _kill_worker(self) -> bool:
        """Kill a worker that writes a shard; return whether there is one."""
        processes = _ray_nodes.task_processes(TASK)
        self._rng.shuffle(processes)
        for process in processes:
            try:
                os.kill(process, signal.SIGSTOP)
            except ProcessLookupError:
                continue
            files = _ray_nodes.written_files(process, ".rec")
            os.kill(process, signal.SIGKILL if files else signal.SIGCONT)
            if files:
                self._kills.lost += files.items()
                return True
        return False

    def _kill_driver(self, driver: subprocess.Popen[str]) -> None:
        """Kill the driver, and wait until Ray has ended its tasks."""
        driver.kill()
        driver.wait()
        files: dict[Path, int] = {}
        while processes := _ray_nodes.task_processes(TASK):
            for process in processes:
                files |= _ray_nodes.written_files(process, ".rec")
            time.sleep(_POLL_S)
        # A task that came to its end all the same has published its shard, and its bytes are not lost.
        self._kills.lost += [(path, size) for path, size in files.items() if not self._is_published(path)]

    def _is_published(self, path: Path) -> bool:
        return (self._prefix.parent / path.with_suffix(".json").name).exists()

    def n_waiting(self) -> int:
        """Return the number of kills that were planned and did not happen."""
        return len(self._waiting)


def compare_overhead(work: Work, prefix: Path, rounds: int) -> dict[str, Any]:
    """Time `recordkit pack` and a pack by Ray on one node, in turn; return seconds and the overhead of each round."""
    alone, by_ray = [], []
    with _ray_nodes.running_nodes(1, cpus=N_THREADS) as address:
        for number in range(rounds + 1):
            remove(prefix)
            alone_s = pack(work.command(prefix, threads=N_THREADS))["duration_s"]
            remove(prefix)
            by_ray_s = pack(work.command(prefix, address))["duration_s"]
            if number:  # the first round also reads the images into the page cache
                alone.append(alone_s)
                by_ray.append(by_ray_s)
    overheads = [ray_s / alone_s - 1 for ray_s, alone_s in zip(by_ray, alone, strict=True)]
    print(
        f"recordkit pack {statistics.median(alone):.1f} s, by Ray {statistics.median(by_ray):.1f} s: "
        f"{statistics.median(overheads):+.1%} ({min(overheads):+.1%} to {max(overheads):+.1%} in {rounds} rounds)"
    )
    return {"title": "overhead", "alone_s": alone, "by_ray_s": by_ray, "overheads": overheads}


def compare_workers(work: Work, prefix: Path, numbers: Sequence[int], expected: dict[str, str]) -> list[dict[str, Any]]:
    """Pack with each number of nodes and compare the files."""
    rows = []
    for n_workers in numbers:
        remove(prefix)
        with _ray_nodes.running_nodes(n_workers) as address:
            report = pack(work.command(prefix, address))
        differ = differences(expected, digests(prefix))
        rows.append({"workers": n_workers, "seconds": report["duration_s"], "differ": differ})
        print(f"{n_workers} workers: {report['duration_s']:.1f} s, {_verdict(differ)}")
    return rows


def pack_with_kills(
    work: Work, prefix: Path, n_workers: int, kills: Kills, expected: dict[str, str], n_bytes: int, rng: random.Random
) -> dict[str, Any]:
    """Pack while processes are killed and compare the files."""
    remove(prefix)
    begin_s = time.monotonic()
    with _ray_nodes.running_nodes(n_workers) as address:
        killed = KilledPack(work.command(prefix, address), prefix, n_bytes, kills, rng)
        killed.run()
    differ = differences(expected, digests(prefix))
    twice = sum(size for _, size in kills.lost) / n_bytes
    facts = {
        "workers": n_workers,
        "killed_workers": sum(kind == "worker" for _, kind in kills.plan),
        "killed_drivers": sum(kind == "driver" for _, kind in kills.plan),
        "not_killed": killed.n_waiting(),
        "seconds": time.monotonic() - begin_s,
        "twice": twice,
        "differ": differ,
    }
    print(
        f"{n_workers} workers, {facts['killed_workers']} of them and {facts['killed_drivers']} drivers killed: "
        f"{facts['seconds']:.1f} s, {twice:.2%} of the bytes written twice, {_verdict(differ)}"
    )
    if facts["not_killed"]:
        print(f"  {facts['not_killed']} planned kills found nobody: take more images or fewer kills")
    return facts


def _verdict(differ: Sequence[str]) -> str:
    return f"{len(differ)} files differ: {', '.join(differ[:5])}" if differ else "the same bytes"


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR")
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--resize", type=int)
    parser.add_argument("--workers", default="1,2,4", metavar="NUMBERS")
    parser.add_argument("--kill-workers", type=int, default=20)
    parser.add_argument("--kill-drivers", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5, help="rounds; 0 leaves the comparison of times out")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    """Pack in all ways; exit with 1 if the bytes differ."""
    options = read_options()
    rng = random.Random(options.seed)
    numbers = [int(number) for number in options.workers.split(",")]
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        folder = Path(scratch).resolve()
        rows, images = make_images(options.photos.resolve(), folder, options.images)
        work = Work(rows, images, options.shards, options.resize)
        prefix = folder / "out" / "train"
        remove(prefix)
        report = pack(work.command(prefix, threads=N_THREADS))
        expected = digests(prefix)
        n_bytes = sum(path.stat().st_size for path in prefix.parent.glob("*.rec"))
        size = f"{options.images:,} images, {n_bytes / 1e9:.2f} GB"
        print(f"{size}, {options.shards} shards, recordkit pack: {report['duration_s']:.1f} s")
        workers = compare_workers(work, prefix, numbers, expected)
        kills = Kills.draw(options.kill_workers, options.kill_drivers, rng)
        killed = pack_with_kills(work, prefix, max(numbers), kills, expected, n_bytes, rng)
        facts: list[dict[str, Any]] = [{"title": "workers", "n_bytes": n_bytes, "rows": workers}]
        facts.append({"title": "kills", "seed": options.seed} | killed)
        if options.repeats:
            facts.append(compare_overhead(work, prefix, options.repeats))
    write(options.json, facts)
    if killed["differ"] or killed["not_killed"] or any(row["differ"] for row in workers):
        sys.exit(1)


if __name__ == "__main__":
    main()
