"""``recordkit repair``: save the whole records of a damaged file."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.datasets import total_bytes
from recordkit.cli.options import examples, output_options, threads_option, writing_options
from recordkit.cli.terminal import print_message
from recordkit.errors import enumerate_some, plural
from recordkit.upkeep import LostRange, RepairReport, repair

# Number of lost ranges that are printed; --json has all.
_N_SHOWN = 20


@click.command("repair", epilog=examples("recordkit repair out/photos.rec out/saved", "recordkit verify out/saved"))
@click.argument("rec", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@click.option("--decode", is_flag=True, help="Also decode every image.")
@writing_options
@threads_option
@output_options
def command(
    rec: Path, prefix: Path, decode: bool, overwrite: bool, dry_run: bool, threads: int, console: Console
) -> None:
    """Copy every whole record of the damaged file REC into a new set at PREFIX.

    REC stays as it is. Records are found behind any damage, also if bytes were inserted or removed. If REC has
    checksums, a record with another one is lost. The lost bytes are listed, with the keys of the records that were
    there as far as the index or the other keys tell. The exit code is 0 if a set was written, also if bytes are lost.

    --decode leaves out whole records, too, whose image does not decode or that have none or a label that is not finite:
    those that 'recordkit verify REC --decode' finds.
    """
    with console.progress(total_bytes(rec), f"repair {rec.name}", unit="B") as progress:
        report = repair(
            rec, prefix, decode=decode, threads=threads, overwrite=overwrite, dry_run=dry_run, progress=progress
        )
    if not console.as_json:  # the document has them
        for lost in report.lost[:_N_SHOWN]:
            print_message("recordkit", _line(report, lost))
        if len(report.lost) > _N_SHOWN:
            print_message("recordkit", f"and {len(report.lost) - _N_SHOWN} more; --json lists all")
        for note in report.edit.notes:
            console.note(f"note: {note}")
    n_lost = "" if report.n_lost_records is None else f" of {plural(report.n_lost_records, 'record')}"
    verb = "would be lost" if dry_run else "lost"
    lost_text = f"{plural(report.n_lost_bytes, 'byte')}{n_lost} {verb} in {plural(len(report.lost), 'place')}"
    saved = f"{plural(report.n_records, 'record')} {'would be ' if dry_run else ''}saved"
    console.report(report.as_json(), f"{prefix}.rec: {saved}; {lost_text if report.lost else 'nothing lost'}")


def _line(report: RepairReport, lost: LostRange) -> str:
    keys = ""
    if lost.keys:
        keys = f"; {'key' if len(lost.keys) == 1 else 'keys'} {enumerate_some(lost.keys)}"
    return f"{report.path}: byte {lost.offset}: {lost.reason}; {plural(lost.n_bytes, 'byte')} lost{keys}"
