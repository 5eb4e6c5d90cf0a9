"""More shards than a process may have open: the soft limit is raised, and the hard one is one clear error."""

import subprocess
import sys

import numpy as np
import pytest

import recordkit as rk
from recordkit.codec import encode

resource = pytest.importorskip("resource")

READ = """
import resource, sys
import recordkit as rk
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]), int(sys.argv[3])))
try:
    with rk.RecordDataset(sys.argv[1]) as dataset:
        print(len(dataset), rk.RecordDataset(sys.argv[1])[-1].key)
except rk.errors.PlanError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("hard", "end"),
    [(4096, "130 129\n"), (128, "got 128; let root raise that of this shell with 'prlimit --pid $$ --nofile=")],
)
def test_the_soft_limit_is_raised_up_to_the_hard_one(tmp_path, hard, end):
    (tmp_path / "images").mkdir()
    for key in range(130):
        (tmp_path / "images" / f"{key:03d}_{key % 2}.png").write_bytes(encode(np.zeros((1, 1, 1), np.uint8), "png"))
    rk.pack(tmp_path / "images", tmp_path / "a", plan=rk.PackPlan(shards=130, shuffle=False))
    command = [sys.executable, "-c", READ, str(tmp_path / "a"), "100", str(hard)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert end in output and output.count("\n") == 1
