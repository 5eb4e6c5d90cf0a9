r"""Images with their labels in their names, as sources.

A template such as ``{key:06d}_{label}.png`` (`recordkit.formats.name_template`) reads keys, labels and class names, and
the folders of a tree if it has folders. A regular expression finds a label in the name of each image directly in a
folder, or in the path of each image of a tree if it has a ``/``. Without either, the label is the number after the last
``_``, if the names show that it is one: `recordkit.sources.file_names.evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from recordkit.formats.name_template import NameTemplate
from recordkit.sources.file_names.base import FileNameSource, ZeroLabelSource
from recordkit.sources.file_names.expression import ExpressionSource, has_folders
from recordkit.sources.file_names.template import TemplateSource
from recordkit.sources.files import EXTENSIONS
from recordkit.sources.listed_images import Progress

__all__ = ["ExpressionSource", "FileNameSource", "TemplateSource", "ZeroLabelSource", "has_folders", "open_file_names"]


def open_file_names(
    root: str | Path,
    *,
    label_from: str | None = None,
    extensions: Sequence[str] = EXTENSIONS,
    classes: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> FileNameSource:
    """Open a folder of images with their labels in their names.

    Parameters
    ----------
    root : str or Path
    label_from : str, optional
        A template or a regular expression; see `TemplateSource` and `ExpressionSource`. By default the label is the
        number after the last ``_``, and names whose numbers look like serial numbers are refused.
    extensions, classes, progress
        Same meaning as for `FolderSource`; `classes` has the labels by class name. By default classes are numbered in
        code point order, folder by folder. The suffix of a template counts as that of an image.

    Returns
    -------
    source : FileNameSource

    Raises
    ------
    PlanError
        `label_from` is neither a template with a label nor a regular expression with a group.
    NotFoundError
        `root` does not exist.
    SourceError
        `root` is not a folder, no name has a label, two names have one key, or a class name is not in `classes`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as digits:
    ...     Path(digits, "000123_5.jpg").touch()
    ...     [open_file_names(digits, label_from=text).entries([0]) for text in (None, "{key:06d}_{label}")]
    [[Entry(key=0, labels=(5,), name='000123_5.jpg')], [Entry(key=123, labels=(5,), name='000123_5.jpg')]]
    """
    if label_from is not None and NameTemplate.recognise(label_from):
        return TemplateSource(root, label_from, extensions=extensions, classes=classes, progress=progress)
    return ExpressionSource(root, label_from, extensions=extensions, classes=classes, progress=progress)
