"""The names of exported images: the template, the class names of the labels, and the suffixes of the formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from recordkit import codec
from recordkit.errors import PlanError, RecordkitError, SourceError
from recordkit.formats.name_template import NameTemplate
from recordkit.interop.export import LabelFacts, image_suffix
from recordkit.sample import Entry, Source
from recordkit.sources.classes import walk_order

# Number of samples whose keys are read at a time.
_N_KEYS = 4096
_MIN_DIGITS = 6


class ImageNames:
    """The names of a source's images.

    Parameters
    ----------
    source : Source
    text : str or None
        The template; None chooses one that a pack of the folder understands.

    Attributes
    ----------
    template : NameTemplate

    Raises
    ------
    PlanError
        The text is no template, or has ``{class}`` and the source has no class names.
    """

    def __init__(self, source: Source, text: str | None) -> None:
        try:
            self.template = NameTemplate(_default_template(source) if text is None else text)
        except PlanError as error:
            raise error.located(argument="name") from None
        self._class_names: dict[float, str] = {}
        if "class" in self.template.fields:
            self._class_names = _invert(source.classes)

    @property
    def encoding(self) -> Literal["png", "raw"]:
        """Encoding of pixels: "raw" if the suffix is one of Netpbm's, otherwise "png"."""
        return "raw" if self.template.suffix.lower() in (".pgm", ".ppm", ".pnm", ".pam") else "png"

    def name(self, entry: Entry, payload: bytes) -> str:
        """Return the name of an image, a path below the folder.

        Raises
        ------
        PlanError
            The template has the suffix of another format.
        SourceError
            The label has no class name, the class name is unsafe, or the payload is not an image.
        """
        try:
            return self._stem(entry) + self._suffix(payload)
        except RecordkitError as error:
            raise error.located(path=entry.name, key=entry.key) from None

    def notes(self, facts: LabelFacts, list_path: Path) -> list[str]:
        """Return what a pack of the folder alone, without its list, would lose.

        Parameters
        ----------
        facts : LabelFacts
        list_path : Path
        """
        notes = []
        if facts.max_width > 1:
            notes.append(f"names have the first of up to {facts.max_width} labels; {list_path} has all labels")
        numbers = sorted(facts.first_labels)
        names = self._class_folders(numbers)
        if names != sorted(set(names), key=walk_order) or (names and numbers != [*range(len(numbers))]):
            notes.append(
                f"a pack of the folder alone would number the classes anew, in the order of their names; {list_path} "
                "has their labels"
            )
        return notes

    def _class_folders(self, labels: Sequence[float]) -> list[str]:
        """Return the folder of each label, which a pack of the folder takes for a class; none if there are none."""
        if self._class_names:
            return [self._class_names[label] for label in labels if label in self._class_names]
        if not self.template.has_folders:
            return []
        return [PurePosixPath(self.template.format(key=0, label=label)).parent.as_posix() for label in labels]

    def _stem(self, entry: Entry) -> str:
        class_name = self._class_names.get(entry.labels[0])
        if self._class_names and class_name is None:
            raise SourceError(
                expected="a label with a class name",
                got=entry.labels[0],
                advice="use {label} instead of {class} in `name`",
            )
        return self.template.format(key=entry.key, label=entry.labels[0], class_name=class_name)

    def _suffix(self, payload: bytes) -> str:
        """Return the suffix to append to the name, after a check of the one that the template has."""
        suffix = self.template.suffix
        possible = codec.file_suffixes(payload)
        if possible:
            if suffix and suffix.lower() not in possible:
                raise PlanError(
                    argument="name",
                    expected=f"the suffix {possible[0]} of this image",
                    got=suffix,
                    advice=f"leave {suffix} out of `name`, because images are not re-encoded",
                )
            return "" if suffix else possible[0]
        if not suffix or suffix.lower() in codec.IMAGE_SUFFIXES:
            return image_suffix(payload)  # raises
        return ""


def _default_template(source: Source) -> str:
    blocks = (range(begin, min(begin + _N_KEYS, len(source))) for begin in range(0, len(source), _N_KEYS))
    largest = max(entry.key for block in blocks for entry in source.entries(block))
    n_digits = max(_MIN_DIGITS, len(str(largest)))
    return f"{{class}}/{{key:0{n_digits}d}}" if source.classes else f"{{key:0{n_digits}d}}_{{label}}"


def _invert(classes: dict[str, int] | None) -> dict[float, str]:
    if not classes:
        raise PlanError(
            argument="name",
            message="{class} needs class names, and there are none",
            advice="use {label} instead of {class} in `name`",
        )
    names: dict[float, str] = {}
    for name, label in classes.items():
        if names.setdefault(label, name) != name:
            raise SourceError(
                expected="one class name for each label",
                got=f"{names[label]!r} and {name!r} for {label}",
                advice="use {label} instead of {class} in `name`",
            )
    return names
