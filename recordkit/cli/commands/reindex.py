"""``recordkit reindex``: write a lost or wrong .idx file anew."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.options import examples, output_options
from recordkit.cli.program import error_text
from recordkit.cli.terminal import print_message
from recordkit.errors import RecordkitError, plural
from recordkit.storage.fileset import Fileset
from recordkit.upkeep import ReindexReport, reindex

_KEYS = {"ids": "the ids of the records", "positions": "their positions"}


@click.command("reindex", epilog=examples("recordkit reindex out/photos.rec", "recordkit reindex out/*.rec"))
@click.argument("recs", metavar="REC...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--checksums", is_flag=True, help="Also write the CRC-32 of each record to PREFIX.crc.")
@output_options
def command(recs: tuple[Path, ...], checksums: bool, console: Console) -> None:
    """Write the .idx of each REC anew, from the records.

    The keys are the ids of the records, as im2rec writes them, so the file is the lost one to the byte. If all records
    have the same id, the keys are their positions, from 0 on. A file that already has this content stays, and a damaged
    REC gets none. --checksums protects a set without checksums from now on. With --json there is a line for each
    REC.
    """
    n_failed = 0
    for rec in recs:
        try:
            with console.progress(Fileset(rec).rec_size(), f"reindex {rec.name}", unit="B") as progress:
                report = reindex(rec, checksums=checksums, progress=progress)
        except (RecordkitError, OSError) as error:
            print_message("recordkit", error_text(error))
            n_failed += 1
            continue
        if not console.as_json:  # the document has them
            for note in report.notes:
                console.note(f"note: {report.idx_path}: {note}")
        console.report(report.as_json(), *_lines(report))
    if n_failed:
        raise click.exceptions.Exit(1)


def _lines(report: ReindexReport) -> list[str]:
    keys = f"; the keys are {_KEYS[report.keys]}" if report.n_records else ""
    lines = [f"{report.idx_path}: {report.outcome}, {plural(report.n_records, 'record')}{keys}"]
    return lines if report.crc_path is None else [*lines, f"{report.crc_path}: written"]
