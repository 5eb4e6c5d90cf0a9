"""Damage to every file of a set, and the answers of every reader: ``python tests/dataset/corruptions.py 5000``.

A case damages one file of a set in one place. A child process then calls every reader. The answers are counted: the
same data as before, an error of recordkit or of the system, other data without an error ("wrong"), an exception of
another type, a signal, and no answer within a minute. With ``check=True`` there must be no wrong data.
"""

from __future__ import annotations

import gzip
import inspect as signatures
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

import recordkit as rk
from recordkit.codec import encode
from recordkit.errors import RecordkitError
from recordkit.formats import ubyte
from recordkit.recordio import MXIndexedRecordIO, MXRecordIO
from recordkit.sources import ListSource
from recordkit.upkeep import head, inspect, reindex, verify

N = 24
TIMEOUT_S = 60
SUFFIXES = (".rec", ".idx", ".lst", ".json", ".labels.npy", ".crc")
SOURCES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz")
HAS_CHECK = "check" in signatures.signature(rk.RecordDataset).parameters


def make_set(folder: Path) -> None:
    """Write two sets of 24 images of all encodings, with float and with exact labels, and MNIST's files."""
    rows = []
    for key in range(100, 100 + N):
        pixels = np.random.default_rng(key).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        encoding = ("raw", "png", "jpg")[key % 3]
        (folder / f"{key}.img").write_bytes(encode(pixels, encoding))
        rows.append(f"{key}\t{key * 7}\t{key}.img\n")
    (folder / "in.list").write_text("".join(rows))
    (folder / "in.list").rename(folder / "source.lst")
    for name, exact in (("float", False), ("exact", True)):
        plan = rk.PackPlan(exact_labels=exact, any_file=True)
        rk.pack(ListSource(folder / "source.lst", folder), folder / name, plan=plan)
    for path in folder.glob("*.img"):
        path.unlink()
    images = np.random.default_rng(0).integers(0, 256, (N, 8, 8), dtype=np.uint8)
    (folder / SOURCES[0]).write_bytes(ubyte.pack(images))
    (folder / SOURCES[1]).write_bytes(gzip.compress(ubyte.pack(np.arange(N, dtype=np.uint8)), mtime=0))


def bit_flip(content: bytearray, rng: random.Random) -> None:
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def byte_set(content: bytearray, rng: random.Random) -> None:
    content[rng.randrange(len(content))] = rng.randrange(256)


def zeroed(content: bytearray, rng: random.Random) -> None:
    begin = rng.randrange(len(content))
    end = min(len(content), begin + rng.choice((4, 64, 1000)))
    content[begin:end] = bytes(end - begin)


def truncated(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def inserted(content: bytearray, rng: random.Random) -> None:
    begin = rng.randrange(len(content))
    content[begin:begin] = rng.randbytes(rng.choice((1, 4, 100)))


def duplicated(content: bytearray, rng: random.Random) -> None:
    begin, length = rng.randrange(len(content)), rng.choice((4, 40, 400))
    place = rng.randrange(len(content))
    block = content[begin : begin + length]
    if rng.random() < 0.5:
        content[place : place + len(block)] = block
    else:
        content[place:place] = block


MUTATIONS = (bit_flip, byte_set, zeroed, truncated, inserted, duplicated)


def damage(folder: Path, number: int) -> tuple[str, str]:
    """Damage one file; return the kind of file and of damage. They depend on the number of the case only."""
    rng = random.Random(number)
    kinds = [suffix for suffix in SUFFIXES if (folder / f"exact{suffix}").exists()]
    # Half of the cases damage the records.
    kind = ".rec" if rng.random() < 0.4 else rng.choice([*kinds, *SOURCES])
    path = folder / kind
    if kind in kinds:
        path = folder / f"{rng.choice(('exact',) if kind == '.labels.npy' else ('exact', 'float'))}{kind}"
    mutation = rng.choice(MUTATIONS)
    before = path.read_bytes()
    while True:
        content = bytearray(before)
        mutation(content, rng)
        if bytes(content) != before:
            path.write_bytes(content)
            return kind.rpartition("-")[2] if kind in SOURCES else kind, mutation.__name__


def read_dataset(prefix: Path, **options: object) -> object:
    with rk.RecordDataset(prefix, **options) as dataset:
        samples = [(sample.key, np.asarray(sample.label).tolist(), bytes(sample.payload)) for sample in dataset]
        return samples, dataset.keys.tolist(), dataset.labels.tolist()


def load(prefix: Path, engine: str, **options: object) -> object:
    with rk.Loader(prefix, batch_size=7, engine=engine, threads=1, **options) as loader:
        return [(batch.key.tolist(), batch.label.tolist(), batch.data.tobytes()) for batch in loader]


def read_records(prefix: Path) -> object:
    with MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "r") as reader:
        by_key = [reader.read_idx(key) for key in reader.keys]
    with MXRecordIO(f"{prefix}.rec", "r") as reader:
        return by_key, list(iter(reader.read, None))


def pack_again(folder: Path) -> object:
    rk.pack(rk.open_source(folder, label_from=None), folder / "again", plan=rk.PackPlan(encoding="raw", threads=1))
    return sorted((path.name, path.read_bytes()) for path in folder.glob("again*.rec"))


def readers(prefix: Path) -> dict[str, object]:
    """Return the functions that read a set, by name; `reindex` last, because it writes."""
    checks = {"": {}, " check": {"check": True}} if HAS_CHECK else {"": {}}
    calls: dict[str, object] = {}
    for name, options in checks.items():
        calls[f"RecordDataset{name}"] = lambda options=options: read_dataset(prefix, **options)
        for engine in ("native", "python"):
            calls[f"Loader {engine}{name}"] = lambda engine=engine, options=options: load(prefix, engine, **options)
    calls["Loader skip"] = lambda: bool(load(prefix, "native", on_error="skip"))
    calls["info"] = lambda: inspect(prefix) and None
    calls["head"] = lambda: list(head(prefix)) and None
    calls["verify"] = lambda: verify(prefix, decode=True, threads=1) and None
    calls["recordio"] = lambda: read_records(prefix)
    calls["reindex"] = lambda: reindex(prefix) and None
    return calls


def answers(folder: Path, prefixes: tuple[str, ...] = ("exact", "float"), *, source: bool = True) -> dict[str, object]:
    """Return what each reader says: ("data", value), ("error", text) or ("exception", text)."""
    calls = {f"{name} {prefix}": call for prefix in prefixes for name, call in readers(folder / prefix).items()}
    if source:
        calls["pack"] = lambda: pack_again(folder)
    results: dict[str, object] = {}
    for name, call in calls.items():
        try:
            results[name] = ("data", call())
        except (RecordkitError, OSError) as error:
            results[name] = ("error", str(error))
        except Exception as error:  # noqa: BLE001 (what is counted)
            results[name] = ("exception", f"{type(error).__name__}: {error}")
    return results


def work(connection: object, good: Path) -> None:
    """Answer numbers of cases until there are no more."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "set")
        shutil.copytree(good, folder)
        want = answers(folder)
        while (number := connection.recv()) is not None:
            shutil.rmtree(folder)
            shutil.copytree(good, folder)
            kind, mutation = damage(folder, number)
            outcomes = {}
            for reader, (outcome, value) in answers(folder).items():
                if outcome == "data":
                    outcome = "same" if value == want[reader][1] else "wrong"
                text = f"case {number}: {kind} {mutation}: {value}" if outcome == "exception" else f"case {number}"
                outcomes[reader] = (outcome, text)
            connection.send((kind, mutation, outcomes))


class Worker:
    """A child process, which is started again after a signal or without an answer."""

    def __init__(self, good: Path) -> None:
        self._good = good
        self._process = None

    def run(self, number: int) -> object:
        context = multiprocessing.get_context("spawn")
        if self._process is None:
            self._connection, child = context.Pipe()
            self._process = context.Process(target=work, args=(child, self._good), daemon=True)
            self._process.start()
            child.close()
        self._connection.send(number)
        try:
            if self._connection.poll(TIMEOUT_S):
                return self._connection.recv()
            self._process.kill()
            outcome = "hang"
        except EOFError:
            self._process.join()
            outcome = f"signal or exit {self._process.exitcode}"
        self._process = None
        return outcome

    def close(self) -> None:
        if self._process is not None:
            self._connection.send(None)
            self._process.join()


def run(numbers: range) -> tuple[Counter, list[str]]:
    """Run cases; return the number of each (kind, reader, outcome), and a line for each that must not happen."""
    counts: Counter = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        good = Path(name, "good")
        good.mkdir()
        make_set(good)
        worker = Worker(good)
        for number in numbers:
            result = worker.run(number)
            if isinstance(result, str):
                counts["?", "all", result.split()[0]] += 1
                faults.append(f"case {number}: {result}")
                continue
            kind, _, outcomes = result
            for reader, (outcome, text) in outcomes.items():
                reader_name = reader.rpartition(" ")[0] or reader
                counts[kind, reader_name, outcome] += 1
                if outcome == "exception" or (outcome == "wrong" and " check" in reader):
                    faults.append(f"{reader}: {outcome}: {text}")
        worker.close()
    return counts, faults


def table(counts: Counter) -> str:
    """Return the counts by reader and outcome, and of wrong data by kind of file."""
    outcomes = ("same", "error", "wrong", "exception", "hang", "signal")
    lines = [" ".join([f"{'reader':<24}", *(f"{outcome:>9}" for outcome in outcomes), "  wrong by file"])]
    for reader in dict.fromkeys(reader for _, reader, _ in counts):
        sums = [sum(n for (_, name, got), n in counts.items() if (name, got) == (reader, out)) for out in outcomes]
        wrong = {kind: n for (kind, name, got), n in sorted(counts.items()) if (name, got) == (reader, "wrong")}
        lines.append(" ".join([f"{reader:<24}", *(f"{n:>9}" for n in sums), " ", json.dumps(wrong) if wrong else ""]))
    return "\n".join(lines)


if __name__ == "__main__":
    first, n = (int(word) for word in (sys.argv[2:3] or ["0"]) + sys.argv[1:2])
    counted, found = run(range(first, first + n))
    print(table(counted))
    print(f"{n} cases, {len(found)} faults", *found[:40], sep="\n")
    sys.exit(bool(found))
