"""The README and the guides are true: their code runs, their commands work, the README stays short."""

import importlib.util
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Downloads, measurements and trainings have tests of their own.
SLOW = ("fetch", "train", "predict", "bench")


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.fixture
def data(tiny_mnist, tiny_folder, tmp_path, monkeypatch):
    """A working folder with mnist/, photos/ and out/ as the README has them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    for copy in range(3):  # enough images for the splits
        shutil.copytree(tiny_folder / "cat", tiny_folder / f"cat{copy}")
    return tmp_path


def test_readme_has_at_most_120_lines_and_900_words():
    assert len(README.splitlines()) <= 120
    assert len(README.split()) <= 900


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_works_in_order(page, data, cli, im2rec):
    programs = {"recordkit": cli, "im2rec": im2rec}
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    commands = [shlex.split(line[2:]) for line in lines if line[0] == "$"]
    assert len(commands) >= 8 or page.name != "README.md"
    for name, *arguments in commands:
        if name == "mkdir":
            os.makedirs(arguments[-1], exist_ok=True)
        elif arguments[0] not in SLOW:
            code, _, error = programs[name](*arguments)
            assert code == 0, error


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_block_runs(page, data, cli):
    cli("pack", "mnist", "out/mnist")
    cli("pack", "photos", "out/photos", "--val-ratio", "0.25")
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


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
        assert tables.fill_tables(path) == path.read_text(), "run benchmarks/readme_table.py"
