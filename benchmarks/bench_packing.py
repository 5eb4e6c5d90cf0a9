"""How long does it take to pack 32 images? In each encoding, on one thread."""

from pathlib import Path
from typing import Any

import data
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import recordkit as rk
from recordkit import codec
from recordkit.sources import ListSource

N = 32


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ListSource:
    folder = tmp_path_factory.mktemp("images")
    for number in range(N):
        (folder / f"{number}.jpg").write_bytes(codec.encode(data.photo(number), "jpg", quality=92))
    path = folder / "list.lst"
    path.write_text("".join(f"{number}\t{number % 10}\t{number}.jpg\n" for number in range(N)))
    return ListSource(path, folder)


@pytest.mark.parametrize(
    "options",
    [{}, {"resize": 224}, {"resize": 224, "encoding": "raw"}, {"resize": 224, "encoding": "png"}],
    ids=["copy", "jpg", "raw", "png"],
)
def test_pack(
    benchmark: BenchmarkFixture, source: ListSource, tmp_path: Path, engine: str, options: dict[str, Any]
) -> None:
    benchmark.extra_info["images"] = N
    plan = rk.PackPlan(**options, threads=1)
    assert benchmark(lambda: rk.pack(source, tmp_path / "a", plan=plan, engine=engine)).ok
