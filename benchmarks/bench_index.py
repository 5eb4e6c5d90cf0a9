"""How long does it take to open a file? With its .idx file, and without it, by a scan."""

import shutil
import warnings
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

import recordkit as rk


def test_open(benchmark: BenchmarkFixture, records: Path) -> None:
    benchmark(lambda: rk.RecordDataset(records).close())


def test_scan(benchmark: BenchmarkFixture, records: Path, tmp_path: Path) -> None:
    path = tmp_path / "alone.rec"
    shutil.copy(records, path)

    def scan() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rk.RecordDataset(path).close()

    benchmark(scan)
