"""Works once, then a number of times, and prints the calls and the processor time per image, as JSON.

Usage: LD_PRELOAD=LIBRARY python benchmarks/_threads.py CASE FOLDER THREADS REPEATS

LIBRARY is `count_calls.cpp`, compiled, and FOLDER has the data of `make_data`. `compare_threads.py` runs this program.
"""

from __future__ import annotations

import ctypes
import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from data import digits, photo, write_images

import recordkit as rk
from recordkit import codec, native
from recordkit.sources import ListSource


class Compiled:
    """A function or an object of the core, with the processor time of all calls.

    Parameters
    ----------
    target : callable, or BatchLoader
    """

    lock = threading.Lock()
    cpu_s = 0.0

    def __init__(self, target: Any) -> None:
        self._target = target

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function, or the object of the core that a block of images is given to."""
        begin_s = time.thread_time()
        result = self._target(*arguments, **options)
        with Compiled.lock:
            Compiled.cpu_s += time.thread_time() - begin_s
        return result

    def load(self, *arguments: Any) -> Any:
        """See `BatchLoader` in recordkit/native/_core.pyi."""
        return Compiled(self._target.load)(*arguments)


def time_core() -> None:
    """Replace the parts of the core that work without the GIL by those that add up their time."""
    core = native.load()
    for name in ("read_files", "frame_records"):
        setattr(core, name, Compiled(getattr(core, name)))
    for name in ("BatchLoader", "Transcoder"):
        setattr(core, name, partial(_make, getattr(core, name)))


def _make(kind: Callable[..., Any], **options: Any) -> Compiled:
    return Compiled(kind(**options))


def make_data(folder: Path, n: int) -> None:
    """Make the files that the cases read."""
    sources = folder / "sources"
    sources.mkdir()
    for number in range(20):
        (sources / f"{number}.jpg").write_bytes(codec.encode(photo(number, 375, 500), "jpg", quality=92))
    (sources / "list.lst").write_text("".join(f"{key}\t0\t{key % 20}.jpg\n" for key in range(n)))
    photos = [codec.encode(photo(number), "jpg", quality=92) for number in range(20)]
    write_images(folder / "photos", [photos[number % 20] for number in range(n)])
    write_images(folder / "digits", [codec.encode(image[:, :, None], "png") for image in digits(20 * n)])


def load_photos(folder: Path, threads: int) -> Iterator[int]:
    """Load an epoch with each step, and yield the number of images."""
    steps = [rk.RandomCrop(224), rk.RandomFlip(), rk.Normalize((124, 116, 104), (58, 57, 57))]
    with rk.Loader(
        folder / "photos", batch_size=64, transforms=steps, layout="NCHW", shuffle=True, threads=threads
    ) as loader:
        while True:
            yield sum(batch.n_valid for batch in loader)


def load_digits(folder: Path, threads: int) -> Iterator[int]:
    """Load an epoch with each step, and yield the number of images."""
    steps = [rk.Normalize(128, 64)]
    with rk.Loader(
        folder / "digits", batch_size=64, transforms=steps, channels=1, shuffle=True, threads=threads
    ) as loader:
        while True:
            yield sum(batch.n_valid for batch in loader)


def pack_photos(folder: Path, threads: int) -> Iterator[int]:
    """Pack the photos with each step, and yield their number."""
    plan = rk.PackPlan(resize=256, quality=95, threads=threads)
    source = ListSource(folder / "sources" / "list.lst", folder / "sources")
    while True:
        yield sum(report.n_packed for report in rk.pack(source, folder / "packed", plan=plan).sets)


CASES = {
    "Loader, photos": load_photos,
    "Loader, digits": load_digits,
    "pack --resize 256": pack_photos,
}


def count(case: str, folder: Path, threads: int, repeats: int) -> dict[str, float]:
    """Work once, then a number of times; return the counts of the latter per image."""
    calls = (ctypes.c_uint64 * 3)()
    library = ctypes.CDLL(None)

    def totals() -> Any:
        library.recordkit_counts(calls)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = time.process_time(), time.thread_time(), Compiled.cpu_s
        return np.array([*calls, usage.ru_minflt, usage.ru_nvcsw, *cpu_s], np.float64)

    names = ("allocations", "large", "locks", "faults", "switches", "cpu_s", "main_s", "compiled_s")
    time_core()
    work = CASES[case](folder, threads)
    next(work)
    before = totals()
    n = sum(next(work) for _ in range(repeats))
    per_image = ((totals() - before) / n).tolist()
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return dict(zip(names, per_image, strict=True)) | {"n": n, "rss_mb": rss_mb}


if __name__ == "__main__":
    print(json.dumps(count(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
