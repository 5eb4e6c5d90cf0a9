"""How do time and memory grow with the number of records? Packing and loading of 1,000 to 1,000,000 small records.

Usage: python benchmarks/compare_sizes.py [--most N] [--repeats N] [--json FILE]

Method: a list repeats 100 images of 8 x 8 pixels. They are packed with their bytes copied, and loaded shuffled in
batches of 64, by the native engine if it is built. Each figure is of a process of its own, its start included. The
exponent is p in a + b n**p, where a is the start, fitted to the times by least squares of the relative errors; 1 is
linear. Memory is the peak resident size, which includes mapped pages of the .rec file.

It does not show images that cost more than their records.
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
PACK = [sys.executable, "-m", "recordkit", "pack"]
LOAD = """
import sys, recordkit as rk
n = sum(batch.n_valid for batch in rk.Loader(sys.argv[1], batch_size=64, shuffle=True))
assert n == int(sys.argv[2]), n
"""


def write_list(folder: Path, n: int) -> Path:
    """Write a list of n rows that repeats a few images."""
    rng = np.random.default_rng(0)
    images = folder / "images"
    images.mkdir(exist_ok=True)
    for number in range(N_FILES):
        (images / f"{number}.png").write_bytes(codec.encode(rng.integers(0, 256, (8, 8, 1), np.uint8), "png"))
    path = folder / f"{n}.lst"
    with open(path, "w") as file:
        file.writelines(f"{key}\t{key % 10}\t{key % N_FILES}.png\n" for key in range(n))
    return path


def measure_process(command: list[str]) -> tuple[float, float]:
    """Run a process and return its time in seconds and its peak memory in MB.

    The memory is read while the process runs: the figure that the system gives after its end includes the memory of
    the process that started it.
    """
    begin_s, peak_mb = time.perf_counter(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        peak_mb = max(peak_mb, peak_mb_so_far(process.pid))
        time.sleep(0.005)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return time.perf_counter() - begin_s, peak_mb


def peak_mb_so_far(pid: int) -> float:
    """Return the peak memory of a running process; 0 before its program begins and after its end."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), 0.0)


def fit_exponent(rows: list[dict[str, float]], column: str) -> float:
    """Fit a + b n**p to the times with a and b of at least 0; return p."""
    n, times = (np.array([row[name] for row in rows]) for name in ("records", column))
    powers = np.arange(0.3, 2, 0.005)
    return float(powers[np.argmin([_misfit(n**power, times) for power in powers])])


def _misfit(grown: NDArray[np.float64], times: NDArray[np.float64]) -> float:
    columns = np.stack([1 / times, grown / times], axis=1)
    coefficients, *_ = np.linalg.lstsq(columns, np.ones(len(times)), rcond=None)
    return float(((columns @ coefficients.clip(0) - 1) ** 2).sum())


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    print(f"{'records':>9}  {'pack, s':>8}  {'MB':>5}  {'load, s':>8}  {'MB':>5}")
    n = 1000
    while n <= options.most:
        with tempfile.TemporaryDirectory() as scratch:
            rows_file = write_list(Path(scratch), n)
            pack = [*PACK, str(rows_file), f"{scratch}/a", "--root", f"{scratch}/images"]
            load = [sys.executable, "-c", LOAD, f"{scratch}/a.rec", str(n)]
            packed = [measure_process(pack) for _ in range(options.repeats)]
            loaded = [measure_process(load) for _ in range(options.repeats)]
        pack_s, pack_mb, load_s, load_mb = (
            statistics.median(values) for runs in (packed, loaded) for values in zip(*runs, strict=True)
        )
        rows.append({"records": n, "pack_s": pack_s, "pack_mb": pack_mb, "load_s": load_s, "load_mb": load_mb})
        print(f"{n:9,}  {pack_s:8.2f}  {pack_mb:5.0f}  {load_s:8.2f}  {load_mb:5.0f}")
        n *= 10
    exponents = {column: fit_exponent(rows, column) for column in ("pack_s", "load_s")}
    print(f"exponent   {exponents['pack_s']:8.2f}         {exponents['load_s']:8.2f}")
    write(options.json, [{"title": "growth", "rows": rows, "exponents": exponents}])


if __name__ == "__main__":
    main()
