"""recordkit's own engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import recordkit as rk
from recordkit.bench.peers.peer import Epochs
from recordkit.bench.workload import Work
from recordkit.errors import MissingError
from recordkit.loading.native import choose_engine
from recordkit.transforms import Normalize, Transform


class Recordkit:
    """`recordkit.Loader`.

    Parameters
    ----------
    engine : {"native", "python"}
    """

    note = ""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self.title = f"recordkit {engine}"

    def why_not(self, _work: Work) -> str | None:
        """See `Peer`."""
        try:
            choose_engine(self._engine)
        except MissingError as error:
            return str(error)
        return None

    def open(self, work: Work, threads: int, *, check: bool) -> Epochs:
        """See `Peer`."""
        loader = rk.Loader(
            work.path(".rec"),
            batch_size=work.batch_size,
            transforms=[*_steps(work, check=check), Normalize(work.mean, work.std)],
            shuffle=not check,
            threads=threads,
            engine=self._engine,
            dtype="float32",
            layout="NCHW",
            channels=work.shape[0],
        )

        def epoch() -> Iterator[tuple[Any, int]]:
            return ((batch.data, batch.n_valid) for batch in loader)

        return epoch

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        return {"recordkit": rk.__version__}


def _steps(work: Work, *, check: bool) -> list[Transform]:
    steps: list[Transform] = [rk.Resize(work.resize, "bilinear")] if work.resize else []
    if check or work.preset == "none":
        return [*steps, rk.CenterCrop(work.size)]
    crop = rk.RandomCrop(work.size) if work.preset == "crop" else rk.RandomResizedCrop(work.size)
    return [*steps, crop, rk.RandomFlip()]
