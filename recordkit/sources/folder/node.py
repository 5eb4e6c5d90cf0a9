"""A tree of folders by their names and numbers of files, which decides what the folders mean. Numbers and text only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from recordkit.sources.folder.split_names import Role, role_of
from recordkit.sources.image_tree import ImageTree


@dataclass
class Node:
    """A folder.

    Attributes
    ----------
    name : str
    path : str
        Path from the root of the source; "." is the root itself.
    location : str
        Path for messages: that of the root, and `path`.
    n_images, n_unreadable : int
        Numbers of files directly in the folder: images, and images that cannot be opened.
    has_others : bool
        Files of other suffixes are directly in the folder.
    children : list of Node
        The folders in it, in the order of the walk.
    """

    name: str
    path: str
    location: str
    n_images: int = 0
    n_unreadable: int = 0
    has_others: bool = False
    children: list[Node] = field(default_factory=list)

    @property
    def role(self) -> Role | None:
        """The split that the name means."""
        return role_of(self.name)

    def walk(self) -> Iterator[Node]:
        """Yield the folder and all folders below it, in the order of the walk."""
        yield self
        for child in self.children:
            yield from child.walk()

    def walk_names(self) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Yield each folder of `walk`, after the names of the folders from this one to it."""
        yield (), self
        for child in self.children:
            for names, folder in child.walk_names():
                yield (child.name, *names), folder

    def image_folders(self) -> list[Node]:
        """Return the folders directly in this one that have images in them or below them."""
        return [child for child in self.children if child.has_images()]

    def has_images(self) -> bool:
        """Tell whether images are in the folder or below it."""
        return any(folder.n_images for folder in self.walk())

    def has_unreadable_images(self) -> bool:
        """Tell whether images that cannot be opened are in the folder or below it."""
        return any(folder.n_unreadable for folder in self.walk())

    def has_other_files(self) -> bool:
        """Tell whether files of other suffixes are in the folder or below it."""
        return any(folder.has_others for folder in self.walk())

    def is_flat(self) -> bool:
        """Tell whether images are in the folder, and none below it."""
        return bool(self.n_images) and not self.image_folders()

    def insert(self, names: Sequence[str], folder: Node) -> None:
        """Add a folder, without those below it, under other names than its own."""
        parent = self
        for name in names[:-1]:
            known = next((child for child in parent.children if child.name == name), None)
            if known is None:
                known = Node(name, folder.path, folder.location)
                parent.children.append(known)
            parent = known
        parent.children.append(replace(folder, name=names[-1], children=[]))


def make_nodes(tree: ImageTree) -> Node:
    """Return the root of the folders of a tree."""
    nodes: dict[str, Node] = {}
    for path in tree.folders:
        parent, _, name = path.rpartition("/")
        location = tree.location(path)
        n_images, n_unreadable = (len(images.get(path, ())) for images in (tree.files, tree.bad))
        has_others = location in tree.left_out.folders
        nodes[path] = node = Node(name, path, location, n_images, n_unreadable, has_others)
        if path != ".":
            nodes[parent or "."].children.append(node)
    return nodes["."]
