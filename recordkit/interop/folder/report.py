"""A folder of images that was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recordkit.interop.export import ExportedSet
from recordkit.storage.remote.urls import Url


@dataclass(frozen=True)
class ExportedFolder(ExportedSet):
    """A folder of images that was written.

    Attributes
    ----------
    path, n_images, n_bytes, notes
        See `recordkit.interop.export.ExportedSet`.
    name : str
        The template of the names.
    list_path : Path or Url
    classes_path : Path, Url or None
        The class map; None if the source has no class names.
    metadata_path : Path, Url or None
        ``metadata.csv``, if it was asked for.
    """

    name: str
    list_path: Path | Url
    classes_path: Path | Url | None
    metadata_path: Path | Url | None

    @property
    def details(self) -> str:
        """The file with the keys and labels."""
        return f"keys and labels: {self.list_path}"
