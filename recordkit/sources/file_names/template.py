"""Images whose names hold keys, labels and class names in the form of a template, as a source.

The template (`recordkit.formats.name_template`) may have folders. It reads the names that `recordkit.interop.folder`
writes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from recordkit.errors import SourceError
from recordkit.formats.name_template import NameTemplate
from recordkit.sample import BadEntry
from recordkit.sources.classes import walk_order
from recordkit.sources.file_names.base import FileNameSource
from recordkit.sources.image_tree import ImageTree


class _NamedImage(NamedTuple):
    """An image whose name fits a template, and the values that the name holds."""

    key: int
    name: str
    label: float
    class_name: str


class TemplateSource(FileNameSource):
    """The images of a folder, or of the folders that a template names, with what the template finds in their names.

    Parameters
    ----------
    tree : ImageTree
    folder : str
        The folder that the names start from, relative to the root of the tree.
    template : NameTemplate
        A template with ``{label}``, a number, or ``{class}``, a class name, or both. With ``{key}`` the keys come from
        the names, and the images are in the order of their keys. With folders, as in ``{class}/{key}``, the images are
        those of the whole tree.
    classes : mapping of str to int, optional
        Labels by class name. By default the names are numbered in code point order, folder by folder.

    Raises
    ------
    SourceError
        No name fits, two names have one key, or a class name is not in `classes`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as digits:
    ...     Path(digits, "000123_5.jpg").touch()
    ...     TemplateSource(ImageTree(digits, [".jpg"]), template=NameTemplate("{key:06d}_{label}")).entries([0])
    [Entry(key=123, labels=(5,), name='000123_5.jpg')]
    """

    def __init__(
        self,
        tree: ImageTree,
        folder: str = ".",
        *,
        template: NameTemplate,
        classes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(tree, folder)
        names = self._find_images(tree, recursive=template.has_folders)
        images = []
        for position, name in enumerate(names):
            fields = template.parse(name)
            if fields is None:
                self.bad.append(BadEntry(self._prefix + name, f"expected a name that fits '{template.text}'"))
            else:
                key = position if fields.key is None else fields.key
                images.append(_NamedImage(key, name, fields.label or 0, fields.class_name or ""))
        if names and not images:
            advice = "give another template with `label_from`, in which {label} is a number and {class} any text"
            raise self._no_label_error(template.text, names, advice)
        images.sort(key=lambda image: image.key)
        self._check_keys(images, template)
        for image, label in zip(images, self._choose_labels(images, template, classes), strict=True):
            self._add(image.key, label, self._prefix + image.name)

    def _check_keys(self, images: Sequence[_NamedImage], template: NameTemplate) -> None:
        other = "without a template" if template.has_folders else "with a regular expression"
        for image, following in itertools.pairwise(images):
            if image.key == following.key:
                raise SourceError(
                    path=self.location,
                    expected="each key once",
                    got=f"{image.key} in {image.name!r} and {following.name!r}",
                    advice=f"{other}, the keys are the positions of the images",
                )

    def _choose_labels(
        self, images: Sequence[_NamedImage], template: NameTemplate, classes: Mapping[str, int] | None
    ) -> list[float]:
        """Return the label of each image, and set `self.classes`."""
        if "label" not in template.fields:
            names = sorted({image.class_name for image in images}, key=walk_order)
            numbers = self._number_classes(names, classes)
            return [numbers[image.class_name] for image in images]
        if classes is None and "class" in template.fields:
            classes = self._pair_classes_with_labels(images)
        self.classes = None if classes is None else dict(classes)
        return [image.label for image in images]

    def _pair_classes_with_labels(self, images: Sequence[_NamedImage]) -> dict[str, int]:
        classes: dict[str, int] = {}
        for image in images:
            if not isinstance(image.label, int) or classes.setdefault(image.class_name, image.label) != image.label:
                raise SourceError(
                    path=self.location,
                    expected="one whole label for each class",
                    got=f"{image.label} for {image.class_name!r} in {image.name!r}",
                )
        return classes
