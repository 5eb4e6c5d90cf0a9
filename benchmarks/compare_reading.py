"""How fast are records read? Beside MXNet on the same machine.

Usage: python benchmarks/compare_reading.py [--records N] [--index-lines N] [--repeats N] [--json FILE]

Method: a file of records of 800 random bytes, and an index with as many lines as Glint360K has, are made in a temporary
folder. Each case is a program that times its reading alone; all programs run in turn, round after round.

It needs recordkit[mxnet] and the native engine. It does not show a cold page cache, other CPUs, or larger records.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from _run import compare_commands, write
from data import write_records

from recordkit.formats import idx

READ = [sys.executable, str(Path(__file__).parent / "_read.py")]
READERS = {"MXNet": "mxnet", "recordkit": "recordkit", "recordkit without the core": "python"}


def write_index(prefix: Path, n_lines: int) -> None:
    """Write an index of records of 8,000 bytes."""
    with open(f"{prefix}.idx", "wb") as file:
        for begin in range(0, n_lines, 100_000):
            keys = range(begin, min(begin + 100_000, n_lines))
            file.write(idx.lines(keys, [8000 * key for key in keys]))


def cat(prefix: Path) -> list[str]:
    """Return a command that times `cat` of the .rec file and prints it as bytes."""
    script = f"""s=$(stat -c %s {prefix}.rec); t=$(date +%s%N); cat {prefix}.rec >/dev/null; e=$(date +%s%N)
        echo "{{\\"n\\": $s, \\"seconds\\": $(awk "BEGIN{{print ($e-$t)/1e9}}")}}\""""
    return ["bash", "-c", script]


def read(how: str, prefix: Path) -> dict[str, list[str]]:
    """Return a command for each reader."""
    return {title: [*READ, reader, how, str(prefix)] for title, reader in READERS.items()}


def main() -> None:
    """Make the files and time all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--index-lines", type=int, default=17_091_657)
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prefix, long_prefix = Path(folder, "a"), Path(folder, "long")
        rng = np.random.default_rng(0)
        write_records(prefix, (rng.bytes(800) for _ in range(options.records)))
        write_index(long_prefix, options.index_lines)
        one_by_one = read("single", prefix)
        many = {"MXNet": one_by_one["MXNet"], "recordkit read_many": [*READ, "recordkit", "many", str(prefix)]}
        scan = {"cat of the file": cat(prefix), "recordkit scan": [*READ, "recordkit", "scan", str(prefix)]}
        index = {"recordkit": [*READ, "recordkit", "index", str(long_prefix)]}
        facts = [
            compare_commands(title, commands, unit, rounds=options.repeats)
            for title, unit, commands in (
                ("records in order", "rec/s", read("sequential", prefix)),
                ("random records, one by one", "rec/s", one_by_one),
                ("random records, 4,096 at a time", "rec/s", many),
                ("index rebuilt", "bytes/s", scan),
                (f"an index of {options.index_lines:,} lines", "lines/s", index),
            )
        ]
    write(options.json, facts)


if __name__ == "__main__":
    main()
