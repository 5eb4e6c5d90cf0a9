"""Count the opens that mix two sets while a process packs again and again to their prefix.

    python tests/dataset/re_packs.py [N_PACKS] [N_READERS]

Two sets of equal file sizes are packed alternately. Images, exact labels and classes tell to which of them they belong.
Readers open the prefix in a loop, each time as a dataset, by a Loader, by `inspect`, and by pickling a dataset and
unpickling it. The program prints a JSON object with the number of opens of each kind that were tried, that were mixed,
and that ended with an error, by the error's text; it ends with status 1 if an open was mixed or failed.

An error is right only for a pickled dataset whose set was replaced before it was unpickled ("refused").
"""

import collections
import json
import multiprocessing
import os
import pickle
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from recordkit import Loader, PackPlan, RecordDataset, pack
from recordkit.codec import encode
from recordkit.sources import ListSource
from recordkit.upkeep import inspect

N_IMAGES = 6
LABEL = 2**25
PLAN = PackPlan(exact_labels=True, shuffle=False, threads=1)


def write_source(folder, number):
    """Write a list of images of gray level 10 * `number` + key."""
    images = folder / f"images{number}"
    images.mkdir()
    rows = ""
    for key in range(N_IMAGES):
        (images / f"{key}.ppm").write_bytes(encode(np.full((4, 4, 3), 10 * number + key, np.uint8), "raw"))
        rows += f"{key}\t{LABEL + 64 * number + 4 * key}\t{key}.ppm\n"
    (folder / f"{number}.lst").write_text(rows)


def open_source(folder, number):
    return ListSource(folder / f"{number}.lst", folder / f"images{number}")


def set_numbers(labels, levels):
    """Return the sets to which labels and gray levels of images belong."""
    return {(int(label) - LABEL) // 64 for label in labels} | {int(level) // 10 for level in levels}


def read_dataset(prefix):
    with RecordDataset(prefix) as dataset:
        return set_numbers(dataset.labels, [sample.payload[-1] for sample in dataset])


def read_batches(prefix):
    with Loader(prefix, batch_size=4, threads=1) as loader:
        batches = list(loader)
    return set_numbers(
        np.concatenate([batch.label for batch in batches]),
        np.concatenate([batch.data[:, 0, 0, 0] for batch in batches]),
    )


def read_info(prefix):
    info = inspect(prefix)
    return set_numbers(info.labels, [])


def read_pickled(prefix):
    with RecordDataset(prefix) as dataset:
        pickled = pickle.dumps(dataset)
    with pickle.loads(pickled) as dataset:
        return set_numbers(dataset.labels, [sample.payload[-1] for sample in dataset])


KINDS = {"dataset": read_dataset, "loader": read_batches, "info": read_info, "pickle": read_pickled}


def publish(folder, n_packs, ended):
    os.fsync = lambda descriptor: None  # nobody cuts the power, and without the waits there are more packs
    for number in range(n_packs):
        pack(open_source(folder, number % 2), folder / "out", plan=PLAN)
    ended.set()


def read(folder, ended, results):
    warnings.simplefilter("error")
    counts = {kind: collections.Counter() for kind in KINDS}
    while not ended.is_set():
        for kind, read_kind in KINDS.items():
            counts[kind]["tried"] += 1
            try:
                counts[kind]["mixed"] += len(read_kind(folder / "out")) != 1
            except Exception as error:  # noqa: BLE001 (all of them are counted)
                is_refused = kind == "pickle" and "that was pickled" in str(error)
                text = str(error).replace(str(folder), "")
                counts[kind]["refused" if is_refused else f"{type(error).__name__}: {text[:80]}"] += 1
    results.put({kind: dict(counter) for kind, counter in counts.items()})


def count_opens(n_packs, n_readers):
    """Return the counts of each kind of open; see the module."""
    context = multiprocessing.get_context("spawn")
    totals = {kind: collections.Counter(tried=0, mixed=0) for kind in KINDS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in (0, 1):
            write_source(folder, number)
        pack(open_source(folder, 1), folder / "out", plan=PLAN)
        ended, results = context.Event(), context.Queue()
        processes = [context.Process(target=read, args=(folder, ended, results)) for _ in range(n_readers)]
        processes.append(context.Process(target=publish, args=(folder, n_packs, ended)))
        for process in processes:
            process.start()
        for _ in range(n_readers):
            for kind, counts in results.get().items():
                totals[kind].update(counts)
        for process in processes:
            process.join()
    return {"packs": n_packs, **{kind: dict(counter) for kind, counter in totals.items()}}


def is_good(counts):
    """Tell whether no open was mixed or failed."""
    return all(counts[kind]["mixed"] == 0 and counts[kind].keys() <= {"tried", "mixed", "refused"} for kind in KINDS)


if __name__ == "__main__":
    n_packs, n_readers = [int(argument) for argument in (*sys.argv[1:], *("10000", "2")[len(sys.argv) - 1 :])]
    counts = count_opens(n_packs, n_readers)
    print(json.dumps(counts, indent=1))
    sys.exit(not is_good(counts))
