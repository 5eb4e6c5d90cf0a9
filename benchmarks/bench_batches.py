"""How long does an epoch of batches of 64 take? From the open file to the arrays, on one thread."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

import recordkit as rk

MEAN, STD = (123.68, 116.28, 103.53), (58.4, 57.1, 57.4)
CHAINS = {
    "crop": [rk.RandomCrop(224), rk.RandomFlip(), rk.Normalize(MEAN, STD)],
    "resize": [rk.Resize(240), rk.RandomCrop(224), rk.RandomFlip(), rk.Normalize(MEAN, STD)],
    "resized crop": [rk.RandomResizedCrop(224), rk.RandomFlip(), rk.Normalize(MEAN, STD)],
}


def epoch(path: Path, engine: str, transforms: list[Any], **options: Any) -> Callable[[], int]:
    """Return a function that loads an epoch."""
    loader = rk.Loader(
        path, batch_size=64, shuffle=True, threads=1, engine=engine, transforms=transforms, dtype="float32",
        layout="NCHW", **options,
    )  # fmt: skip
    return lambda: sum(batch.n_valid for batch in loader)


def test_crop(benchmark: BenchmarkFixture, photos: Path, engine: str) -> None:
    assert benchmark(epoch(photos, engine, CHAINS["crop"])) == 64


def test_resize(benchmark: BenchmarkFixture, photos: Path, engine: str) -> None:
    assert benchmark(epoch(photos, engine, CHAINS["resize"])) == 64


def test_resized_crop(benchmark: BenchmarkFixture, photos: Path, engine: str) -> None:
    assert benchmark(epoch(photos, engine, CHAINS["resized crop"])) == 64


def test_digits(benchmark: BenchmarkFixture, digits: Path, engine: str) -> None:
    assert benchmark(epoch(digits, engine, [], channels=1)) == 2048
