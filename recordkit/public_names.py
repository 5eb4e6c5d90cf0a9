"""Public names of a package that are imported at their first use (PEP 562), so that its import takes no time."""

import importlib
import sys
from collections.abc import Callable, Mapping


def importer(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return the function ``__getattr__`` of a package.

    Parameters
    ----------
    package : str
        Name of the package.
    modules : mapping of str to str
        The module of each public name. No module of the package may have one of these names: Python stores a module
        that it imports under its name in the package, where it would replace the public object.

    Examples
    --------
    >>> get = importer("recordkit.upkeep", {"verify": "recordkit.upkeep.check.verify"})
    >>> get("verify").__name__
    'verify'
    """

    def import_name(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)  # the next use does not come here
        return value

    return import_name
