"""The native engine of `recordkit.upkeep.verify`: the core checks records without the interpreter's lock.

It decodes JPEG, PNG and raw images, and is stricter than Pillow. `PythonCheck` examines each record in which it finds a
fault, so that it decides and words the error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recordkit import native
from recordkit.dataset.records import RecordFile
from recordkit.memory import MemoryBudget
from recordkit.upkeep.check.record_check import CheckedRecords, Fault, PythonCheck, RecordCheck

# States of a record in check.hpp.
_GOOD, _UNREADABLE = 0, 1


def choose_check(
    file: RecordFile, reference: PythonCheck, budget: MemoryBudget | None, stopped: bytearray
) -> RecordCheck:
    """Return the engine that checks the records of an open file: that of the core if there is one."""
    return NativeCheck(file, reference, budget, stopped) if native.available() else reference


class NativeCheck:
    """See `recordkit.upkeep.check.record_check.RecordCheck`.

    Parameters
    ----------
    file : RecordFile
        A .rec file that the core has opened.
    reference : PythonCheck
        The engine for records with faults.
    budget, stopped
        As for `PythonCheck`.
    """

    def __init__(
        self, file: RecordFile, reference: PythonCheck, budget: MemoryBudget | None, stopped: bytearray
    ) -> None:
        self._file = file
        self._reference = reference
        self._budget = budget
        self._stopped = stopped

    def check(self, offsets: NDArray[np.uint64]) -> CheckedRecords:
        """Check the records at some offsets."""
        check_records = native.load().check_records
        ids, labels, bounds, checksums, states = check_records(self._file, offsets, self._budget, self._stopped)
        notes = self._reference.examine_rows(np.flatnonzero(states != _GOOD).tolist(), offsets)
        for row in set(np.flatnonzero(states == _UNREADABLE).tolist()).difference(fault.row for fault in notes.faults):
            reason = "expected the file to keep its records while it is read, got others"
            notes.faults.append(Fault(row, int(offsets[row]), reason))
        notes.faults.sort()
        return CheckedRecords(ids, labels, bounds, checksums, states != _UNREADABLE, *notes.columns())
