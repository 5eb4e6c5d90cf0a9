"""Packing and reading on the machines of a Ray cluster.

`read` gives the records of .rec files as a Ray dataset. A name is imported when it is first used, and Ray with it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recordkit.cluster.reading import read

# The module of each public name.
_MODULES = {
    "read": "recordkit.cluster.reading",
}

__all__ = ["read"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value
