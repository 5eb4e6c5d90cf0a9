"""The engines that turn samples into records, and the choice between them.

Every engine means the same; `recordkit.packing.python` is the definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recordkit.errors import MissingError, PlanError
from recordkit.packing.plan import PackPlan
from recordkit.packing.python import PythonEngine
from recordkit.packing.report import Progress
from recordkit.packing.writer import SetWriter
from recordkit.sample import Source

ENGINES = ("auto", "native", "python")


class Engine(Protocol):
    """Packs samples of a source, in a given order, into one open set."""

    name: str

    def pack(
        self,
        source: Source,
        order: Sequence[int],
        plan: PackPlan,
        writer: SetWriter,
        *,
        n_threads: int,
        progress: Progress,
    ) -> None:
        """Hand every sample to the writer, packed or failed, in the given order.

        Parameters
        ----------
        source : Source
        order : sequence of int
            Positions in the source.
        plan : PackPlan
        writer : SetWriter
        n_threads : int
            The result does not depend on it, nor does memory grow with the number of samples.
        progress : callable
        """


def choose(name: str) -> Engine:
    """Return the engine of that name.

    Parameters
    ----------
    name : {"auto", "native", "python"}
        "auto" takes the fastest there is.

    Raises
    ------
    PlanError
        There is no such engine.
    MissingError
        The native engine is not built.
    """
    if name not in ENGINES:
        raise PlanError(f"engine: expected one of {', '.join(ENGINES)}, got {name!r}")
    if name == "native":
        raise MissingError('native engine: this version has none; use engine="python"')
    return PythonEngine()
