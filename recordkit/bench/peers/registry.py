"""The peers by name, in the order of a table before it is sorted."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import cast

from recordkit.bench.peers.dali import Dali
from recordkit.bench.peers.mxnet import Gluon, ImageIter, ImageRecordIter
from recordkit.bench.peers.own import Recordkit
from recordkit.bench.peers.peer import Peer
from recordkit.bench.peers.torch import TorchLoader
from recordkit.errors import PlanError

REFERENCE = "image-iter"
"""What all others are compared with, if it is there."""

PEERS: dict[str, Peer] = {
    "image-record-iter": ImageRecordIter(),
    "image-iter": ImageIter(files=False),
    "image-iter-lst": ImageIter(files=True),
    "gluon": Gluon(),
    "native": Recordkit("native"),
    "python": Recordkit("python"),
    "dali": Dali(),
    "torch": TorchLoader(),
}


def find(name: str) -> Peer:
    """Return a peer by its name, or one of the user's own, ``FILE.py:NAME``: an object that is a `Peer`.

    Raises
    ------
    PlanError
        There is none of that name.
    """
    if name in PEERS:
        return PEERS[name]
    file, colon, attribute = name.rpartition(":")
    if not colon or not file.endswith(".py"):
        raise PlanError(f"peer: expected {', '.join(PEERS)}, or FILE.py:NAME, got {name!r}")
    Path(file).stat()  # that it is missing is said by the system
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise PlanError(f"peer: expected a Python file, got {file!r}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PlanError(f"peer: {file}: {type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        raise PlanError(f"peer: expected {attribute} in {file}, got none")
    found = getattr(module, attribute)
    missing = [name for name in ("title", "note", "why_not", "open", "versions") if not hasattr(found, name)]
    if missing or isinstance(found, type):
        what = f"without {', '.join(missing)}" if missing else "the class itself"
        raise PlanError(f"peer: {name}: expected an object as recordkit.bench.peers.peer.Peer describes it, got {what}")
    return cast(Peer, found)
