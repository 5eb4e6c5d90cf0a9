"""Programs that use recordkit pass type checkers; `bin/lint` runs mypy on `public_api.py`, and this test pyright."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import recordkit as rk

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("public_api.py")


def test_pyright_finds_nothing():
    if importlib.util.find_spec("basedpyright") is None:
        pytest.skip("basedpyright is not installed: pip install -e '.[dev]'")
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    result = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300).stdout)
    problems = [
        f"line {each['range']['start']['line'] + 1}: {each['message']}" for each in result["generalDiagnostics"]
    ]
    assert not problems and result["summary"]["filesAnalyzed"] == 1


def test_the_program_uses_every_public_name():
    text = PROGRAM.read_text()
    assert [name for name in rk.__all__ if f"rk.{name}" not in text] == ["__version__"]
    assert len(text.splitlines()) <= 100
