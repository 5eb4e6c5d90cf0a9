"""The files for contributors are true: hooks, versions, and the paths that they name."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
LINTERS = ("ruff", "mypy", "lint-imports", "clang-format")


def test_the_hook_and_bin_test_run_the_same_linters():
    hooks = re.findall(r"entry: (.*)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks == ["bin/lint"]
    tests = (ROOT / "bin/test").read_text()
    assert re.search(r"^ *bin/lint\b(?!-)", tests, re.MULTILINE)
    lint = (ROOT / "bin/lint").read_text()
    for linter in LINTERS:
        assert f'"$tools/{linter}" ' in lint
        assert f"/{linter} " not in tests, f"bin/test runs {linter} itself"
