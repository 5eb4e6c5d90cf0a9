"""The lists of the datasets that an edit reads, whose rows go into the lists of the new sets."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError
from recordkit.formats import lst
from recordkit.storage.fileset import Fileset
from recordkit.upkeep.edit.inputs import Inputs

if TYPE_CHECKING:
    from recordkit.upkeep.edit.output import NewSet


class InputLists:
    """The lists of all .rec files of the inputs; false if one has none.

    Parameters
    ----------
    inputs : Inputs

    Attributes
    ----------
    notes : list of str
        The reason why the new sets have no list.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.notes: list[str] = []
        self._inputs = inputs
        self._lists: list[tuple[lst.ListFile, NDArray[np.int64], NDArray[np.uint64]]] = []
        with ExitStack() as stack:
            for path in inputs.paths:
                opened = self._open(path, stack)
                if isinstance(opened, str):
                    self.notes = [opened]
                    self._lists = []
                    break
                self._lists.append(opened)

    def __bool__(self) -> bool:
        return bool(self._lists)

    def _open(self, path: Path, stack: ExitStack) -> tuple[lst.ListFile, NDArray[np.int64], NDArray[np.uint64]] | str:
        files = Fileset(path)
        list_path = files.path(".lst")
        if not list_path.exists() or files.description().get("list") == "none":
            return f"no list is written, because {path} has none"
        try:
            rows = lst.ListFile(list_path)
        except FormatError as error:
            return f"no list is written: {error}"
        keys = np.array(rows.keys, np.uint64)
        order = np.argsort(keys, kind="stable")
        return rows, order, keys[order]

    def lines(self, new: NewSet, begin: int, end: int) -> bytes:
        """Return the lines of some records of a new set."""
        rows = new.rows[begin:end]
        numbers = self._inputs.locations(rows).file_numbers
        old_keys = self._inputs.keys[rows]
        keys = old_keys if new.keys is None else new.keys[begin:end]
        lines = []
        for index, (number, old_key) in enumerate(zip(numbers.tolist(), old_keys.tolist(), strict=True)):
            source, order, sorted_keys = self._lists[number]
            row = source[int(order[np.searchsorted(sorted_keys, np.uint64(old_key))])]
            labels = row.labels
            if new.labels is not None:
                bounds = new.labels.bounds[begin + index : begin + index + 2].tolist()
                labels = tuple(new.labels.values[bounds[0] : bounds[1]].tolist())
            lines.append((int(keys[index]), labels, row.path))
        return lst.lines(lines)
