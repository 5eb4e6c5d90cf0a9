"""Ray, imported when it is first needed, because it is optional and takes a second to load."""

from __future__ import annotations

import importlib
from typing import Any

from recordkit.errors import MissingError


def import_ray(module: str = "ray") -> Any:
    """Return Ray, or one of its modules such as "ray.data".

    Raises
    ------
    MissingError
        Ray is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingError(f"a cluster needs {module}: {error}", advice="pip install 'recordkit[cluster]'") from error
