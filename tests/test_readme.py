"""The README is true: its code runs, its commands work, its length is bounded."""

import importlib.util
import re
import shlex
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
# Downloads, measurements and trainings have tests of their own.
SLOW = ("fetch", "train", "predict", "bench")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def data(tiny_mnist, tiny_folder, tmp_path, monkeypatch):
    """A working folder with mnist/, photos/ and out/ as the README has them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    for copy in range(3):  # enough images for the splits
        shutil.copytree(tiny_folder / "cat", tiny_folder / f"cat{copy}")
    return tmp_path


def test_readme_has_at_most_200_lines():
    assert len(README.splitlines()) <= 200


def test_every_command_in_the_readme_works_in_order(data, cli, im2rec):
    programs = {"recordkit": cli, "im2rec": im2rec}
    commands = [shlex.split(line[2:]) for block in blocks("console") for line in block.splitlines() if line[0] == "$"]
    assert len(commands) >= 8
    for name, *arguments in commands:
        if arguments[0] not in SLOW:
            code, _, error = programs[name](*arguments)
            assert code == 0, error


def test_every_python_block_in_the_readme_runs(data, cli):
    cli("pack", "mnist", "out/mnist")
    cli("pack", "photos", "out/photos", "--val-ratio", "0.25")
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})


def test_the_version_has_an_entry_in_the_changelog():
    assert f"## {version('recordkit')}" in (ROOT / "CHANGELOG.md").read_text()


def test_folders_named_in_the_readme_exist():
    table = README.split("## Where things are")[1]
    for name in re.findall(r"`((?:recordkit|tests|bin)/[\w/.]*)`", table):
        assert (ROOT / name).exists(), name


def test_tables_are_as_measured():
    folder = ROOT / "benchmarks"
    spec = importlib.util.spec_from_file_location("readme_table", folder / "readme_table.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    for path in tables.TABLES:
        assert tables.filled(path) == path.read_text(), "run benchmarks/readme_table.py"
