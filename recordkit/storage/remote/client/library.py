"""obstore, the client of all stores, imported when the first store is opened.

This relies on a private part of obstore, the module `obstore._obstore` (seen in 0.9 to 0.12): its threads do not exist
in a forked process, where each request would wait for them without end. So a forked process loads the library once more
from a copy of its file, which has threads of its own. PyTorch's workers are such processes.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from recordkit.errors import MissingError

_INSTALL = "pip install 'recordkit[remote]'"
_COMPILED = "obstore._obstore"


class _State:
    """The process that may use the loaded library, and the path of the compiled part."""

    pid = os.getpid()
    path: str | None = None
    lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: setattr(_State, "lock", threading.Lock()))


def load(scheme: str) -> Any:
    """Import obstore and return it. In a forked process it is a copy of its own.

    Parameters
    ----------
    scheme : str
        Scheme of the URL, for the error.

    Raises
    ------
    MissingError
        It is not installed.
    """
    with _State.lock:
        if _State.pid != os.getpid():
            if _COMPILED in sys.modules:
                _load_again()
            _State.pid = os.getpid()
        try:
            import obstore
            import obstore.exceptions
            import obstore.store
        except ImportError as error:
            reason = "" if error.name == "obstore" else f", and it does not load: {error}"
            raise MissingError(f"reading {scheme}:// needs obstore{reason}", advice=_INSTALL) from None
        _State.path = _State.path or sys.modules[_COMPILED].__spec__.origin  # type: ignore[union-attr]  # it has a file
    return obstore


class _CopyFinder:
    """Find the compiled part of obstore at another path."""

    def __init__(self, path: str) -> None:
        self.path = path

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _COMPILED:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=ExtensionFileLoader(name, self.path))


def _load_again() -> None:
    """Import obstore from a copy of its compiled file: the system loads the same file once per process only."""
    path = _State.path or sys.modules[_COMPILED].__spec__.origin  # type: ignore[union-attr]  # it has a file
    for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
        del sys.modules[name]
    with tempfile.TemporaryDirectory(prefix="recordkit-obstore-") as folder:
        copy = Path(folder, Path(str(path)).name)
        shutil.copyfile(str(path), copy)
        finder = _CopyFinder(str(copy))
        sys.meta_path.insert(0, finder)
        try:
            import obstore.exceptions
            import obstore.store  # noqa: F401 (it takes its place among the modules)
        finally:
            sys.meta_path.remove(finder)
        _State.path = str(path)
