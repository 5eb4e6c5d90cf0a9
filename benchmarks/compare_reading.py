"""How fast are records read, beside MXNet on the same machine? Run in an environment with recordkit[mxnet].

Usage: python benchmarks/compare_reading.py [--records N] [--index-lines N] [--repeats N] [--json FILE]

It makes a file of records of 800 random bytes, and an index of as many lines as Glint360K has; both in a temporary
folder. What it does not show: a cold page cache, other CPUs, larger records.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from _run import Case, compare, write
from data import write_records

from recordkit.formats import idx

READ = [sys.executable, str(Path(__file__).parent / "_read.py")]


def make(prefix: Path, n_records: int) -> None:
    """Write records of 800 bytes and their index."""
    rng = np.random.default_rng(0)
    write_records(prefix, (rng.bytes(800) for _ in range(n_records)))


def make_index(prefix: Path, n_lines: int) -> None:
    """Write an index of records of 8,000 bytes."""
    with open(f"{prefix}.idx", "wb") as file:
        for begin in range(0, n_lines, 100_000):
            keys = range(begin, min(begin + 100_000, n_lines))
            file.write(idx.lines(keys, [8000 * key for key in keys]))


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--index-lines", type=int, default=17_091_657)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        prefix, long = str(Path(work, "a")), str(Path(work, "long"))
        make(Path(prefix), given.records)
        make_index(Path(long), given.index_lines)
        cat = f"""s=$(stat -c %s {prefix}.rec); t=$(date +%s%N); cat {prefix}.rec >/dev/null; e=$(date +%s%N)
               echo "{{\\"n\\": $s, \\"seconds\\": $(awk "BEGIN{{print ($e-$t)/1e9}}")}}\""""
        facts = [
            compare(title, [*cases, *more], unit, repeats=given.repeats)
            for title, unit, cases, more in (
                ("records in order", "rec/s", _cases("sequential", prefix), []),
                ("random records, one by one", "rec/s", _cases("single", prefix), []),
                (
                    "random records, 4,096 at a time",
                    "rec/s",
                    [_cases("single", prefix)[0], Case("recordkit read_many", [*READ, "recordkit", "many", prefix])],
                    [],
                ),
                (
                    "index rebuilt",
                    "bytes/s",
                    [Case("cat of the file", ["bash", "-c", cat])],
                    [Case("recordkit scan", [*READ, "recordkit", "scan", prefix])],
                ),
                (
                    f"an index of {given.index_lines:,} lines",
                    "lines/s",
                    [Case("recordkit", [*READ, "recordkit", "index", long])],
                    [],
                ),
            )
        ]
    write(given.json, facts)


def _cases(how: str, prefix: str) -> list[Case]:
    names = {"mxnet": "MXNet", "recordkit": "recordkit", "python": "recordkit without the core"}
    return [Case(name, [*READ, who, how, prefix]) for who, name in names.items()]


if __name__ == "__main__":
    main()
