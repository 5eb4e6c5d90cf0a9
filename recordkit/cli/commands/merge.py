"""``recordkit merge``: write several datasets as one."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.edit_options import pad_labels_option, print_report, renumber_option, whole_if_possible
from recordkit.cli.options import examples, output_options, threads_option, writing_options
from recordkit.upkeep import merge


@click.command(
    "merge",
    epilog=examples(
        "recordkit merge monday.rec tuesday.rec week",
        "recordkit merge monday.rec tuesday.rec week --renumber --shards 4",
    ),
)
@click.argument("recs", metavar="REC...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@renumber_option("Give the records the keys 0 to n - 1 in the order of the files, instead of keeping their keys.")
@pad_labels_option
@click.option("--shards", type=click.IntRange(1), default=1, show_default=True, help="Number of files of the new set.")
@writing_options
@threads_option
@output_options
def command(  # noqa: PLR0913 (one argument for each option)
    recs: tuple[Path, ...],
    prefix: Path,
    keys: str,
    pad_labels: float | None,
    shards: int,
    overwrite: bool,
    dry_run: bool,
    threads: int,
    console: Console,
) -> None:
    """Write the samples of each REC, in this order, into the new set PREFIX.

    A REC is a .rec file, its prefix, a manifest, or a pattern in quotes; it stays as it is, and no image is decoded.
    Class names are united: a name has one label, that of the first REC that has the name, and the labels of the
    others change with it. Two records with one key are an error, unless --renumber.
    """
    if prefix.suffix == ".rec" and prefix.is_file():
        raise click.UsageError(f"the name of the new set, PREFIX, is missing after {prefix}, which exists")
    with console.progress(None, f"merge into {prefix.name}", unit="rec") as progress:
        report = merge(
            recs,
            prefix,
            keys=keys,  # type: ignore[arg-type]  # one of the choices
            pad_labels=whole_if_possible(pad_labels),
            shards=shards,
            threads=threads,
            overwrite=overwrite,
            dry_run=dry_run,
            progress=progress,
        )
    print_report(console, report)
