"""A tree of images as a source, with a class for each folder.

A key is the position in the walk, as in im2rec, whose numbers of classes `FolderSource` has too: each folder that
directly contains images is a class, so nested folders are classes too, and images directly in ROOT form a class called
``.``. Classes are numbered in the order of the walk.

Source: ``list_image``, tools/im2rec.py of MXNet 1.9.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from recordkit.errors import SourceError, enumerate_some
from recordkit.sources.files import EXTENSIONS
from recordkit.sources.folder.class_folders import ClassFolders, choose_classes
from recordkit.sources.folder.class_names import note_on_numbers, note_on_twins
from recordkit.sources.folder.mask_files import note_on_masks
from recordkit.sources.folder.node import Node, make_nodes
from recordkit.sources.image_tree import ImageTree, Progress, join_name
from recordkit.sources.listed_images import ListedImages


class TreeSource(ListedImages):
    """The images of a tree, or of one split of it, whose folders have a class each.

    Parameters
    ----------
    tree : ImageTree
    top : Node
        The folder that has the class folders.
    folders : ClassFolders
        The class of each folder.
    classes : mapping of str to int, optional
        Labels by class name. By default the classes are numbered.

    Raises
    ------
    SourceError
        A folder of images has a class that is not in `classes`.
    """

    classes: dict[str, int]

    def __init__(
        self, tree: ImageTree, top: Node, folders: ClassFolders, *, classes: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(tree.root, tree.place.reader())
        self.classes = {name: number for number, name in enumerate(folders.names)} if classes is None else dict(classes)
        used = dict.fromkeys(folders.class_of.values())
        notes = [*folders.notes, _note_on_empty_classes(folders.names, used, self.classes)]
        notes.append(note_on_masks(tree.files, folders.class_of))
        if classes is None:
            notes += [note_on_twins(used), note_on_numbers(self.classes, top, folders.class_of)]
        self.notes += [f"{top.location}: {note}" for note in notes if note]
        key = 0
        for folder, name in folders.class_of.items():
            if name not in self.classes:
                raise SourceError(
                    path=self.root,
                    expected=f"one of the {len(self.classes)} names in `classes`",
                    got=f"folder {name!r}",
                    advice="add it to them or remove the folder",
                )
            for file in tree.files[folder]:
                self._add(key, self.classes[name], join_name(folder, file))
                key += 1
        self.bad += tree.bad_in(folder.path for folder in top.walk())


def _note_on_empty_classes(names: Sequence[str], used: Container[str], classes: Mapping[str, int]) -> str | None:
    numbers = {name: classes[name] for name in names if name in classes and name not in used}
    if not numbers:
        return None
    if len(numbers) == 1:
        ((name, number),) = numbers.items()
        return f"class '{name}' has no images; it keeps the number {number}"
    texts = enumerate_some([f"{name} ({number})" for name, number in numbers.items()])
    return f"{len(numbers)} classes have no images; they keep their numbers: {texts}"


class FolderSource(TreeSource):
    """A tree of images with im2rec's classes: one for each folder that directly has images.

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

    def __init__(
        self,
        root: str | Path,
        *,
        extensions: Sequence[str] = EXTENSIONS,
        classes: Mapping[str, int] | None = None,
        progress: Progress | None = None,
        keep_tool_files: bool = False,
    ) -> None:
        tree = ImageTree(root, extensions, progress, keep_tool_files=keep_tool_files)
        self.top = make_nodes(tree)
        super().__init__(tree, self.top, choose_classes(self.top, "path"), classes=classes)
        self.notes[:0] = tree.left_out.notes()
