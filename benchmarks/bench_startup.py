"""How long does a start take? Python alone, an import, and small commands, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import recordkit as rk
from recordkit.codec import encode

PROGRAMS = {
    "python": ["-c", "pass"],
    "numpy": ["-c", "import numpy"],
    "recordkit": ["-c", "import recordkit"],
    "recordio": ["-c", "from recordkit import recordio"],
    "Loader": ["-c", "from recordkit import Loader"],
    "help": ["-m", "recordkit", "--help"],
    "info": ["-m", "recordkit", "info", "set.rec"],
    "head": ["-m", "recordkit", "head", "set.rec"],
    "pack": ["-m", "recordkit", "pack", "photos", "out"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of one image, and the set that is packed from it."""
    folder = tmp_path_factory.mktemp("startup")
    (folder / "photos" / "cat").mkdir(parents=True)
    (folder / "photos" / "cat" / "1.jpg").write_bytes(encode(np.zeros((256, 256, 3), np.uint8), "jpg"))
    rk.pack(folder / "photos", folder / "set")
    return folder


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_start(benchmark: BenchmarkFixture, folder: Path, name: str) -> None:
    command = [sys.executable, *PROGRAMS[name]]
    # An installed program has its bytecode.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def run() -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment)

    run()  # writes the bytecode
    benchmark(run)
