"""The base of sources with labels in file names, and the source that im2rec makes of a flat folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from recordkit.errors import SourceError
from recordkit.sources.image_tree import ImageTree, Progress, join_name
from recordkit.sources.listed_images import ListedImages


class FileNameSource(ListedImages):
    """Images with their labels in their names; the base of the sources of this package.

    Parameters
    ----------
    tree : ImageTree
    folder : str
        The folder of the images, relative to the root of the tree.
    """

    def __init__(self, tree: ImageTree, folder: str = ".") -> None:
        super().__init__(tree.root, tree.place.reader())
        self.location = tree.location(folder)
        self._folder = folder
        self._prefix = "" if folder == "." else f"{folder}/"

    def _find_images(self, tree: ImageTree, *, recursive: bool) -> list[str]:
        """Return the names of the images, relative to the folder, and set `self.bad`."""
        folders = tree.folders_from(self._folder) if recursive else [self._folder]
        self.bad = tree.bad_in(folders)
        paths = (join_name(path, name) for path in folders for name in tree.files.get(path, ()))
        return [path[len(self._prefix) :] for path in paths]

    def _number_classes(self, names: Sequence[str], classes: Mapping[str, int] | None) -> Mapping[str, int]:
        """Set `self.classes`, by default to the names in their order, and return it."""
        self.classes = {name: number for number, name in enumerate(names)} if classes is None else dict(classes)
        for name in names:
            if name not in self.classes:
                raise SourceError(
                    path=self.location,
                    expected=f"one of the {len(self.classes)} names in `classes`",
                    got=f"label {name!r}",
                )
        return self.classes

    def _no_label_error(self, label_from: str, names: Sequence[str], advice: str) -> SourceError:
        problem = f"'{label_from}' finds a label in none of {len(names)} image names, for example {names[0]!r}"
        return SourceError(problem, path=self.location, advice=advice)


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
        tree = ImageTree(root, extensions, progress, keep_tool_files=True, recursive=False)
        super().__init__(tree)
        self.notes += tree.left_out.notes()
        for key, name in enumerate(self._find_images(tree, recursive=False)):
            self._add(key, 0, name)
