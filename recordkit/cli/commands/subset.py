"""``recordkit subset``: write some samples of a dataset as a new set."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.edit_options import print_report
from recordkit.cli.options import examples, output_options, threads_option, writing_options
from recordkit.cli.selection_options import selection_options
from recordkit.upkeep import Selection, subset


@click.command(
    "subset",
    epilog=examples(
        "recordkit subset out/photos.rec out/cats --class cat",
        "recordkit subset out/photos.rec out/small --first-per-class 2",
        "recordkit subset out/photos.rec out/some --where 'label != 1 and bytes > 300' --sample 3",
    ),
)
@click.argument("rec", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@selection_options
@writing_options
@threads_option
@output_options
def command(
    rec: Path, prefix: Path, selection: Selection, overwrite: bool, dry_run: bool, threads: int, console: Console
) -> None:
    """Write the selected samples of REC into the new set PREFIX.

    A sample must fulfil all conditions: --keys, --label or --class, --list, --where. Of those that do, --every,
    --first-per-class, --sample and --first select in this order. The samples keep their order, keys and labels, and the
    set keeps its class names; relabel gives other labels. REC stays as it is, and no image is decoded.
    """
    with console.progress(None, f"subset {rec.name}", unit="rec") as progress:
        report = subset(
            rec, prefix, selection, threads=threads, overwrite=overwrite, dry_run=dry_run, progress=progress
        )
    print_report(console, report)
