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
from recordkit.errors import ImageError, PlanError
from recordkit.loading.engine import BatchArrays, Engine, Request
from recordkit.loading.item import apply_transforms, check_format, to_batch_item
from recordkit.loading.plan import ItemFormat, LoadPlan
from recordkit.loading.python import PythonEngine
from recordkit.memory import MemoryBudget
from recordkit.sample import MAX_PIXELS
from recordkit.transforms import Normalize, Transform
from recordkit.transforms.transform import native_spec

# Parameters that the core stores as uint32.
_UINT32_PARAMETERS = ("height", "width", "margin", "side_high", "n")


def choose_engine(name: str) -> type[Engine]:
    """Return the engine that a name stands for; see `recordkit.native.choose`."""
    return native.choose(name, native=NativeEngine, python=PythonEngine)


class CoreLoader:
    """The core's loader for a plan, and the work on its images that remains for Python.

    Attributes
    ----------
    loader : BatchLoader
    fills_batches : bool
        The core does all of the plan. Otherwise it returns images, and `Finisher` does the rest.
    n_native_steps : int
        Number of transforms that the core does.
    """

    def __init__(self, plan: LoadPlan, item: ItemFormat) -> None:
        specs = _native_specs(plan.steps)
        self.n_native_steps = len(specs)
        # A subclass of Normalize may do something else, so it runs in Python too.
        normalizes = type(plan.normalize) in (Normalize, type(None))
        is_native = len(specs) == len(plan.steps) and normalizes and not plan.functions
        size = plan.image_size(item) if is_native else (1, 1)
        self.fills_batches = is_native and size[0] * size[1] <= MAX_PIXELS
        # Otherwise the core returns images, and does not use the size and the constants of the normalisation.
        height, width = size if self.fills_batches else (1, 1)
        mean, factor = np.zeros(plan.channels, np.float32), np.ones(plan.channels, np.float32)
        if self.fills_batches and plan.normalize is not None:
            mean, factor = plan.normalize.constants(plan.channels)
        self.loader = native.load().BatchLoader(
            steps=specs,
            channels=plan.channels,
            gray_only=plan.gray_only,
            scale_in_dct=not plan.exact,
            seed=plan.seed,
            dtype=item.dtype.name if self.fills_batches else "uint8",
            planar=plan.layout == "NCHW",
            height=height,
            width=width,
            mean=mean,
            factor=factor,
        )


class Finisher:
    """Applies the remaining transforms in Python, and writes the images into a batch.

    The core calls it with one image after the other, so that a thread has one image in memory and not all of a batch.

    Attributes
    ----------
    failed_rows : list of int
        Rows whose error the reference engine raises again and reports.
    plan_errors : dict of int to PlanError
        Errors of transforms by row, which are not called again.
    """

    def __init__(
        self, plan: LoadPlan, data: NDArray[Any], epoch: int, positions: NDArray[Any], *, n_native_steps: int
    ) -> None:
        self.failed_rows: list[int] = []
        self.plan_errors: dict[int, PlanError] = {}
        self._plan = plan
        self._data = data
        self._epoch = epoch
        self._positions = positions.tolist()
        self._first = n_native_steps
        self._item = ItemFormat(data.shape[1:], data.dtype)

    def __call__(self, row: int, image: NDArray[np.uint8]) -> None:
        """Finish the image of a row."""
        try:
            image = apply_transforms(image, self._plan, self._epoch, self._positions[row], first=self._first)
            self._data[row] = check_format(to_batch_item(image, self._plan), self._plan, self._item)
        except ImageError:
            self.failed_rows.append(row)
        except PlanError as error:
            self.plan_errors[row] = error


class NativeEngine:
    """See `recordkit.loading.engine.Engine`."""

    name: ClassVar[str] = "native"

    def __init__(self, dataset: RecordDataset, plan: LoadPlan, item: ItemFormat, budget: MemoryBudget) -> None:
        self._budget = budget
        self._dataset = dataset
        self._plan = plan
        self._reference = PythonEngine(dataset, plan, item, budget)
        self._core = CoreLoader(plan, item)

    def load(self, request: Request, arrays: BatchArrays) -> dict[int, Exception]:
        """Load the samples into the arrays; return the errors of those that cannot be loaded, by row."""
        locations = self._dataset.records_at(request.indices)
        records = native.load().Records(*locations, request.positions, request.epoch)
        core, limits = self._core, (self._budget, request.stopped)
        plan_errors: dict[int, PlanError] = {}
        if core.fills_batches:
            rows = core.loader.load(records, arrays.data, arrays.labels, *limits).tolist()
        else:
            finisher = Finisher(
                self._plan, arrays.data, request.epoch, request.positions, n_native_steps=core.n_native_steps
            )
            rows = core.loader.images(records, arrays.labels, finisher, *limits).tolist()
            rows, plan_errors = sorted([*rows, *finisher.failed_rows]), finisher.plan_errors
        return self._reference.load_rows(rows, request, arrays) | plan_errors


def _native_specs(steps: tuple[Transform, ...]) -> list[dict[str, Any]]:
    """Return the core's arguments for the first steps, up to the first step that it does not have."""
    specs = []
    for number, step in enumerate(steps):
        spec = native_spec(step)
        if spec is None or max(spec.get(name, 0) for name in _UINT32_PARAMETERS) > MAX_PIXELS:
            break
        specs.append(spec | {"number": number})
    return specs
