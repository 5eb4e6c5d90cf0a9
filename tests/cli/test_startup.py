"""Tests of recordkit.cli.startup."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recordkit.cli.startup import as_program, import_module

AT_END = "import atexit, gc, os, sys; atexit.register(lambda: print({report}, file=sys.stderr)); "
PROGRAMS = {
    "recordkit": "sys.argv[1:] = ['info', '--help']; from recordkit.__main__ import main; main()",
    "im2rec": "sys.argv[1:] = ['--help']; from recordkit.cli.im2rec.main import main; main()",
}


def at_end(code, report, **environment):
    """Run code in a process of its own, and return a report of its end."""
    variables = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"} | environment
    command = [sys.executable, "-c", AT_END.format(report=report) + code]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=variables).stderr.strip()


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the system does not list the threads of a process")
def test_numpy_starts_no_threads_for_a_program_that_multiplies_no_matrices(program):
    assert at_end(PROGRAMS[program], "'numpy' in sys.modules, len(os.listdir('/proc/self/task'))") == "True 1"


@pytest.mark.parametrize("multiplies", [False, True])
def test_the_setting_of_numpy_does_not_stay_in_the_environment(multiplies):
    code = "from recordkit.cli.startup import as_program, import_module\n"
    code += f"with as_program(): import_module('recordkit.cli.commands.info', multiplies={multiplies})"
    report = "os.environ.get('OPENBLAS_NUM_THREADS')"
    assert at_end(code, report) == "None"
    assert at_end(code, report, OPENBLAS_NUM_THREADS="2") == "2"


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_collector_of_a_program_leaves_the_modules_out_and_goes_on(program):
    assert at_end(PROGRAMS[program], "gc.isenabled(), gc.get_freeze_count() > 10_000") == "True True"


def test_a_command_in_the_process_of_a_caller_leaves_its_collector_and_its_numpy_alone():
    code = """
from click.testing import CliRunner
from recordkit.cli import startup
from recordkit.cli.main import recordkit
startup._one_blas_thread = None  # a call of it fails
before = gc.get_freeze_count(), gc.isenabled(), dict(os.environ)
assert CliRunner().invoke(recordkit, ["verify", "--help"], catch_exceptions=False).exit_code == 0
"""
    assert at_end(code, "before == (gc.get_freeze_count(), gc.isenabled(), dict(os.environ))") == "True"


def test_a_module_that_is_loaded_is_returned_and_nothing_is_frozen():
    n_frozen = gc.get_freeze_count()
    with as_program():
        assert import_module("json", multiplies=False) is sys.modules["json"]
    assert gc.get_freeze_count() == n_frozen
