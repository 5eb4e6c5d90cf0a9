"""Which engine loads."""

from __future__ import annotations

from recordkit import native
from recordkit.errors import PlanError
from recordkit.reading.engine import Engine
from recordkit.reading.native import NativeEngine
from recordkit.reading.python import PythonEngine

ENGINES = ("auto", "native", "python")


def choose(name: str) -> type[Engine]:
    """Return the engine of that name.

    Parameters
    ----------
    name : {"auto", "native", "python"}
        "auto" takes the native one if it is built.

    Raises
    ------
    PlanError
        There is no such engine.
    MissingError
        The native engine is not built.
    """
    if name not in ENGINES:
        raise PlanError(f"engine: expected one of {', '.join(ENGINES)}, got {name!r}")
    if name == "native":
        native.load()
    return NativeEngine if name == "native" or (name == "auto" and native.available()) else PythonEngine
