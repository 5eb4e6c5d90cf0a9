"""The compiled twin of the hot loops. It sees buffers and open files, never names or policies.

It is optional: without it everything works on the reference engine, slower. `load` says why it is not there.
"""

from __future__ import annotations

import functools
import importlib
from types import ModuleType

from recordkit.errors import MissingError, PlanError

ABI = 5
"""What this package expects of the compiled module; the same number is in src/module.cpp."""

ENGINES = ("auto", "native", "python")

_HOW = (
    "install g++ and the headers of libjpeg-turbo and libdeflate (Debian: apt-get install g++ libjpeg-dev "
    'libdeflate-dev) and install recordkit again, or use engine="python"'
)


def load() -> ModuleType:
    """Return the compiled module.

    Raises
    ------
    MissingError
        It is not built, or built for another version of this package.
    """
    found = _find()
    if isinstance(found, str):
        raise MissingError(f"native engine: {found}")
    return found


def wanted(engine: str) -> bool:
    """Tell whether the native engine is to do the work.

    Parameters
    ----------
    engine : {"auto", "native", "python"}
        "auto" takes the native one if it is built.

    Raises
    ------
    PlanError
        There is no such engine.
    MissingError
        It is asked for and not built.
    """
    if engine not in ENGINES:
        raise PlanError(f"engine: expected one of {', '.join(ENGINES)}, got {engine!r}")
    if engine == "native":
        load()
    return engine == "native" or (engine == "auto" and available())


def available() -> bool:
    """Tell whether `load` would work."""
    return not isinstance(_find(), str)


@functools.cache
def _find() -> ModuleType | str:
    """Return the module, or why there is none."""
    try:
        core = importlib.import_module("recordkit.native._core")
    except ImportError as error:
        # Where it is built, what it links to may be gone.
        reason = "not built" if isinstance(error, ModuleNotFoundError) else str(error)
        return f"{reason}; {_HOW}"
    if core.ABI != ABI:
        return f"expected version {ABI}, got {core.ABI}; install recordkit again"
    return core
