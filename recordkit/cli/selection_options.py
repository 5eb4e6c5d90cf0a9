"""Options that select samples of a dataset, for all commands that work on some of them.

A command with `condition_options` or `selection_options` gets a `Selection` as its argument `selection`. The options
are called as the fields of `Selection`, so that an error about a field names its option.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from recordkit.errors import FormatError
from recordkit.formats.lst import parse_label
from recordkit.upkeep.selection import Selection
from recordkit.upkeep.selection.keys import is_key_text

_Command = Callable[..., None]
_COUNT = click.IntRange(1)


def parse_labels(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[float, ...]:
    """Return the numbers of an option's ``LABELS``, which may be repeated.

    Examples
    --------
    >>> context = click.Context(click.Command("subset"))
    >>> parse_labels(context, click.Option(["--label"]), ("3,7", "0.5"))
    (3, 7, 0.5)
    """
    labels: list[float] = []
    for text in texts:
        for field in text.split(","):
            try:
                label = parse_label(field)
            except FormatError:
                raise click.BadParameter(f"expected numbers as 3 or 3,7, got {text!r}") from None
            labels.append(int(label) if label == int(label) else label)
    return tuple(labels)


def parse_keys(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | Path | None:
    """Return the keys of an option's ``KEYS``: a text of keys and ranges, or the path of a file.

    Examples
    --------
    >>> context = click.Context(click.Command("subset"))
    >>> parse_keys(context, click.Option(["--keys"]), "0:1000,7")
    '0:1000,7'
    """
    return text if text is None or is_key_text(text) else Path(text)


_CONDITIONS = (
    click.option(
        "--keys",
        metavar="KEYS",
        callback=parse_keys,
        help="Keys and ranges as 0:1000,1500, without the end of a range; or a file with a key on each line.",
    ),
    click.option(
        "--label",
        "labels",
        metavar="LABELS",
        multiple=True,
        callback=parse_labels,
        help="First labels, as 3 or 3,7; may be repeated.",
    ),
    click.option("--class", "classes", metavar="NAME", multiple=True, help="Name of a class; may be repeated."),
    click.option(
        "--list",
        "listed",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A .lst file: the records with its keys, in its order.",
    ),
    click.option(
        "--where",
        metavar="EXPRESSION",
        help="A condition on key, label, label1 and so on, n_labels, bytes, width and height, as "
        "'label == 3 and bytes > 10000'.",
    ),
)
_NUMBERS = (
    click.option("--every", metavar="N", type=_COUNT, default=1, show_default=True, help="Every n-th record."),
    click.option(
        "--start",
        metavar="N",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Number of records before the first one.",
    ),
    click.option("--first-per-class", metavar="N", type=_COUNT, help="The first records of each label."),
    click.option("--sample", metavar="N", type=_COUNT, help="Records at random, in their order."),
    click.option(
        "--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="Seed of the random choice."
    ),
    click.option("--first", metavar="N", type=_COUNT, help="The first records."),
)


def condition_options(command: _Command) -> _Command:
    """Add the options that say what holds for a sample: its key, label, class, line in a list, expression.

    The command gets a `Selection` as its argument `selection`.
    """
    return _with_selection(command, _CONDITIONS)


def selection_options(command: _Command) -> _Command:
    """Add all options that select samples: those of `condition_options`, and numbers of samples.

    The command gets a `Selection` as its argument `selection`.
    """
    return _with_selection(command, (*_CONDITIONS, *_NUMBERS))


def _with_selection(command: _Command, options: tuple[Callable[[Any], Any], ...]) -> _Command:
    @functools.wraps(command)
    def with_selection(*arguments: Any, **values: Any) -> None:
        names = Selection.__dataclass_fields__.keys() & values.keys()
        selection = Selection(**{name: values.pop(name) for name in names})
        command(*arguments, selection=selection, **values)

    decorated: _Command = with_selection
    for option in reversed(options):
        decorated = option(decorated)
    return decorated
