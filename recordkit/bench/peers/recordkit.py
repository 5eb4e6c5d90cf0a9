"""recordkit's own loader, with either engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import recordkit as rk
from recordkit.bench.peers.peer import StartEpoch
from recordkit.bench.workload import Workload
from recordkit.errors import MissingError
from recordkit.loading.native import choose_engine
from recordkit.transforms import Normalize, Transform


class RecordkitLoader:
    """`recordkit.Loader`.

    Parameters
    ----------
    engine : {"native", "python"}
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self.title = f"recordkit {engine}"

    def note(self, _workload: Workload) -> str:
        """See `Peer`."""
        return ""

    def unavailable_reason(self, _workload: Workload) -> str | None:
        """See `Peer`."""
        try:
            choose_engine(self._engine)
        except MissingError as error:
            return str(error)
        return None

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        loader = rk.Loader(
            workload.path(".rec"),
            batch_size=workload.batch_size,
            transforms=self.transforms(workload, check=check),
            shuffle=not check,
            threads=threads,
            engine=self._engine,
            dtype=workload.dtype,
            layout="NCHW" if workload.is_float else "NHWC",
            channels=workload.shape[0],
        )

        def start_epoch() -> Iterator[tuple[Any, int]]:
            return ((batch.data, batch.n_valid) for batch in loader)

        return start_epoch

    def transforms(self, workload: Workload, *, check: bool) -> list[Transform | Normalize]:
        """Return the steps of `recordkit.Loader`, which a peer for another workload may change."""
        steps: list[Transform | Normalize] = [rk.Resize(workload.resize, "bilinear")] if workload.resize else []
        if check or workload.preset == "none":
            steps.append(rk.CenterCrop(workload.size))
        else:
            crop = rk.RandomCrop if workload.preset == "crop" else rk.RandomResizedCrop
            steps += [crop(workload.size), rk.RandomFlip()]
        return [*steps, Normalize(workload.mean, workload.std)] if workload.is_float else steps

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        return {"recordkit": rk.__version__}
