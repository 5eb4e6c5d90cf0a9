"""Progress of long work on stderr: a bar on a terminal; elsewhere, as in a log, a line from time to time.

A line comes after 3 seconds, then every 10 seconds, then more rarely as the work goes on, and at least every minute. A
terminal that cannot move its cursor (TERM=dumb) gets lines too. Neither has colours, so NO_COLOR has nothing to change.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from time import monotonic
from typing import Any, Protocol

from recordkit.cli.terminal import print_line, replace_lines
from recordkit.errors import printable

_FIRST_LINE_S, _MIN_INTERVAL_S, _MAX_INTERVAL_S = 3.0, 10.0, 60.0


class Progress(Protocol):
    """A callback that receives the number of units completed since its last call."""

    def __call__(self, n: int, note: str = "", /) -> None:
        """Advance by `n` units, and show the note beside the bar or line if there is one."""


class Bar(Protocol):
    """A progress bar.

    Attributes
    ----------
    total : number, optional
        Number of units in the whole work; None or 0 if it is unknown. It may be set at any time.
    """

    total: Any

    def update(self, n: int, note: str = "", /) -> None:
        """Advance by `n` units, and show the note beside the bar or line if there is one."""

    def show(self, table: Sequence[str], line: str) -> None:
        """Show a table above the bar, in place of the one before; where lines are printed, print the line instead."""

    def reset(self) -> None:
        """Go back to 0 units."""

    def close(self) -> None:
        """Remove the bar."""


def open_bar(total: int | None, label: str, *, unit: str = "img", quiet: bool = False) -> Bar:
    """Return a progress bar on stderr; the caller closes it.

    Parameters
    ----------
    total : int or None
        Number of units in the whole work, or None if it is unknown.
    label : str
        Text before the bar or line.
    unit : str, default "img"
        Name of the unit; "B" for bytes.
    quiet : bool, default False
        Show nothing.

    Returns
    -------
    bar : Bar
    """
    if quiet:
        return _Silence()
    is_dumb = os.environ.get("TERM") == "dumb"  # noqa: TID251 (the terminal describes itself here alone)
    if sys.stderr.isatty() and not is_dumb:
        return _TerminalBar(total, label, unit)
    return _Lines(total, label, unit)


class _Silence:
    total: Any = None

    def update(self, n: int, note: str = "", /) -> None:
        """Show nothing."""

    def show(self, table: Sequence[str], line: str) -> None:
        """Show nothing."""

    def reset(self) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


class _TerminalBar:
    def __init__(self, total: int | None, label: str, unit: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=total,
            desc=printable(label),
            unit=unit,
            unit_scale=unit == "B",
            file=sys.stderr,
            leave=False,
            dynamic_ncols=True,
        )
        self.reset = self._bar.reset
        self._n_table_lines = 0

    @property
    def total(self) -> Any:
        return self._bar.total

    @total.setter
    def total(self, total: Any) -> None:
        self._bar.total = total

    def update(self, n: int, note: str = "", /) -> None:
        if note:
            self._bar.set_postfix_str(printable(note), refresh=False)
        self._bar.update(n)

    def show(self, table: Sequence[str], line: str) -> None:
        self._bar.clear()
        self._n_table_lines = replace_lines(table, self._n_table_lines)
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()
        if self._n_table_lines:
            self._n_table_lines = replace_lines((), self._n_table_lines)


class _Lines:
    def __init__(self, total: int | None, label: str, unit: str) -> None:
        self.total: Any = total
        self._label, self._unit, self._n_done = label, unit, 0
        self._start_s = monotonic()
        self._next_line_s = self._start_s + _FIRST_LINE_S

    def update(self, n: int, note: str = "", /) -> None:
        self._n_done += n
        now_s = monotonic()
        if self._n_done and now_s >= self._next_line_s:
            elapsed_s = now_s - self._start_s
            self._plan_next_line(now_s)
            facts = [self._done(), *self._speed(elapsed_s), *([note] if note else [])]
            print_line(f"{self._label}: {', '.join(facts)}", to_stderr=True)

    def show(self, table: Sequence[str], line: str) -> None:
        self._plan_next_line(monotonic())
        print_line(f"{self._label}: {line}", to_stderr=True)

    def reset(self) -> None:
        self._n_done = 0

    def close(self) -> None:
        """Leave the lines where they are."""

    def _plan_next_line(self, now_s: float) -> None:
        self._next_line_s = now_s + min(max(_MIN_INTERVAL_S, (now_s - self._start_s) / 10), _MAX_INTERVAL_S)

    def _done(self) -> str:
        scale, digits, unit = (1e6, 1, "MB") if self._unit == "B" else (1, 0, self._unit)
        total = f" of {self.total / scale:,.{digits}f}" if self.total else ""
        return f"{self._n_done / scale:,.{digits}f}{total} {unit}"

    def _speed(self, elapsed_s: float) -> list[str]:
        rate = self._n_done / max(elapsed_s, 1e-9)
        if self._unit == "B":
            speed = f"{rate / 1e6:,.1f} MB/s"
        else:
            speed = f"{rate:,.0f} {self._unit}/s" if rate >= 1 else f"{1 / rate:,.0f} s each"
        return [speed, f"{_duration((self.total - self._n_done) / rate)} left"] if self.total else [speed]


def _duration(seconds: float) -> str:
    """Return a duration in the units that a reader wants.

    Examples
    --------
    >>> _duration(42.4), _duration(90), _duration(3 * 3600 + 1250)
    ('42 s', '2 min', '3 h 21 min')
    """
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
