"""One walk of a folder: the images of each folder, from which sources are made without another walk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from recordkit.sources.folder.node import Node
from recordkit.sources.listed_images import N_PER_PROGRESS, ListedImages, Progress


class ImageTree(ListedImages):
    """The images of a folder and of all folders below it.

    Parameters
    ----------
    root, extensions, progress, keep_tool_files
        Same meaning as for `FolderSource`.

    Attributes
    ----------
    files : dict of str to list of str
        The names of the images in each folder, in the order of the walk; folders relative to the root.
    """

    def __init__(
        self, root: str | Path, extensions: Sequence[str], progress: Progress | None, *, keep_tool_files: bool = False
    ) -> None:
        super().__init__(root, extensions, progress, keep_tool_files=keep_tool_files)
        self.files: dict[str, list[str]] = {}
        for number, (folder, file) in enumerate(self._walk(), 1):
            self.files.setdefault(folder, []).append(file)
            if progress is not None and number % N_PER_PROGRESS == 0:
                progress(N_PER_PROGRESS)

    def top(self) -> Node:
        """Return the tree of the folders."""
        n_unreadable = Counter(bad.name.rpartition("/")[0] or "." for bad in self.bad)
        nodes: dict[str, Node] = {}
        for path in self.folders:
            parent, _, name = path.rpartition("/")
            location = self.root if path == "." else f"{self.root}/{path}"
            nodes[path] = node = Node(name, path, location, len(self.files.get(path, ())), n_unreadable[path])
            node.has_others = path in self._left_out.folders
            if path != ".":
                nodes[parent or "."].children.append(node)
        return nodes["."]
