"""Packing one list, for both command lines of im2rec."""

from __future__ import annotations

from pathlib import Path

from recordkit.cli.console import Console
from recordkit.cli.pack_report import print_warnings
from recordkit.cli.terminal import print_line
from recordkit.codec import Channels
from recordkit.errors import SourceError
from recordkit.packing import PackPlan
from recordkit.packing.label_check import KEEP_EXACT_LABELS
from recordkit.packing.pack import pack_as_im2rec
from recordkit.packing.planned_sets import Im2recFiles
from recordkit.sources import ListSource

CHANNELS_BY_COLOR: dict[str, Channels] = {"1": 3, "0": 1, "-1": "keep"}
"""im2rec's `color`, which is OpenCV's flag, to `channels` of a `PackPlan`."""


def pack_list(
    source: ListSource,
    prefix: str,
    plan: PackPlan,
    *,
    engine: str,
    files: Im2recFiles,
    quiet: bool = False,
) -> bool:
    """Pack a list, print the result as im2rec does and the failures on stderr.

    Parameters
    ----------
    source, prefix, plan, engine
        See `recordkit.pack`.
    files : Im2recFiles
    quiet : bool
        Print warnings and failures only.

    Returns
    -------
    ok : bool
        Every sample was packed.

    Raises
    ------
    RecordkitError
        An error of `recordkit.pack`.
    """
    with Console(quiet=quiet).progress(len(source), f"im2rec {Path(prefix).name}") as progress:
        try:
            report = pack_as_im2rec(source, prefix, files, plan=plan, engine=engine, progress=progress)
        except SourceError as error:
            if error.advice == KEEP_EXACT_LABELS:  # im2rec has no option for it
                error.advice = "keep such labels with 'recordkit pack --exact-labels', or number the classes from 0"
            raise
    print_warnings("im2rec", report)
    (set_report,) = report.sets
    total = f"Total: {set_report.n_packed} images processed, {report.duration_s:.2f} sec elapsed"
    failed = f", {set_report.n_failed} left out (see {set_report.failed_path})" if set_report.n_failed else ""
    if not quiet:
        print_line(f"{total}{failed}")
    return report.ok
