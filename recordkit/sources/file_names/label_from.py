"""A template or a regular expression that finds the labels in the names of images, read from a text."""

from __future__ import annotations

import re

from recordkit.errors import PlanError
from recordkit.formats.name_template import NameTemplate

LabelFrom = NameTemplate | re.Pattern[str]
"""A template or a regular expression that finds labels in names."""


def read_label_from(text: str) -> LabelFrom:
    r"""Read a template, which has one of the fields, or a regular expression.

    Raises
    ------
    PlanError
        The text is neither a template with a label nor a regular expression with a group.

    Examples
    --------
    >>> read_label_from(r"_(\d+)\.")
    re.compile('_(\\d+)\\.')
    """
    if NameTemplate.recognise(text):
        return _read_template(text)
    try:
        pattern = re.compile(text)
    except re.error as error:
        got = f"'{text}' ({error})"
        raise PlanError(argument="label_from", expected="a regular expression", got=got) from None
    if not pattern.groups:
        raise PlanError(
            argument="label_from",
            expected="a group (...) around the label",
            got=f"'{text}'",
            advice="a template has {label} or {class} instead",
        )
    return pattern


def _read_template(text: str) -> NameTemplate:
    try:
        template = NameTemplate(text)
    except PlanError as error:
        raise error.located(argument="label_from") from None
    if template.fields == {"key"}:
        raise PlanError(argument="label_from", expected="{label} or {class} in the template", got=f"'{text}'")
    return template


def reads_folders(label_from: LabelFrom | None) -> bool:
    r"""Tell whether the labels are in the paths of a tree, and not in the names of the images directly in a folder.

    Examples
    --------
    >>> reads_folders(NameTemplate("{class}/{key}")), reads_folders(re.compile(r"_(\d)"))
    (True, False)
    """
    if isinstance(label_from, NameTemplate):
        return label_from.has_folders
    return label_from is not None and "/" in label_from.pattern
