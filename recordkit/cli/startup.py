"""Imports of the modules of a program, which are most of the time that a small command takes."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType

_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


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


def import_module(name: str, *, multiplies: bool) -> ModuleType:
    """Import a module with all that it needs, and keep Python's collector of garbage away from the result.

    Parameters
    ----------
    name : str
    multiplies : bool
        The command, or what it calls, multiplies matrices. Otherwise NumPy is imported without threads of its own.
    """
    if name in sys.modules:
        return sys.modules[name]
    with collector_paused(), contextlib.nullcontext() if multiplies else _one_blas_thread():
        return importlib.import_module(name)


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
