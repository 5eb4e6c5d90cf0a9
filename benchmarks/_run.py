"""The parts that the programs of this folder share: timing of command lines, and result files."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import recordkit
from recordkit.bench import machine
from recordkit.bench.commands import time_commands
from recordkit.bench.table import rate_lines


def compare_commands(
    title: str, commands: Mapping[str, Sequence[str]], unit: str, *, rounds: int, threads: int = 2
) -> dict[str, Any]:
    """Time programs in turn, print their rates, and return title, unit and cases.

    Parameters
    ----------
    title : str
    commands : mapping of str to sequence of str
        See `recordkit.bench.commands.time_commands`.
    unit : str
        Unit of the rates, such as "rec/s".
    rounds, threads : int
    """
    cases = time_commands(commands, rounds=rounds, threads=threads)
    print(f"\n{title}: median of {rounds} rounds (lowest to highest), ratio to the first (95% interval)")
    print("\n".join(f"  {line}" for line in rate_lines(cases, unit)))
    return {"title": title, "unit": unit, "cases": [asdict(case) for case in cases]}


def _versions() -> dict[str, str]:
    """Return the versions of installed libraries by their distribution names, such as mxnet or mxnet-cu112."""
    distributions = packages_distributions()
    modules = (
        "numpy",
        "PIL",
        "mxnet",
        "torch",
        "torchvision",
        "obstore",
        "ray",
        "boto3",
        "s3fs",
        "webdataset",
        "litdata",
        "streaming",
    )
    names = (name for module in modules for name in distributions.get(module, ()))
    return {"recordkit": recordkit.__version__} | {name: version(name) for name in dict.fromkeys(names)}


def write(path: Path | None, facts: list[dict[str, object]]) -> None:
    """Write results as JSON with date, machine, command and versions; nothing if `path` is None."""
    if path is None:
        return
    about = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": machine.describe(),
        # Files appear without their folders, which mean nothing on another machine.
        "command": shlex.join([f"benchmarks/{Path(sys.argv[0]).name}", *(Path(word).name for word in sys.argv[1:])]),
        "versions": _versions(),
    }
    path.write_text(json.dumps({"about": about, "results": facts}, indent=1) + "\n")
