"""The report of an export: the sets of images that were written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordkit.storage.remote.urls import Url

Progress = Callable[[int], None]
"""Called with the number of images written since the last call."""

Notify = Callable[[str], None]
"""Called with a fact that may be unexpected, before the first image is written."""


@dataclass(frozen=True)
class ExportedSet:
    """A set of images that was written. A format adds fields of its own.

    Attributes
    ----------
    path : Path or Url
        The folder or file.
    n_images : int
    n_bytes : int or None
        Total size of the images; None after a dry run, which reads no image.
    notes : tuple of str
        Facts that may be unexpected: above all, what the format keeps in another way or not at all.
    """

    path: Path | Url
    n_images: int
    n_bytes: int | None
    notes: tuple[str, ...]

    @property
    def details(self) -> str:
        """A text about the fields of the format, for the line that shows the set; "" if there is nothing to say."""
        return ""

    def as_json(self) -> dict[str, object]:
        """Return the fields as JSON-compatible values."""
        return {field.name: _as_json(getattr(self, field.name)) for field in dataclasses.fields(self)}


@dataclass(frozen=True)
class ExportedSplit(ExportedSet):
    """A split of a dataset that was written into numbered files.

    Attributes
    ----------
    path, n_images, n_bytes, notes
        See `ExportedSet`; the path is that of the folder.
    split : str
    files : tuple of str
        Names of the files; none after a dry run.

    Examples
    --------
    >>> ExportedSplit(Path("out"), 9, 720, (), split="train", files=("train-000000.tar", "train-000001.tar")).details
    'train: 2 .tar'
    """

    split: str
    files: tuple[str, ...]

    @property
    def details(self) -> str:
        """The split and the number of its files."""
        return f"{self.split}: {len(self.files)} {Path(self.files[0]).suffix}" if self.files else self.split


@dataclass(frozen=True)
class ExportReport:
    """The report of an export.

    Attributes
    ----------
    format : str
        "folder", "webdataset" and so on.
    sets : tuple of ExportedSet
    duration_s : float
    dry_run : bool
        Nothing was written.
    replaced : tuple of Path
        The old folder and files in whose place the new ones came.
    """

    format: str
    sets: tuple[ExportedSet, ...]
    duration_s: float
    dry_run: bool = False
    replaced: tuple[Path, ...] = ()

    @property
    def n_images(self) -> int:
        """Total number of images."""
        return sum(each.n_images for each in self.sets)

    @property
    def rate_img_s(self) -> float:
        """Images written per second."""
        return self.n_images / self.duration_s if self.duration_s and not self.dry_run else 0.0

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON-compatible values."""
        return {
            "format": self.format,
            "dry_run": self.dry_run,
            "n_images": self.n_images,
            "duration_s": round(self.duration_s, 3),
            "rate_img_s": round(self.rate_img_s, 1),
            "replaced": [str(path) for path in self.replaced],
            "sets": [each.as_json() for each in self.sets],
        }


def announce(sets: Iterable[ExportedSet], on_note: Notify | None) -> None:
    """Give the notes about some sets, each after the path of its set and once, to a caller who wants them."""
    if on_note is None:
        return
    for text in dict.fromkeys(f"{each.path}: {note}" for each in sets for note in each.notes):
        on_note(text)


def _as_json(value: Any) -> object:
    if isinstance(value, tuple):
        return [_as_json(item) for item in value]
    return str(value) if isinstance(value, Path | Url) else value
