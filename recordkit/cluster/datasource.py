"""The records of a dataset as a datasource of Ray.

Checked with Ray 2.40 and 2.60. Between them, the schema moved from a block's metadata to the read task, and read tasks
got a limit of rows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from ray.data import Datasource
from ray.data.block import BlockMetadata
from ray.data.datasource import ReadTask

from recordkit.cluster.read_plan import plan_ranges
from recordkit.cluster.record_table import TableForm, read_table
from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.parts import ClosedPart, file_ranges, part_of


class RecordDatasource(Datasource):  # type: ignore[misc]  # Ray's classes are Any to mypy, which skips its types
    """Read tasks for ranges of records, in the order of the dataset.

    Parameters
    ----------
    dataset : RecordDataset
        A whole dataset.
    form : TableForm
    """

    def __init__(self, dataset: RecordDataset, form: TableForm) -> None:
        super().__init__()
        self._dataset = dataset
        self._form = form

    def estimate_inmemory_data_size(self) -> int:
        """Return the size of the files, of which a table is hardly larger."""
        return sum(file.n_bytes for file in file_ranges(self._dataset))

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """Return the tasks; with a limit, a task reads the first rows of its range only."""
        del data_context  # the tasks need nothing of it
        tasks = []
        for begin, end in plan_ranges(self._dataset, parallelism):
            stop = end if per_task_row_limit is None else min(end, begin + per_task_row_limit)
            tasks.append(self._task(begin, stop))
        return tasks

    def _task(self, begin: int, end: int) -> ReadTask:
        part = part_of(self._dataset, begin, end)
        locations = part.records_at(np.array([0, len(part) - 1]))
        n_bytes = abs(int(locations.ends[-1]) - int(locations.offsets[0]))
        facts = {"num_rows": end - begin, "size_bytes": n_bytes, "input_files": [str(part.files[0])]}
        metadata = _with_schema(BlockMetadata, {**facts, "exec_stats": None}, self._form.schema)
        task = {"read_fn": RangeReader(ClosedPart(self._dataset, begin, end), self._form), "metadata": metadata}
        return _with_schema(ReadTask, task, self._form.schema)


class RangeReader:
    """Reads a range of records where Ray runs it.

    Parameters
    ----------
    part : ClosedPart
    form : TableForm
    """

    def __init__(self, part: ClosedPart, form: TableForm) -> None:
        self._part = part
        self._form = form

    def __call__(self) -> Iterator[Any]:
        """Yield one table."""
        yield read_table(self._part.open(), self._form)


def _with_schema(kind: Callable[..., Any], arguments: dict[str, Any], schema: Any) -> Any:
    """Call `kind` with the schema too, if this version of Ray takes it there."""
    takes_schema = "schema" in inspect.signature(kind).parameters
    return kind(**arguments, **({"schema": schema} if takes_schema else {}))
