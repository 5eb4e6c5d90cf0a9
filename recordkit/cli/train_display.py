"""What ``recordkit train`` shows and writes down while it runs."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from types import TracebackType
from typing import TextIO

import click

from recordkit.cli.progress import Progress, progress_bar
from recordkit.training.evaluation import Tally
from recordkit.training.plan import EpochReport
from recordkit.training.results.log import batch_line, epoch_lines


class Log:
    """The watcher of a run: lines to a file and a terminal, and the progress of each epoch.

    Parameters
    ----------
    path : Path
        Lines are added to it, with date and time, in MXNet's form. It, and its folder, are made for the first one.
    terminal : text file
        Where short lines go.
    disp_batches : int or None
        Every so many batches a line goes into the file.
    """

    def __init__(self, path: Path, *, terminal: TextIO, disp_batches: int | None = None) -> None:
        self._path, self._terminal, self._disp_batches = path, terminal, disp_batches
        self._file: TextIO | None = None
        self._bar = contextlib.ExitStack()
        self._advance: Progress = lambda n, facts="": None
        self._epoch = self._n_batches = self._n_images = 0
        self._begin_s = 0.0

    def __enter__(self) -> Log:
        return self

    def __exit__(self, _kind: type | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        if self._file is None:
            return  # what failed before it began is said on the terminal
        with contextlib.closing(self._file):
            if isinstance(error, Exception) and not isinstance(error, click.Abort):
                self._write(f"failed: {error}")

    def _write(self, line: str) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._path, "a", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115 (closed by __exit__)
        self._file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def say(self, line: str) -> None:
        """Log one line."""
        self._write(line)
        click.echo(line, file=self._terminal)

    def begin_epoch(self, epoch: int, n_images: int) -> None:
        """Show a bar, or a line now and then where there is no terminal."""
        self._epoch, self._n_batches, self._n_images, self._begin_s = epoch, 0, 0, time.perf_counter()
        self._advance = self._bar.enter_context(progress_bar(n_images, f"epoch {epoch}"))

    def advance(self, n_images: int, tally: Tally, lr: float) -> None:
        """Move the bar, and say beside it how it goes."""
        score = tally.score()
        self._advance(n_images, f"loss {score.loss:.3f}, accuracy {score.accuracy:.4f}, lr {lr:.2g}")
        self._n_batches += 1
        self._n_images += n_images
        if self._disp_batches and self._n_batches % self._disp_batches == 0:
            now_s = time.perf_counter()
            rate_img_s = self._n_images / (now_s - self._begin_s)
            self._n_images, self._begin_s = 0, now_s
            self._write(batch_line(self._epoch, self._n_batches, rate_img_s, score))

    def end_epoch(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def report(self, report: EpochReport) -> None:
        """Log an epoch."""
        for line in epoch_lines(report):
            self._write(line)
        click.echo(str(report), file=self._terminal)
