"""Every transform, order and `on_error` of the loader is timed in both engines, to show what each costs.

Usage: python benchmarks/compare_loader_options.py [--threads N] [--repeats N] [--memory N]

Method: median rate of several epochs over 400 generated JPEGs of 304 x 256 pixels, uint8, in batches of 64. The last
column names the tests of the option. --memory loads N tiny records instead, and prints the time to the first batch and
the memory.

It does not show photos, which take longer to decode; see compare_loading.py.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from data import write_images

import recordkit as rk
from recordkit import codec
from recordkit import transforms as t
from recordkit.sampling.order import Pages, Sequential, Shuffled, Weighted

CROP = rk.CenterCrop(224)
TRANSFORMS = {
    "CenterCrop": ([CROP], "crop"),
    "RandomCrop": ([rk.RandomCrop(224)], "crop"),
    "RandomResizedCrop": ([rk.RandomResizedCrop(224)], "crop"),
    "RandomSizeCrop": ([t.RandomSizeCrop(224, 100, 250)], "crop"),
    "Resize, antialias": ([rk.Resize(230), CROP], "resize"),
    "Resize, bilinear": ([rk.Resize(230, "bilinear"), CROP], "resize"),
    "Pad": ([t.Pad(4), CROP], "pad"),
    "Flip": ([CROP, t.Flip()], "flip"),
    "RandomFlip": ([CROP, rk.RandomFlip()], "flip"),
    "RandomAffine": ([t.RandomAffine(10, 0.1, (0.9, 1.1)), CROP], "affine"),
    "RandomRotation": ([CROP, t.RandomRotation(10)], "affine"),
    "RandomShear": ([CROP, t.RandomShear(0.1)], "affine"),
    "RandomScale": ([t.RandomScale(0.9, 1.1), CROP], "affine"),
    "RandomAspect": ([t.RandomAspect(0.9, 1.1), CROP], "affine"),
    "RandomBrightness": ([CROP, t.RandomBrightness(0.4)], "color"),
    "RandomContrast": ([CROP, t.RandomContrast(0.4)], "color"),
    "RandomSaturation": ([CROP, t.RandomSaturation(0.4)], "color"),
    "RandomHue": ([CROP, t.RandomHue(0.1)], "color"),
    "RandomHSL": ([CROP, t.RandomHSL(20, 20, 20)], "color"),
    "RandomLighting": ([CROP, t.RandomLighting(0.1)], "color"),
    "RandomGray": ([CROP, t.RandomGray(0.2)], "color"),
    "Cutout": ([CROP, t.Cutout(50)], "cutout"),
}


def photos(n: int) -> list[bytes]:
    """Return JPEGs with some detail; ten images repeat."""
    rng = np.random.default_rng(0)
    payloads = []
    for _ in range(10):
        coarse = rng.integers(0, 256, (32, 38, 3), np.uint8)
        image = np.kron(coarse, np.ones((8, 8, 1), np.uint8)) // 2 + rng.integers(0, 100, (256, 304, 3), np.uint8)
        payloads.append(codec.encode(image.astype(np.uint8), "jpg"))
    return [payloads[number % 10] for number in range(n)]


def rate(path: Path, engine: str, repeats: int, **options: Any) -> float:
    """Return the median of the images per second over several epochs; a first epoch does not count."""
    with rk.Loader(path, batch_size=64, engine=engine, **options) as loader:
        rates = []
        for _ in range(repeats + 1):
            begin_s = time.perf_counter()
            n = sum(batch.n_valid for batch in loader)
            rates.append(n / (time.perf_counter() - begin_s))
    return statistics.median(rates[1:])


def compare_options(scratch: Path, threads: int, repeats: int) -> None:
    """Measure and print all options."""
    path = write_images(scratch / "a", photos(400))
    orders = {
        "Sequential": Sequential(400),
        "Shuffled": Shuffled(400),
        "Pages": Pages(400, page=16, window=8),
        "Weighted": Weighted(np.arange(1, 401)),
        "Weighted.balanced": Weighted.balanced(np.arange(400) % 7),
    }
    rows: list[tuple[str, dict[str, Any], str]] = [
        (name, {"transforms": chain}, f"tests/transforms/test_{module}.py")
        for name, (chain, module) in TRANSFORMS.items()
    ]
    normalize = {"transforms": [CROP, rk.Normalize(120, 60)], "dtype": "float32", "layout": "NCHW"}
    rows.append(("Normalize", normalize, "tests/transforms/test_normalize.py"))
    rows += [
        (name, {"transforms": [CROP], "shuffle": order}, "tests/sampling/test_order.py")
        for name, order in orders.items()
    ]
    rows += [
        (f"on_error={name}", {"transforms": [CROP], "on_error": name}, "tests/loading/test_loader.py")
        for name in ("raise", "skip", "replace")
    ]
    print(f"{'option':22}{'native img/s':>14}{'python img/s':>14}  tests")
    for name, loader_options, tests in rows:
        native, python = (
            rate(path, engine, repeats, threads=threads, **loader_options) for engine in ("native", "python")
        )
        print(f"{name:22}{native:14,.0f}{python:14,.0f}  {tests}", flush=True)


def measure_memory(scratch: Path, n: int, threads: int) -> None:
    """Load tiny records and print time and memory."""
    payload = codec.encode(np.zeros((8, 8, 1), np.uint8), "raw")
    path = write_images(scratch / "tiny", [payload] * n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    begin_s = time.perf_counter()
    loader = rk.Loader(path, batch_size=64, shuffle=True, threads=threads, channels=1)
    opened_s = time.perf_counter() - begin_s
    batches = iter(loader)
    next(batches)
    first_s = time.perf_counter() - begin_s
    n_seen = 64 + sum(batch.n_valid for batch in batches)
    whole_s = time.perf_counter() - begin_s
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"{n_seen:,} records: open {opened_s:.3f} s, first batch {first_s:.3f} s, epoch {whole_s:.2f} s")
    print(f"peak memory {after:.0f} MB, {before:.0f} MB before the load; pages of the mapped file that were read count")


def main() -> None:
    """Run one of the two measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if options.memory:
            measure_memory(Path(scratch), options.memory, options.threads)
        else:
            compare_options(Path(scratch), options.threads, options.repeats)


if __name__ == "__main__":
    main()
