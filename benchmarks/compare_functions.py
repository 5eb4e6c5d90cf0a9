"""What do functions in a list of transforms cost? This compares one's own, modules of torchvision, and recordkit's.

Usage: python benchmarks/compare_functions.py [--images N] [--repeats N] [--json FILE]

Method: processor time for a sample, the median of several epochs after one that does not count, over made JPEGs of
500 x 375 pixels, in batches of 64, with one loading thread. Steps of torchvision are left out if it is missing.

It does not show several threads, of which one at a time runs pure Python.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _run import write
from data import photo, write_images
from numpy.typing import NDArray

import recordkit as rk
from recordkit import codec
from recordkit.interop.torch import Loader

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _unchanged(image: NDArray[Any]) -> NDArray[Any]:
    return image


def _as_float(image: NDArray[Any]) -> NDArray[Any]:
    return image.astype(np.float32) / 255


def steps() -> Iterable[tuple[str, list[Callable[..., Any]]]]:
    """Yield the lists of transforms with their names in the table."""
    crop: list[Any] = [rk.RandomResizedCrop(224), rk.RandomFlip()]
    yield "`RandomResizedCrop(224)`, `RandomFlip()`", crop
    yield "and `rk.Normalize(mean, std, scale=1/255)`", [*crop, rk.Normalize(MEAN, STD, scale=1 / 255)]
    yield "and a function that does nothing", [*crop, _unchanged]
    yield "and `image.astype(np.float32) / 255`", [*crop, _as_float]
    if importlib.util.find_spec("torchvision") is None:
        return
    v2 = importlib.import_module("torchvision.transforms.v2")
    to_float = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    yield "and `v2.ToDtype(torch.float32, scale=True)`, `v2.Normalize(mean, std)`", [*crop, *to_float]
    yield "and `v2.ColorJitter(0.4, 0.4, 0.4)`", [*crop, v2.ColorJitter(0.4, 0.4, 0.4)]
    of_torchvision = [v2.RandomResizedCrop(224), v2.RandomHorizontalFlip(), *to_float]
    yield "crop, flip, `ToDtype` and `Normalize`, all of torchvision", of_torchvision


def cost_us(path: Path, transforms: list[Callable[..., Any]], repeats: int) -> float:
    """Return the processor time for a sample in microseconds."""
    loader = Loader(path, batch_size=64, shuffle=True, threads=1, transforms=transforms)
    seconds = []
    for _ in range(repeats + 1):
        begin_s = time.process_time()
        n = sum(batch.n_valid for batch in loader)
        seconds.append((time.process_time() - begin_s) / n)
    return 1e6 * statistics.median(seconds[1:])


def main() -> None:
    """Measure each list, print the costs and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        payloads = [codec.encode(photo(seed, 375, 500), "jpg", quality=92) for seed in range(10)]
        path = write_images(Path(folder, "photos"), [payloads[n % 10] for n in range(arguments.images)])
        for name, transforms in steps():
            rows.append({"steps": name, "cpu_us": cost_us(path, transforms, arguments.repeats)})
            print(f"{rows[-1]['cpu_us']:8,.0f} µs  {name}", flush=True)
    write(arguments.json, [{"rows": rows}])


if __name__ == "__main__":
    main()
