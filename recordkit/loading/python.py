"""The reference engine: Pillow and NumPy, one sample after the other. It defines the right result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, ImageError, PlanError, RemoteError, plural
from recordkit.loading.engine import BatchArrays, Request
from recordkit.loading.item import apply_transforms, check_format, to_batch_item
from recordkit.loading.plan import ItemFormat, LoadPlan
from recordkit.memory import MemoryBudget


class PythonEngine:
    """See `recordkit.loading.engine.Engine`."""

    name: ClassVar[str] = "python"

    def __init__(self, dataset: RecordDataset, plan: LoadPlan, item: ItemFormat, budget: MemoryBudget) -> None:
        self._budget = budget
        self._dataset = dataset
        self._plan = plan
        self._item = item

    def load(self, request: Request, arrays: BatchArrays) -> dict[int, Exception]:
        """Load the samples into the arrays; return the errors of those that cannot be loaded, by row."""
        return self.load_rows(range(len(request.indices)), request, arrays)

    def load_rows(self, rows: Iterable[int], request: Request, arrays: BatchArrays) -> dict[int, Exception]:
        """Do the work of `load` for some rows only."""
        errors: dict[int, Exception] = {}
        for row in rows:
            if request.stopped[0]:
                break
            try:
                self._load_row(row, request, arrays)
            except RemoteError:  # no fault of the sample: a loader that skips bad samples must not skip this one
                raise
            except (FormatError, ImageError, PlanError, OSError) as error:
                errors[row] = error
        return errors

    def _load_row(self, row: int, request: Request, arrays: BatchArrays) -> None:
        sample = self._dataset[int(request.indices[row])]
        labels, n_labels = np.atleast_1d(np.asarray(sample.label, np.float32)), arrays.labels.shape[1]
        if n_labels not in (0, labels.size):
            raise FormatError(
                expected=f"{plural(n_labels, 'label')} as in the first sample",
                got=labels.size,
                advice="`label=pad` makes an array of any numbers of labels, `label=list` a list",
            )
        draws_at = request.epoch, int(request.positions[row])
        arrays.data[row] = load_image(sample.payload, self._plan, self._item, self._budget, *draws_at)
        if n_labels:
            arrays.labels[row] = labels


def load_image(
    payload: bytes | memoryview,
    plan: LoadPlan,
    item: ItemFormat,
    budget: MemoryBudget,
    epoch: int,
    position: int,
) -> NDArray[Any]:
    """Return an encoded image as an item of a batch.

    Raises
    ------
    ImageError
        It cannot be decoded, has another size after the transforms, or needs more memory than the budget has.
    PlanError
        A transform raised an error, or returned something else than for the first sample; or the image has colours and
        the first ones are gray.
    """
    if plan.gray_only and not codec.is_gray(payload):
        raise PlanError(
            argument="channels",
            expected="a gray image, as the first ones are",
            got="one with colours",
            advice="give `channels=3` for all in colour, or `channels=1` for all in gray",
        )
    with budget.hold(codec.decode_bytes(payload)):
        image = codec.decode(payload, channels=plan.channels)
        return check_format(to_batch_item(apply_transforms(image, plan, epoch, position), plan), plan, item)
