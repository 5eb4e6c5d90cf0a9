"""The NVIDIA side of MXNet: the driver, which GPUs MXNet has code for, and the CUDA 11 libraries of ``[cu112]``.

Nothing here imports MXNet, so that problems with a GPU are found first.
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
# Libraries that libmxnet.so of the CUDA 11.2 wheel links to, and those that they link to or open later. Each is named,
# because wheels of other CUDA versions, such as PyTorch's, use the same folders.
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
# 8.6, and no PTX that a driver could compile for others. Machine code runs on the same major version with the same or a
# higher minor version.
_MAJORS = range(5, 9)
# Values of CUdevice_attribute and CUresult in the driver's cuda.h.
_MAJOR, _MINOR = 75, 76
_NO_DEVICE = 100
_ADVICE = "run nvidia-smi, or use the cpu"


def check_gpu(number: int) -> None:
    """Refuse a GPU that MXNet cannot use.

    Parameters
    ----------
    number : int
        Number of the GPU among those in ``CUDA_VISIBLE_DEVICES``.

    Raises
    ------
    MissingError
        The driver is missing or does not work, there is no such GPU, or MXNet has no code for it.

    Examples
    --------
    >>> check_gpu(0)  # doctest: +SKIP
    """
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        raise MissingError(
            "gpu", expected="the NVIDIA driver", got=f"no {DRIVER}", advice="install the driver, or use the cpu"
        ) from None
    n_gpus = ctypes.c_int()
    error = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(n_gpus))
    if error not in (0, _NO_DEVICE):
        raise MissingError("gpu", expected="a working NVIDIA driver", got=f"error {error}", advice=_ADVICE)
    if not n_gpus.value:
        raise MissingError("gpu", expected="an NVIDIA GPU", got="none", advice=_ADVICE)
    if number >= n_gpus.value:
        raise MissingError("gpu", expected=f"a number below {n_gpus.value}, the number of GPUs", got=number)
    name = ctypes.create_string_buffer(100)
    driver.cuDeviceGetName(name, len(name), number)
    major, minor = (_attribute(driver, attribute, number) for attribute in (_MAJOR, _MINOR))
    if major not in _MAJORS:
        raise MissingError(
            "gpu",
            expected=f"compute capability {_MAJORS[0]}.0 to {_MAJORS[-1]}.9, which MXNet 1.9.1 has code for",
            got=f"{major}.{minor} ({name.value.decode()})",
            advice="use another GPU, or the cpu",
        )


def _attribute(driver: Any, attribute: int, number: int) -> int:
    value = ctypes.c_int()
    driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, number)
    return value.value


def load_wheels() -> None:
    """Load the CUDA 11 libraries of the nvidia-*-cu11 wheels, if MXNet's CUDA build is installed.

    Examples
    --------
    >>> load_wheels()
    """
    try:
        metadata.version("mxnet-cu112")
    except metadata.PackageNotFoundError:
        return
    pending = list(_in_wheels())
    while pending:
        # The libraries depend on each other; each round loads those whose dependencies are loaded.
        failed = [path for path in pending if not opens(str(path), ctypes.RTLD_GLOBAL)]
        if len(failed) == len(pending):
            return  # the others cannot be loaded; the import of MXNet names the library that it misses
        pending = failed


def missing_libraries() -> list[str]:
    """List the CUDA 11 libraries that neither the wheels nor the system have.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> missing_libraries()  # doctest: +SKIP
    ['libcudnn.so.8']
    """
    in_wheels = {path.name for path in _in_wheels()}
    return [name for name in _LIBRARIES if name not in in_wheels and not opens(name)]


def opens(library: str, mode: int = ctypes.DEFAULT_MODE) -> bool:
    """Return True if the dynamic linker can load a shared library.

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
