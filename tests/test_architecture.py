"""What import-linter and ruff cannot see."""

import ast
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import recordkit
from recordkit import errors

PACKAGE = Path(recordkit.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"click", "cv2", "mxnet", "PIL", "pooch", "requests", "tensorflow", "torch", "tqdm"}


def loaded_by(statement):
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_has_a_docstring_and_at_most_500_lines(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= 500


@pytest.mark.parametrize("statement", ["import recordkit", "from recordkit import recordio", "import recordkit.upkeep"])
def test_importing_loads_no_framework_and_no_image_library(statement):
    assert not loaded_by(statement) & HEAVY


def test_help_loads_nothing_but_click_and_numpy():
    assert not loaded_by("import recordkit.cli.main") & (HEAVY - {"click"})


def test_public_names_are_few_sorted_and_documented():
    assert recordkit.__all__ == sorted(recordkit.__all__)
    assert len(recordkit.__all__) <= 25
    for name in recordkit.__all__:
        assert inspect.getdoc(getattr(recordkit, name)), name


def test_public_names_are_all_there_is():
    submodules = {path.stem for path in PACKAGE.iterdir()}
    public = {name for name in vars(recordkit) if not name.startswith("_")}
    assert public - submodules <= set(recordkit.__all__)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_survives_pickling(name):
    error = getattr(errors, name)("what went wrong")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)


def test_every_package_is_covered_by_an_import_contract():
    config = (ROOT / "setup.cfg").read_text()
    assert "exhaustive = True" in config
    assert "ignore_imports" not in config


def test_no_module_is_called_by_a_name_that_says_nothing():
    assert not {path.stem for path in MODULES} & {"utils", "util", "common", "helpers", "core", "misc"}


def test_no_part_of_the_package_may_print_or_read_the_environment():
    text = (ROOT / "pyproject.toml").read_text()
    assert '"T20"' in text and '"TID"' in text and '"os.environ".msg' in text and '"os.getenv".msg' in text
    exceptions = [line for line in text.splitlines() if line.startswith('"recordkit/')]
    assert exceptions and not any(rule in line for line in exceptions for rule in ("T20", "TID"))
