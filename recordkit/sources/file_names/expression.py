"""Images with labels that a regular expression finds in their names, as a source."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from recordkit.errors import SourceError, quoted
from recordkit.sample import BadEntry
from recordkit.sources.file_names.base import FileNameSource
from recordkit.sources.file_names.evidence import NUMBER_AT_END, doubt, find_expression
from recordkit.sources.file_names.label_from import reads_folders
from recordkit.sources.file_names.lists_beside import advise_list
from recordkit.sources.image_tree import ImageTree

# Labels of fewer images may all be different.
_N_LABELS_TO_REPEAT = 10


class ExpressionSource(FileNameSource):
    r"""The images of a folder, with labels that a regular expression finds in their names or paths.

    Parameters
    ----------
    tree : ImageTree
    folder : str
        The folder of the images, relative to the root of the tree.
    pattern : re.Pattern, optional
        A regular expression, which is searched in the name of each image directly in the folder, or, if it has a ``/``,
        in the path of each image of the tree, from the folder on, with or without a ``/`` before it. Its first group is
        the label. If all labels are numbers, they are used as they are; otherwise they are class names. By default the
        label is the number after the last ``_``, if the names show that it is no serial number.
    classes : mapping of str to int, optional
        Labels by class name. By default the names are numbered in code point order.

    Raises
    ------
    SourceError
        No name has a label, the numbers look like serial numbers, or a class name is not in `classes`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as pets:
    ...     for name in ("beagle_1.jpg", "beagle_2.jpg", "pug_1.jpg"):
    ...         Path(pets, name).touch()
    ...     source = ExpressionSource(ImageTree(pets, [".jpg"]), pattern=re.compile(r"^(.+)_\d+\."))
    >>> source.labels([0, 1, 2]), source.classes
    ([(0,), (0,), (1,)], {'beagle': 0, 'pug': 1})
    """

    def __init__(
        self,
        tree: ImageTree,
        folder: str = ".",
        *,
        pattern: re.Pattern[str] | None = None,
        classes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(tree, folder)
        is_recursive = reads_folders(pattern)
        names = self._find_images(tree, recursive=is_recursive)
        if pattern is None and names and (problem := doubt(names)):
            raise self._doubtful_label_error(problem, names, tree.extensions)
        is_default, pattern = pattern is None, pattern or re.compile(NUMBER_AT_END)
        matches = [pattern.search(name) or (pattern.search(f"/{name}") if is_recursive else None) for name in names]
        texts = [(match[1] or None) if match else None for match in matches]
        if names and not any(texts):
            raise self._no_label_error(pattern.pattern, names, "give another expression with `label_from`")
        labels = self._map_to_labels(sorted({text for text in texts if text is not None}), classes)
        for key, (name, text) in enumerate(zip(names, texts, strict=True)):
            if text is None:
                reason = f"expected a label in the name, got no match of '{pattern.pattern}'"
                self.bad.append(BadEntry(self._prefix + name, reason))
            else:
                self._add(key, labels[text], self._prefix + name)
        if is_default and len(self) >= _N_LABELS_TO_REPEAT and len(set(self._labels)) == len(self):
            problem = "the numbers after the last '_' are all different and are taken for labels"
            self.notes.append(f"{self.location}: {problem}")

    def _map_to_labels(self, texts: Sequence[str], classes: Mapping[str, int] | None) -> Mapping[str, float]:
        """Return the label of each text: the number that it is, or the number of the class of that name."""
        if classes is None:
            with contextlib.suppress(ValueError):
                return {text: _parse_number(text) for text in texts}
        return self._number_classes(texts, classes)

    def _doubtful_label_error(self, problem: str, names: Sequence[str], extensions: Sequence[str]) -> SourceError:
        """Return the error for names without labels that are sure; its advice has been tried on the names."""
        labels = find_expression(names)
        if labels is None:
            advice = advise_list(Path(self.location), len(names), extensions) or (
                "if the names hold no labels, make a folder for each class, or a list with KEY, LABEL and PATH between "
                f"tabs in each row: 'recordkit pack LIST.lst PREFIX --root {quoted(self.location)}'"
            )
        else:
            advice = f"`label_from` '{labels.expression}' finds {labels.description}"
        if any(re.search(NUMBER_AT_END, name) for name in names):
            advice += f"; if the numbers are labels, `label_from` '{NUMBER_AT_END}' takes them"
        return SourceError(problem, path=self.location, advice=advice)


def _parse_number(text: str) -> float:
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    number = float(text)
    if not math.isfinite(number):  # "nan" and "inf" are class names
        raise ValueError(text)
    return number
