"""Which engine loads."""

from __future__ import annotations

from recordkit import native
from recordkit.loading.engine import Engine
from recordkit.loading.native import NativeEngine
from recordkit.loading.python import PythonEngine


def choose(name: str) -> type[Engine]:
    """Return the engine of that name, as `recordkit.native.wanted` has it."""
    return NativeEngine if native.wanted(name) else PythonEngine
