"""Writing the packed samples of one set: records, index, list, checksums, exact labels, failures and description.

`recordkit.storage.set_files` creates, hashes and describes the files.
"""

from __future__ import annotations

import itertools
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PackError
from recordkit.formats import idx, lst
from recordkit.packing.piece import PackedBlock
from recordkit.packing.plan import PackPlan
from recordkit.packing.report import Failure, SetReport
from recordkit.storage.set_files import Creator, SetFiles, SetNames

# The files that are written record by record.
_FIRST_SUFFIXES = (".rec", ".idx", ".lst", ".crc")


def planned_suffixes(names: SetNames, plan: PackPlan) -> list[str]:
    """Return the suffixes of the files of a set, without that of the failures, which nobody knows before the pack.

    Examples
    --------
    >>> from pathlib import Path
    >>> planned_suffixes(SetNames(Path("train"), write_list=False), PackPlan())
    ['.rec', '.idx', '.crc', '.json']
    """
    is_written = {".lst": names.write_list, ".crc": plan.checksums, ".labels.npy": plan.exact_labels}
    suffixes = (*_FIRST_SUFFIXES, ".labels.npy", ".json")
    return [suffix for suffix in suffixes if is_written.get(suffix, True)]


class SetWriter:
    """Writes one set into a staging folder.

    Parameters
    ----------
    staging : Creator
    names : SetNames
    plan : PackPlan

    Attributes
    ----------
    report : SetReport
    keys : (int, int) or None
        Smallest and largest key of the records so far.
    """

    def __init__(self, staging: Creator, names: SetNames, plan: PackPlan) -> None:
        self.report = SetReport(names.prefix)
        self._plan = plan
        self._exact_labels = array("q")
        self._label_width = (2**63, 0)  # smallest and largest number of labels of a record
        self.keys: tuple[int, int] | None = None
        self._files = SetFiles(staging, names)
        self.close = self._files.close
        try:
            self._files.create(*(suffix for suffix in planned_suffixes(names, plan) if suffix in _FIRST_SUFFIXES))
        except BaseException:
            self.close()
            raise

    def append(self, block: PackedBlock) -> None:
        """Write a block of packed samples, and record its failures.

        Parameters
        ----------
        block : PackedBlock

        Raises
        ------
        PublishError
            A file cannot be written, for example because the disk is full.
        PackError
            A sample failed and ``plan.on_error`` is "raise".
        """
        for entry, reason in block.failures:
            self._fail(Failure(entry.key, entry.name, reason))
        keys = [entry.key for entry in block.entries]
        if keys:
            known = self.keys or (keys[0], keys[0])
            self.keys = min(known[0], *keys), max(known[1], *keys)
        ends = list(itertools.accumulate(block.sizes, initial=self.report.output_bytes))
        self._files.write(".rec", block.frames)
        self._files.write(".idx", idx.lines(keys, ends[:-1]))
        if ".lst" in self._files:
            self._files.write(".lst", lst.lines(block.entries))
        if ".crc" in self._files:
            self._files.write(".crc", block.checksums)
        if self._plan.exact_labels:
            self._exact_labels.extend(int(label) for labels in block.labels for label in labels)
        widths = set(map(len, block.labels))
        self._label_width = min([self._label_width[0], *widths]), max([self._label_width[1], *widths])
        self.report.n_listed += len(keys)
        self.report.n_packed += len(keys)
        self.report.input_bytes += block.input_bytes
        self.report.output_bytes = ends[-1]
        for remark, n in block.remarks.items():
            self.report.note(remark, n)

    def fail_row(self, location: str, reason: str) -> None:
        """Record a row or file of the source that could not be read, so that it has no entry."""
        self._fail(Failure(None, location, reason))

    def _fail(self, failure: Failure) -> None:
        if self._plan.on_error == "raise":
            raise PackError(
                failure.reason, path=failure.name, advice="nothing was packed, because `on_error` is 'raise'"
            )
        self.report.fail(failure)
        if ".failed.tsv" not in self._files:
            self._files.create(".failed.tsv")
        self._files.write(".failed.tsv", _failure_line(failure))

    def finish(self, description: dict[str, Any]) -> dict[str, Any]:
        """Write the side files and close all files.

        Parameters
        ----------
        description : dict
            Keys of PREFIX.json that the writer does not know: "classes", "list" and "plan".

        Returns
        -------
        description : dict
            The whole content of PREFIX.json.
        """
        if self._plan.exact_labels:
            self._files.write_exact_labels(self._exact_labels_array())
        counts = {
            "records": self.report.n_packed,
            "failed": self.report.n_failed,
            "label_width": list(self._label_width) if self.report.n_packed else [0, 0],
        }
        return self._files.finish(counts, description)

    def _exact_labels_array(self) -> NDArray[np.int64]:
        labels = np.array(self._exact_labels, np.int64)
        width = self._label_width[1]
        return labels.reshape(-1, width) if width > 1 else labels


def _failure_line(failure: Failure) -> bytes:
    fields = ("" if failure.key is None else str(failure.key), failure.name, failure.reason)
    return "\t".join(" ".join(field.split()) for field in fields).encode("utf-8", "surrogateescape") + b"\n"
