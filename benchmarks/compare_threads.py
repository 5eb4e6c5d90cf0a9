"""What would stop recordkit at more cores? Locks, allocations and page faults per image, and the share that is serial.

Usage: python benchmarks/compare_threads.py [--threads N,N,...] [--images N] [--json FILE]

The Loader reads photos of 256 x 341 pixels (random crop of 224, mirror, float32) and digits of 28 x 28 (png, float32),
and a pack resizes photos of 500 x 375 to 256.

Method: each case is a process of its own, `_threads.py`, which works once before it counts. Counts depend less on the
number of cores than seconds do. `count_calls.cpp` counts allocations and locks. The kernel counts page faults and
switches of threads, and `perf stat` its system calls, as the difference of two processes that work once and three
times.

The serial share is the processor time outside of the compiled calls, which run without the GIL: that of the main
thread, which takes the batches or writes the files, and of Python in the other threads. Amdahl's law gives the speed-up
that it allows. Both are estimates: reading files releases the GIL too, and memory bandwidth is not part of them.

It needs the native engine, glibc and g++, and for system calls perf with the right to count them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _run import write
from _threads import CASES, make_data

HERE = Path(__file__).parent
SYSTEM_CALLS = {"futex": ("futex",), "memory": ("mmap", "munmap", "madvise", "brk", "mprotect")}
CORES = (16, 64)
COUNTS = ("allocations", "large", "locks", "futex", "memory", "faults", "switches")


def run_case(case: str, folder: Path, threads: int, counter: Path) -> dict[str, Any]:
    """Count one case with one number of threads, in processes of its own."""
    events = ",".join(f"syscalls:sys_enter_{name}" for names in SYSTEM_CALLS.values() for name in names)
    totals: list[dict[str, float]] = []
    for repeats in (1, 3):
        output = folder / "perf.csv"
        program = [sys.executable, str(HERE / "_threads.py"), case, str(folder), str(threads), str(repeats)]
        command = ["env", f"LD_PRELOAD={counter}", *program]
        done = subprocess.run(
            ["perf", "stat", "-x,", "-o", str(output), "-e", events, "--", *command],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{case}: {done.stderr.strip()[-500:]}")
        facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        fields = [line.split(",") for line in output.read_text().splitlines() if "sys_enter_" in line]
        totals.append({field[2].rpartition("sys_enter_")[2]: float(field[0]) for field in fields})
    n_images = facts["n"] * 2 / 3
    for name, calls in SYSTEM_CALLS.items():
        facts[name] = sum(totals[1][call] - totals[0][call] for call in calls) / n_images
    serial = 1 - facts["compiled_s"] / facts["cpu_s"]
    speedups = {str(n): 1 / (serial + (1 - serial) / n) for n in CORES}
    return {"case": case, "threads": threads, "serial": serial, "speedups": speedups} | facts


def main() -> None:
    """Count all cases, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2,8,32")
    parser.add_argument("--images", type=int, default=1000, help="photos; there are 20 times as many digits")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, counter = Path(scratch), Path(scratch, "count_calls.so")
        command = ["g++", "-O2", "-shared", "-fPIC", str(HERE / "count_calls.cpp"), "-ldl", "-o", str(counter)]
        subprocess.run(command, check=True)
        make_data(folder, options.images)
        print(f"per image{'':11}" + "".join(f"{name:>12}" for name in COUNTS) + "   serial    speed-up on 16, 64 cores")
        for case, threads in itertools.product(CASES, map(int, options.threads.split(","))):
            rows.append(run_case(case, folder, threads, counter))
            cells = "".join(f"{rows[-1][name]:12.2f}" for name in COUNTS)
            speedups = ", ".join(f"{value:.1f}" for value in rows[-1]["speedups"].values())
            print(f"{case:17}{threads:3}{cells}{rows[-1]['serial']:9.1%}    {speedups}", flush=True)
    write(options.json, [{"cores": os.cpu_count(), "rows": rows}])


if __name__ == "__main__":
    main()
