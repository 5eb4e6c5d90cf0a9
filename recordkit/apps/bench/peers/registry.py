"""The peers by name, in the order of a table before it is sorted."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import cast

from recordkit.apps.bench.peers.dali import Dali
from recordkit.apps.bench.peers.mxnet import Gluon, ImageIter, ImageRecordIter
from recordkit.apps.bench.peers.own import Recordkit
from recordkit.apps.bench.peers.peer import Peer
from recordkit.apps.bench.peers.torch import TorchLoader
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
    if not colon or not Path(file).is_file():
        raise PlanError(f"peer: expected {', '.join(PEERS)}, or FILE.py:NAME, got {name!r}")
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise PlanError(f"peer: expected a Python file, got {file!r}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, attribute):
        raise PlanError(f"peer: expected {attribute} in {file}, got none")
    return cast(Peer, getattr(module, attribute))
