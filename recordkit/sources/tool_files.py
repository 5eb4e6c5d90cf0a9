"""Folders and files that programs leave among images, and that are not images of the user.

Notebooks, archives, file managers and storage devices make them: ``.ipynb_checkpoints`` holds copies of images, and
``._cat.jpg``, which macOS makes beside ``cat.jpg``, ends like an image and is none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

# In lower case. Each begins with a character that classes do not begin with, or is the fixed name of one program.
_FOLDERS = {
    "$recycle.bin",
    "recycler",
    "system volume information",
    "lost+found",
    "network trash folder",
    "temporary items",
    "__macosx",
    "__pycache__",
    "#recycle",
    "#snapshot",
    "@eadir",
    "@recycle",
    "@recently-snapshot",
    "@tmp",
    "@__thumb",
    "_thumb",
    "_thumbs",
    "_thumbnails",
}
_FOLDERS_OF_COPIES = {"thumb", "thumbs", "thumbnail", "thumbnails"}
_FILES = {"thumbs.db", "desktop.ini"}


def is_tool_file(name: str) -> bool:
    """Tell by its name whether a program has made a file beside images.

    Examples
    --------
    >>> is_tool_file("._cat.jpg"), is_tool_file("Thumbs.db"), is_tool_file("cat.jpg")
    (True, True, False)
    """
    return name.startswith(".") or name.lower() in _FILES


class Files(Protocol):
    """The files of a machine or a store, of which `recordkit.sources.roots.local.Folders` knows more."""

    def walk(self, path: str) -> Iterator[str]:
        """Yield the files in a folder and below it, relative to it."""

    def exists(self, path: str) -> bool:
        """Tell whether there is a file or a folder of that path."""


def is_tool_folder(path: str, files: Files | None = None) -> bool:
    """Tell by its name whether a program has made a folder among images.

    A folder called ``thumbs`` may also be a class. A program has made it if each file in it, such as
    ``cat/thumbs/1.jpg``, is beside it too: ``cat/1.jpg``.

    Parameters
    ----------
    path : str
    files : Files, optional
        By default those of this machine.

    Examples
    --------
    >>> is_tool_folder("photos/.ipynb_checkpoints"), is_tool_folder("photos/cat")
    (True, False)
    """
    name = os.path.basename(path).lower()  # noqa: PTH119 (a Path for each of a million folders is slow)
    if name.startswith(".") or name in _FOLDERS:
        return True
    return name in _FOLDERS_OF_COPIES and _holds_copies(path, files or _LocalFiles())


class _LocalFiles:
    def walk(self, path: str) -> Iterator[str]:
        return (str(file.relative_to(path)) for file in Path(path).rglob("*") if file.is_file())

    def exists(self, path: str) -> bool:
        return Path(path).exists()


def _holds_copies(folder: str, files: Files) -> bool:
    parent = os.path.dirname(folder)  # noqa: PTH120 (as above; a Path would change a URL)
    names = [name for name in files.walk(folder) if not is_tool_file(os.path.basename(name))]  # noqa: PTH119 (as above)
    return bool(names) and all(files.exists(f"{parent}/{name}" if parent else name) for name in names)
