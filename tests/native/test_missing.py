"""Without the native core the Python engine does the work, and one warning says why and what to install."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import recordkit as rk
from recordkit import native
from recordkit.errors import MissingError, SlowEngineWarning


@pytest.fixture
def new_process(no_native):
    """Hide the core, and forget that the warning was given."""
    native._warn_of_slow_engine.cache_clear()
    yield
    native._warn_of_slow_engine.cache_clear()


def packed(folder, path, **arguments):
    rk.pack(folder, path, **arguments)
    return path.with_suffix(".rec")


def test_the_warning_comes_once_at_the_callers_line(new_process, tiny_folder, tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = packed(tiny_folder, tmp_path / "a")
        packed(tiny_folder, tmp_path / "b")
        rk.Loader(path, batch_size=2, transforms=[rk.CenterCrop(8)])
    (warning,) = caught
    assert warning.category is SlowEngineWarning
    assert warning.filename == __file__
    assert str(warning.message) == (
        "recordkit is slower without its native engine: not built; 'recordkit doctor' says how to install it"
    )


def test_who_asks_for_the_python_engine_or_reads_without_an_engine_is_not_warned(new_process, tiny_folder, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = packed(tiny_folder, tmp_path / "a", engine="python")
        rk.Loader(path, batch_size=2, transforms=[rk.CenterCrop(8)], engine="python")
        assert len(rk.RecordDataset(path)) == 12


def test_the_warning_can_be_filtered_by_its_class(new_process, tiny_folder, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=SlowEngineWarning)
        packed(tiny_folder, tmp_path / "a")


def test_who_asks_for_the_native_engine_gets_an_error_and_no_warning(new_process, tiny_folder, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(MissingError, match="native engine: not built; .recordkit doctor"):
            packed(tiny_folder, tmp_path / "a", engine="native")


def test_a_warning_names_the_library_that_is_gone(new_process, monkeypatch):
    def fail(_name):
        raise ImportError("libjpeg.so.62: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.warns(SlowEngineWarning, match="native engine: libjpeg.so.62: cannot open"):
        native.choose("auto", native=int, python=str)


def test_code_that_has_no_module_name_is_warned_too(new_process):
    with pytest.warns(SlowEngineWarning):
        exec("native.choose('auto', native=int, python=str)", {"native": native})


def test_the_command_line_prints_the_warning_as_one_line(new_process, tiny_folder, tmp_path):
    code = """
import sys
sys.modules["recordkit.native._core"] = None
from recordkit.cli.main import main
main()
"""
    root = str(Path(rk.__file__).parents[1])

    def run(*words):
        command = [sys.executable, "-c", code, *map(str, words)]
        environment = os.environ | {"PYTHONPATH": root}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment)

    printed = run("pack", tiny_folder, tmp_path / "a").stderr
    assert printed.count("recordkit: warning: recordkit is slower without its native engine: not built; ") == 1
    for words in ("pack {0} {1}/a --engine python", "info {1}/a.rec", "verify {1}/a.rec", "--help", "doctor"):
        assert "slower" not in run(*words.format(tiny_folder, tmp_path).split()).stderr
