"""The report of a pack: counts of samples and bytes, and the failures with their reasons."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from errno import ENOENT
from pathlib import Path

from recordkit.errors import enumerate_some, plural
from recordkit.storage.remote.urls import Url

MAX_FAILURES = 1000
"""Failures kept in a report. PREFIX.failed.tsv has all of them."""

N_SHOWN = 5
"""Failures of a set that a notebook shows."""

Progress = Callable[[int], None]
"""Called with the number of samples packed or left out since the last call."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A sample that was left out.

    Attributes
    ----------
    key : int or None
        None for a row that could not be read.
    name : str
        The image's path, or the list and line of a row.
    reason : str
    """

    key: int | None
    name: str
    reason: str


@dataclass
class SetReport:
    """The report of one set of files.

    Attributes
    ----------
    prefix : Path or Url
    n_listed, n_packed, n_failed : int
        Samples of the source, records in the .rec file, and samples left out.
    n_missing : int
        Samples left out because their image does not exist.
    failures : list of Failure
        The first 1,000; PREFIX.failed.tsv has all of them.
    input_bytes, output_bytes : int
        Size of the images read, and of the .rec file.
    notes : dict of str to int
        Warnings, and the number of samples that each concerns.
    """

    prefix: Path | Url
    n_listed: int = 0
    n_packed: int = 0
    n_failed: int = 0
    n_missing: int = 0
    failures: list[Failure] = field(default_factory=list)
    input_bytes: int = 0
    output_bytes: int = 0
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def failed_path(self) -> Path | Url:
        """PREFIX.failed.tsv, which exists if a sample failed."""
        return self.prefix.with_name(f"{self.prefix.name}.failed.tsv")

    def fail(self, failure: Failure) -> None:
        """Count one more sample that was left out."""
        self.n_listed += 1
        self.n_failed += 1
        self.n_missing += failure.key is not None and failure.reason == os.strerror(ENOENT)
        if len(self.failures) < MAX_FAILURES:
            self.failures.append(failure)

    def note(self, text: str, n: int) -> None:
        """Add to the number of samples that a note concerns."""
        self.notes[text] = self.notes.get(text, 0) + n


@dataclass(frozen=True)
class SetPreview:
    """One set that a pack would write.

    Attributes
    ----------
    prefix : Path or Url
    n_images : int
        Images of the source that belong to the set. Those that cannot be read will be left out.
    files : tuple of Path or Url
        The .rec file first. PREFIX.failed.tsv comes in addition if images are left out.
    """

    prefix: Path | Url
    n_images: int
    files: tuple[Path | Url, ...]


@dataclass(frozen=True)
class PackPreview:
    """The effects of a pack before it runs, see `recordkit.packing.preview_pack`.

    Attributes
    ----------
    sets : tuple of SetPreview
    manifests : tuple of Path or Url
        The manifests of datasets of several shards.
    replaced, removed : tuple of Path
        Files that would get a new content, and old ones that the new sets do not have.
    warnings : tuple of str
    """

    sets: tuple[SetPreview, ...]
    manifests: tuple[Path | Url, ...]
    replaced: tuple[Path, ...]
    removed: tuple[Path, ...]
    warnings: tuple[str, ...]

    @property
    def n_images(self) -> int:
        """Total number of images."""
        return sum(each.n_images for each in self.sets)

    def as_json(self) -> dict[str, object]:
        """Return the preview as JSON-compatible values."""
        return {
            "dry_run": True,
            "sets": [
                {"prefix": str(each.prefix), "n_images": each.n_images, "files": [str(path) for path in each.files]}
                for each in self.sets
            ],
            "manifests": [str(path) for path in self.manifests],
            "replaced": [str(path) for path in self.replaced],
            "removed": [str(path) for path in self.removed],
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, repr=False)
class PackReport:
    """The report of a pack.

    Attributes
    ----------
    sets : tuple of SetReport
    engine : str
        Name of the engine that ran.
    n_threads : int
    duration_s : float
    warnings : tuple of str
        Warnings about the pack as a whole.
    ok : bool
        Every sample was packed, or ``plan.on_error`` is "skip".
    manifests : tuple of Path or Url
        The manifests of datasets of several shards.
    uploaded_bytes : int or None
        Bytes that were not in the object store before; None for a pack on this machine.

    Examples
    --------
    >>> import numpy as np, recordkit as rk, tempfile
    >>> prefix = tempfile.mkdtemp() + "/digits"
    >>> report = rk.pack((np.zeros((6, 28, 28), np.uint8), np.arange(6)), prefix)
    >>> report.ok, report.n_packed, report.n_failed, report.as_json()["sets"][0]["failures"]
    (True, 6, 0, [])
    """

    sets: tuple[SetReport, ...]
    engine: str
    n_threads: int
    duration_s: float
    warnings: tuple[str, ...]
    ok: bool
    manifests: tuple[Path | Url, ...] = ()
    uploaded_bytes: int | None = None

    def __repr__(self) -> str:
        counts = f"{plural(self.n_packed, 'image')} packed, {self.n_failed} left out, {self.duration_s:.1f} s"
        files = enumerate_some([f"{each.prefix}.rec" for each in self.sets], limit=3)
        return f"<PackReport: {'ok' if self.ok else 'not ok'}, {counts}: {files}>"

    def _repr_html_(self) -> str:
        """Return a table of the sets and the first images that were left out, for notebooks."""
        from recordkit.dataset.notebook.table import show_table

        rows = [
            (
                each.prefix.name,
                each.n_packed,
                each.n_failed,
                each.input_bytes,
                each.output_bytes,
            )
            for each in self.sets
        ]
        notes = list(self.warnings)
        for each in self.sets:
            notes += [f"{each.prefix.name}: {text}: {n}" for text, n in each.notes.items()]
            notes += [f"{each.prefix.name}: {failure.name}: {failure.reason}" for failure in each.failures[:N_SHOWN]]
            if each.n_failed > N_SHOWN:
                notes.append(f"{each.failed_path.name} has all {each.n_failed} images that were left out")
        columns = ("set", "packed", "left out", "bytes read", "bytes written")
        return show_table(repr(self), columns, rows, notes)

    @property
    def n_packed(self) -> int:
        """Total number of records written."""
        return sum(report.n_packed for report in self.sets)

    @property
    def n_failed(self) -> int:
        """Total number of samples left out."""
        return sum(report.n_failed for report in self.sets)

    @property
    def rate_img_s(self) -> float:
        """Images packed per second."""
        return self.n_packed / self.duration_s if self.duration_s else 0.0

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON-compatible values."""
        return {
            "engine": self.engine,
            "n_threads": self.n_threads,
            "duration_s": round(self.duration_s, 3),
            "rate_img_s": round(self.rate_img_s, 1),
            "ok": self.ok,
            "warnings": list(self.warnings),
            "manifests": [str(path) for path in self.manifests],
            "uploaded_bytes": self.uploaded_bytes,
            "sets": [
                {
                    "prefix": str(report.prefix),
                    "n_listed": report.n_listed,
                    "n_packed": report.n_packed,
                    "n_failed": report.n_failed,
                    "n_missing": report.n_missing,
                    "failures": [asdict(failure) for failure in report.failures],
                    "failed_tsv": str(report.failed_path) if report.n_failed else None,
                    "input_bytes": report.input_bytes,
                    "output_bytes": report.output_bytes,
                    "notes": report.notes,
                }
                for report in self.sets
            ],
        }
