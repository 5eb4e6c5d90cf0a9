"""How long does the order of an epoch take? 64 batches of 64 indices out of a million samples, in each order."""

from collections.abc import Callable

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from recordkit.sampling.order import Order, Pages, Sequential, Shuffled, Weighted
from recordkit.sampling.sampler import Sampler

N = 1_000_000
ORDERS: dict[str, Callable[[], Order]] = {
    "sequential": lambda: Sequential(N),
    "shuffled": lambda: Shuffled(N, 0),
    "pages": lambda: Pages(N, 0, page=256),
    "weighted": lambda: Weighted(np.ones(N), seed=0),
}


@pytest.mark.parametrize("name", list(ORDERS))
def test_batches(benchmark: BenchmarkFixture, name: str) -> None:
    sampler = Sampler(order=ORDERS[name](), batch_size=64, rank=0, n_ranks=1, last_batch="keep")
    benchmark.extra_info["indices"] = 64 * 64
    benchmark(lambda: sampler.batches(0, 0, 64))
