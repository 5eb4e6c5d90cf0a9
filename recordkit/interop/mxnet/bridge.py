"""The bridge to MXNet 1.9.1: import it on current Python and NumPy, or explain in one line why that fails.

MXNet was retired in 2023. Its last wheel expects:

- ``numpy.bool``, which NumPy 1.24 removed. `load` supplies it before the import, as the builtin that it was, and leaves
  it in place: ``mxnet.numpy`` reads it at each call.
- ``distutils``, which Python 3.12 removed. setuptools has a copy; MXNet needs it during its import only.
- ``scipy.sparse.csr``, which SciPy is about to remove. If SciPy is installed, MXNet reads the name for each array that
  it creates. `load` supplies the name to MXNet's modules alone.
- NumPy < 2, which has no wheel for Python 3.13.
- libgomp and libquadmath of the system, which slim images lack.
- For a GPU, the CUDA 11 libraries. The ``[cu112]`` extra installs them from wheels, into folders that the dynamic
  linker does not search, so they are loaded by path first.

`reason`, `last_line` and `_explain` read the texts of errors. These are errors of MXNet and of the dynamic linker,
which have no fields; recordkit's own errors are never parsed.

Importing this module imports no MXNet: `load` does. Batches for MXNet are in `recordkit.interop.mxnet.record_iter`, the
trainer is `recordkit.training`. The file formats need no MXNet.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from recordkit.errors import MissingError, PlanError
from recordkit.interop.mxnet import cuda

_INSTALL = "pip install 'recordkit[mxnet]'"
_INSTALL_CPU = "pip uninstall mxnet-cu112, then pip install 'recordkit[mxnet]'"
_INSTALL_CUDA = "pip install 'recordkit[cu112]'"
_INSTALL_GPU = f"pip uninstall mxnet, then {_INSTALL_CUDA}"

# Debian and Ubuntu packages of shared libraries.
_PACKAGES = {
    "libgcc_s.so.1": "libgcc-s1",
    "libgfortran.so.3": "libgfortran3",
    "libgfortran.so.4": "libgfortran4",
    "libgfortran.so.5": "libgfortran5",
    "libgomp.so.1": "libgomp1",
    "libopenblas.so.0": "libopenblas0",
    "libquadmath.so.0": "libquadmath0",
    "libstdc++.so.6": "libstdc++6",
}
# Libraries that the CPU wheel needs from the system; it contains libgfortran.so.3 and libopenblas.so.0.
_NEEDED = ("libgomp.so.1", "libquadmath.so.0", "libstdc++.so.6", "libgcc_s.so.1")
_CUDA_NAME = re.compile(r"lib(cu|nv|nccl)")
_CANNOT_OPEN = re.compile(r"(lib[\w+.-]+): cannot open shared object file")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about MXNet on this machine, for ``recordkit doctor``.

    Attributes
    ----------
    name : {"mxnet", "mxnet gpu"}
    ok : bool
        MXNet, or the GPU, can be used.
    message : str
        One line: the version, or the missing piece and how to get it.
    """

    name: str
    ok: bool
    message: str


def load() -> Any:
    """Import MXNet, after supplying the names that it expects.

    Only the warnings that MXNet's own modules raise during their import are silenced.

    Returns
    -------
    mxnet : module

    Raises
    ------
    MissingError
        MXNet, a shared library, or a suitable version of Python or NumPy is missing. The error names it and the
        command that installs it.

    Examples
    --------
    >>> mx = load()  # doctest: +SKIP
    >>> mx.__version__  # doctest: +SKIP
    '1.9.1'
    """
    if "mxnet" in sys.modules:
        return sys.modules["mxnet"]
    _check_versions()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"mxnet(\.|$)")
        warnings.filterwarnings("ignore", module="_distutils_hack")  # setuptools' copy of distutils
        _supply_distutils()
        vars(np).setdefault("bool", bool)
        cuda.load_wheels()
        try:
            mx = importlib.import_module("mxnet")
        except (OSError, ImportError, AttributeError, RuntimeError) as error:
            _forget()
            raise _explain(error) from error
    _supply_scipy_names(mx)
    return mx


def reason(error: Exception) -> str:
    r"""Return the line of MXNet's error that gives the reason: the first that contains "Error" or "error".

    MXNet's errors have no fields. Their text has a C++ stack trace before or after the reason, and may begin with
    "simple_bind error. Arguments:", which is none.

    Examples
    --------
    >>> reason(RuntimeError("Traceback:\n  File a.cc, line 7\nError in operator fc1: shapes differ"))
    'Error in operator fc1: shapes differ'
    """
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if "rror" in line and not line.endswith("Arguments:")), "no reason given")


def last_line(error: Exception) -> str:
    r"""Return the last line of an error's text, which is the reason if MXNet failed to read or write a file.

    Examples
    --------
    >>> last_line(OSError("Stack trace:\n  File a.cc, line 7\nInvalid NDArray file format\n"))
    'Invalid NDArray file format'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def device(name: str, number: int = 0) -> Any:
    """Return MXNet's context for a device.

    Parameters
    ----------
    name : {"cpu", "gpu"}
    number : int, default 0
        Number of the GPU.

    Returns
    -------
    context : mxnet.context.Context
        ``mx.cpu()`` or ``mx.gpu(number)``.

    Raises
    ------
    MissingError
        MXNet cannot be loaded; or, for a GPU, the driver, the GPU, a CUDA build or a CUDA library is missing, or
        MXNet has no code for this GPU.
    PlanError
        There is no such device.

    Examples
    --------
    >>> device("tpu")
    Traceback (most recent call last):
        ...
    recordkit.errors.PlanError: device: expected cpu or gpu, got 'tpu'
    """
    if name not in ("cpu", "gpu"):
        raise PlanError(argument="device", expected="cpu or gpu", got=repr(name))
    if name == "cpu":
        return load().cpu()
    cuda.check_gpu(number)
    mx = load()
    if not mx.runtime.Features().is_enabled("CUDA"):
        raise MissingError("gpu", expected="MXNet with CUDA", got="the CPU build", advice=_INSTALL_GPU)
    if missing := cuda.missing_libraries():  # MXNet opens some of them only at its first convolution
        raise MissingError(f"gpu: {_are_missing(missing)}", advice=_INSTALL_CUDA)
    return mx.gpu(number)


def describe() -> list[Finding]:
    """Check whether MXNet and a GPU can be used on this machine, without raising.

    Returns
    -------
    findings : list of Finding
        MXNet, and the GPU if MXNet can be loaded.

    Examples
    --------
    >>> describe()[0].name
    'mxnet'
    """
    try:
        mx = load()
    except MissingError as error:
        return [Finding("mxnet", ok=False, message=str(error))]
    findings = [Finding("mxnet", ok=True, message=f"MXNet {mx.__version__} with NumPy {np.__version__}")]
    try:
        device("gpu")
    except MissingError as error:
        return [*findings, Finding("mxnet gpu", ok=False, message=str(error))]
    return [*findings, Finding("mxnet gpu", ok=True, message=f"{mx.context.num_gpus()} NVIDIA GPU")]


def _check_versions() -> None:
    installed = importlib.util.find_spec("mxnet") is not None
    old_numpy = int(np.__version__.split(".")[0]) < 2
    python = ".".join(map(str, sys.version_info[:2]))
    if sys.version_info >= (3, 13) and not (installed and old_numpy):
        raise MissingError(
            "mxnet",
            expected="Python 3.10 to 3.12",
            got=f"{python}: MXNet needs NumPy < 2, which has no wheel for {python}",
            advice=f"use Python 3.12, and there {_INSTALL}",
        )
    if not installed:
        raise MissingError("mxnet", expected="MXNet 1.9.1", got="none", advice=_INSTALL)
    if not old_numpy:
        raise MissingError("mxnet", expected="NumPy < 2", got=np.__version__, advice="pip install 'numpy<2'")


def _supply_distutils() -> None:
    if importlib.util.find_spec("distutils") is not None:
        return
    try:
        importlib.import_module("setuptools")  # makes `import distutils` find setuptools' copy
        importlib.import_module("distutils")
    except ImportError:
        python = ".".join(map(str, sys.version_info[:2]))
        raise MissingError(
            f"mxnet: distutils is missing, which Python {python} no longer has", advice="pip install setuptools"
        ) from None


def _supply_scipy_names(mx: Any) -> None:
    for module in (mx.ndarray.utils, mx.ndarray.sparse):
        if (sparse := module.spsp) is not None:
            csr = SimpleNamespace(csr_matrix=sparse.csr_matrix)
            module.spsp = SimpleNamespace(csr_matrix=sparse.csr_matrix, coo_matrix=sparse.coo_matrix, csr=csr)


def _forget() -> None:
    """Remove a partly imported MXNet, so that the next import starts again and fails in the same way."""
    for name in [name for name in sys.modules if name.split(".")[0] == "mxnet"]:
        del sys.modules[name]


def _explain(error: Exception) -> MissingError:
    """Return the error of a failed import: which libraries are missing, and how to install them."""
    library = _CANNOT_OPEN.search(str(error))
    if library is None:
        got = f"{type(error).__name__}: {last_line(error)}"
        return MissingError("mxnet", expected="MXNet 1.9.1 to import", got=got, advice=_INSTALL)
    if _CUDA_NAME.match(library[1]):
        if not cuda.opens(cuda.DRIVER):
            advice = f"install the NVIDIA driver, or MXNet for the CPU: {_INSTALL_CPU}"
            return MissingError(f"mxnet: {cuda.DRIVER} is missing", advice=advice)
        missing = cuda.missing_libraries() or [library[1]]
        return MissingError(f"mxnet: {_are_missing(missing)}", advice=_INSTALL_CUDA)
    # The linker names only the first missing library. An error with all of them saves the user a round for each.
    missing = [library[1]] + [name for name in _NEEDED if name != library[1] and not cuda.opens(name)]
    packages = [_PACKAGES[name] for name in missing if name in _PACKAGES]
    advice = f"apt-get update && apt-get install {' '.join(packages)}" if packages else _INSTALL
    return MissingError(f"mxnet: {_are_missing(missing)}", advice=advice)


def _are_missing(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing"
