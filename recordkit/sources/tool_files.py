"""Folders and files that programs leave among images, and that are not images of the user.

Notebooks, archives, file managers and storage devices make them: ``.ipynb_checkpoints`` holds copies of images, and
``._cat.jpg``, which macOS makes beside ``cat.jpg``, ends like an image and is none.
"""

from __future__ import annotations

import os
from pathlib import Path

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


def is_tool_folder(path: str) -> bool:
    """Tell by its name whether a program has made a folder among images.

    A folder called ``thumbs`` may also be a class. A program has made it if each file in it, such as
    ``cat/thumbs/1.jpg``, is beside it too: ``cat/1.jpg``.

    Parameters
    ----------
    path : str

    Examples
    --------
    >>> is_tool_folder("photos/.ipynb_checkpoints"), is_tool_folder("photos/cat")
    (True, False)
    """
    name = os.path.basename(path).lower()  # noqa: PTH119 (a Path for each of a million folders is slow)
    return name.startswith(".") or name in _FOLDERS or (name in _FOLDERS_OF_COPIES and _holds_copies(Path(path)))


def _holds_copies(folder: Path) -> bool:
    files = [path for path in folder.rglob("*") if path.is_file() and not is_tool_file(path.name)]
    return bool(files) and all((folder.parent / path.relative_to(folder)).exists() for path in files)
