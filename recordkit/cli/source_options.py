"""Options of ``recordkit pack`` and ``recordkit list`` that describe the source."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.errors import PlanError
from recordkit.sources import EXTENSIONS

label_from_option = click.option(
    "--label-from",
    metavar="REGEX",
    help="Regular expression that finds the label in a file name; its first group is the label.",
)
extensions_option = click.option(
    "--exts",
    "extensions",
    default=",".join(EXTENSIONS),
    metavar="E,E",
    show_default=True,
    help="Suffixes that count as images.",
)
classes_option = click.option(
    "--classes",
    type=click.Path(path_type=Path),
    help="Class map of another split: its PREFIX.json, or a file with one class name per line.",
)


def split_extensions(text: str) -> tuple[str, ...]:
    """Return the suffixes in ``.jpg,png``, each with its dot.

    Examples
    --------
    >>> split_extensions(".jpg,PNG")
    ('.jpg', '.png')
    """
    suffixes = tuple("." + suffix.strip().lower().lstrip(".") for suffix in text.split(",") if suffix.strip())
    if not suffixes:
        raise PlanError(argument="extensions", expected="suffixes such as .jpg,.png", got=repr(text))
    return suffixes
