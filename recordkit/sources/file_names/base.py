"""The base of sources with labels in file names, and the source that im2rec makes of a flat folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from recordkit.errors import SourceError
from recordkit.sources.listed_images import ListedImages, Progress


class FileNameSource(ListedImages):
    """Images with their labels in their names; the base of the sources of this package."""

    def _image_names(self) -> list[str]:
        """Return the names of the images directly in the folder, in code point order."""
        with os.scandir(self.root) as items:
            files = sorted(item.name for item in items if not item.is_dir())
        return [name for name in files if self._is_image(self.root, name)]

    def _walk_names(self) -> list[str]:
        """Return the paths of the images in the folder and below it, in the order of the walk."""
        return [file if folder == "." else f"{folder}/{file}" for folder, file in self._walk()]

    def _number_classes(self, names: Sequence[str], classes: Mapping[str, int] | None) -> Mapping[str, int]:
        """Set `self.classes`, by default to the names in their order, and return it."""
        self.classes = {name: number for number, name in enumerate(names)} if classes is None else dict(classes)
        for name in names:
            if name not in self.classes:
                raise SourceError(
                    path=self.root, expected=f"one of the {len(self.classes)} names in `classes`", got=f"label {name!r}"
                )
        return self.classes

    def _no_label_error(self, label_from: str, names: Sequence[str], advice: str) -> SourceError:
        problem = f"'{label_from}' finds a label in none of {len(names)} image names, for example {names[0]!r}"
        return SourceError(problem, path=self.root, advice=advice)


class ZeroLabelSource(FileNameSource):
    """The images directly in a folder, all with the label 0, as im2rec lists them without ``--recursive``.

    Parameters
    ----------
    root : str or Path
    extensions, progress
        Same meaning as for `recordkit.sources.FolderSource`. Files that programs made count as images.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as photos:
    ...     Path(photos, "7.jpg").touch()
    ...     ZeroLabelSource(photos, [".jpg"]).entries([0])
    [Entry(key=0, labels=(0,), name='7.jpg')]
    """

    def __init__(self, root: str | Path, extensions: Sequence[str], progress: Progress | None = None) -> None:
        super().__init__(root, extensions, progress, keep_tool_files=True)
        for key, name in enumerate(self._image_names()):
            self._add(key, 0, name)
