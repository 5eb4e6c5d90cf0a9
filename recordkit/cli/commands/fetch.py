"""``recordkit fetch``: download MNIST, one of its relatives or CIFAR into a folder."""

from __future__ import annotations

import functools
from dataclasses import asdict
from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.options import examples, output_options
from recordkit.errors import plural
from recordkit.interop.fetch import DATASETS, FetchReport, ProgressBar, fetch


@click.command("fetch", epilog=examples("recordkit fetch mnist data/mnist"))
@click.argument("dataset", type=click.Choice(list(DATASETS)))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--from", "source", metavar="FOLDER|URL", help="Use your own copy instead of the mirrors.")
@click.option(
    "--any-checksum",
    is_flag=True,
    help="With --from: accept well-formed data that differs from the published data, for example in its order.",
)
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1, max=3600),
    default=30.0,
    show_default=True,
    help="A request ends after this time without a byte.",
)
@click.option(
    "--attempts",
    type=click.IntRange(min=1, max=100),
    default=3,
    show_default=True,
    help="Maximum number of requests for each file and mirror, with growing waits between them.",
)
@output_options
def command(
    dataset: str,
    folder: Path,
    source: str | None,
    any_checksum: bool,
    timeout_s: float,
    attempts: int,
    console: Console,
) -> None:
    """Download the files of a dataset into DIR as their authors publish them, and check their checksums.

    The archives of EMNIST, CIFAR-10 and CIFAR-100 are unpacked in DIR, so that recordkit pack takes DIR in any case.

    Files that exist and are right are not downloaded again. The exit code is 1 if a file could not be downloaded; the
    error names each mirror and its reason.
    """
    report = fetch(
        DATASETS[dataset],
        folder,
        source=source,
        any_checksum=any_checksum,
        attempts=attempts,
        timeout_s=timeout_s,
        progress=functools.partial(_open_bar, console),
    )
    for file in report.files:
        for failure in file.failures:
            console.warn(f"{file.name} came from another source: {failure}")
    console.report(asdict(report), *_summary(report))


def _open_bar(console: Console, url: str) -> ProgressBar:
    """Return the bar of one download; pooch sets its total when the server has told the size."""
    console.note(f"downloading {url}")
    return console.open_bar(None, url.rpartition("/")[2], unit="B")


def _summary(report: FetchReport) -> list[str]:
    lines = []
    for file in report.files:
        origin = "already there" if file.source is None else f"from {file.source}"
        remark = "" if file.published else ", not the published data"
        unpacked = f", {plural(len(file.unpacked), 'file')} in it" if file.unpacked else ""
        lines.append(f"{file.name}: {file.size_bytes:,} bytes{unpacked}, {origin}{remark}")
    n_fetched = sum(file.status == "fetched" for file in report.files)
    n_present = len(report.files) - n_fetched
    lines.append(
        f"{report.dataset}: {plural(n_fetched, 'file')} fetched, {n_present} already there, in {report.folder}"
    )
    return lines
