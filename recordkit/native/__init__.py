"""The compiled core: C++ versions of the hot loops, with the same results as the Python code.

The core reads buffers and open files; paths, options and error policies stay in Python. It is optional: without it
recordkit works with the reference engine, only slower, and `load` says why the core is missing.
"""

from __future__ import annotations

import functools
import importlib
from types import ModuleType
from typing import NamedTuple, TypeVar

from recordkit.errors import MissingError, PlanError

ABI = 6
"""Version of the interface between this package and the compiled module; equal to kAbi in src/module.cpp."""

ENGINES = ("auto", "native", "python")

_Engine = TypeVar("_Engine")

_HOW_TO_BUILD = (
    "install g++ and the headers of libjpeg-turbo and libdeflate (Debian: apt-get install g++ libjpeg-dev "
    "libdeflate-dev) and install recordkit again, or use `engine=python`"
)


class JpegVersions(NamedTuple):
    """Versions of libjpeg-turbo, such as "2.1.5", and their consequence.

    Parameters
    ----------
    built_with : str
        Version of the headers with which the core was compiled.
    running : str
        Version of the library that is loaded; "" if the library does not tell.
    fast : bool
        True if both are equal. Otherwise the core's fast Huffman decoder, which relies on private structures of
        libjpeg-turbo, is off, and libjpeg-turbo's own decodes the same pixels more slowly.
    """

    built_with: str
    running: str
    fast: bool


def load() -> ModuleType:
    """Return the compiled module.

    Raises
    ------
    MissingError
        The module is not built, or was built for another version of this package.
    """
    core = _import_core()
    if isinstance(core, MissingError):
        raise core.located()
    return core


def choose(engine: str, *, native: type[_Engine], python: type[_Engine]) -> type[_Engine]:
    """Return one of the two engines of a package, by its name.

    Parameters
    ----------
    engine : {"auto", "native", "python"}
        "auto" is the native engine if the core is built.
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
    return native if engine == "native" or (engine == "auto" and available()) else python


def available() -> bool:
    """Tell whether `load` would succeed."""
    return not isinstance(_import_core(), MissingError)


def jpeg_versions() -> JpegVersions:
    """Return the versions of libjpeg-turbo with which the core was built and with which it runs.

    Raises
    ------
    MissingError
        The core is not built.
    """
    return JpegVersions(*load().jpeg_versions())


@functools.cache
def _import_core() -> ModuleType | MissingError:
    """Return the module, or the error that says why it is missing."""
    try:
        core = importlib.import_module("recordkit.native._core")
    except ImportError as error:
        # A core that is built fails to load if a library that it links to is gone.
        reason = "not built" if isinstance(error, ModuleNotFoundError) else str(error)
        return MissingError(f"native engine: {reason}", advice=_HOW_TO_BUILD)
    if core.ABI != ABI:
        return MissingError("native engine", expected=f"version {ABI}", got=core.ABI, advice="install recordkit again")
    return core
