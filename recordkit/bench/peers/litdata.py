"""LitData's streaming dataset and loader on chunks of its own format, which hold the same bytes as the .rec file."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from recordkit.bench.peers.conversion import convert_once
from recordkit.bench.peers.peer import StartEpoch
from recordkit.bench.peers.torch import PillowSteps
from recordkit.bench.workload import Workload
from recordkit.dataset.dataset import RecordDataset


class LitData:
    """``litdata.StreamingDataLoader`` with worker processes, and the steps of `recordkit.bench.peers.torch`."""

    title = "LitData, its own format, Pillow"

    def note(self, _workload: Workload) -> str:
        """See `Peer`."""
        return ""

    def unavailable_reason(self, _workload: Workload) -> str | None:
        """See `Peer`."""
        return None if importlib.util.find_spec("litdata") else "not installed; pip install litdata"

    def open(self, workload: Workload, threads: int, *, check: bool) -> StartEpoch:
        """See `Peer`."""
        from litdata import StreamingDataLoader, StreamingDataset

        dataset = StreamingDataset(
            str(convert_once(workload, ".litdata", _convert)),
            shuffle=not check,
            transform=partial(_transform, PillowSteps(workload, check=check)),
        )
        loader: Any = StreamingDataLoader(
            dataset, batch_size=workload.batch_size, num_workers=threads, persistent_workers=True
        )

        def start_epoch() -> Iterator[tuple[Any, int]]:
            return ((data, len(data)) for data, _ in loader)

        return start_epoch

    def versions(self) -> dict[str, str]:
        """See `Peer`."""
        import litdata  # noqa: F401 (the import is the first part of the contract, see Peer)

        return {"litdata": version("litdata")}


def _transform(steps: PillowSteps, sample: dict[str, Any]) -> tuple[Any, float]:
    return steps(sample["image"]), sample["label"]


def _convert(dataset: RecordDataset, target: Path) -> None:
    from litdata import optimize

    optimize(
        fn=_Sample(dataset),
        inputs=list(range(len(dataset))),
        output_dir=str(target),
        chunk_bytes="64MB",
        num_workers=1,
        keep_data_ordered=True,
        verbose=False,
    )


class _Sample:
    """Returns a sample for LitData's writer, whose process gets a copy of this object."""

    def __init__(self, dataset: RecordDataset) -> None:
        self._dataset = dataset

    def __call__(self, index: int) -> dict[str, Any]:
        sample = self._dataset[index]
        return {"image": bytes(sample.payload), "label": float(np.ravel(sample.label)[0])}
