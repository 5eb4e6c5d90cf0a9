"""``recordkit diff``: compare two datasets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from recordkit.cli.console import Console
from recordkit.cli.options import examples, output_options, threads_option
from recordkit.errors import enumerate_some, plural
from recordkit.upkeep import DiffReport, diff

# Number of keys, and of changes of labels, that are printed for each kind of difference; --json has all.
_N_SHOWN = 10


@click.command("diff", epilog=examples("recordkit diff old/photos.rec out/photos.rec"))
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@threads_option
@output_options
def command(a: Path, b: Path, threads: int, console: Console) -> None:
    """Compare the datasets A and B: which records were added and removed, and whose keys, labels or images changed.

    Records are compared by key, and those whose images are under other keys by image. Images are compared byte by byte
    as they are encoded. The order of the samples and the class names are compared, too. As with diff(1), the exit code
    is 0 if nothing differs, 1 if something does, and 2 if the command line is wrong.
    """
    with console.progress(None, f"diff {a.name} {b.name}") as progress:
        report = diff(a, b, threads=threads, progress=progress)
    for note in () if console.as_json else report.notes:
        console.note(f"note: {note}")
    console.report(report.as_json() if console.as_json else None, *_lines(report))
    if not report.is_equal:
        raise click.exceptions.Exit(1)


def _lines(report: DiffReport) -> list[str]:
    if report.is_equal:
        return [f"{report.paths[0]} and {report.paths[1]}: equal, {plural(report.n_records[0], 'record')}"]
    renumbered = [f"{old} -> {new}" for old, new in report.renumbered.tolist()]
    lists = (
        (f"removed: {_keys(report.removed)}", report.removed),
        (f"added: {_keys(report.added)}", report.added),
        (f"with another key: {_some(renumbered)}", renumbered),
    )
    lines = [f"{plural(len(items), 'record')} {text}" for text, items in lists if len(items)]
    lines += _label_lines(report)
    if len(report.images):
        lines.append(f"{plural(len(report.images), 'record')} with another image: {_keys(report.images)}")
    if report.n_moved:
        lines.append(f"{plural(report.n_moved, 'record')} in another order")
    if report.classes:
        texts = [
            f"{name} ({'missing' if old is None else old} -> {'missing' if new is None else new})"
            for name, (old, new) in report.classes.items()
        ]
        lines.append(f"{plural(len(texts), 'class')} with another label or missing: {_some(texts)}")
    return [f"{report.paths[0]} and {report.paths[1]}: {line}" for line in lines]


def _label_lines(report: DiffReport) -> list[str]:
    """Return a line for each of the most frequent changes of labels."""
    changes = list(itertools.islice(report.label_changes, _N_SHOWN))
    lines = [
        f"{plural(len(change.keys), 'record')} with other labels, {change}: {_keys(change.keys)}" for change in changes
    ]
    n_more = len(report.label_changes) - sum(len(change.keys) for change in changes)
    return [*lines, f"{plural(n_more, 'more record')} with other labels; --json lists all"] if n_more else lines


def _keys(keys: NDArray[np.uint64]) -> str:
    return f"{'key' if len(keys) == 1 else 'keys'} {_some(keys.tolist())}"


def _some(items: Sequence[object]) -> str:
    return enumerate_some(items, limit=_N_SHOWN)
