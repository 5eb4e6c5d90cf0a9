"""How fast are edits and checks of existing sets? Beside `cp` of the same bytes.

Usage: python benchmarks/compare_upkeep.py [--folder DIR] [--megabytes N] [--records N] [--photos DIR] [--repeats N]
                                           [--json FILE]

Two sets are made on the spot in DIR (default: a folder for temporary files), which needs about four times their bytes:
--megabytes: size of a set of records of 110 kB, as photos have; 5,000 by default.
--records:   number of records of 100 bytes; 10,000,000 by default.
--photos:    a folder of images, which are packed as they are: `verify` and `verify --decode` of them.

Method: each command is a process, its start included, and all run in turn, round after round. Before each, the files of
the one before are removed, the disk is synchronised, and the machine rests for some seconds. Peak memory is that of the
process. The commands flush their files to disk before they end, and `cp` does not. The share is therefore that of `cp`
followed by `sync` of its files: its seconds divided by those of the command. `cp` alone stands beside it.

It does not show a cold page cache, unless the sets are larger than the memory, nor other disks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from _run import write
from compare_sizes import peak_mb_so_far

from recordkit import native
from recordkit.dataset.copied_records import index_lines
from recordkit.storage.set_files import SetFiles, SetNames
from recordkit.storage.staging import Staging

RECORDKIT = [sys.executable, "-m", "recordkit"]
# Bytes of frame and image header of a record with one label.
HEAD_BYTES = 32
BLOCK_BYTES = 1 << 22
# A virtual machine gives memory that is free for some seconds back to its host, and then gets it again more slowly.
# With a rest before each command, all of them meet the same memory.
REST_S = 3


def make_set(prefix: Path, first_key: int, n_records: int, record_bytes: int) -> None:
    """Write a set of records with random contents and labels 0 to 999."""
    rng = np.random.default_rng(first_key)
    noise = rng.integers(0, 256, 4 * BLOCK_BYTES, np.uint8).tobytes()
    step = max(1, BLOCK_BYTES // record_bytes)
    n_bytes = 0
    with Staging(prefix) as staging:
        files = SetFiles(staging, SetNames(prefix))
        files.create(".rec", ".idx", ".lst", ".crc")
        for begin in range(first_key, first_key + n_records, step):
            keys = np.arange(begin, min(begin + step, first_key + n_records), dtype=np.uint64)
            starts = rng.integers(0, len(noise) - record_bytes, len(keys)).tolist()
            frames, sizes, checksums = native.load().frame_records(
                keys,
                (keys % 1000).astype(np.float32),
                np.arange(len(keys) + 1, dtype=np.uint64),
                # No two records are equal.
                [
                    key.to_bytes(8, "little") + noise[start : start + record_bytes - HEAD_BYTES - 8]
                    for key, start in zip(keys.tolist(), starts, strict=True)
                ],
                first_label=False,
                checksums=True,
            )
            ends = np.cumsum(np.array(sizes, np.uint64)) + np.uint64(n_bytes)
            rows = (f"{key}\t{key % 1000}.000000\t{key % 1000}/{key}.jpg\n" for key in keys.tolist())
            files.write(".rec", frames)
            files.write(".idx", index_lines(keys, ends - np.array(sizes, np.uint64)))
            files.write(".lst", "".join(rows).encode())
            files.write(".crc", checksums)
            n_bytes = int(ends[-1])
        files.finish({"records": n_records, "failed": 0, "label_width": [1, 1]}, {"classes": None, "list": "written"})
        staging.commit()


def questions(folder: Path) -> dict[str, tuple[list[str], str]]:
    """Return each command with its preparation, a shell command that is not timed."""
    whole, half, other, new = (str(folder / name) for name in ("whole", "half", "other", "new"))
    copy, whole_copy = (f"for file in {each}.*; do cp $file {new}.${{file#{each}.}}; done" for each in (half, whole))
    return {
        "cp": (["sh", "-c", f"cp {whole}.* {folder}/copy"], ""),
        "cp, then sync": (["sh", "-c", f"cp {whole}.* {folder}/copy && sync {folder}/copy/*"], ""),
        "merge": ([*RECORDKIT, "merge", half, other, new], ""),
        "split": ([*RECORDKIT, "split", whole, new, "--ratios", "train=0.9,val=0.1"], ""),
        "split --shards 8": ([*RECORDKIT, "split", whole, new, "--shards", "8"], ""),
        "subset --every 2": ([*RECORDKIT, "subset", whole, new, "--every", "2"], ""),
        "shuffle": ([*RECORDKIT, "shuffle", whole, new, "--seed", "1"], ""),
        "relabel": ([*RECORDKIT, "relabel", whole, new, "--map", "0=1000"], ""),
        "append": ([*RECORDKIT, "append", new, other], copy),
        "repair": ([*RECORDKIT, "repair", f"{whole}.rec", new], ""),
        "reindex": ([*RECORDKIT, "reindex", f"{new}.rec"], f"{copy}; rm {new}.idx"),
        "verify": ([*RECORDKIT, "verify", f"{whole}.rec"], ""),
        "diff": ([*RECORDKIT, "diff", whole, new], whole_copy),
        "duplicates": ([*RECORDKIT, "duplicates", whole], ""),
    }


def run(command: Sequence[str], *, accepted: Sequence[int]) -> tuple[float, float, str]:
    """Run a process; return its seconds, its peak memory in MB, and its error output if it failed."""
    begin_s, peak_mb = time.perf_counter(), 0.0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        while process.poll() is None:
            peak_mb = max(peak_mb, peak_mb_so_far(process.pid))
            time.sleep(0.05)  # each look at the process takes time from it
        seconds = time.perf_counter() - begin_s
        output.seek(0)
        error = "" if process.returncode in accepted else output.read().decode(errors="replace").strip()
    return seconds, peak_mb, error


def measure(folder: Path, title: str, n_records: int, record_bytes: int, repeats: int) -> dict[str, object]:
    """Make the sets, time all commands in turn, print a table and return the figures."""
    for name, first, n in (("whole", 0, n_records), ("half", 0, n_records // 2), ("other", n_records, n_records // 2)):
        make_set(folder / name, first, n, record_bytes)
    return measure_commands(folder, title, questions(folder), repeats)


def measure_photos(folder: Path, photos: Path, repeats: int) -> dict[str, object]:
    """Pack a folder of images, and time the checks of them."""
    whole = folder / "whole"
    pack = [*RECORDKIT, "pack", str(photos), str(whole), "--on-error", "skip"]
    subprocess.run(pack, check=True, stdout=subprocess.DEVNULL)
    commands = {name: questions(folder)[name] for name in ("cp", "cp, then sync", "verify")}
    commands["verify --decode"] = ([*RECORDKIT, "verify", f"{whole}.rec", "--decode"], "")
    n_photos = json.loads(whole.with_suffix(".json").read_text())["records"]
    return measure_commands(folder, f"{n_photos:,} images of {photos.name}", commands, repeats)


def measure_commands(
    folder: Path, title: str, commands: Mapping[str, tuple[list[str], str]], repeats: int
) -> dict[str, object]:
    """Time the commands in turn, print a table and return the figures."""
    (folder / "copy").mkdir()
    results: dict[str, list[tuple[float, float]]] = {}
    failures: dict[str, str] = {}
    for _ in range(repeats):
        for name, (command, preparation) in commands.items():
            prepare = f"rm -f {folder}/new* {folder}/copy/*; {preparation or ':'}; sync; sleep {REST_S}"
            subprocess.run(["sh", "-c", prepare], check=True)
            seconds, peak, error = run(command, accepted=(0, 1) if name == "duplicates" else (0,))  # 1: there are some
            if error:
                failures[name] = error.splitlines()[-1]
            else:
                results.setdefault(name, []).append((seconds, peak))
    n_bytes = (folder / "whole.rec").stat().st_size
    print(f"\n{title}: {n_bytes / 1e6:,.0f} MB, median of {repeats} rounds (lowest to highest)")
    return {"title": title, "bytes": n_bytes, "cases": table(results, failures, n_bytes), "failures": failures}


def table(
    results: Mapping[str, Sequence[tuple[float, float]]], failures: Mapping[str, str], n_bytes: int
) -> list[dict[str, object]]:
    """Print a line per command and return the figures."""
    cases: list[dict[str, object]] = []
    cp_s = statistics.median(seconds for seconds, _ in results["cp, then sync"])
    for name, runs in results.items():
        times = [seconds for seconds, _ in runs]
        median_s, peak = statistics.median(times), max(peak for _, peak in runs)
        # `half` and `other` have the bytes of `whole` together. Half of the records are indexed anew, and chosen.
        processed = n_bytes // 2 if name in ("reindex", "subset --every 2") else n_bytes
        rate, share = processed / median_s / 1e6, cp_s * processed / n_bytes / median_s
        spread = f"({min(times):.2f} to {max(times):.2f})"
        print(f"  {name:18} {median_s:8.2f} s {spread:20} {rate:8,.0f} MB/s {share:5.0%} of cp+sync {peak:6,.0f} MB")
        cases.append({"name": name, "seconds": times, "mb_s": rate, "share_of_cp": share, "peak_mb": peak})
    for name, error in failures.items():
        print(f"  {name:18} failed: {error}")
    return cases


def main() -> None:
    """Measure all sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the sets are made; default: a temporary folder")
    parser.add_argument("--megabytes", type=int, default=5000)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--photos", type=Path, help="a folder of images, whose checks are timed too")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    facts = []
    for title, n_records, record_bytes in (
        ("records of 110 kB", options.megabytes * 10**6 // 110_000, 110_000),
        ("records of 100 bytes", options.records, 100),
    ):
        with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
            facts.append(measure(Path(scratch), title, n_records, record_bytes, options.repeats))
    if options.photos:
        with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
            facts.append(measure_photos(Path(scratch), options.photos, options.repeats))
    write(options.json, facts)
    if any(fact["failures"] for fact in facts):
        print(json.dumps({fact["title"]: fact["failures"] for fact in facts}), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
