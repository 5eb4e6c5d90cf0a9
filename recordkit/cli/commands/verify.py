"""``recordkit verify``: check a .rec file and its companions."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.options import examples, output_options, threads_option
from recordkit.cli.terminal import print_message
from recordkit.errors import plural
from recordkit.storage.fileset import Fileset
from recordkit.upkeep import verify

# Number of problems that are printed; --json has up to 1,000.
_N_SHOWN = 20


@click.command("verify", epilog=examples("recordkit verify out/mnist_train.rec --decode"))
@click.argument("rec", type=click.Path(path_type=Path))
@click.option("--decode", is_flag=True, help="Also decode every image.")
@threads_option
@output_options
def command(rec: Path, decode: bool, threads: int, console: Console) -> None:
    """Check structure, CRC-32 of each record, index, list, labels and SHA-256 of REC.

    The exit code is 1 if there is a problem.
    """
    size = Fileset(rec).rec_size()
    with console.progress(size, f"verify {rec.name}", unit="B") as progress:
        report = verify(rec, decode=decode, threads=threads, progress=progress)
    if not console.as_json:  # the document has them
        for problem in report.problems[:_N_SHOWN]:
            print_message("recordkit", str(problem))
        if report.n_problems > _N_SHOWN:
            print_message("recordkit", f"and {report.n_problems - _N_SHOWN} more")
        for note in report.notes:
            console.note(f"note: {note}")
    verdict = "ok" if report.ok else plural(report.n_problems, "problem")
    images = "" if decode else "; images not decoded (--decode)"
    checked = f"({', '.join(report.checked)}{images})"
    console.report(report.as_json(), f"{report.path}: {plural(report.n_records, 'record')}, {verdict} {checked}")
    if not report.ok:
        raise click.exceptions.Exit(1)
