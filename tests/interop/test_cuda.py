"""Checks of GPUs, with a fake of NVIDIA's driver."""

import ctypes
import importlib
import types

import pytest

from recordkit.errors import MissingError
from recordkit.interop.mxnet import bridge, cuda


class Driver:
    """A fake of libcuda.so.1; each GPU is (name, major, minor)."""

    def __init__(self, *gpus, error=0):
        self.gpus = gpus
        self.error = error

    def cuInit(self, _flags):  # noqa: N802 (a name of libcuda)
        return self.error

    def cuDeviceGetCount(self, count):  # noqa: N802 (a name of libcuda)
        count._obj.value = len(self.gpus)
        return 0

    def cuDeviceGetName(self, name, _size, number):  # noqa: N802 (a name of libcuda)
        name.value = self.gpus[number][0].encode()

    def cuDeviceGetAttribute(self, value, attribute, number):  # noqa: N802 (a name of libcuda)
        value._obj.value = self.gpus[number][{75: 1, 76: 2}[attribute]]


A100 = ("NVIDIA A100", 8, 0)
H100 = ("NVIDIA H100", 9, 0)


def built_with(monkeypatch, *features):
    """Replace MXNet by a fake that was built with these features."""
    enabled = types.SimpleNamespace(is_enabled=features.__contains__)
    runtime = types.SimpleNamespace(Features=lambda: enabled)
    mx = types.SimpleNamespace(runtime=runtime, gpu=lambda number: f"gpu({number})")
    monkeypatch.setattr(bridge, "load", lambda: mx)


@pytest.mark.parametrize(
    ("driver", "number", "line"),
    [
        (Driver(error=999), 0, "expected a working NVIDIA driver, got error 999; run nvidia-smi"),
        (Driver(error=100), 0, "expected an NVIDIA GPU, got none; run nvidia-smi"),
        (Driver(), 0, "expected an NVIDIA GPU, got none; run nvidia-smi"),
        (Driver(A100), 1, "expected a number below 1, the number of GPUs, got 1"),
        (
            Driver(A100, H100),
            1,
            r"expected compute capability 5\.0 to 8\.9, which MXNet 1\.9\.1 has code for, got 9\.0 \(NVIDIA H100\);",
        ),
        (Driver(("Tesla K80", 3, 7)), 0, r".*, got 3\.7 \(Tesla K80\); use another GPU, or the cpu$"),
    ],
)
def test_a_gpu_that_cannot_be_used_is_one_line(monkeypatch, driver, number, line):
    monkeypatch.setattr(ctypes, "CDLL", lambda *_: driver)
    built_with(monkeypatch, "CUDA")
    with pytest.raises(MissingError, match=f"^gpu: {line}") as caught:
        bridge.device("gpu", number)
    assert "\n" not in str(caught.value)


def test_a_gpu_without_a_driver_is_one_line(monkeypatch):
    def missing(name):
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(MissingError, match=r"^gpu: expected the NVIDIA driver, got no libcuda\.so\.1; .*$"):
        bridge.device("gpu")


def test_a_gpu_with_the_cpu_build_is_one_line(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda *_: Driver(A100))
    built_with(monkeypatch)
    with pytest.raises(
        MissingError, match=r"^gpu: expected MXNet with CUDA, got the CPU build; .*recordkit\[cu112\]'$"
    ):
        bridge.device("gpu")


def test_libraries_that_mxnet_opens_late_are_named_before_it_does(monkeypatch):
    def load(name, _mode=None):
        if name.startswith("libcudnn_cnn"):
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return Driver(A100)

    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    built_with(monkeypatch, "CUDA")
    with pytest.raises(
        MissingError, match=r"^gpu: libcudnn_cnn_infer\.so\.8 and libcudnn_cnn_train\.so\.8 are missing; pip install"
    ):
        bridge.device("gpu")


def test_device_returns_the_gpu_with_the_number(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda *_: Driver(H100, A100, ("NVIDIA RTX 4090", 8, 9)))
    built_with(monkeypatch, "CUDA")
    assert bridge.device("gpu", 1) == "gpu(1)"
    assert bridge.device("gpu", 2) == "gpu(2)"


def test_cuda_wheels_are_loaded_in_the_order_of_their_dependencies(monkeypatch, tmp_path):
    for name in ("cublas/lib/libcublas.so.11", "cublas/lib/libcublasLt.so.11", "cublas/lib/libcublas.so.12"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    loaded = []

    def load(path, _mode):
        name = path.rpartition("/")[2]
        if name == "libcublas.so.11" and "libcublasLt.so.11" not in loaded:
            raise OSError("libcublasLt.so.11: cannot open shared object file")
        loaded.append(name)

    spec = types.SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: spec)
    monkeypatch.setattr(cuda.metadata, "version", lambda _name: "1.9.1")
    monkeypatch.setattr(ctypes, "CDLL", load)
    cuda.load_wheels()
    assert loaded == ["libcublasLt.so.11", "libcublas.so.11"]
