"""Imports of the modules of a program, which are most of the time that a small command takes.

Two measures shorten them, and both change the whole process: Python's collector of garbage never looks at the modules,
and NumPy starts no threads. So only the programs take them, and not a Python program that calls a command.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from types import ModuleType

_BLAS_THREADS = "OPENBLAS_NUM_THREADS"

_is_program: ContextVar[bool] = ContextVar("_is_program", default=False)


@contextlib.contextmanager
def as_program() -> Iterator[None]:
    """Let `import_module` change the process in a block: for ``recordkit`` and ``im2rec``, which are all it runs."""
    token = _is_program.set(True)
    try:
        yield
    finally:
        _is_program.reset(token)


def import_module(name: str, *, multiplies: bool) -> ModuleType:
    """Import a module with all that it needs; in a program, by the two measures of this module.

    Parameters
    ----------
    name : str
    multiplies : bool
        The module is a command that multiplies matrices, or that runs a program that may. NumPy has its threads then.
    """
    if name in sys.modules or not _is_program.get():
        return importlib.import_module(name)
    with collector_paused(), contextlib.nullcontext() if multiplies else _one_blas_thread():
        return importlib.import_module(name)


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Do not look for garbage among the objects of the modules, neither now nor when Python ends.

    The objects of modules live as long as the process, and looking through them is a fifth of the time of a start.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Let OpenBLAS, which NumPy loads, start no thread for its matrix products.

    It starts one per CPU, and each spins for tens of milliseconds before it sleeps: processor time that the images
    need. OpenBLAS reads the variable once, while it is loaded, and so the processes that this one starts do not see it.
    A value that the user has set stays.
    """
    environment = os.environ  # noqa: TID251 (OpenBLAS takes no setting in another way before it starts its threads)
    if _BLAS_THREADS not in environment and "numpy" not in sys.modules:
        environment[_BLAS_THREADS] = "1"
        try:
            importlib.import_module("numpy")
        finally:
            del environment[_BLAS_THREADS]
    yield
