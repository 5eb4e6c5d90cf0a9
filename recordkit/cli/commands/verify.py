"""``recordkit verify``: check a .rec file and its companions."""

from __future__ import annotations

import json
from pathlib import Path

import click

from recordkit.cli.program import examples, threads_option
from recordkit.cli.progress import progress_bar
from recordkit.formats.fileset import Fileset
from recordkit.upkeep import verify

# Number of problems that are printed; --json has up to 1,000.
_N_SHOWN = 20


@click.command("verify", epilog=examples("recordkit verify out/mnist_train.rec --decode"))
@click.argument("rec", type=click.Path(path_type=Path))
@click.option("--decode", is_flag=True, help="Also decode every image.")
@threads_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(rec: Path, decode: bool, threads: int, as_json: bool) -> None:
    """Check structure, index, list, labels and SHA-256 of REC. The exit code is 1 if there is a problem."""
    size = Fileset(rec).path(".rec").stat().st_size
    with progress_bar(size, f"verify {rec.name}", unit="B", quiet=as_json) as progress:
        report = verify(rec, decode=decode, threads=threads, progress=progress)
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        for problem in report.problems[:_N_SHOWN]:
            click.echo(f"recordkit: {problem}", err=True)
        if report.n_problems > _N_SHOWN:
            click.echo(f"recordkit: and {report.n_problems - _N_SHOWN} more", err=True)
        for note in report.notes:
            click.echo(f"recordkit: note: {note}", err=True)
        verdict = "ok" if report.ok else f"{report.n_problems} problems"
        images = "" if decode else "; images not decoded (--decode)"
        click.echo(f"{report.path}: {report.n_records} records, {verdict} ({', '.join(report.checked)}{images})")
    if not report.ok:
        raise click.exceptions.Exit(1)
