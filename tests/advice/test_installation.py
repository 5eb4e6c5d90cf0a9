"""Following the advices to install something: no test installs it, but the command names what setup.cfg has."""

import configparser
import ctypes
import importlib
import re
import shlex
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from advice.walk import advice, commands, text_of

import recordkit as rk
from recordkit import native
from recordkit.cli import native_install
from recordkit.errors import MissingError, SlowEngineWarning
from recordkit.interop import mxnet
from recordkit.interop.mxnet import bridge, cuda, scripts
from recordkit.training.results import pictures

_SETUP = configparser.ConfigParser()
_SETUP.read(Path(__file__).parents[2] / "setup.cfg")
EXTRAS = {name: re.findall(r"^[\w-]+", text, re.MULTILINE) for name, text in _SETUP["options.extras_require"].items()}


def installs(command, package):
    """Tell whether a pip command that names an extra of recordkit installs a package."""
    (extra,) = re.findall(r"pip install 'recordkit\[(\w+)\]'", command)
    return package in EXTRAS[extra]


def without(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)


def test_extras_for_pictures_and_pages(photos, fails, monkeypatch):
    rk.pack("photos", "out")
    without(monkeypatch, "matplotlib")
    without(monkeypatch, "jinja2")
    error = fails("bench", "out.rec", "--html", "out.html")
    advice("bench/page.py", "pip install 'recordkit[plot]'", error)
    assert installs(error, "jinja2")
    error = fails("bench", "out.rec", "--plot", "out.png")
    advice("bench/plot.py", "pip install 'recordkit[plot]'", error)
    assert installs(error, "matplotlib")
    require = pictures.require_matplotlib
    error = text_of(require)
    advice("training/results/pictures.py", "pip install 'recordkit[plot]'", error)
    monkeypatch.setitem(sys.modules, "matplotlib", types.ModuleType("matplotlib"))
    require()


def test_graphviz(mx, photos, fails, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(native_install, "_OS_RELEASE", Path("os-release"))
        patch.setenv("PATH", "")
        (package,) = advice("cli/native_install.py", "install {}", fails("plot-net", "book"))
        assert package == "graphviz"
        Path("os-release").write_text("ID=debian\n")
        assert "; apt-get update && apt-get install graphviz\n" in fails("plot-net", "book")
    monkeypatch.setattr("shutil.which", lambda _name: "dot")
    without(monkeypatch, "graphviz")
    error = fails("plot-net", "book")
    advice("cli/commands/plot_net.py", "pip install 'recordkit[plot]'", error)
    assert installs(error, "graphviz")


def test_torch(monkeypatch):
    without(monkeypatch, "torch")
    for name in [name for name in sys.modules if name.startswith("recordkit.interop.torch")]:
        monkeypatch.delitem(sys.modules, name)
    error = text_of(lambda: importlib.import_module("recordkit.interop.torch"))
    advice("interop/torch/__init__.py", "pip install 'recordkit[torch]'", error)
    assert installs(error, "torch")


def test_the_native_engine(photos, fails, works, no_native, monkeypatch):
    monkeypatch.setattr(native, "_warn_of_slow_engine", native._warn_of_slow_engine.__wrapped__)
    error = fails("pack", "photos", "out", "--engine", "native")
    advice("native/__init__.py", "{}, or use `engine=python`", error)
    works("pack", "photos", "out", *re.search("(--engine) (python)", error).groups())
    with pytest.warns(SlowEngineWarning) as caught:
        rk.Loader("out", batch_size=2, transforms=[rk.CenterCrop(16)])
    text = str(caught[0].message)
    advice("native/__init__.py", "'recordkit doctor' says how to install it", text)
    (command,) = commands(text)
    assert "pip install" in works(*command) or native_install._requirement() is None


def test_mxnet_itself(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    error = text_of(bridge._check_versions)
    advice("interop/mxnet/bridge.py", "pip install 'recordkit[mxnet]'", error)
    assert installs(error, "mxnet")
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    error = text_of(bridge._check_versions)
    advice("interop/mxnet/bridge.py", "use Python 3.12, and there {}", error)
    assert installs(error, "mxnet")
    monkeypatch.setattr(sys, "version_info", (3, *map(int, re.search(r"Python 3\.(\d+)", error).groups())))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(np, "__version__", "2.1.0")
    advice("interop/mxnet/bridge.py", "pip install 'numpy<2'", text_of(bridge._check_versions))
    monkeypatch.setattr(np, "__version__", "1.26.4")
    bridge._check_versions()


def test_distutils(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    without(monkeypatch, "distutils")
    with monkeypatch.context() as patch:
        without(patch, "setuptools")
        error = text_of(bridge._supply_distutils)
    advice("interop/mxnet/bridge.py", "pip install setuptools", error)
    assert "setuptools" in EXTRAS["mxnet"] and "setuptools" in EXTRAS["cu112"]


class Driver:
    """A fake of libcuda.so.1 with one GPU."""

    def __init__(self, major=8, n_gpus=1, error=0):
        self.major, self.n_gpus, self.error = major, n_gpus, error

    def cuInit(self, _flags):  # noqa: N802 (a name of libcuda)
        return self.error

    def cuDeviceGetCount(self, count):  # noqa: N802 (a name of libcuda)
        count._obj.value = self.n_gpus
        return 0

    def cuDeviceGetName(self, name, _size, _number):  # noqa: N802 (a name of libcuda)
        name.value = b"GPU"

    def cuDeviceGetAttribute(self, value, _attribute, _number):  # noqa: N802 (a name of libcuda)
        value._obj.value = self.major


@pytest.fixture
def machine(monkeypatch):
    """Return a function that describes a driver, and whether MXNet was built with CUDA."""

    def describe(driver, *features):
        def open_driver(_name, *_mode):
            if driver is None:
                raise OSError("no such file")
            return driver

        enabled = types.SimpleNamespace(is_enabled=features.__contains__)
        runtime = types.SimpleNamespace(Features=lambda: enabled)
        mx = types.SimpleNamespace(runtime=runtime, cpu=lambda: "cpu", gpu=lambda number: f"gpu {number}")
        monkeypatch.setattr(ctypes, "CDLL", open_driver)
        monkeypatch.setattr(bridge, "load", lambda: mx)
        monkeypatch.setattr(cuda, "missing_libraries", lambda: missing)

    missing = []
    describe.missing = missing
    return describe


def gpu_error():
    with pytest.raises(MissingError) as caught:
        bridge.device("gpu")
    return str(caught.value)


def test_no_gpu_that_works(machine):
    machine(None)
    advice("interop/mxnet/cuda.py", "install the driver, or use the cpu", gpu_error())
    assert bridge.device("cpu") == "cpu"
    for driver in (Driver(error=999), Driver(n_gpus=0)):
        machine(driver)
        advice("interop/mxnet/cuda.py", "run nvidia-smi, or use the cpu", gpu_error())
        assert bridge.device("cpu") == "cpu"
    machine(Driver(major=9), "CUDA")
    advice("interop/mxnet/cuda.py", "use another GPU, or the cpu", gpu_error())
    assert bridge.device("cpu") == "cpu"
    machine(Driver(major=8), "CUDA")
    assert bridge.device("gpu") == "gpu 0"


def test_mxnet_without_cuda(machine):
    machine(Driver())
    error = gpu_error()
    advice("interop/mxnet/bridge.py", "pip uninstall mxnet, then {}", error)
    assert "mxnet" in EXTRAS["mxnet"] and installs(error, "mxnet-cu112")
    machine(Driver(), "CUDA")
    machine.missing.append("libcudnn.so.8")
    error = gpu_error()
    advice("interop/mxnet/bridge.py", "pip install 'recordkit[cu112]'", error)
    assert installs(error, "nvidia-cudnn-cu11")


def test_libraries_that_mxnet_needs(machine):
    machine(None)
    error = str(bridge._explain(OSError("libcudart.so.11.0: cannot open shared object file")))
    advice("interop/mxnet/bridge.py", "install the NVIDIA driver, or MXNet for the CPU: {}", error)
    assert "pip uninstall mxnet-cu112, then" in error
    assert "mxnet-cu112" in EXTRAS["cu112"] and installs(error, "mxnet")


@pytest.fixture
def no_gpu(mx, tmp_path, monkeypatch):
    """A machine without a GPU; what a script changes in the process is undone."""

    def check(_number):
        raise MissingError("gpu", expected="an NVIDIA GPU", got="none")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cuda, "check_gpu", check)
    monkeypatch.setattr(scripts, "_NUMPY_NAMES", {})
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(mx.Context, "devstr2type", {**mx.Context.devstr2type})
    Path("my net.py").write_text("import sys, mxnet as mx\nprint(mx.nd.ones(3, ctx=mx.gpu()).sum(), sys.argv[1:])\n")


@pytest.mark.parametrize("arguments", [(), ("--cpu",)])
def test_a_script_that_needs_a_gpu(no_gpu, fails, works, arguments):
    error = fails("mxnet", "my net.py", "1", *arguments)
    advice("cli/commands/mxnet.py", "{}run 'recordkit mxnet --cpu {}', or see 'recordkit doctor'", error)
    if arguments:
        advice("cli/commands/mxnet.py", "--cpu after the script is an option of the script: ", error)
    assert "['1']" in works(*shlex.split(re.search("run 'recordkit (.*)', or see", error)[1]))
    works("doctor")


def test_the_function_that_runs_a_script_that_needs_a_gpu(no_gpu):
    error = text_of(lambda: scripts.run_script("my net.py"))
    advice("interop/mxnet/scripts.py", "run it with `cpu=True`, or see 'recordkit doctor'", error)
    scripts.run_script("my net.py", cpu=True)


def test_channels_of_the_gluon_dataset(mx, photos):
    rk.pack("photos", "out")
    for options in ({"flag": 0}, {"flag": 1}, {"channels": 4}):
        error = text_of(lambda options=options: mxnet.RecordDataset("out.rec", **options))
        advice(
            "interop/mxnet/record_dataset.py",
            "`channels=1` stands for Gluon's flag=0, and `channels=3` for flag=1",
            error,
        )
        for n_channels in map(int, re.findall(r"channels=(\d)", error)):
            image, _ = mxnet.RecordDataset("out.rec", channels=n_channels)[0]
            assert image.shape[2] == n_channels
