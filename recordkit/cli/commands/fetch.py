"""`recordkit fetch`: download MNIST or Fashion-MNIST into a folder.

Progress goes to stderr, a bar on a terminal and plain lines elsewhere; the result goes to stdout.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import click
from tqdm import tqdm

from recordkit.cli.program import examples
from recordkit.interop.fetch import DATASETS, FetchReport, Progress, RetryPolicy, fetch

__all__ = ["command"]


@click.command("fetch", epilog=examples("recordkit fetch mnist data/mnist"))
@click.argument("dataset", type=click.Choice(list(DATASETS)))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--from", "source", metavar="FOLDER|URL", help="A copy of your own; the only source then.")
@click.option(
    "--any-checksum",
    is_flag=True,
    help="With --from: accept other data than the published (a copy in another order) if it is well-formed.",
)
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1, max=3600),
    default=30.0,
    show_default=True,
    help="Give up a connection that is silent this long.",
)
@click.option(
    "--attempts",
    type=click.IntRange(min=1, max=100),
    default=5,
    show_default=True,
    help="Attempts for each file and mirror, with growing waits between them.",
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
    """Download MNIST or Fashion-MNIST into DIR: four ubyte .gz files, checked.

    Files that are there and right are not downloaded again, and what was interrupted goes on where it
    stopped. Exit code 0: all files are there and right; 1: one could not be had, and the line says why.
    """
    policy = RetryPolicy(attempts=attempts, timeout_s=timeout_s)
    with _Display() as display:
        try:
            report = fetch(
                DATASETS[dataset],
                folder,
                source=source,
                any_checksum=any_checksum,
                policy=policy,
                progress=display,
            )
        except KeyboardInterrupt:
            display.line("stopped; what came is kept as .part where the server allows it: run the same again to go on")
            raise
    click.echo(json.dumps(asdict(report), indent=2) if as_json else _summary(report))


def _summary(report: FetchReport) -> str:
    lines = []
    for file in report.files:
        how = "already there" if file.source is None else f"from {file.source}"
        other = "" if file.published else ", not the published data"
        lines.append(f"{file.name}: {file.size_bytes:,} bytes, {how}{other}")
    n_fetched = sum(file.status == "fetched" for file in report.files)
    n_present = len(report.files) - n_fetched
    lines.append(f"{report.dataset}: {n_fetched} files fetched, {n_present} already there, in {report.folder}")
    return "\n".join(lines)


class _Display:
    """Shows progress on stderr: a bar for each file on a terminal, lines elsewhere."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._on_terminal = sys.stderr.isatty()

    def __enter__(self) -> _Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_bar()

    def __call__(self, now: Progress) -> None:
        """Show one step."""
        if now.state == "bytes":
            self._advance(now)
        elif now.state == "start":
            at = f" (going on at byte {now.done_bytes:,})" if now.done_bytes else ""
            self.line(f"{now.name}: from {now.note}{at}")
        elif now.state == "retry":
            self.line(f"{now.name}: {now.note}")
        elif now.state == "next":
            self.line(f"{now.name}: gave up {now.note}")
        elif now.state == "present":
            self.line(f"{now.name}: already there and right")
        else:
            self.line(f"{now.name}: {now.done_bytes:,} bytes, checked")

    def line(self, text: str) -> None:
        """Write one line, below any bar."""
        self._close_bar()
        click.echo(text, err=True)

    def _advance(self, now: Progress) -> None:
        if not self._on_terminal:
            return
        bar = self._bar
        if bar is None:
            bar = tqdm(
                iterable=None,
                desc=now.name,
                total=now.total_bytes,
                initial=now.done_bytes,
                unit="B",
                unit_scale=True,
                leave=False,
                file=sys.stderr,
            )
            self._bar = bar
        bar.total = now.total_bytes
        bar.update(now.done_bytes - bar.n)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
