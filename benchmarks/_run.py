"""Timing several ways to do the same thing: in turn, several times over, the median and the spread of each.

Every case is a program of its own that prints how much it did (a number) and, if it says so itself, how long it took;
else the whole process is timed, its start included.
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import packages_distributions, version
from pathlib import Path

from recordkit.bench import machine


@dataclass(frozen=True)
class Case:
    """One way to do it.

    Attributes
    ----------
    name : str
    command : list of str
        Its last line of output is a JSON object with "n", and "seconds" if the process is not to be timed as a whole.
    """

    name: str
    command: list[str]


def compare(title: str, cases: list[Case], unit: str, *, repeats: int = 5, threads: int = 2) -> dict[str, object]:
    """Run all cases in turn, `repeats` times, after one run that does not count; print a table, return the facts."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
    rates: dict[str, list[float]] = {case.name: [] for case in cases}
    seconds: dict[str, list[float]] = {case.name: [] for case in cases}
    for repeat in range(-1, repeats):
        for case in cases:
            begin_s = time.perf_counter()
            done = subprocess.run(case.command, env=environment, capture_output=True, text=True)
            whole_s = time.perf_counter() - begin_s
            if done.returncode:
                sys.exit(f"{case.name} failed: {done.stderr}")
            said = json.loads(done.stdout.strip().splitlines()[-1])
            if repeat >= 0:
                took_s = said.get("seconds", whole_s)
                seconds[case.name].append(took_s)
                rates[case.name].append(said["n"] / took_s)
    print(f"\n{title}: median of {repeats} runs in turn, {threads} threads (lowest to highest)")
    base = statistics.median(rates[cases[0].name])
    rows = {}
    for case in cases:
        some = sorted(rates[case.name])
        middle = statistics.median(some)
        rows[case.name] = {"rates": some, "seconds": sorted(seconds[case.name])}
        print(
            f"  {case.name:34} {statistics.median(seconds[case.name]):8.3f} s  {middle:12,.0f} {unit} "
            f"({some[0]:,.0f} to {some[-1]:,.0f})  x{middle / base:.2f}"
        )
    return {"title": title, "unit": unit, "threads": threads, "cases": rows}


def _versions() -> dict[str, str]:
    """Return the versions of what is there, under the names it is installed by: mxnet or mxnet-cu112."""
    names = packages_distributions()
    modules = ("numpy", "PIL", "mxnet", "torch")
    found = ["recordkit", *(name for module in modules for name in names.get(module, ()))]
    return {name: version(name) for name in dict.fromkeys(found)}


def write(path: Path | None, facts: list[dict[str, object]]) -> None:
    """Write the results with what they depend on."""
    if path is None:
        return
    about = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": machine.describe(),
        # Of files the name alone: where they lie is nobody else's business.
        "command": shlex.join([f"benchmarks/{Path(sys.argv[0]).name}", *(Path(word).name for word in sys.argv[1:])]),
        "versions": _versions(),
    }
    path.write_text(json.dumps({"about": about, "results": facts}, indent=1) + "\n")
