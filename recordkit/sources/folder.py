"""A tree of images as a source, with a class for each folder.

Labels, keys and order are those of im2rec: each folder that directly contains images is a class, so nested folders are
classes too, and images directly in ROOT form a class called ``.``. Classes are numbered in the order of the walk, and
a key is the position in the walk.

Source: ``list_image``, tools/im2rec.py of MXNet 1.9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from recordkit.errors import SourceError
from recordkit.sources.files import EXTENSIONS
from recordkit.sources.listed_images import ListedImages, Progress

ClassFrom = Literal["first", "last", "path"]
"""Folder that is the class of an image: the first one below the root, the last one, or the path of all of them."""


class FolderSource(ListedImages):
    """A tree of images, one class per folder.

    Parameters
    ----------
    root : str or Path
    extensions : sequence of str
        Suffixes of images, with the dot; compared in lower case.
    classes : mapping of str to int, optional
        Labels by folder name relative to `root`, for example from an earlier pack. By default folders are numbered.
    progress : callable, optional
        Called with the number of images found since its last call, each time that these are 1,000.
    keep_tool_files : bool, default False
        Take folders and files that programs made, such as ``.ipynb_checkpoints``, for images too, as im2rec does.

    Raises
    ------
    NotFoundError
        `root` does not exist.
    SourceError
        `root` is not a folder, or holds a folder of images that is not in `classes`.
    OSError
        A folder cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as photos:
    ...     for name in ("dog/1.jpg", "cat/1.jpg"):
    ...         Path(photos, name).parent.mkdir()
    ...         Path(photos, name).touch()
    ...     FolderSource(photos).entries([0, 1])
    [Entry(key=0, labels=(0,), name='cat/1.jpg'), Entry(key=1, labels=(1,), name='dog/1.jpg')]
    """

    classes: dict[str, int]

    def __init__(
        self,
        root: str | Path,
        *,
        extensions: Sequence[str] = EXTENSIONS,
        classes: Mapping[str, int] | None = None,
        progress: Progress | None = None,
        keep_tool_files: bool = False,
    ) -> None:
        super().__init__(root, extensions, progress, keep_tool_files=keep_tool_files)
        self.classes = dict(classes or {})
        self._n_images_in_root = 0
        for key, (folder, file) in enumerate(self._walk()):
            if folder not in self.classes:
                if classes is not None:
                    raise SourceError(
                        path=self.root,
                        expected=f"one of the {len(classes)} names in `classes`",
                        got=f"folder {folder!r}",
                        advice="add it to them or remove the folder",
                    )
                self.classes[folder] = len(self.classes)
            self._n_images_in_root += folder == "."
            self._add(key, self.classes[folder], file if folder == "." else f"{folder}/{file}")

    @property
    def notes(self) -> list[str]:
        """Facts that may be unexpected: ignored files, folders without a usable image, and images beside folders."""
        notes = super().notes
        folders_of_bad_files = {bad.name.rpartition("/")[0] or "." for bad in self.bad}
        unused_folders = folders_of_bad_files | (self._left_out.folders - {"."})
        unused_folders -= self.classes.keys()
        if unused_folders:
            notes.append(
                f"{self.root}: folders without a usable image are not classes, as in im2rec, and the classes after "
                f"them have lower numbers: {', '.join(sorted(unused_folders))}"
            )
        if self._n_images_in_root and len(self.classes) > 1:
            notes.append(
                f"{self.root}: {self._n_images_in_root} images beside the class folders form a class of their own, "
                "'.', as in im2rec, and the other classes have higher numbers; move or remove these images"
            )
        return notes
