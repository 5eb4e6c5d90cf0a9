"""``recordkit fetch``: download MNIST or Fashion-MNIST into a folder."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from recordkit.cli.program import examples, print_to_stderr
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
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    dataset: str,
    folder: Path,
    source: str | None,
    any_checksum: bool,
    timeout_s: float,
    attempts: int,
    as_json: bool,
) -> None:
    """Download the four .gz files of MNIST or Fashion-MNIST into DIR, and check their checksums.

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
        progress=_progress,
    )
    for file in report.files:
        for failure in file.failures:
            print_to_stderr("recordkit", f"warning: {file.name} came from another source: {failure}")
    click.echo(json.dumps(asdict(report), indent=2) if as_json else _summary(report))


def _progress(url: str) -> ProgressBar:
    """Return a bar on a terminal; print a line elsewhere."""
    from tqdm import tqdm

    on_terminal = sys.stderr.isatty()
    if not on_terminal:
        click.echo(f"downloading {url}", err=True)
    name = url.rpartition("/")[2]
    # pooch sets the total later, but asks whether the bar is true, and tqdm is false without a total.
    return tqdm(desc=name, total=1, unit="B", unit_scale=True, leave=False, file=sys.stderr, disable=not on_terminal)


def _summary(report: FetchReport) -> str:
    lines = []
    for file in report.files:
        origin = "already there" if file.source is None else f"from {file.source}"
        remark = "" if file.published else ", not the published data"
        lines.append(f"{file.name}: {file.size_bytes:,} bytes, {origin}{remark}")
    n_fetched = sum(file.status == "fetched" for file in report.files)
    n_present = len(report.files) - n_fetched
    lines.append(f"{report.dataset}: {n_fetched} files fetched, {n_present} already there, in {report.folder}")
    return "\n".join(lines)
