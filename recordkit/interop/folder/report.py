"""The report of an export: the folders that were written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportedFolder:
    """A folder of images that was written.

    Attributes
    ----------
    path : Path
    name : str
        The template of the names.
    list_path : Path
    classes_path : Path or None
        The class map; None if the source has no class names.
    n_images : int
    n_bytes : int
        Total size of the images.
    notes : tuple of str
        Facts that may be unexpected.
    """

    path: Path
    name: str
    list_path: Path
    classes_path: Path | None
    n_images: int
    n_bytes: int
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return the fields as JSON-compatible values."""
        return {
            "path": str(self.path),
            "name": self.name,
            "list_path": str(self.list_path),
            "classes_path": None if self.classes_path is None else str(self.classes_path),
            "n_images": self.n_images,
            "n_bytes": self.n_bytes,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class ExportReport:
    """The report of an export.

    Attributes
    ----------
    folders : tuple of ExportedFolder
    duration_s : float
    """

    folders: tuple[ExportedFolder, ...]
    duration_s: float

    @property
    def n_images(self) -> int:
        """Total number of images."""
        return sum(folder.n_images for folder in self.folders)

    @property
    def rate_img_s(self) -> float:
        """Images written per second."""
        return self.n_images / self.duration_s if self.duration_s else 0.0

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON-compatible values."""
        return {
            "n_images": self.n_images,
            "duration_s": round(self.duration_s, 3),
            "rate_img_s": round(self.rate_img_s, 1),
            "folders": [folder.as_json() for folder in self.folders],
        }
