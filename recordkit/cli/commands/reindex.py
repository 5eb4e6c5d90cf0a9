"""``recordkit reindex``: write a lost or wrong .idx file anew."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.datasets import Result, for_each_dataset, recs_argument
from recordkit.cli.options import examples, output_options
from recordkit.errors import plural
from recordkit.storage.fileset import Fileset
from recordkit.storage.search import find_rec_files
from recordkit.upkeep import ReindexReport, reindex

_KEYS = {"ids": "the ids of the records", "positions": "their positions"}


@click.command(
    "reindex", epilog=examples("recordkit reindex out/photos.rec", "recordkit reindex out/photos.manifest.json")
)
@recs_argument
@click.option("--checksums", is_flag=True, help="Also write the CRC-32 of each record to PREFIX.crc.")
@output_options
def command(recs: tuple[Path, ...], checksums: bool, console: Console) -> None:
    """Write the .idx of each REC anew, from the records.

    REC is a .rec file, a manifest and so all its shards, the prefix of either, a pattern between quotes, or a folder
    with one dataset.

    The keys are the ids of the records, as im2rec writes them, so the file is the lost one to the byte. If all records
    have the same id, the keys are their positions, from 0 on. A file that already has this content stays, and a damaged
    REC gets none. --checksums protects a set without checksums from now on. --json prints a line for each file.
    """

    def reindex_one(rec: Path) -> Result:
        with console.progress(Fileset(rec).rec_size(), f"reindex {rec.name}", unit="B") as progress:
            (report,) = reindex(rec, checksums=checksums, progress=progress)
        if not console.as_json:  # the document has them
            for note in report.notes:
                console.note(f"note: {report.idx_path}: {note}")
        return Result([report.as_json()], _lines(report))

    for_each_dataset(recs, reindex_one, console, find=find_rec_files)


def _lines(report: ReindexReport) -> list[str]:
    keys = f"; the keys are {_KEYS[report.keys]}" if report.n_records else ""
    lines = [f"{report.idx_path}: {report.outcome}, {plural(report.n_records, 'record')}{keys}"]
    return lines if report.crc_path is None else [*lines, f"{report.crc_path}: written"]
