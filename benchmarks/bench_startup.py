"""How long does a start take? Python alone, an import, and the command's help, each in a process of its own."""

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

PROGRAMS = {
    "python": ["-c", "pass"],
    "numpy": ["-c", "import numpy"],
    "recordkit": ["-c", "import recordkit"],
    "recordio": ["-c", "from recordkit import recordio"],
    "help": ["-m", "recordkit", "--help"],
}


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_start(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark(lambda: subprocess.run([sys.executable, *PROGRAMS[name]], check=True, capture_output=True))
