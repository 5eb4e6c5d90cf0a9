"""Tests of recordkit.cli.startup."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recordkit.cli.startup import import_module

COMMAND = "recordkit.cli.commands.info"


def run(code, **environment):
    """Run code after the import of a command in a process of its own, and return its output."""
    variables = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    code = f"import gc, os; from recordkit.cli.startup import import_module; {code}"
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=variables | environment
    ).stdout.strip()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the system does not list the threads of a process")
def test_numpy_starts_no_threads_for_a_command_that_multiplies_no_matrices():
    code = f"import_module({COMMAND!r}, multiplies=False); print(len(os.listdir('/proc/self/task')))"
    assert run(code) == "1"


@pytest.mark.parametrize("multiplies", [False, True])
def test_the_setting_of_numpy_does_not_stay_in_the_environment(multiplies):
    code = f"import_module({COMMAND!r}, multiplies={multiplies}); print(os.environ.get('OPENBLAS_NUM_THREADS'))"
    assert run(code) == "None"
    assert run(code, OPENBLAS_NUM_THREADS="2") == "2"


def test_the_collector_leaves_the_modules_out_and_goes_on():
    code = f"import_module({COMMAND!r}, multiplies=False); print(gc.isenabled(), gc.get_freeze_count() > 10_000)"
    assert run(code) == "True True"


def test_a_module_that_is_loaded_is_returned_and_nothing_is_frozen():
    n_frozen = gc.get_freeze_count()
    assert import_module("json", multiplies=False) is sys.modules["json"]
    assert gc.get_freeze_count() == n_frozen
