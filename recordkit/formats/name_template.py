"""Templates of file names, such as ``{key:06d}_{label}.png``: names made from keys and labels, and read back.

A template is a relative path with these fields:

===========  ==========================================================================================
field        text in the name
===========  ==========================================================================================
``{key}``    the key; ``{key:06d}`` has at least 6 digits
``{label}``  the first label: ``5``, ``-2``, ``0.25``; ``{label:03d}`` has at least 3 digits and no fraction
``{class}``  the name of the class
===========  ==========================================================================================

Between two fields there is some text, so that a name can be read in one way. ``{{`` and ``}}`` stand for braces. A
suffix at the end, such as ``.png``, belongs to the template. A template without one stands for names of any suffix.

A class may have folders in its name (``bird/owl``) if ``{class}`` is the name of a folder, as in ``{class}/{key}``. The
class called ``.`` then stands for the folder that all names start from, as in `recordkit.sources.FolderSource`.
"""

from __future__ import annotations

import math
import os
import re
import string
from typing import NamedTuple

from recordkit.errors import PlanError, SourceError
from recordkit.formats.irheader import MAX_KEY

_FIELD = re.compile(r"\{(key|label|class)[:!}]")
_NUMBER_SPEC = re.compile(r"(0[1-9]\d?)?d?")
_SUFFIX = re.compile(r"[^/](\.[A-Za-z][A-Za-z0-9]*)$")
# Control characters, and surrogates that stand for no byte of a file name.
_NO_CHARACTERS_OF_NAMES = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udc7f\udd00-\udfff]")
_MAX_KEY_DIGITS = len(str(MAX_KEY))
_WHOLE = re.compile("-?[0-9]+")
_LABEL_PATTERN = rf"{_WHOLE.pattern}(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"


class NameFields(NamedTuple):
    """The values that a name holds.

    Attributes
    ----------
    key : int or None
    label : int, float or None
        An int if the text is a whole number.
    class_name : str or None
    """

    key: int | None = None
    label: float | None = None
    class_name: str | None = None


class _Field(NamedTuple):
    """A field of a template, and the text before it."""

    before: str
    name: str
    spec: str


class NameTemplate:
    """A template of file names; the module describes its fields.

    Parameters
    ----------
    text : str

    Attributes
    ----------
    text : str
    fields : set of {"key", "label", "class"}
        The fields that the template has.
    suffix : str
        ``".png"``, or "" if the template has none.
    has_folders : bool
        The names have folders.

    Raises
    ------
    PlanError
        The text is no template, or its names could lead out of the folder that they start from.

    Examples
    --------
    >>> template = NameTemplate("{key:06d}_{label}.png")
    >>> template.format(key=12, label=5.0)
    '000012_5.png'
    >>> template.parse("000012_5.png")
    NameFields(key=12, label=5, class_name=None)
    >>> NameTemplate("{class}/{key}").parse("owl/7.jpg")
    NameFields(key=7, label=None, class_name='owl')
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._fields, self._end = _split(text)
        self.fields = {field.name for field in self._fields}
        suffix = _SUFFIX.search(text)
        self.suffix = suffix[1] if suffix else ""
        self.has_folders = "/" in self._end or any("/" in field.before for field in self._fields)
        self._class_is_folder = all(self._is_folder(n) for n, field in enumerate(self._fields) if field.name == "class")
        example = "".join([f"{field.before}x" for field in self._fields]) + self._end
        if not _is_safe(example):
            raise PlanError(
                expected="a path below the folder, without '..', empty parts and control characters", got=repr(text)
            )
        self._pattern = re.compile(self._regular_expression(), re.DOTALL)

    @staticmethod
    def recognise(text: str) -> bool:
        r"""Tell whether a text is meant as a template, not as a regular expression: it has one of the fields.

        Examples
        --------
        >>> NameTemplate.recognise("{key:06d}_{label}"), NameTemplate.recognise(r"^(\d{6})_")
        (True, False)
        """
        return _FIELD.search(text) is not None

    def format(self, *, key: int, label: float, class_name: str | None = None) -> str:
        """Make a name.

        Parameters
        ----------
        key : int
        label : int or float, finite
        class_name : str, optional
            Needed for the field ``{class}``.

        Returns
        -------
        name : str
            A path below the folder; without a suffix if the template has none.

        Raises
        ------
        SourceError
            The name would lead out of the folder or cannot be the name of a file, or the label does not fit the field.
        """
        texts = {"key": key, "label": self._label_text(label) if "label" in self.fields else "", "class": class_name}
        name = self.text.format_map(texts)
        if "class" not in self.fields:
            return name
        if class_name == ".":
            name = name.removeprefix("./")
        elif class_name and "/" in class_name and not self._class_is_folder:
            raise SourceError(
                expected="a class name without '/'",
                got=repr(class_name),
                advice="use a folder per class in `name`, {class}/{key}",
            )
        if not class_name or not _is_safe(name):
            raise SourceError(
                expected="a class name that can be part of a path below the folder",
                got=repr(class_name),
                advice="use {label} instead of {class} in `name`",
            )
        return name

    def _label_text(self, label: float) -> int | str:
        if isinstance(label, int) or label.is_integer():
            return int(label)
        for field in self._fields:
            if field.name == "label" and field.spec:
                raise SourceError(
                    expected=f"whole labels for {{label:{field.spec}}}", got=label, advice="use {label} alone in `name`"
                )
        return repr(label)

    def parse(self, name: str) -> NameFields | None:
        """Read a name.

        Parameters
        ----------
        name : str
            A path below the folder.

        Returns
        -------
        fields : NameFields or None
            None if the template does not make such names.
        """
        # A file beside the folders of the classes is in the class ".".
        match = self._pattern.fullmatch(name) or self._pattern.fullmatch(f"./{name}")
        if match is None:
            return None
        texts = match.groupdict()
        key = int(texts["key"]) if "key" in texts else None
        if key is not None and key > MAX_KEY:
            return None
        label = _parse_label(texts["label"]) if "label" in texts else None
        if isinstance(label, float) and not math.isfinite(label):  # 1e999
            return None
        return NameFields(key, label, texts.get("class"))

    def _is_folder(self, position: int) -> bool:
        """Tell whether a field is a whole part of the path, and not the last one."""
        before = self._fields[position].before
        is_last = position + 1 == len(self._fields)
        after = self._end if is_last else self._fields[position + 1].before
        return (before.endswith("/") or (position == 0 and not before)) and after.startswith("/")

    def _regular_expression(self) -> str:
        pieces, seen = [], set()
        for before, name, spec in self._fields:
            pieces.append(re.escape(before))
            if name in seen:
                pieces.append(f"(?P={name})")
                continue
            seen.add(name)
            if name == "class":
                pattern = ".+" if self._class_is_folder else "[^/]+"
            else:
                pattern = _label_pattern(spec) if name == "label" else _key_pattern(_width(spec))
            pieces.append(f"(?P<{name}>{pattern})")
        return "".join(pieces) + re.escape(self._end) + ("" if self.suffix else r"\.[^./]+")


def _split(text: str) -> tuple[list[_Field], str]:
    """Return the fields of a template with the texts before them, and the text after the last one."""
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise PlanError(expected="a template such as {key:06d}_{label}.png", got=f"{text!r} ({error})") from None
    fields: list[_Field] = []
    literal = ""
    for before, name, spec, conversion in pieces:
        literal += before
        if name is not None:
            _check_field(name, spec or "", conversion, fields, literal)
            fields.append(_Field(literal, name, spec or ""))
            literal = ""
    if not fields:
        raise PlanError(expected="a template with {key}, {label} or {class}", got=repr(text))
    return fields, literal


def _check_field(name: str, spec: str, conversion: str | None, fields: list[_Field], before: str) -> None:
    field = f"{{{name}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}}}"
    if name not in ("key", "label", "class"):
        raise PlanError(expected="the fields {key}, {label} and {class}", got=field)
    if conversion or not _NUMBER_SPEC.fullmatch(spec) or (spec and name == "class"):
        raise PlanError(expected="{key} and {label} with a width such as :06d, {class} without", got=field)
    if fields and not before:
        raise PlanError(expected="some text between two fields, so that names can be read back", got=field)
    if any(field_before.name == name and field_before.spec != spec for field_before in fields):
        raise PlanError(expected=f"{{{name}}} with one width", got=f"another in {field}")


def _width(spec: str) -> int:
    return int(spec.rstrip("d") or 1)


def _key_pattern(n_digits: int) -> str:
    return f"[0-9]{{{n_digits},{max(n_digits, _MAX_KEY_DIGITS)}}}"


def _label_pattern(spec: str) -> str:
    if not spec:
        return _LABEL_PATTERN
    n_digits = _width(spec)
    return f"(?:[0-9]{{{n_digits},}}|-[0-9]{{{max(n_digits - 1, 1)},}})"  # the sign counts, as in a format of Python


def _parse_label(text: str) -> float:
    return int(text) if _WHOLE.fullmatch(text) else float(text)


def _is_safe(name: str) -> bool:
    """Tell whether a name is a path that stays below the folder it starts from."""
    if _NO_CHARACTERS_OF_NAMES.search(name) or not {"", ".", ".."}.isdisjoint(name.split("/")):
        return False
    return os.path.sep == "/" or os.path.sep not in name
