"""Progress of long work on stderr: a bar on a terminal; elsewhere a line, at most every ten seconds."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

import click

_LINE_INTERVAL_S = 10.0


class Progress(Protocol):
    """A callback that receives the number of units completed since its last call."""

    def __call__(self, n: int, note: str = "", /) -> None:
        """Advance by `n` units, and show the note beside the bar or line if there is one."""


@contextlib.contextmanager
def progress_bar(total: int, label: str, *, unit: str = "img", quiet: bool = False) -> Iterator[Progress]:
    """Show progress on stderr while the block runs.

    Parameters
    ----------
    total : int
        Number of units in the whole work.
    label : str
        Text before the bar or line.
    unit : str, default "img"
        Name of the unit; "B" for bytes.
    quiet : bool, default False
        Show nothing.

    Yields
    ------
    progress : Progress
    """
    if quiet:
        yield lambda n, note="": None
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(
            total=total, desc=label, unit=unit, unit_scale=unit == "B", file=sys.stderr, leave=False, dynamic_ncols=True
        ) as bar:

            def advance(n: int, note: str = "") -> None:
                if note:
                    bar.set_postfix_str(note, refresh=False)
                bar.update(n)

            yield advance
    else:
        yield _LineProgress(total, label, unit).advance


class _LineProgress:
    def __init__(self, total: int, label: str, unit: str) -> None:
        self._total, self._label, self._unit, self._n_done = total, label, unit, 0
        self._start_s = self._last_line_s = time.monotonic()

    def advance(self, n: int, note: str = "") -> None:
        self._n_done += n
        now_s = time.monotonic()
        if self._n_done and now_s - self._last_line_s >= _LINE_INTERVAL_S:
            self._last_line_s = now_s
            rate = self._n_done / (now_s - self._start_s)
            speed = f"{rate:.0f} {self._unit}/s" if rate >= 1 else f"{1 / rate:.0f} s each"
            line = f"{self._label}: {self._n_done} of {self._total} {self._unit}, {speed}"
            click.echo(f"{line}, {note}" if note else line, err=True)
