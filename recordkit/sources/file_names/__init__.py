r"""Images with their labels in their names, as sources.

A template such as ``{key:06d}_{label}.png`` (`recordkit.formats.name_template`) reads keys, labels and class names, and
the folders of a tree if it has folders. A regular expression finds a label in the name of each image directly in a
folder, or in the path of each image of a tree if it has a ``/``. Without either, the label is the number after the last
``_``, if the names show that it is one: `recordkit.sources.file_names.evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping

from recordkit.formats.name_template import NameTemplate
from recordkit.sources.file_names.base import FileNameSource, ZeroLabelSource
from recordkit.sources.file_names.expression import ExpressionSource
from recordkit.sources.file_names.label_from import LabelFrom, read_label_from, reads_folders
from recordkit.sources.file_names.template import TemplateSource
from recordkit.sources.image_tree import ImageTree

__all__ = ["FileNameSource", "LabelFrom", "ZeroLabelSource", "open_file_names", "read_label_from", "reads_folders"]


def open_file_names(
    tree: ImageTree,
    folder: str = ".",
    *,
    label_from: LabelFrom | None = None,
    classes: Mapping[str, int] | None = None,
) -> FileNameSource:
    """Open a folder of images with their labels in their names.

    Parameters
    ----------
    tree : ImageTree
    folder : str
        Relative to the root of the tree. The names of the images in the source start from the root.
    label_from : NameTemplate or re.Pattern, optional
        See `TemplateSource` and `ExpressionSource`. By default the label is the number after the last ``_``, and names
        whose numbers look like serial numbers are refused.
    classes : mapping of str to int, optional
        Labels by class name. By default classes are numbered in code point order, folder by folder.

    Returns
    -------
    source : FileNameSource

    Raises
    ------
    SourceError
        No name has a label, two names have one key, or a class name is not in `classes`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as digits:
    ...     Path(digits, "000123_5.jpg").touch()
    ...     tree = ImageTree(digits, [".jpg"])
    >>> [open_file_names(tree, label_from=form).entries([0]) for form in (None, NameTemplate("{key:06d}_{label}"))]
    [[Entry(key=0, labels=(5,), name='000123_5.jpg')], [Entry(key=123, labels=(5,), name='000123_5.jpg')]]
    """
    if isinstance(label_from, NameTemplate):
        return TemplateSource(tree, folder, template=label_from, classes=classes)
    return ExpressionSource(tree, folder, pattern=label_from, classes=classes)
