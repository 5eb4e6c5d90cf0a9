"""The NVIDIA side of MXNet: the driver, which GPUs MXNet has code for, and the CUDA 11 libraries of ``[cu112]``.

Nothing here imports MXNet: what is wrong with a GPU is known before.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from recordkit.errors import MissingError

DRIVER = "libcuda.so.1"
# What libmxnet.so of the CUDA 11.2 wheel is linked to, and what those are linked to or open as they go. Named one by
# one, because wheels of other CUDA versions, as PyTorch brings them, lie in the same folders.
_LIBRARIES = (
    "libcudart.so.11.0",
    "libcublasLt.so.11",
    "libcublas.so.11",
    "libcudnn.so.8",
    "libcudnn_ops_infer.so.8",
    "libcudnn_ops_train.so.8",
    "libcudnn_cnn_infer.so.8",
    "libcudnn_cnn_train.so.8",
    "libcudnn_adv_infer.so.8",
    "libcudnn_adv_train.so.8",
    "libcufft.so.10",
    "libcurand.so.10",
    "libcusolver.so.11",
    "libnccl.so.2",
    "libnvrtc.so.11.2",
    "libnvToolsExt.so.1",
)
# The fat binaries in libmxnet.so of mxnet-cu112 1.9.1 hold machine code for compute capability 5.0, 6.0, 7.0, 8.0 and
# 8.6, and no PTX that a driver could compile for others. Such code runs on the same major version from its minor on.
_MAJORS = range(5, 9)
# CUdevice_attribute and CUresult of the driver's interface, cuda.h.
_MAJOR, _MINOR = 75, 76
_NO_DEVICE = 100


def check_gpu(number: int) -> None:
    """Raise where MXNet cannot compute on this GPU.

    Parameters
    ----------
    number : int
        Of the GPU, as the driver counts those in ``CUDA_VISIBLE_DEVICES``.

    Raises
    ------
    MissingError
        No driver, none that works, no GPU of that number, or one that MXNet has no code for.

    Examples
    --------
    >>> check_gpu(0)  # doctest: +SKIP
    """
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        raise MissingError(
            f"gpu: expected the NVIDIA driver, but {DRIVER} is not there; install the driver, or use the cpu"
        ) from None
    n_gpus = ctypes.c_int()
    error = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(n_gpus))
    if error not in (0, _NO_DEVICE):
        raise MissingError(f"gpu: expected a working NVIDIA driver, got error {error}; run nvidia-smi, or use the cpu")
    if not n_gpus.value:
        raise MissingError("gpu: expected an NVIDIA GPU, got none; run nvidia-smi, or use the cpu")
    if number >= n_gpus.value:
        raise MissingError(f"gpu: expected a number below {n_gpus.value}, the GPUs that are there, got {number}")
    name = ctypes.create_string_buffer(100)
    driver.cuDeviceGetName(name, len(name), number)
    major, minor = (_attribute(driver, what, number) for what in (_MAJOR, _MINOR))
    if major not in _MAJORS:
        raise MissingError(
            f"gpu: expected compute capability {_MAJORS[0]}.0 to {_MAJORS[-1]}.9, which MXNet 1.9.1 has code for, "
            f"got {major}.{minor} ({name.value.decode()}); use another GPU, or the cpu"
        )


def _attribute(driver: Any, attribute: int, number: int) -> int:
    value = ctypes.c_int()
    driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, number)
    return value.value


def load_wheels() -> None:
    """Load the CUDA 11 libraries of the nvidia-*-cu11 wheels, if MXNet's CUDA build is there, which needs them.

    Examples
    --------
    >>> load_wheels()
    """
    try:
        metadata.version("mxnet-cu112")
    except metadata.PackageNotFoundError:
        return
    waiting = list(_in_wheels())
    while waiting:
        # They need one another; each round loads those whose needs the last round met.
        still = [path for path in waiting if not opens(str(path), ctypes.RTLD_GLOBAL)]
        if len(still) == len(waiting):
            return  # the rest cannot be loaded; the import of MXNet names the one it misses
        waiting = still


def missing_libraries() -> list[str]:
    """Name the CUDA 11 libraries that neither the wheels nor the system have.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> missing_libraries()  # doctest: +SKIP
    ['libcudnn.so.8']
    """
    there = {path.name for path in _in_wheels()}
    return [name for name in _LIBRARIES if name not in there and not opens(name)]


def opens(library: str, mode: int = ctypes.DEFAULT_MODE) -> bool:
    """Return whether the dynamic linker finds and loads a shared library.

    Examples
    --------
    >>> opens("libnothing.so.1")
    False
    """
    try:
        ctypes.CDLL(library, mode)
    except OSError:
        return False
    return True


def _in_wheels() -> Iterator[Path]:
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec and spec.submodule_search_locations) or ():
        for name in _LIBRARIES:
            yield from Path(folder).glob(f"*/lib/{name}")
