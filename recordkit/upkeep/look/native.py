"""The native engine of measurements: images are decoded and added up in the core, without the interpreter's lock.

The core measures JPEG, PNG and raw images; the python engine measures the others, and words the errors.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recordkit import native
from recordkit.dataset.dataset import RecordDataset
from recordkit.memory import MemoryBudget
from recordkit.upkeep.look.measurement import COLUMNS, Engine, Measured, PythonEngine


def choose_engine(name: str) -> type[Engine]:
    """Return the engine that a name stands for; see `recordkit.native.choose`."""
    return native.choose(name, native=NativeEngine, python=PythonEngine)


class NativeEngine:
    """See `recordkit.upkeep.look.measurement.Engine`."""

    name: ClassVar[str] = "native"

    def __init__(self, dataset: RecordDataset, budget: MemoryBudget, stopped: bytearray) -> None:
        self._dataset = dataset
        self._budget = budget
        self._stopped = stopped
        self._reference = PythonEngine(dataset, budget, stopped)

    def measure(self, indices: NDArray[np.int64]) -> Measured:
        """Measure the images of some samples."""
        core = native.load()
        facts = np.zeros((len(indices), len(COLUMNS)), np.int64)
        records = core.Records(*self._dataset.records_at(indices), indices, 0)
        rows = core.measure_records(records, facts, self._budget, self._stopped)
        return Measured(facts, self._reference.measure_rows(rows.tolist(), indices, facts))
