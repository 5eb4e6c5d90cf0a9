"""``recordkit append``: add samples to a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.edit_options import pad_labels_option, print_report, renumber_option, whole_if_possible
from recordkit.cli.options import examples, output_options, threads_option, writing_options
from recordkit.upkeep import append


@click.command(
    "append",
    epilog=examples(
        "recordkit append out/photos.rec new.rec",
        "recordkit append out/photos.rec new.rec --shard --renumber",
    ),
)
@click.argument("rec", type=click.Path(path_type=Path))
@click.argument("more", metavar="MORE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@renumber_option("Give the new records the keys after the largest one of REC, instead of keeping their keys.")
@pad_labels_option
@click.option("--shard", is_flag=True, help="Write the new records to a shard beside REC, which stays as it is.")
@writing_options
@threads_option
@output_options
def command(  # noqa: PLR0913 (one argument for each option)
    rec: Path,
    more: tuple[Path, ...],
    keys: str,
    pad_labels: float | None,
    shard: bool,
    overwrite: bool,
    dry_run: bool,
    threads: int,
    console: Console,
) -> None:
    """Add the samples of each MORE to REC.

    REC is a .rec file, its prefix, or a manifest, and each MORE too; pack images first. REC is written anew, and stays
    whole until the new one is. With --shard only the new records are written, to PREFIX_1.rec and so on, and
    PREFIX.manifest.json names all files. Class names are united as by 'recordkit merge'.
    """
    with console.progress(None, f"append to {rec.name}", unit="rec") as progress:
        report = append(
            rec,
            more,
            keys=keys,  # type: ignore[arg-type]  # one of the choices
            pad_labels=whole_if_possible(pad_labels),
            shard=shard,
            threads=threads,
            overwrite=overwrite,
            dry_run=dry_run,
            progress=progress,
        )
    print_report(console, report)
