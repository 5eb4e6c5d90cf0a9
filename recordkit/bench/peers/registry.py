"""All peers by name; the order is that of tables before they are sorted."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import cast

from recordkit.bench.peers.dali import Dali
from recordkit.bench.peers.ffcv import Ffcv
from recordkit.bench.peers.litdata import LitData
from recordkit.bench.peers.mxnet import Gluon, ImageIter, ImageRecordIter
from recordkit.bench.peers.peer import Peer
from recordkit.bench.peers.recordkit import RecordkitLoader
from recordkit.bench.peers.spdl import Spdl
from recordkit.bench.peers.torch import TorchLoader
from recordkit.bench.peers.turboloader import TurboLoader
from recordkit.errors import PlanError

REFERENCE = "image-iter"
"""The peer that all others are compared with by default."""

PEERS: dict[str, Peer] = {
    "image-record-iter": ImageRecordIter(),
    "image-iter": ImageIter(from_files=False),
    "image-iter-lst": ImageIter(from_files=True),
    "gluon": Gluon(),
    "native": RecordkitLoader("native"),
    "python": RecordkitLoader("python"),
    "dali": Dali(),
    "torch": TorchLoader(),
    "ffcv": Ffcv(),
    "turboloader": TurboLoader(),
    "spdl": Spdl(),
    "litdata": LitData(),
}


def find_peer(name: str) -> Peer:
    """Return a peer.

    Parameters
    ----------
    name : str
        A name in `PEERS`, or ``FILE.py:NAME``: an object NAME in a file of the user's, which implements `Peer`.

    Raises
    ------
    PlanError
        No peer has that name, or the object in the file is no peer.
    FileNotFoundError
        The file does not exist.
    """
    if name in PEERS:
        return PEERS[name]
    file, colon, attribute = name.rpartition(":")
    if not colon or not file.endswith(".py"):
        raise PlanError(argument="peers", expected=f"{', '.join(PEERS)}, or FILE.py:NAME", got=repr(name))
    module = _import_file(file)
    if not hasattr(module, attribute):
        raise PlanError(argument="peers", path=file, expected=f"an object {attribute}", got="none")
    peer = getattr(module, attribute)
    members = ("title", "note", "unavailable_reason", "open", "versions")
    missing = [member for member in members if not hasattr(peer, member)]
    if missing or isinstance(peer, type):
        raise PlanError(
            argument="peers",
            path=file,
            expected=f"an object {attribute} with all members of recordkit.bench.peers.peer.Peer",
            got=f"one without {', '.join(missing)}" if missing else "the class itself",
        )
    return cast(Peer, peer)


def _import_file(file: str) -> ModuleType:
    Path(file).stat()  # raises FileNotFoundError with the file's name
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise PlanError(argument="peers", expected="a Python file", got=repr(file))
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PlanError(f"{type(error).__name__}: {error}", argument="peers", path=file) from error
    return module
