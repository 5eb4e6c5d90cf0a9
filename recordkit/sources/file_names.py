"""Images with their labels in their names, as a source.

A regular expression finds a label in the name of each image directly in a folder. A template such as
``{key:06d}_{label}.png`` (`recordkit.formats.name_template`) also reads keys and class names, and the folders of a tree
if it has folders. It reads the names that `recordkit.interop.folder` writes.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from recordkit.errors import PlanError, SourceError
from recordkit.formats.name_template import NameTemplate
from recordkit.sample import BadEntry
from recordkit.sources.classes import walk_order
from recordkit.sources.files import EXTENSIONS
from recordkit.sources.listed_images import ListedImages, Progress

FILE_NAME_LABEL = r"_(-?\d+)\.[^.]+$"
"""Regular expression of the label in names such as ``000000_5.jpg``."""


class _NamedImage(NamedTuple):
    """An image whose name fits a template, and the values that the name holds."""

    key: int
    name: str
    label: float
    class_name: str


class FileNameSource(ListedImages):
    """Images with their labels in their names: those directly in a folder, or in the folders that a template names.

    Parameters
    ----------
    root : str or Path
    label_from : str, optional
        A template or a regular expression. None gives all images the label 0, as im2rec does.

        A template has ``{label}``, a number, or ``{class}``, a class name, or both. With ``{key}`` the keys come from
        the names, and the images are in the order of their keys. With folders, as in ``{class}/{key}``, the images are
        those of the whole tree.

        A regular expression is searched in each file name; its first group is the label. If all labels are numbers,
        they are used as they are; otherwise they are class names.
    extensions, classes, progress, keep_tool_files
        Same meaning as for `FolderSource`; `classes` has the labels by class name. By default classes are numbered in
        code point order, folder by folder. The suffix of a template counts as that of an image.

    Raises
    ------
    PlanError
        `label_from` is neither a template with a label nor a regular expression with a group.
    NotFoundError
        `root` does not exist.
    SourceError
        `root` is not a folder, `label_from` finds a label in no name, two names have one key, or a class name is not in
        `classes`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as digits:
    ...     Path(digits, "000123_5.jpg").touch()
    ...     FileNameSource(digits).entries([0]), FileNameSource(digits, label_from="{key:06d}_{label}").entries([0])
    ([Entry(key=0, labels=(5,), name='000123_5.jpg')], [Entry(key=123, labels=(5,), name='000123_5.jpg')])
    """

    def __init__(
        self,
        root: str | Path,
        *,
        label_from: str | None = FILE_NAME_LABEL,
        extensions: Sequence[str] = EXTENSIONS,
        classes: Mapping[str, int] | None = None,
        progress: Progress | None = None,
        keep_tool_files: bool = False,
    ) -> None:
        template = _read_template(label_from)
        if template is not None and template.suffix:
            extensions = (*extensions, template.suffix)
        super().__init__(root, extensions, progress, keep_tool_files=keep_tool_files)
        if template is None:
            self._add_by_expression(label_from, classes)
        else:
            self._add_by_template(template, classes)

    def _image_names(self) -> list[str]:
        with os.scandir(self.root) as items:
            files = sorted(item.name for item in items if not item.is_dir())
        return [name for name in files if self._is_image(self.root, name)]

    def _add_by_expression(self, label_from: str | None, classes: Mapping[str, int] | None) -> None:
        names = self._image_names()
        texts = ["0"] * len(names) if label_from is None else self._find_label_texts(names, label_from)
        labels = self._map_to_labels(sorted({text for text in texts if text is not None}), classes)
        for key, (name, text) in enumerate(zip(names, texts, strict=True)):
            if text is None:
                self.bad.append(BadEntry(name, f"expected a label in the file name, got no match of '{label_from}'"))
            else:
                self._add(key, labels[text], name)

    def _find_label_texts(self, names: Sequence[str], label_from: str) -> list[str | None]:
        try:
            pattern = re.compile(label_from)
        except re.error as error:
            raise PlanError(
                argument="label_from", expected="a regular expression", got=f"'{label_from}' ({error})"
            ) from None
        if not pattern.groups:
            raise PlanError(
                argument="label_from",
                expected="a group (...) around the label",
                got=f"'{label_from}'",
                advice="a template has {label} or {class} instead",
            )
        texts = [(match[1] or None) if (match := pattern.search(name)) else None for name in names]
        if names and not any(texts):
            raise self._no_label_error(label_from, names, "give another expression with `label_from`")
        return texts

    def _no_label_error(self, label_from: str, names: Sequence[str], advice: str) -> SourceError:
        problem = f"'{label_from}' finds a label in none of {len(names)} image names, for example {names[0]!r}"
        return SourceError(problem, path=self.root, advice=advice)

    def _map_to_labels(self, texts: Sequence[str], classes: Mapping[str, int] | None) -> Mapping[str, float]:
        """Return the label of each text: the number that it is, or the number of the class of that name."""
        if classes is None:
            with contextlib.suppress(ValueError):
                return {text: _parse_number(text) for text in texts}
        return self._number_classes(texts, classes)

    def _number_classes(self, names: Sequence[str], classes: Mapping[str, int] | None) -> Mapping[str, int]:
        """Set `self.classes`, by default to the names in their order, and return it."""
        self.classes = {name: number for number, name in enumerate(names)} if classes is None else dict(classes)
        for name in names:
            if name not in self.classes:
                raise SourceError(
                    path=self.root, expected=f"one of the {len(self.classes)} names in `classes`", got=f"label {name!r}"
                )
        return self.classes

    def _add_by_template(self, template: NameTemplate, classes: Mapping[str, int] | None) -> None:
        names = self._walk_names() if template.has_folders else self._image_names()
        images = []
        for position, name in enumerate(names):
            fields = template.parse(name)
            if fields is None:
                self.bad.append(BadEntry(name, f"expected a name that fits '{template.text}'"))
            else:
                key = position if fields.key is None else fields.key
                images.append(_NamedImage(key, name, fields.label or 0, fields.class_name or ""))
        if names and not images:
            advice = "give another template with `label_from`, in which {label} is a number and {class} any text"
            raise self._no_label_error(template.text, names, advice)
        images.sort(key=lambda image: image.key)
        self._check_keys(images, template)
        for image, label in zip(images, self._choose_labels(images, template, classes), strict=True):
            self._add(image.key, label, image.name)

    def _walk_names(self) -> list[str]:
        return [file if folder == "." else f"{folder}/{file}" for folder, file in self._walk()]

    def _check_keys(self, images: Sequence[_NamedImage], template: NameTemplate) -> None:
        other = "without a template" if template.has_folders else "with a regular expression"
        for image, following in itertools.pairwise(images):
            if image.key == following.key:
                raise SourceError(
                    path=self.root,
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
                    path=self.root,
                    expected="one whole label for each class",
                    got=f"{image.label} for {image.class_name!r} in {image.name!r}",
                )
        return classes


def _read_template(label_from: str | None) -> NameTemplate | None:
    """Return the template, or None if the text is a regular expression."""
    if label_from is None or not NameTemplate.recognise(label_from):
        return None
    try:
        template = NameTemplate(label_from)
    except PlanError as error:
        raise error.located(argument="label_from") from None
    if template.fields == {"key"}:
        raise PlanError(argument="label_from", expected="{label} or {class} in the template", got=f"'{label_from}'")
    return template


def _parse_number(text: str) -> float:
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    number = float(text)
    if not math.isfinite(number):  # "nan" and "inf" are class names
        raise ValueError(text)
    return number
