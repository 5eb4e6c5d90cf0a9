"""Which engine packs."""

from __future__ import annotations

from recordkit import native
from recordkit.packing.engine import Engine
from recordkit.packing.native import NativeEngine
from recordkit.packing.python import PythonEngine


def choose(name: str) -> type[Engine]:
    """Return the engine of that name, as `recordkit.native.wanted` has it."""
    return NativeEngine if native.wanted(name) else PythonEngine
