"""Shell completion: names of commands without importing them, options, and paths."""

import os
import subprocess
import sys

import pytest

from recordkit.cli.main import COMMANDS

MAIN = {"recordkit": "recordkit", "im2rec": "recordkit.cli.im2rec.main"}


def complete(words, index, program="recordkit"):
    """Return the lines that bash would get, each a type and a value."""
    name = f"_{program.upper()}_COMPLETE"
    environment = os.environ | {name: "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(index)}
    command = [sys.executable, "-m", MAIN[program]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("words", ["recordkit", "recordkit "])
def test_every_command_is_offered(words):
    assert complete(words, 1) == [f"plain,{name}" for name in COMMANDS]


def test_a_command_and_its_options_and_paths_are_completed():
    assert complete("recordkit pl", 1) == ["plain,plot-log", "plain,plot-net"]
    assert complete("recordkit --v", 1) == ["plain,--version"]
    assert complete("recordkit pack --re", 2) == ["plain,--resize"]
    assert complete("recordkit pack --filter an", 3) == ["plain,antialias"]
    assert complete("recordkit pack pho", 2) == ["file,pho"]
    assert complete("recordkit pak --re", 2) == []
    assert complete("im2rec --qua", 1, "im2rec") == ["plain,--quality"]
    assert complete("im2rec out/a pho", 2, "im2rec") == ["file,pho"]


def test_names_of_commands_are_completed_without_importing_a_command():
    code = """
import atexit, os, sys
os.environ |= {"_RECORDKIT_COMPLETE": "bash_complete", "COMP_WORDS": "recordkit pa", "COMP_CWORD": "1"}
atexit.register(lambda: print(*{"numpy", "PIL", "tqdm", "recordkit.cli.commands"} & sys.modules.keys()))
from recordkit.cli.main import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "plain,pack\n\n"


def test_it_works_in_bash(tmp_path):
    program = tmp_path / "recordkit"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m recordkit "$@"\n')
    program.chmod(0o755)
    script = """
eval "$(_RECORDKIT_COMPLETE=bash_source recordkit)"
complete -p recordkit
COMP_WORDS=(recordkit ver) COMP_CWORD=1
_recordkit_completion recordkit
echo "${COMPREPLY[@]}"
"""
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    first, last = done.stdout.splitlines()
    assert first.endswith("-F _recordkit_completion recordkit") and last == "verify"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell):
    environment = os.environ | {"_RECORDKIT_COMPLETE": f"{shell}_source"}
    done = subprocess.run(
        [sys.executable, "-m", "recordkit"], env=environment, capture_output=True, text=True, check=True
    )
    assert f"_RECORDKIT_COMPLETE={shell}_complete" in done.stdout
