"""The compiled twin of the hot loops. It sees buffers and open files, never names or policies.

It is optional: without it everything works on the reference engine, slower. `load` says why it is not there.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from recordkit.errors import MissingError

ABI = 1
"""What this package expects of the compiled module; the same number is in src/module.cpp."""

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
    try:
        core = importlib.import_module("recordkit.native._core")
    except ImportError as error:
        # Where it is built, what it links to may be gone.
        reason = "not built" if isinstance(error, ModuleNotFoundError) else str(error)
        raise MissingError(f"native engine: {reason}; {_HOW}") from None
    if core.ABI != ABI:
        raise MissingError(f"native engine: expected version {ABI}, got {core.ABI}; install recordkit again")
    return core


def available() -> bool:
    """Tell whether `load` would work."""
    try:
        load()
    except MissingError:
        return False
    return True
