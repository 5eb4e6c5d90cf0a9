"""Run a script that begins with ``import mxnet as mx``, unchanged, on current Python and NumPy.

MXNet's own needs are in `recordkit.interop.mxnet.bridge`. Scripts of its time, and ``mx.test_utils``, also use names
that NumPy removed in 1.23 and 1.24, such as ``np.int``; they are supplied here, to scripts only.

A GPU that is missing stays an ``MXNetError``, because scripts catch it and go on with the CPU. Only an error that ends
the script becomes recordkit's own. With `cpu` every GPU context of the script is a CPU context with the same number.

All of this is done in this process. A process that the script forks, such as a worker of a ``DataLoader``, inherits it;
a new interpreter that the script starts does not.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import re
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recordkit.errors import MissingError
from recordkit.interop.mxnet.bridge import device, load

# Names that NumPy 1.24 removed, with what they were, and asscalar, which 1.23 removed.
_NUMPY_NAMES = {
    "asscalar": lambda array: array.item(),
    "bool": bool,
    "complex": complex,
    "float": float,
    "int": int,
    "long": int,
    "object": object,
    "str": str,
    "unicode": str,
}
# Texts of MXNet's errors about a GPU context: of the CPU build, and of the CUDA build without a GPU that works.
_GPU_ERROR = re.compile(r"Compile with USE_CUDA=1 to enable GPU|GPU is not enabled|not implemented for GPU|CUDA: ")


def run_script(path: str | Path, arguments: Sequence[str] = (), *, cpu: bool = False) -> None:
    """Run a script in this process as ``python PATH ARGUMENTS`` does.

    The script becomes the module ``__main__``, and its folder the first one of ``sys.path``. Neither is undone, because
    threads and functions that the script registers for the end of the process still need them.

    Parameters
    ----------
    path : str or Path
        The script.
    arguments : sequence of str
        Its arguments.
    cpu : bool, default False
        Use the CPU wherever the script asks for a GPU.

    Raises
    ------
    MissingError
        MXNet cannot be loaded; or the script ended because a GPU cannot be used: then `path` and `line` are the place.
    OSError
        The script cannot be read.
    BaseException
        Anything that the script raises, SystemExit too; see `script_frames`.

    Examples
    --------
    >>> run_script("train_mnist.py", ["--num-epochs", "1"], cpu=True)  # doctest: +SKIP
    """
    location, source = Path(path).absolute(), Path(path).read_bytes()
    mx = load()
    for name, value in _NUMPY_NAMES.items():
        vars(np).setdefault(name, value)
    if cpu:
        kinds = mx.Context.devstr2type
        kinds["gpu"] = kinds["cpu_pinned"] = kinds["cpu"]  # a CUDA build without a GPU has no pinned memory
    sys.argv = [str(path), *arguments]
    if not getattr(sys.flags, "safe_path", False):  # new in Python 3.11
        sys.path[0] = str(location.resolve().parent)
    module = sys.modules["__main__"] = _main_module(str(location))
    try:
        _execute(source, module)
    except RuntimeError as error:  # MXNetError is one, and Module makes others of it
        if not cpu and _GPU_ERROR.search(str(error)):
            _raise_if_gpu_is_missing(error, str(path), str(location), str(Path(mx.__file__).parent))
        raise


def script_frames(error: BaseException) -> types.TracebackType | None:
    """Return the part of a traceback that begins in the script that `run_script` ran.

    Parameters
    ----------
    error : BaseException
        Error that `run_script` raised.

    Returns
    -------
    traceback : TracebackType or None
        None if no frame is the script's: the error is not its own, or its text is no valid Python.
    """
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code is not _execute.__code__:
        frames = frames.tb_next
    return frames and frames.tb_next


def _execute(source: bytes, module: types.ModuleType) -> None:
    exec(compile(source, str(module.__file__), "exec", dont_inherit=True), vars(module))


def _main_module(location: str) -> types.ModuleType:
    """Return an empty module with the names that Python gives to a script."""
    module = types.ModuleType("__main__")
    values: dict[str, Any] = {
        "__annotations__": {},
        "__builtins__": builtins,
        "__cached__": None,
        "__file__": location,
        "__loader__": importlib.machinery.SourceFileLoader("__main__", location),
    }
    vars(module).update(values)
    return module


def _raise_if_gpu_is_missing(error: RuntimeError, path: str, location: str, mxnet_folder: str) -> None:
    """Raise an error that says why there is no GPU, if there is none.

    Its place is the line of the user's code that called MXNet, in the script or in a module that it imports.
    """
    try:
        device("gpu")
    except MissingError as reason:
        line, frames = None, script_frames(error)
        while frames is not None and not frames.tb_frame.f_code.co_filename.startswith((mxnet_folder, "<")):
            name, line, frames = frames.tb_frame.f_code.co_filename, frames.tb_lineno, frames.tb_next
            path = path if name == location else name
        raise MissingError(
            reason.message,
            path=path,
            line=line,
            expected=reason.expected,
            got=reason.got,
            advice="run it with `cpu=True`, or see 'recordkit doctor'",
        ) from error
