"""Progress of long work: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

import click

_LINE_EVERY_S = 10.0


class Progress(Protocol):
    """What is called with the number dealt with since the last call, and maybe with what is to stand beside the bar."""

    def __call__(self, n: int, facts: str = "", /) -> None:
        """Show it."""


@contextlib.contextmanager
def progress_bar(total: int, what: str, *, unit: str = "img", quiet: bool = False) -> Iterator[Progress]:
    """Show progress on stderr while the block runs.

    Parameters
    ----------
    total : int
        How many there are to deal with.
    what : str
        Said before the bar or line.
    unit : str, default "img"
        Of what: images, or bytes ("B").
    quiet : bool, default False
        Show nothing.

    Yields
    ------
    progress : Progress
    """
    if quiet:
        yield lambda n, facts="": None
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(
            total=total, desc=what, unit=unit, unit_scale=unit == "B", file=sys.stderr, leave=False, dynamic_ncols=True
        ) as bar:

            def advance(n: int, facts: str = "") -> None:
                if facts:
                    bar.set_postfix_str(facts, refresh=False)
                bar.update(n)

            yield advance
    else:
        yield _Lines(total, what, unit).advance


class _Lines:
    def __init__(self, total: int, what: str, unit: str) -> None:
        self._total, self._what, self._unit, self._done = total, what, unit, 0
        self._begin_s = self._last_s = time.monotonic()

    def advance(self, n: int, facts: str = "") -> None:
        self._done += n
        now_s = time.monotonic()
        if self._done and now_s - self._last_s >= _LINE_EVERY_S:
            self._last_s = now_s
            rate = self._done / (now_s - self._begin_s)
            speed = f"{rate:.0f} {self._unit}/s" if rate >= 1 else f"{1 / rate:.0f} s each"
            said = f"{self._what}: {self._done} of {self._total} {self._unit}, {speed}"
            click.echo(f"{said}, {facts}" if facts else said, err=True)
