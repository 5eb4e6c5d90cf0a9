"""The native engine: compiled C++ from the record to the batch.

The compiled core decodes JPEG, PNG and raw images, and applies the transforms from the first one up to the first that
has no native spec (`recordkit.transforms.transform.native_spec`); the remaining transforms run in Python. The reference
engine loads the samples that the core cannot decode because of their format or damage, so that their errors are the
reference engine's. Resized pixels differ from the reference engine's by at most 1 level, or a little more if JPEGs are
reduced while they are decoded (`LoadPlan.exact`).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recordkit import native
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import ImageError
from recordkit.loading.engine import BatchArrays, Engine, Request
from recordkit.loading.item import apply_transforms, to_batch_item
from recordkit.loading.plan import LoadPlan
from recordkit.loading.python import PythonEngine
from recordkit.memory import MemoryBudget
from recordkit.sample import MAX_PIXELS
from recordkit.transforms import Normalize, Transform
from recordkit.transforms.transform import native_spec

# Parameters that the core stores as uint32.
_UINT32_PARAMETERS = ("height", "width", "margin", "side_high")


def choose_engine(name: str) -> type[Engine]:
    """Return the engine that a name stands for; see `recordkit.native.choose`."""
    return native.choose(name, native=NativeEngine, python=PythonEngine)


class NativeEngine:
    """See `recordkit.loading.engine.Engine`."""

    name: ClassVar[str] = "native"

    def __init__(self, dataset: RecordDataset, plan: LoadPlan, size: tuple[int, int], budget: MemoryBudget) -> None:
        self._budget = budget
        self._dataset = dataset
        self._plan = plan
        self._size = size
        self._reference = PythonEngine(dataset, plan, size, budget)
        specs = _native_specs(plan.steps)
        self._n_native_steps = len(specs)
        # A subclass of Normalize may do something else, so it runs in Python too.
        is_native = len(specs) == len(plan.steps) and type(plan.normalize) in (Normalize, type(None))
        self._fills_batches = is_native and size[0] * size[1] <= MAX_PIXELS
        # Otherwise the core returns images, and does not use the size and the constants of the normalisation.
        height, width = size if self._fills_batches else (1, 1)
        mean, factor = np.zeros(plan.channels, np.float32), np.ones(plan.channels, np.float32)
        if self._fills_batches and plan.normalize is not None:
            mean, factor = plan.normalize.constants(plan.channels)
        self._loader = native.load().BatchLoader(
            steps=specs,
            channels=plan.channels,
            scale_in_dct=not plan.exact,
            seed=plan.seed,
            dtype=plan.dtype,
            planar=plan.layout == "NCHW",
            height=height,
            width=width,
            mean=mean,
            factor=factor,
        )

    def load(self, request: Request, arrays: BatchArrays) -> dict[int, Exception]:
        """Load the samples into the arrays; return the errors of those that cannot be loaded, by row."""
        locations = self._dataset.records_at(request.indices)
        records = native.load().Records(*locations, request.positions, request.epoch)
        if self._fills_batches:
            rows = self._loader.load(records, arrays.data, arrays.labels, self._budget, request.stopped)
            rows_for_reference = rows.tolist()
        else:
            rows_for_reference = self._load_and_finish(records, request, arrays)
        return self._reference.load_rows(rows_for_reference, request, arrays)

    def _load_and_finish(self, records: Any, request: Request, arrays: BatchArrays) -> list[int]:
        """Apply the remaining transforms in Python; return the rows that are left to the reference engine.

        The core hands over one image after the other, so that a thread has one image in memory and not all of a batch.
        """
        positions = request.positions.tolist()
        failed_rows = []

        def finish(row: int, image: NDArray[np.uint8]) -> None:
            try:
                image = apply_transforms(image, self._plan, request.epoch, positions[row], first=self._n_native_steps)
                arrays.data[row] = to_batch_item(image, self._plan, self._size)
            except ImageError:
                failed_rows.append(row)  # the reference engine raises the error again and reports it

        rows = self._loader.images(records, arrays.labels, finish, self._budget, request.stopped)
        return sorted([*rows.tolist(), *failed_rows])


def _native_specs(steps: tuple[Transform, ...]) -> list[dict[str, Any]]:
    """Return the core's arguments for the first steps, up to the first step that it does not have."""
    specs = []
    for number, step in enumerate(steps):
        spec = native_spec(step)
        if spec is None or max(spec.get(name, 0) for name in _UINT32_PARAMETERS) > MAX_PIXELS:
            break
        specs.append(spec | {"number": number})
    return specs
