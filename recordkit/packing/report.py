"""What a pack did: how many samples, how many bytes, which failed and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

MAX_FAILURES = 1000
"""Failures kept in a report; PREFIX.failed.tsv has them all."""

Progress = Callable[[int], None]
"""Called with the number of samples that have been dealt with since the last call."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A sample that was left out.

    Attributes
    ----------
    key : int or None
        None for a row that could not be read.
    name : str
        The image's path, or the place of the row.
    reason : str
    """

    key: int | None
    name: str
    reason: str


@dataclass
class SetReport:
    """One set of files, PREFIX.rec and companions.

    Attributes
    ----------
    prefix : Path
    n_listed, n_packed, n_failed : int
        Samples in the source, records in the .rec file, and samples left out.
    failures : list of Failure
        The first 1,000; PREFIX.failed.tsv has them all.
    bytes_in, bytes_out : int
        Of the images read, and of the .rec file.
    notes : dict of str to int
        Things worth a warning, and how many samples they concern.
    """

    prefix: Path
    n_listed: int = 0
    n_packed: int = 0
    n_failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    bytes_in: int = 0
    bytes_out: int = 0
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def failed_path(self) -> Path:
        """Where all failures are, if there are any."""
        return self.prefix.with_name(f"{self.prefix.name}.failed.tsv")

    def fail(self, failure: Failure) -> None:
        """Count one more sample that was left out."""
        self.n_listed += 1
        self.n_failed += 1
        if len(self.failures) < MAX_FAILURES:
            self.failures.append(failure)

    def note(self, text: str, n: int) -> None:
        """Count more samples that a note concerns."""
        self.notes[text] = self.notes.get(text, 0) + n


@dataclass(frozen=True)
class PackReport:
    """All sets of one pack.

    Attributes
    ----------
    sets : tuple of SetReport
    engine : str
        The engine that ran.
    n_threads : int
    duration_s : float
    warnings : tuple of str
        About the pack as a whole.
    ok : bool
        Every listed sample was packed, or the plan said that failures may be skipped.
    """

    sets: tuple[SetReport, ...]
    engine: str
    n_threads: int
    duration_s: float
    warnings: tuple[str, ...]
    ok: bool

    @property
    def n_packed(self) -> int:
        """Records written, over all sets."""
        return sum(report.n_packed for report in self.sets)

    @property
    def n_failed(self) -> int:
        """Samples left out, over all sets."""
        return sum(report.n_failed for report in self.sets)

    @property
    def rate_img_s(self) -> float:
        """Images packed per second."""
        return self.n_packed / self.duration_s if self.duration_s else 0.0

    def as_json(self) -> dict[str, object]:
        """Return the report as values that JSON can hold."""
        return {
            "engine": self.engine,
            "threads": self.n_threads,
            "duration_s": round(self.duration_s, 3),
            "rate_img_s": round(self.rate_img_s, 1),
            "ok": self.ok,
            "warnings": list(self.warnings),
            "sets": [
                {
                    "prefix": str(report.prefix),
                    "listed": report.n_listed,
                    "packed": report.n_packed,
                    "failed": report.n_failed,
                    "failures": [asdict(failure) for failure in report.failures],
                    "failed_tsv": str(report.failed_path) if report.n_failed else None,
                    "bytes_in": report.bytes_in,
                    "bytes_out": report.bytes_out,
                    "notes": report.notes,
                }
                for report in self.sets
            ],
        }
