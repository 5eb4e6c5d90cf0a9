"""One walk of a folder: the images in it and below it, from which sources are made without another walk.

Folders and files are sorted by code point, files come before sub-folders, and links are followed, as in im2rec. Folders
and files that programs made are left out (`recordkit.sources.tool_files`), unless the tree keeps them.

Source: ``list_image``, tools/im2rec.py of MXNet 1.9.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

from recordkit.sample import BadEntry
from recordkit.sources.left_out import LeftOutFiles
from recordkit.sources.roots.local import Folders, LocalFolders

Progress = Callable[[int], None]
"""Called with the number of images found since the last call."""

# Number of images between two calls.
_N_PER_PROGRESS = 1000


class ImageTree:
    """The images of a folder and of all folders below it.

    Parameters
    ----------
    root : str, Path or Folders
        A folder of this machine, or one that knows its names, such as `recordkit.sources.roots.stored.StoredFolders`.
    extensions : sequence of str
        Suffixes of images, with the dot; compared in lower case.
    progress : callable, optional
        Called with the number of images found since its last call, each time that these are 1,000.
    keep_tool_files : bool, default False
        Take folders and files that programs made, such as ``.ipynb_checkpoints``, for images too, as im2rec does.
    recursive : bool, default True
        Walk the folders below the root too.

    Attributes
    ----------
    root : str
    place : Folders
    extensions : sequence of str
    folders : list of str
        All folders relative to the root, "." first, in the order of the walk.
    files : dict of str to list of str
        The names of the images in each folder that has images.
    bad : dict of str to list of BadEntry
        The images in each folder that cannot be opened.
    left_out : LeftOutFiles

    Raises
    ------
    NotFoundError
        `root` does not exist.
    SourceError
        `root` is not a folder.
    OSError
        A folder cannot be read. Without it, the classes after it would get other numbers.
    """

    def __init__(
        self,
        root: str | Path | Folders,
        extensions: Sequence[str],
        progress: Progress | None = None,
        *,
        keep_tool_files: bool = False,
        recursive: bool = True,
    ) -> None:
        self.place: Folders = LocalFolders(root) if isinstance(root, (str, Path)) else root
        self.root = self.place.root
        self.extensions = extensions
        self.folders: list[str] = []
        self.files: dict[str, list[str]] = {}
        self.bad: dict[str, list[BadEntry]] = {}
        suffixes = {suffix.lower() for suffix in extensions}
        self.left_out = LeftOutFiles(self.place, suffixes, keep_tool_files=keep_tool_files)
        self._progress = progress
        self._n_images = 0
        self._walk(recursive=recursive)

    def location(self, folder: str) -> str:
        """Return the path of a folder of the tree."""
        return self.root if folder == "." else f"{self.root}/{folder}"

    @property
    def is_empty(self) -> bool:
        """True if no file has the name of an image."""
        return not self.files and not self.bad

    def folders_from(self, folder: str) -> list[str]:
        """Return a folder of the tree and the folders below it, in the order of the walk."""
        return self.folders if folder == "." else [path for path in self.folders if f"{path}/".startswith(f"{folder}/")]

    def bad_in(self, folders: Iterable[str]) -> list[BadEntry]:
        """Return the images directly in some folders that cannot be opened."""
        return [bad for folder in folders for bad in self.bad.get(folder, ())]

    def _walk(self, *, recursive: bool) -> None:
        stack: list[tuple[str, tuple[Hashable, ...]]] = [(".", (self.place.identity(self.root),))]
        while stack:
            folder, identities = stack.pop()
            location = self.location(folder)
            self.folders.append(folder)
            folder_names = self._list_folder(folder, location)
            if not recursive:
                return
            for name in sorted(folder_names, reverse=True):
                identity = self.place.identity(f"{location}/{name}")
                # A link to the folder itself or to one that contains it would make the walk endless.
                if identity not in identities:
                    stack.append((join_name(folder, name), (*identities, identity)))

    def _list_folder(self, folder: str, location: str) -> list[str]:
        """Find the images in a folder, and return the names of the folders in it."""
        names = self.place.names(location)
        images = []
        for name in sorted(names.files):
            if self.left_out.takes_file(location, name) and (name not in names.others or self._is_usable(folder, name)):
                images.append(name)
                self._n_images += 1
                if self._progress is not None and self._n_images % _N_PER_PROGRESS == 0:
                    self._progress(_N_PER_PROGRESS)
        if images:
            self.files[folder] = images
        return [name for name in names.folders if self.left_out.takes_folder(f"{location}/{name}")]

    def _is_usable(self, folder: str, name: str) -> bool:
        """Tell whether a link or the like is an image file. Other ones are added to `bad`."""
        problem = self.place.problem(f"{self.location(folder)}/{name}")
        if problem is not None:
            self.bad.setdefault(folder, []).append(BadEntry(join_name(folder, name), problem))
        return problem is None


def join_name(folder: str, name: str) -> str:
    """Return the name of a file or folder that is in a folder of a tree, relative to the root of the tree."""
    return name if folder == "." else f"{folder}/{name}"
