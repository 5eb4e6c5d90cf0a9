"""The bridge to MXNet 1.9.1: import it on today's Python and NumPy, or say in one line why that fails.

MXNet was retired in 2023, and its last wheel expects a world that has moved on:

- ``numpy.bool``, which NumPy 1.24 removed. `load` supplies it before the import, as the builtin it used to
  be, and leaves it there: ``mxnet.numpy`` reads it again at each call.
- ``distutils``, which Python 3.12 removed. setuptools brings it; MXNet needs it during its import only.
- ``scipy.sparse.csr``, which SciPy is about to remove; where SciPy is there, MXNet looks into it for each array
  that it makes. `load` gives MXNet, and nobody else, the name.
- NumPy < 2, of which there is no wheel for Python 3.13.
- libgomp and libquadmath of the system, which slim images leave out.
- For a GPU, the CUDA 11 libraries. The ``[cu112]`` extra installs them from wheels, in folders where the
  dynamic linker does not look, so they are loaded by path first.

Importing this module imports no MXNet: `load` does. What MXNet is used for is elsewhere: batches for it are in
`recordkit.interop.mxnet.record_iter`, the trainer is `recordkit.training`. The file formats need no MXNet at all.
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

from recordkit.errors import MissingError
from recordkit.interop.mxnet import cuda

_INSTALL = "pip install 'recordkit[mxnet]'"
_INSTALL_CPU = "pip uninstall mxnet-cu112, then pip install 'recordkit[mxnet]'"
_INSTALL_CUDA = "pip install 'recordkit[cu112]'"
_INSTALL_GPU = f"pip uninstall mxnet, then {_INSTALL_CUDA}"

# Shared library -> the Debian and Ubuntu package that has it.
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
# What the CPU wheel needs from the system; it brings libgfortran.so.3 and libopenblas.so.0 itself.
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
        It can be used.
    message : str
        One line: the version, or what is missing and how to get it.
    """

    name: str
    ok: bool
    message: str


def load() -> Any:
    """Import MXNet, after supplying what it expects.

    Warnings that MXNet's own modules raise while they are imported are silenced, and no others.

    Returns
    -------
    mxnet : module

    Raises
    ------
    MissingError
        MXNet, a shared library or a fitting Python or NumPy is missing. The message names it and the command
        that gets it.

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
        warnings.filterwarnings("ignore", module="_distutils_hack")  # setuptools, standing in for distutils
        _supply_distutils()
        vars(np).setdefault("bool", bool)
        cuda.load_wheels()
        try:
            mx = importlib.import_module("mxnet")
        except (OSError, ImportError, AttributeError, RuntimeError) as error:
            _forget()
            raise MissingError(_explain(error)) from error
    _supply_scipy_names(mx)
    return mx


def reason(error: Exception) -> str:
    r"""Return the one line of MXNet's error that says what is wrong: it stands behind a trace of C++, or before it.

    Examples
    --------
    >>> reason(RuntimeError("Traceback:\n  File a.cc, line 7\nError in operator fc1: shapes differ"))
    'Error in operator fc1: shapes differ'
    """
    return next((line.strip() for line in str(error).splitlines() if "rror" in line), "no reason given")


def last_line(error: Exception) -> str:
    r"""Return the last line of an error's text, which says what is wrong where MXNet read or wrote a file.

    Examples
    --------
    >>> last_line(OSError("Stack trace:\n  File a.cc, line 7\nInvalid NDArray file format\n"))
    'Invalid NDArray file format'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def device(name: str, number: int = 0) -> Any:
    """Return the MXNet context to compute on.

    Parameters
    ----------
    name : {"cpu", "gpu"}
    number : int, default 0
        Of the GPU.

    Returns
    -------
    context : mxnet.context.Context
        ``mx.cpu()`` or ``mx.gpu(number)``.

    Raises
    ------
    MissingError
        MXNet cannot be loaded; or a GPU is asked for and the driver, the GPU, a CUDA build or a library of
        CUDA is missing, or MXNet has no code for that GPU.
    ValueError
        Another name.

    Examples
    --------
    >>> device("tpu")
    Traceback (most recent call last):
        ...
    ValueError: expected the device cpu or gpu, got 'tpu'
    """
    if name not in ("cpu", "gpu"):
        raise ValueError(f"expected the device cpu or gpu, got {name!r}")
    if name == "cpu":
        return load().cpu()
    cuda.check_gpu(number)
    mx = load()
    if not mx.runtime.Features().is_enabled("CUDA"):
        raise MissingError(f"gpu: expected MXNet with CUDA, got the CPU build; {_INSTALL_GPU}")
    if missing := cuda.missing_libraries():  # MXNet opens some of them at its first convolution only
        raise MissingError(f"gpu: {_are_missing(missing)}; {_INSTALL_CUDA}")
    return mx.gpu(number)


def describe() -> list[Finding]:
    """Say what of MXNet can be used here, without raising.

    Returns
    -------
    findings : list of Finding
        MXNet itself, then the GPU where MXNet can be loaded.

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
            f"mxnet: expected Python 3.10 to 3.12, got {python}: MXNet needs NumPy < 2, which has no wheel for "
            f"{python}; use Python 3.12, and there {_INSTALL}"
        )
    if not installed:
        raise MissingError(f"mxnet: expected MXNet 1.9.1, got none; {_INSTALL}")
    if not old_numpy:
        raise MissingError(f"mxnet: expected NumPy < 2, got {np.__version__}; pip install 'numpy<2'")


def _supply_distutils() -> None:
    if importlib.util.find_spec("distutils") is not None:
        return
    try:
        importlib.import_module("setuptools")  # from now on `import distutils` finds its copy
        importlib.import_module("distutils")
    except ImportError:
        python = ".".join(map(str, sys.version_info[:2]))
        raise MissingError(
            f"mxnet: expected distutils, which Python {python} no longer has; pip install setuptools"
        ) from None


def _supply_scipy_names(mx: Any) -> None:
    for module in (mx.ndarray.utils, mx.ndarray.sparse):
        if (sparse := module.spsp) is not None:
            csr = SimpleNamespace(csr_matrix=sparse.csr_matrix)
            module.spsp = SimpleNamespace(csr_matrix=sparse.csr_matrix, coo_matrix=sparse.coo_matrix, csr=csr)


def _forget() -> None:
    """Remove a half imported MXNet, so that the next try starts afresh and fails in the same way."""
    for name in [name for name in sys.modules if name.split(".")[0] == "mxnet"]:
        del sys.modules[name]


def _explain(error: Exception) -> str:
    text = str(error)
    named = _CANNOT_OPEN.search(text)
    if named is None:
        return f"mxnet: expected MXNet 1.9.1 to import, got {type(error).__name__}: {last_line(error)}; {_INSTALL}"
    if _CUDA_NAME.match(named[1]):
        if not cuda.opens(cuda.DRIVER):
            return f"mxnet: {cuda.DRIVER} is missing; install the NVIDIA driver, or MXNet for the CPU: {_INSTALL_CPU}"
        return f"mxnet: {_are_missing(cuda.missing_libraries() or [named[1]])}; {_INSTALL_CUDA}"
    # The linker names the first one only; one message with all of them saves the user a round for each.
    missing = [named[1]] + [name for name in _NEEDED if name != named[1] and not cuda.opens(name)]
    packages = [_PACKAGES[name] for name in missing if name in _PACKAGES]
    cure = f"apt-get install {' '.join(packages)}" if packages else _INSTALL
    return f"mxnet: {_are_missing(missing)}; {cure}"


def _are_missing(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing"
