"""The files for contributors are true: hooks, versions, commands, and the paths that they name."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

import recordkit
from recordkit.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
LINTERS = ("ruff", "mypy", "lint-imports", "clang-format")


def test_the_hook_and_bin_test_run_the_same_linters():
    hooks = re.findall(r"entry: (.*)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks == ["bin/lint"]
    tests = (ROOT / "bin/test").read_text()
    assert re.search(r"^ *step lint bin/lint\b(?!-)", tests, re.MULTILINE)
    lint = (ROOT / "bin/lint").read_text()
    for linter in LINTERS:
        assert f'"$tools/{linter}" ' in lint
        assert f"/{linter} " not in tests, f"bin/test runs {linter} itself"


def test_the_changelog_begins_with_this_version_or_the_next():
    headings = re.findall(r"^## (.*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    entries = [re.fullmatch(r"(\d+\.\d+\.\d+), (unreleased|\d{4}-\d\d-\d\d)", heading) for heading in headings]
    assert entries and all(entries), headings
    versions = [entry[1] for entry in entries]
    assert all(entry[2] != "unreleased" for entry in entries[1:])
    assert all(version in successors(before) for version, before in pairwise(versions))
    unreleased = entries[0][2] == "unreleased" and versions[0] in successors(recordkit.__version__)
    assert recordkit.__version__ == (versions[1] if unreleased else versions[0])


def successors(version):
    major, minor, patch = map(int, version.split("."))
    return f"{major}.{minor}.{patch + 1}", f"{major}.{minor + 1}.0", f"{major + 1}.0.0"


def test_the_citation_has_this_version():
    assert re.findall(r"^version: (.*)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE) == [recordkit.__version__]


def test_contributing_is_short():
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 80


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", ".github/PULL_REQUEST_TEMPLATE.md"])
def test_every_path_leads_to_a_file(name):
    text = (ROOT / name).read_text()
    roots = [ROOT, ROOT / "recordkit"]
    names = {path.name for root in roots for path in root.iterdir() if path.is_dir()} - {".envs"}  # git ignores .envs/
    folders = "|".join(map(re.escape, names))
    paths = re.findall(rf"`((?:{folders})/[\w./-]*)[ `]", text) + re.findall(r"\]\(([^)]+)\)", text)
    assert paths
    assert [path for path in paths if not any((root / path).exists() for root in roots)] == []


def test_every_command_in_a_template_exists():
    text = "".join(path.read_text() for path in [ROOT / "SECURITY.md", *(ROOT / ".github").rglob("*.yml")])
    commands = re.findall(r"`recordkit (\w+)", text)
    assert "doctor" in commands and "info" in commands
    assert set(commands) <= set(COMMANDS)
