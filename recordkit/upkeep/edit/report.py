"""The report of an edit: the sets that were written, and what the reader should know about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WrittenSet:
    """One set that an edit wrote, or would write.

    Attributes
    ----------
    prefix : Path
    n_records : int
    n_bytes : int
        Size of the .rec file.
    """

    prefix: Path
    n_records: int
    n_bytes: int


@dataclass(frozen=True)
class EditReport:
    """The report of an edit.

    Attributes
    ----------
    sets : tuple of WrittenSet
    notes : tuple of str
        Facts that may matter, such as files that the new sets do not have.
    duration_s : float
    dry_run : bool
        Nothing was written.
    manifest : Path or None
        The manifest of the sets if they are the shards of one dataset.
    replaced, removed : tuple of Path
        Old files that got a new content, and those whose names no new file has.

    Examples
    --------
    >>> report = EditReport((WrittenSet(Path("a"), 2, 72),), (), 0.5, dry_run=False)
    >>> report.n_records, report.as_json()["sets"]
    (2, [{'prefix': 'a', 'n_records': 2, 'n_bytes': 72}])
    """

    sets: tuple[WrittenSet, ...]
    notes: tuple[str, ...]
    duration_s: float
    dry_run: bool
    manifest: Path | None = None
    replaced: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()

    @property
    def n_records(self) -> int:
        """Total number of records of the sets."""
        return sum(each.n_records for each in self.sets)

    @property
    def n_bytes(self) -> int:
        """Total size of the .rec files."""
        return sum(each.n_bytes for each in self.sets)

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON-compatible values."""
        return {
            "dry_run": self.dry_run,
            "duration_s": round(self.duration_s, 3),
            "n_records": self.n_records,
            "n_bytes": self.n_bytes,
            "sets": [
                {"prefix": str(each.prefix), "n_records": each.n_records, "n_bytes": each.n_bytes} for each in self.sets
            ],
            "manifest": None if self.manifest is None else str(self.manifest),
            "replaced": [str(path) for path in self.replaced],
            "removed": [str(path) for path in self.removed],
            "notes": list(self.notes),
        }
