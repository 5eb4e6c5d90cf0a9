"""Progress of long work: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import click

_LINE_EVERY_S = 10.0


@contextlib.contextmanager
def progress_bar(total: int, what: str, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show progress on stderr while the block runs.

    Parameters
    ----------
    total : int
        Images to deal with.
    what : str
        Said before the bar or line.
    quiet : bool, default False
        Show nothing.

    Yields
    ------
    progress : callable
        To be called with the number of images dealt with since the last call.
    """
    if quiet:
        yield lambda n: None
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=what, unit="img", file=sys.stderr, leave=False, dynamic_ncols=True) as bar:
            yield lambda n: _discard(bar.update(n))
    else:
        yield _Lines(total, what).advance


def _discard(_result: object) -> None:
    """Drop what tqdm's update returns."""


class _Lines:
    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._done = total, what, 0
        self._begin_s = self._last_s = time.monotonic()

    def advance(self, n: int) -> None:
        self._done += n
        now_s = time.monotonic()
        if now_s - self._last_s >= _LINE_EVERY_S:
            self._last_s = now_s
            rate_img_s = self._done / (now_s - self._begin_s)
            click.echo(f"{self._what}: {self._done} of {self._total} images, {rate_img_s:.0f} img/s", err=True)
