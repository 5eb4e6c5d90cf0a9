"""Options and report lines that the commands share which write a set from others."""

from __future__ import annotations

from collections.abc import Callable

import click

from recordkit.cli.console import Console, old_file_lines
from recordkit.errors import plural
from recordkit.upkeep.edit.report import EditReport
from recordkit.upkeep.labels.change import LabelReport, describe_changes

_Command = Callable[..., None]


def renumber_option(words: str) -> Callable[[_Command], _Command]:
    """Return the option ``--renumber`` of a command, whose argument is called `keys`; `words` is its help."""
    return click.option("--renumber", "keys", is_flag=True, callback=_keys, help=words)


def _keys(_context: click.Context, _option: click.Parameter, is_given: bool) -> str:
    return "renumber" if is_given else "keep"


pad_labels_option = click.option(
    "--pad-labels",
    type=float,
    metavar="NUMBER",
    help="Fill up the labels of records with fewer of them.  [default: different numbers are an error]",
)


def whole_if_possible(number: float | None) -> float | None:
    """Return a number as an int if it is whole, as exact labels need it.

    Examples
    --------
    >>> whole_if_possible(0.0), whole_if_possible(0.5), whole_if_possible(None)
    (0, 0.5, None)
    """
    return int(number) if number is not None and number.is_integer() else number


def print_report(console: Console, report: EditReport, *lines: str) -> None:
    """Print the result of an edit: notes on stderr, and the sets and more lines on stdout."""
    changes = report.changes if isinstance(report, LabelReport) else ()
    if not console.as_json:  # the document has them
        for note in (*describe_changes(changes), *report.notes):
            console.note(f"note: {note}")
    console.report(report.as_json(), *_lines(report), *lines)


def _lines(report: EditReport) -> list[str]:
    would = "would have " if report.dry_run else ""
    lines = [
        f"{each.prefix}.rec: {would}{plural(each.n_records, 'record')}, {each.n_bytes / 1e6:.1f} MB"
        for each in report.sets
    ]
    if report.manifest is not None:
        lines.append(f"{report.manifest}: {'would be ' if report.dry_run else ''}written")
    if report.dry_run:
        lines += old_file_lines(report.replaced, report.removed)
    if isinstance(report, LabelReport) and report.n_relabeled:
        lines.append(f"{plural(report.n_relabeled, 'record')} with other labels")
    return lines
