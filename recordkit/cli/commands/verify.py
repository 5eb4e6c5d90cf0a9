"""``recordkit verify``: check .rec files, their companions and manifests."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.datasets import Result, for_each_dataset, recs_argument, total_bytes
from recordkit.cli.options import examples, output_options, threads_option
from recordkit.cli.terminal import print_message
from recordkit.errors import plural
from recordkit.upkeep import VerifyReport, verify

# Number of problems that are printed; --json has up to 1,000.
_N_SHOWN = 20


@click.command(
    "verify",
    epilog=examples("recordkit verify out/mnist_train.rec --decode", "recordkit verify out/photos.manifest.json"),
)
@recs_argument
@click.option("--decode", is_flag=True, help="Also decode every image.")
@threads_option
@output_options
def command(recs: tuple[Path, ...], decode: bool, threads: int, console: Console) -> None:
    """Check structure, CRC-32 of each record, index, list, labels and SHA-256 of each REC.

    REC is a .rec file, a manifest and so all its shards, the prefix of either, a pattern between quotes, or a folder
    with one dataset. The exit code is 1 if there is a problem in any. --json prints a line for each dataset.
    """

    def verify_one(path: Path) -> Result:
        with console.progress(total_bytes(path), f"verify {path.name}", unit="B") as progress:
            report = verify(path, decode=decode, threads=threads, progress=progress)
        _print_problems(report, console)
        return Result([report.as_json()], [_line(report, decode=decode)], report.n_problems)

    for_each_dataset(recs, verify_one, console)


def print_report(report: VerifyReport, console: Console, *, decode: bool) -> None:
    """Print the report of a check."""
    _print_problems(report, console)
    console.report(report.as_json(), _line(report, decode=decode))


def _print_problems(report: VerifyReport, console: Console) -> None:
    if not console.as_json:  # the document has them
        for problem in report.problems[:_N_SHOWN]:
            print_message("recordkit", str(problem))
        if report.n_problems > _N_SHOWN:
            print_message("recordkit", f"and {report.n_problems - _N_SHOWN} more")
        for note in report.notes:
            console.note(f"note: {note}")


def _line(report: VerifyReport, *, decode: bool) -> str:
    verdict = "ok" if report.ok else plural(report.n_problems, "problem")
    images = "" if decode else "; images not decoded (--decode)"
    checked = f"({', '.join(report.checked)}{images})"
    return f"{report.path}: {plural(report.n_records, 'record')}, {verdict} {checked}"
