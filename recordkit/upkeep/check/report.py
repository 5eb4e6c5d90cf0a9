"""The result of `recordkit.upkeep.verify`: the problems of a .rec file and its companions, with their locations."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, plural

MAX_PROBLEMS = 1000
"""Number of problems that a report describes; further ones are only counted."""


@dataclass(frozen=True)
class Problem:
    """One fault of a file. Fields that do not apply are None.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        Description of the fault.
    offset : int or None
        Offset of the record in the .rec file, in bytes.
    line : int or None
        Line of the .idx or .lst file, counted from 1.
    key : int or None
        Key of the record or row.

    Examples
    --------
    >>> str(Problem("train.rec", "expected finite labels, got nan", offset=16))
    'train.rec: byte 16: expected finite labels, got nan'
    """

    path: str
    reason: str
    offset: int | None = None
    line: int | None = None
    key: int | None = None

    def __str__(self) -> str:
        return str(FormatError(self.reason, path=self.path, offset=self.offset, line=self.line, key=self.key))


@dataclass
class VerifyReport:
    """The result of `verify`.

    Attributes
    ----------
    path : str
        The .rec file, or the manifest if the report is about all its shards.
    n_records : int
        Number of records with a whole frame and a readable header.
    n_decoded : int
        Number of images that were decoded; 0 without `decode`.
    checked : list of str
        Checks that ran: "structure", "images", "description", "checksums", "index", "list", "exact labels".
    problems : list of Problem
        The first 1,000 problems.
    n_problems : int
        Number of all problems.
    notes : list of str
        Facts that may matter but are not problems.
    key_range : (int, int) or None
        Smallest and largest key of the records; None if there are none, or if they have no keys.
    """

    path: str
    n_records: int = 0
    n_decoded: int = 0
    checked: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    n_problems: int = 0
    notes: list[str] = field(default_factory=list)
    key_range: tuple[int, int] | None = None

    @property
    def ok(self) -> bool:
        """True if the file has no problem."""
        return self.n_problems == 0

    def add(
        self,
        path: Path | str,
        reason: str,
        *,
        offset: int | None = None,
        line: int | None = None,
        key: int | None = None,
    ) -> None:
        """Add a problem; see `Problem` for the parameters."""
        self.n_problems += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(str(path), reason, offset, line, key))

    def first(self, rows: NDArray[np.int64]) -> list[int]:
        """Return the first rows, as many as there is room for their problems; the others are counted here.

        Examples
        --------
        >>> report = VerifyReport("a.rec")
        >>> len(report.first(np.arange(1200))), report.n_problems
        (1000, 200)
        """
        shown = rows[: max(MAX_PROBLEMS - len(self.problems), 0)]
        self.n_problems += len(rows) - len(shown)
        result: list[int] = shown.tolist()
        return result

    def add_error(self, error: FormatError, n_skipped_bytes: int = 0, *, advice: str | None = None) -> None:
        """Add an error of a reader, the number of bytes that could not be read because of it, and an advice."""
        loss = f"; {plural(n_skipped_bytes, 'byte is', 'bytes are')} lost" if n_skipped_bytes else ""
        reason = error.problem + loss + (f"; {advice}" if advice else "")
        self.add(error.path or self.path, reason, offset=error.offset, line=error.line, key=error.key)

    def include(self, shard: VerifyReport) -> None:
        """Add the report of a shard to that of the whole dataset.

        Examples
        --------
        >>> report = VerifyReport("a.manifest.json", n_records=2, key_range=(0, 1))
        >>> report.include(VerifyReport("a_1.rec", n_records=3, checked=["structure"], key_range=(2, 4)))
        >>> report.n_records, report.checked, report.key_range
        (5, ['structure'], (0, 4))
        """
        self.n_records += shard.n_records
        self.n_decoded += shard.n_decoded
        self.checked += [name for name in shard.checked if name not in self.checked]
        self.n_problems += shard.n_problems
        self.problems += shard.problems[: MAX_PROBLEMS - len(self.problems)]
        self.notes += [note for note in shard.notes if note not in self.notes]
        spans = [span for span in (self.key_range, shard.key_range) if span is not None]
        if spans:
            self.key_range = min(low for low, _ in spans), max(high for _, high in spans)

    def as_json(self) -> dict[str, object]:
        """Return the report as values that JSON can hold."""
        return {"ok": self.ok, **asdict(self)}
