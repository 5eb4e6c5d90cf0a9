"""``recordkit duplicates``: find equal images."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.datasets import recs_argument
from recordkit.cli.options import examples, output_options, threads_option
from recordkit.errors import enumerate_some, plural
from recordkit.upkeep import DuplicateGroup, DuplicatesReport, duplicates

# Number of groups, and of samples of a group, that are printed; --json has all.
_N_SHOWN = 20
_N_SAMPLES_SHOWN = 5


@click.command(
    "duplicates",
    epilog=examples(
        "recordkit duplicates out/photos.rec", "recordkit duplicates out/train.rec out/val.rec out/test.rec"
    ),
)
@recs_argument
@threads_option
@output_options
def command(recs: tuple[Path, ...], threads: int, console: Console) -> None:
    """Find images that one REC has more than once, or those that are in two or more of several, as training and test.

    A REC is a .rec file, its prefix, a manifest, or a pattern in quotes. Encoded bytes are compared, so the same
    picture in another size or encoding is another image. Groups whose labels disagree are marked. The exit code is 0 if
    there are no equal images, 1 if there are some.
    """
    with console.progress(None, f"duplicates {recs[0].name}") as progress:
        report = duplicates(*recs, threads=threads, progress=progress)
    print_duplicates(report, console)


def print_duplicates(report: DuplicatesReport, console: Console) -> None:
    """Print groups of equal images, and exit with 1 if there are some."""
    lines = [_line(group) for group in report.groups[:_N_SHOWN]]
    if len(report.groups) > _N_SHOWN:
        lines.append(f"and {len(report.groups) - _N_SHOWN} more; --json lists all")
    others = f", {plural(report.n_disagreeing, 'group')} with labels that disagree" if report.n_disagreeing else ""
    found = f"{plural(len(report.groups), 'group')} of equal images{others}" if report.groups else "no equal images"
    *first, last = report.paths
    where = f"{', '.join(first)} and {last}" if first else last
    console.report(report.as_json(), *lines, f"{where}: {plural(report.n_records, 'record')}, {found}")
    if report.groups:
        raise click.exceptions.Exit(1)


def _line(group: DuplicateGroup) -> str:
    samples = [
        f"{sample.path}: key {sample.key}{f' ({sample.name})' if sample.name else ''}" for sample in group.samples
    ]
    end = "" if group.labels_agree else "; their labels disagree"
    return f"{plural(group.n_bytes, 'byte')}: {enumerate_some(samples, limit=_N_SAMPLES_SHOWN)}{end}"
