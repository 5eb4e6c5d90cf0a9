"""How long does it take to read records? In order, at random, and many at once.

`extra_info` has the number of records in a round.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import recordkit as rk
from recordkit.interop import mxnet
from recordkit.recordio import MXIndexedRecordIO, MXRecordIO

N = 4096


def _peers() -> dict[str, tuple[Any, Any]]:
    peers: dict[str, tuple[Any, Any]] = {"recordkit": (MXRecordIO, MXIndexedRecordIO)}
    if mxnet.describe()[0].ok:
        recordio = mxnet.load().recordio
        peers["mxnet"] = recordio.MXRecordIO, recordio.MXIndexedRecordIO
    return peers


@pytest.fixture(params=["recordkit", "mxnet"])
def classes(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    peers = _peers()
    if request.param not in peers:
        pytest.skip("mxnet is not installed; pip install 'recordkit[mxnet]'")
    return peers[request.param]


def test_in_order(benchmark: BenchmarkFixture, records: Path, classes: tuple[Any, Any]) -> None:
    def read() -> None:
        file = classes[0](str(records), "r")
        for _ in range(N):
            file.read()
        file.close()

    benchmark.extra_info["records"] = N
    benchmark(read)


def test_one_by_one_at_random(benchmark: BenchmarkFixture, records: Path, classes: tuple[Any, Any]) -> None:
    file = classes[1](str(records.with_suffix(".idx")), str(records), "r")
    keys = np.random.default_rng(0).integers(0, len(file.keys), N).tolist()

    def read() -> None:
        for key in keys:
            file.read_idx(key)

    benchmark.extra_info["records"] = N
    benchmark(read)
    file.close()


def test_many_at_once(benchmark: BenchmarkFixture, photos: Path) -> None:
    with rk.RecordDataset(photos) as dataset:
        indices = np.random.default_rng(0).integers(0, len(dataset), 64).tolist()
        benchmark.extra_info["records"] = len(indices)
        benchmark(lambda: dataset[indices])
