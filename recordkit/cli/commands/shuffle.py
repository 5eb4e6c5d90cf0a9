"""``recordkit shuffle``: write a dataset in random order."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.edit_options import print_report, renumber_option
from recordkit.cli.options import examples, output_options, threads_option, writing_options
from recordkit.upkeep import shuffle


@click.command("shuffle", epilog=examples("recordkit shuffle out/photos.rec out/shuffled --seed 1"))
@click.argument("rec", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="Seed of the random order."
)
@renumber_option("Give the records the keys 0 to n - 1 in the new order, instead of keeping their keys.")
@writing_options
@threads_option
@output_options
def command(
    rec: Path, prefix: Path, seed: int, keys: str, overwrite: bool, dry_run: bool, threads: int, console: Console
) -> None:
    """Write the samples of REC in random order into the new set PREFIX.

    The order is the same for one seed on every machine. Records keep their keys, unless --renumber gives them 0 to
    n - 1 in the new order. REC stays as it is, and no image is decoded.
    """
    with console.progress(None, f"shuffle {rec.name}", unit="rec") as progress:
        report = shuffle(
            rec,
            prefix,
            seed=seed,
            keys=keys,  # type: ignore[arg-type]  # one of the choices
            threads=threads,
            overwrite=overwrite,
            dry_run=dry_run,
            progress=progress,
        )
    print_report(console, report)
