"""The compiled core: C++ versions of the hot loops, with the same results as the Python code.

The core reads buffers and open files; paths, options and error policies stay in Python. It is optional: without it
recordkit works with the reference engine, only slower, and `load` says why the core is missing.
"""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from types import ModuleType
from typing import TypeVar

from recordkit.errors import MissingError, PlanError, SlowEngineWarning

ABI = 16
"""Version of the interface between this package and the compiled module; equal to kAbi in src/module.cpp."""

ENGINES = ("auto", "native", "python")

_Engine = TypeVar("_Engine")

_HOW_TO_INSTALL = "'recordkit doctor' says how to install it"


def load() -> ModuleType:
    """Return the compiled module.

    Raises
    ------
    MissingError
        The module is not built, or was built for another version of this package or with another libjpeg-turbo than the
        one that is loaded.
    """
    core = _import_core()
    if isinstance(core, MissingError):
        error = core.located()
        error.advice = f"{core.advice}, or use `engine=python`"
        raise error
    return core


def choose(engine: str, *, native: type[_Engine], python: type[_Engine]) -> type[_Engine]:
    """Return one of the two engines of a package, by its name.

    Parameters
    ----------
    engine : {"auto", "native", "python"}
        "auto" is the native engine if the core is built; otherwise it is the Python engine, and a SlowEngineWarning,
        once per process, says what to install.
    native, python : type
        The engines to choose from.

    Raises
    ------
    PlanError
        `engine` is none of these.
    MissingError
        `engine` is "native" and the core is not built.
    """
    if engine not in ENGINES:
        raise PlanError(argument="engine", expected=f"one of {', '.join(ENGINES)}", got=repr(engine))
    if engine == "native":
        load()
    if engine == "auto" and not available():
        _warn_of_slow_engine()
    return native if engine != "python" and available() else python


def available() -> bool:
    """Tell whether `load` would succeed."""
    return not isinstance(_import_core(), MissingError)


@functools.cache
def _import_core() -> ModuleType | MissingError:
    """Return the module, or the error that says why it is missing."""
    try:
        core = importlib.import_module("recordkit.native._core")
    except ImportError as error:
        # A core that is built fails to load if a library that it links to is gone.
        reason = "not built" if isinstance(error, ModuleNotFoundError) else str(error)
        return MissingError(f"native engine: {reason}", advice=_HOW_TO_INSTALL)
    if core.ABI != ABI:
        return MissingError("native engine", expected=f"version {ABI}", got=core.ABI, advice=_HOW_TO_INSTALL)
    built_with, running = core.jpeg_versions()
    if running != built_with:
        expected = f"libjpeg-turbo {built_with}, with which it was built"
        return MissingError("native engine", expected=expected, got=running, advice=_HOW_TO_INSTALL)
    return core


@functools.cache
def _warn_of_slow_engine() -> None:
    """Say why the Python engine does the work, at the line that called recordkit."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("recordkit."):
        level, frame = level + 1, frame.f_back
    warnings.warn(f"recordkit is slower without its {_import_core()}", SlowEngineWarning, stacklevel=level)
