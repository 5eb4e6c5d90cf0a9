"""Import of MXNet: on this machine, and where something that it needs is missing."""

import builtins
import ctypes
import importlib
import subprocess
import sys
import types

import numpy as np
import pytest

from recordkit.errors import MissingError
from recordkit.interop.mxnet import bridge, cuda


@pytest.fixture
def no_mxnet_yet(monkeypatch):
    """Restore the state before any import of MXNet while a test runs."""
    for name in [name for name in sys.modules if name.split(".")[0] == "mxnet"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: types.SimpleNamespace(submodule_search_locations=[]))
    monkeypatch.setattr(np, "__version__", "1.26.4")
    monkeypatch.setattr(cuda, "load_wheels", lambda: None)
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))


def import_fails_with(monkeypatch, error):
    import_module = importlib.import_module

    def fails(name, *rest):
        if name == "mxnet":
            raise error
        return import_module(name, *rest)

    monkeypatch.setattr(importlib, "import_module", fails)


def libraries_missing(monkeypatch, *missing):
    def load(name, _mode=None):
        if name in missing:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return object()

    monkeypatch.setattr(ctypes, "CDLL", load)


def test_mxnet_loads_here_without_a_warning():
    script = "from recordkit.interop import mxnet; print(mxnet.load().nd.ones(3).sum().asscalar())"
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    if "MissingError" in run.stderr:
        pytest.skip(run.stderr.splitlines()[-1])
    assert (run.returncode, run.stdout, run.stderr) == (0, "3.0\n", "")


def test_a_second_load_gives_the_same_module():
    try:
        first = bridge.load()
    except MissingError as error:
        pytest.skip(str(error))
    assert bridge.load() is first
    assert bridge.device("cpu") == first.cpu()


def test_mxnet_numpy_still_works_after_the_import():
    try:
        mx = bridge.load()
    except MissingError as error:
        pytest.skip(str(error))
    # mx.np.full looks up numpy.bool at each call.
    assert mx.np.full((2,), True).dtype == np.bool_


def test_arrays_need_no_name_that_scipy_is_about_to_remove():
    script = """
import numpy, scipy.sparse
from recordkit.interop import mxnet
mx = mxnet.load()
matrix = scipy.sparse.csr_matrix(numpy.eye(2, dtype="float32"))
print(mx.nd.array(matrix).stype, mx.nd.array([1, 2]).stype, type(mx.nd.array(matrix).asscipy()) is type(matrix))
"""
    pytest.importorskip("scipy")
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    if "MissingError" in run.stderr:
        pytest.skip(run.stderr.splitlines()[-1])
    assert (run.returncode, run.stdout, run.stderr) == (0, "csr default True\n", "")


def test_without_mxnet_the_line_says_how_to_install_it(no_mxnet_yet, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingError, match=r"expected MXNet 1\.9\.1, got none; pip install 'recordkit\[mxnet\]'"):
        bridge.load()


def test_numpy_2_is_named_with_its_version(no_mxnet_yet, monkeypatch):
    monkeypatch.setattr(np, "__version__", "2.1.3")
    with pytest.raises(MissingError, match=r"expected NumPy < 2, got 2\.1\.3; pip install 'numpy<2'"):
        bridge.load()


def test_python_313_is_refused_because_of_numpy(no_mxnet_yet, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    monkeypatch.setattr(np, "__version__", "2.1.3")
    with pytest.raises(MissingError, match=r"3\.10 to 3\.12, got 3\.13: MXNet needs NumPy < 2, which has no wheel"):
        bridge.load()


def test_python_312_without_setuptools_is_refused(no_mxnet_yet, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "distutils" else object())

    def none_there(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", none_there)
    with pytest.raises(MissingError, match=r"Python 3\.12 no longer has; pip install setuptools"):
        bridge.load()


@pytest.mark.parametrize(
    ("missing", "line"),
    [
        (["libgomp.so.1"], r"libgomp\.so\.1 is missing; apt-get update && apt-get install libgomp1$"),
        (
            ["libquadmath.so.0", "libgomp.so.1"],
            r"libquadmath\.so\.0 and libgomp\.so\.1 are missing; .*apt-get install libquadmath0 libgomp1$",
        ),
        (["libgfortran.so.5"], r"libgfortran\.so\.5 is missing; apt-get update && apt-get install libgfortran5$"),
        (["libcuda.so.1"], r"libcuda\.so\.1 is missing; install the NVIDIA driver"),
        (["libcudnn.so.8", "libcuda.so.1"], r"libcuda\.so\.1 is missing; install the NVIDIA driver"),
        (["libcudart.so.11.0"], r"libcudart\.so\.11\.0 is missing; pip install 'recordkit\[cu112\]'"),
        (
            ["libcudart.so.11.0", "libcudnn.so.8", "libcufft.so.10"],
            r"libcudart\.so\.11\.0 and libcudnn\.so\.8 and libcufft\.so\.10 are missing; pip install 'recordkit",
        ),
    ],
)
def test_missing_libraries_are_named_with_their_packages(no_mxnet_yet, monkeypatch, missing, line):
    libraries_missing(monkeypatch, *missing)
    import_fails_with(monkeypatch, OSError(f"{missing[0]}: cannot open shared object file: No such file"))
    with pytest.raises(MissingError, match=line):
        bridge.load()


def test_a_failed_import_leaves_no_partial_mxnet(no_mxnet_yet, monkeypatch):
    import_fails_with(monkeypatch, AttributeError("module 'numpy' has no attribute 'PZERO'"))
    monkeypatch.setitem(sys.modules, "mxnet.libinfo", types.ModuleType("mxnet.libinfo"))
    with pytest.raises(MissingError, match=r"got AttributeError: module 'numpy' has no attribute 'PZERO'"):
        bridge.load()
    assert "mxnet.libinfo" not in sys.modules


def test_numpy_bool_is_the_builtin(no_mxnet_yet, monkeypatch):
    monkeypatch.delitem(vars(np), "bool", raising=False)
    without_scipy = types.SimpleNamespace(spsp=None)
    mx = types.SimpleNamespace(ndarray=types.SimpleNamespace(utils=without_scipy, sparse=without_scipy))
    monkeypatch.setattr(importlib, "import_module", lambda _name: mx)
    bridge.load()
    assert vars(np)["bool"] is builtins.bool
    monkeypatch.delitem(vars(np), "bool")


def test_describe_never_raises():
    findings = bridge.describe()
    assert findings[0].name == "mxnet"
    assert all(finding.message and "\n" not in finding.message for finding in findings)
