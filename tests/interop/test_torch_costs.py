"""The program that measures functions among transforms runs, and its results have the columns of the table."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "compare_functions.py"


@pytest.mark.slow
def test_functions_among_transforms_are_timed(tmp_path):
    pytest.importorskip("torch")
    target = tmp_path / "functions.json"
    command = [sys.executable, str(PROGRAM), "--images", "4", "--repeats", "1", "--json", str(target)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (facts,) = json.loads(target.read_text())["results"]
    assert len(facts["rows"]) >= 4
    assert all(row["steps"] and row["cpu_us"] > 0 for row in facts["rows"])
