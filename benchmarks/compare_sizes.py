"""How cost grows with work: packing and loading 1,000 to 1,000,000 small records, time and memory.

Usage: python benchmarks/compare_sizes.py [--most N] [--repeats N] [--json FILE]

A list repeats 100 images of 8 x 8 pixels; they are packed with their bytes copied and loaded in batches of 64 in a new
order, by the native engine where it is built. Each number is a process of its own, start included in time and memory.
The exponent is p of a + b n**p, where a is start, fitted to the times by least squares of their relative errors: 1 is
linear. Memory is what the system counts for the process, pages of the .rec file that it maps among them.
What it does not show: images that cost more than their record.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _run import write
from numpy.typing import NDArray

from recordkit import codec

N_FILES = 100
LOAD = """
import sys, recordkit as rk
n = sum(batch.n_valid for batch in rk.Loader(sys.argv[1], batch_size=64, shuffle=True))
assert n == int(sys.argv[2]), n
"""


def make_list(folder: Path, n: int) -> Path:
    """Write a list of n rows over a few images."""
    rng = np.random.default_rng(0)
    images = folder / "images"
    images.mkdir(exist_ok=True)
    for number in range(N_FILES):
        (images / f"{number}.png").write_bytes(codec.encode(rng.integers(0, 256, (8, 8, 1), np.uint8), "png"))
    path = folder / f"{n}.lst"
    with open(path, "w") as file:
        file.writelines(f"{key}\t{key % 10}\t{key % N_FILES}.png\n" for key in range(n))
    return path


def timed(command: list[str]) -> tuple[float, float]:
    """Return the seconds and the peak memory, in MB, of a process.

    The memory is looked up while it runs: what the system says of a process that has ended includes that of the one
    which started it.
    """
    begin_s, peak_mb = time.perf_counter(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        peak_mb = max(peak_mb, peak_so_far_mb(process.pid))
        time.sleep(0.005)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return time.perf_counter() - begin_s, peak_mb


def peak_so_far_mb(pid: int) -> float:
    """Return the most memory that a process had so far; 0 if it is about to begin or has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), 0.0)


def exponent(rows: list[dict[str, float]], what: str) -> float:
    """Fit a + b n**p to the times, a and b from 0; return p."""
    n, times = (np.array([row[name] for row in rows]) for name in ("records", what))
    powers = np.arange(0.3, 2, 0.005)
    return float(powers[np.argmin([_misfit(n**power, times) for power in powers])])


def _misfit(grown: NDArray[np.float64], times: NDArray[np.float64]) -> float:
    columns = np.stack([1 / times, grown / times], axis=1)
    parts, *_ = np.linalg.lstsq(columns, np.ones(len(times)), rcond=None)
    return float(((columns @ parts.clip(0) - 1) ** 2).sum())


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    print(f"{'records':>9}  {'pack, s':>8}  {'MB':>5}  {'load, s':>8}  {'MB':>5}")
    n = 1000
    while n <= given.most:
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work)
            listed = make_list(folder, n)
            pack = [sys.executable, "-m", "recordkit", "pack", str(listed), f"{work}/a", "--root", f"{work}/images"]
            load = [sys.executable, "-c", LOAD, f"{work}/a.rec", str(n)]
            packed = [timed(pack) for _ in range(given.repeats)]
            loaded = [timed(load) for _ in range(given.repeats)]
        pack_s, pack_mb, load_s, load_mb = (
            statistics.median(values) for runs in (packed, loaded) for values in zip(*runs, strict=True)
        )
        rows.append({"records": n, "pack_s": pack_s, "pack_mb": pack_mb, "load_s": load_s, "load_mb": load_mb})
        print(f"{n:9,}  {pack_s:8.2f}  {pack_mb:5.0f}  {load_s:8.2f}  {load_mb:5.0f}")
        n *= 10
    slopes = {what: exponent(rows, what) for what in ("pack_s", "load_s")}
    print(f"exponent   {slopes['pack_s']:8.2f}         {slopes['load_s']:8.2f}")
    write(given.json, [{"title": "growth", "rows": rows, "exponents": slopes}])


if __name__ == "__main__":
    main()
