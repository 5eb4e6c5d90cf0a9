"""Each promise in docs/safety.md names the tests that hold it, and these tests exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/safety.md").read_text()
TEST_ID = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
PROMISES = [line for line in PAGE.splitlines() if re.match(r"\| [^-]", line) and not line.startswith("| promise |")]


@cache
def functions_of(path):
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("line", PROMISES, ids=lambda line: " ".join(line.split("|")[1].split()[:8]))
def test_a_promise_names_tests_that_exist(line):
    named = TEST_ID.findall(line)
    assert named, "a promise without a test"
    for path, function in named:
        assert (ROOT / path).is_file(), path
        assert not function or function in functions_of(path), (path, function)


def test_the_page_has_promises():
    assert len(PROMISES) > 20
