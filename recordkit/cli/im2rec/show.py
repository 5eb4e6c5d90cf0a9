"""What both faces of im2rec say while they pack and when they are done."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import click

from recordkit.cli.program import print_to_stderr
from recordkit.cli.progress import progress_bar
from recordkit.codec import Channels
from recordkit.packing import PackPlan, PackReport, pack
from recordkit.sources import ListSource

CHANNELS: dict[str, Channels] = {"1": 3, "0": 1, "-1": "keep"}
"""im2rec's `color`, which is OpenCV's flag, as `channels` of a `PackPlan`."""

# Failures named one by one; all of them are in PREFIX.failed.tsv.
_N_SHOWN = 10


def pack_list(
    source: ListSource,
    prefix: str,
    plan: PackPlan,
    *,
    engine: str,
    record_name: str | None = None,
    keep: Collection[Path] = (),
) -> bool:
    """Pack a list as im2rec does, say what was left out, and tell whether all was packed.

    Returns
    -------
    ok : bool
    """
    with progress_bar(len(source), "im2rec") as progress:
        report = pack(source, prefix, plan=plan, engine=engine, record_name=record_name, keep=keep, progress=progress)
    _show(report)
    return report.ok


def _show(report: PackReport) -> None:
    (done,) = report.sets
    for warning in report.warnings:
        print_to_stderr("im2rec", f"warning: {warning}")
    for failure in done.failures[:_N_SHOWN]:
        print_to_stderr("im2rec", f"{failure.name}: {failure.reason}; left out")
    for note, n in done.notes.items():
        print_to_stderr("im2rec", f"warning: {n} images: {note}")
    total = f"Total: {done.n_packed} images processed, {report.duration_s:.2f} sec elapsed"
    failed = f", {done.n_failed} left out (see {done.failed_path})" if done.n_failed else ""
    click.echo(f"{total}{failed}")
