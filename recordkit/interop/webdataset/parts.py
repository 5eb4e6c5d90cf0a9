"""The members of one sample: the image among them, and the label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recordkit.codec import IMAGE_SUFFIXES
from recordkit.errors import FormatError, enumerate_some
from recordkit.formats import json_file
from recordkit.formats.tar import Member

# Limit for a label, which is text or JSON.
_MAX_LABEL_BYTES = 1 << 20
_LABEL_FIELDS = ("labels", "label")
Read = Callable[[int, int], bytes]
"""Called with a size and an offset in the archive."""


@dataclass
class SampleParts:
    """Consecutive members with one name before the first dot.

    Attributes
    ----------
    name : str
        With the folder, without the suffixes.
    members : dict of str to Member
        By suffix in lower case, without its dot: "jpg", "cls".
    """

    name: str
    members: dict[str, Member]

    @classmethod
    def begin(cls, member: Member) -> SampleParts | None:
        """Return a sample of one member, or None if its name has no suffix, as that of a note of a program."""
        name, suffix = _split_name(member.name)
        return cls(name, {suffix: member}) if suffix else None

    def take(self, member: Member) -> bool:
        """Take a member of the same sample, or return False.

        Raises
        ------
        FormatError
            The sample has a member of that suffix.
        """
        name, suffix = _split_name(member.name)
        if name != self.name:
            return not suffix
        if suffix in self.members:
            raise FormatError(offset=member.offset, expected=f"{member.name} once", got="it again")
        self.members[suffix] = member
        return True

    def image(self) -> Member:
        """Return the image.

        Raises
        ------
        FormatError
            There is none, or more than one.
        """
        images = [suffix for suffix in self.members if f".{suffix.rpartition('.')[2]}" in IMAGE_SUFFIXES]
        if len(images) != 1:
            got = enumerate_some([f".{suffix}" for suffix in images or self.members])
            expected = f"one image in the sample {self.name}" if images else f"an image in the sample {self.name}"
            raise FormatError(offset=next(iter(self.members.values())).offset, expected=expected, got=got)
        return self.members[images[0]]


def read_label(sample: SampleParts, read: Read, label_column: str | None) -> list[float]:
    """Return the labels of a sample.

    Parameters
    ----------
    sample : SampleParts
    read : callable
        Reads the archive.
    label_column : str or None
        Field of ``.json``; None for ``.cls``, or the fields `labels` or `label`.

    Raises
    ------
    FormatError
        There is no label, or it is no number.
    """
    if label_column is None and (member := sample.members.get("cls")):
        text = _content(member, read).strip()
        if not text.lstrip(b"-").isdigit() or len(text) > 20:
            raise FormatError(offset=member.offset, expected=f"a whole number in {member.name}", got=f"{text[:40]!r}")
        return [int(text)]
    if (member := sample.members.get("json")) is None:
        first = next(iter(sample.members.values()))
        expected = f"a label of {sample.name}, as .cls or .json"
        raise FormatError(offset=first.offset, expected=expected, got=enumerate_some([f".{s}" for s in sample.members]))
    try:
        fields = json_file.parse(_content(member, read))
    except ValueError as error:
        raise FormatError(offset=member.offset, expected=f"JSON in {member.name}", got=error) from None
    names = _LABEL_FIELDS if label_column is None else (label_column,)
    value: Any = next((fields[name] for name in names if name in fields), None) if isinstance(fields, dict) else None
    labels: list[Any] = value if isinstance(value, list) else [value]
    if not labels or not all(isinstance(label, (int, float)) and not isinstance(label, bool) for label in labels):
        got = (
            f"{value!r:.40}" if value is not None else enumerate_some(list(fields)) if isinstance(fields, dict) else ""
        )
        raise FormatError(
            offset=member.offset,
            expected=f"a number or numbers in the field {' or '.join(names)} of {member.name}",
            got=got or "no field",
            advice=None if label_column else "name the field with `label_column`",
        )
    return labels


def _content(member: Member, read: Read) -> bytes:
    if member.size > _MAX_LABEL_BYTES:
        raise FormatError(
            offset=member.offset, expected=f"{member.name} of at most {_MAX_LABEL_BYTES} bytes", got=member.size
        )
    return read(member.size, member.offset)


def _split_name(path: str) -> tuple[str, str]:
    """Divide a path at the first dot of the name; the suffix is "" if there is none, or nothing before it."""
    folder, slash, name = path.rpartition("/")
    stem, _, suffix = name.partition(".")
    return (f"{folder}{slash}{stem}", suffix.lower()) if stem else (path, "")
