"""Display of a training run: log file, lines on the terminal, progress bar."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import TextIO

import click

from recordkit.cli.console import Console
from recordkit.cli.progress import Progress
from recordkit.cli.terminal import print_line
from recordkit.errors import PublishError, printable
from recordkit.storage.commit import stranger, user_name
from recordkit.training.results.log import batch_line, epoch_lines
from recordkit.training.results.report import EpochReport
from recordkit.training.results.score import RunningScore


class Display:
    """The observer of a run that writes lines to a file and a terminal, and shows the progress of each epoch.

    Parameters
    ----------
    path : Path
        Log file. Lines are appended in MXNet's format, with date and time. The first line creates the file and its
        folder.
    console : Console
        Gets short lines on stdout, or on stderr with --json, and the progress.
    disp_batches : int or None
        Batches between lines in the log file; None for no such lines.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: Path, console: Console, *, disp_batches: int | None = None) -> None:
        self.path, self._console, self._disp_batches = path, console, disp_batches
        self._file: TextIO | None = None
        self._bar = contextlib.ExitStack()
        self._advance: Progress = lambda n, facts="": None
        self._epoch = self._n_batches = self._n_images = 0
        self._begin_s = 0.0

    def __enter__(self) -> Display:
        return self

    def __exit__(self, _kind: type | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        if self._file is None:
            return  # nothing was logged, so an error is shown on the terminal only
        with contextlib.closing(self._file):
            if isinstance(error, Exception) and not isinstance(error, click.Abort):
                self._write(f"failed: {error}")

    def _write(self, line: str) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(self.path) and (uid := stranger(self.path)):  # it may be a link to any file
                raise PublishError(path=str(self.path), expected="a log of your own", got=f"one of {user_name(uid)}")
            self._file = open(self.path, "a", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115 (closed by __exit__)
        self._file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {printable(line)}\n")

    def _show(self, line: str) -> None:
        if not self._console.quiet:
            print_line(line, to_stderr=self._console.as_json)

    def log(self, line: str) -> None:
        """Log one line."""
        self._write(line)
        self._show(line)

    def begin_epoch(self, epoch: int, n_images: int) -> None:
        """Show a progress bar, or lines if there is no terminal."""
        self._epoch, self._n_batches, self._n_images, self._begin_s = epoch, 0, 0, time.perf_counter()
        self._advance = self._bar.enter_context(self._console.progress(n_images, f"epoch {epoch}"))

    def advance(self, n_images: int, running: RunningScore, lr: float) -> None:
        """Advance the progress bar, with loss, accuracy and learning rate beside it."""
        score = running.score()
        accuracy = "" if score.accuracy is None else f"accuracy {score.accuracy:.4f}, "
        self._advance(n_images, f"loss {score.loss:.3f}, {accuracy}lr {lr:.2g}")
        self._n_batches += 1
        self._n_images += n_images
        if self._disp_batches and self._n_batches % self._disp_batches == 0:
            now_s = time.perf_counter()
            rate_img_s = self._n_images / (now_s - self._begin_s)
            self._n_images, self._begin_s = 0, now_s
            self._write(batch_line(self._epoch, self._n_batches, rate_img_s, score))

    def end_epoch(self) -> None:
        """Remove the progress bar."""
        self._bar.close()

    def report(self, report: EpochReport) -> None:
        """Log the results of an epoch."""
        for line in epoch_lines(report):
            self._write(line)
        self._show(str(report))
