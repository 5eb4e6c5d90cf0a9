"""Packing and reading on the machines of a Ray cluster.

`pack` packs images into shards, and `read` gives the records of .rec files as a Ray dataset. A name is imported when it
is first used, and Ray when it is called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recordkit.cluster.packing.pack import pack
    from recordkit.cluster.reading import read

# The module of each public name.
_MODULES = {
    "pack": "recordkit.cluster.packing.pack",
    "read": "recordkit.cluster.reading",
}

__all__ = ["pack", "read"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value
