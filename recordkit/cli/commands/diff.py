"""``recordkit diff``: compare two datasets."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.options import examples, output_options, threads_option
from recordkit.errors import enumerate_some, plural
from recordkit.upkeep import DiffReport, diff

# Number of keys that are printed for each kind of difference; --json has all.
_N_SHOWN = 10


@click.command("diff", epilog=examples("recordkit diff old/photos.rec out/photos.rec"))
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@threads_option
@output_options
def command(a: Path, b: Path, threads: int, console: Console) -> None:
    """Compare the datasets A and B: which keys were added and removed, and whose labels or images changed.

    Images are compared byte by byte as they are encoded. The order of the samples and the class names are compared,
    too. As with diff(1), the exit code is 0 if nothing differs, 1 if something does, and 2 if the command line is
    wrong.
    """
    with console.progress(None, f"diff {a.name} {b.name}") as progress:
        report = diff(a, b, threads=threads, progress=progress)
    for note in () if console.as_json else report.notes:
        console.note(f"note: {note}")
    console.report(report.as_json(), *_lines(report))
    if not report.is_equal:
        raise click.exceptions.Exit(1)


def _lines(report: DiffReport) -> list[str]:
    if report.is_equal:
        return [f"{report.paths[0]} and {report.paths[1]}: equal, {plural(report.n_records[0], 'record')}"]
    texts = (("removed", report.removed), ("added", report.added))
    lines = [f"{plural(len(keys), 'record')} {text}: keys {_some(keys.tolist())}" for text, keys in texts if len(keys)]
    texts = (("labels", report.labels), ("image", report.images))
    lines += [
        f"{plural(len(keys), 'record')} with other {text}: keys {_some(keys.tolist())}"
        for text, keys in texts
        if len(keys)
    ]
    if report.n_moved:
        lines.append(f"{plural(report.n_moved, 'record')} in another order")
    if report.classes:
        lines.append(f"{plural(len(report.classes), 'class')} with another label or missing: {_some(report.classes)}")
    return [f"{report.paths[0]} and {report.paths[1]}: {line}" for line in lines]


def _some(items: list[int] | tuple[str, ...]) -> str:
    return enumerate_some(items, limit=_N_SHOWN)
