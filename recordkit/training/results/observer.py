"""Observers: receivers of the progress of a training run, such as a log or a progress bar."""

from __future__ import annotations

from typing import Protocol

from recordkit.training.results.report import EpochReport
from recordkit.training.results.score import RunningScore


class Observer(Protocol):
    """Receives the progress of a run."""

    def log(self, line: str) -> None:
        """Receive one line for the log."""

    def begin_epoch(self, epoch: int, n_images: int) -> None:
        """Receive the number of an epoch and of its images, before its first update."""

    def advance(self, n_images: int, running: RunningScore, lr: float) -> None:
        """Receive the number of images in an update, the score of the epoch so far, and the learning rate."""

    def end_epoch(self) -> None:
        """Be told that the updates of an epoch have ended, also by an error."""

    def report(self, report: EpochReport) -> None:
        """Receive the results of an epoch."""


class NullObserver:
    """An observer that ignores everything."""

    def log(self, line: str) -> None:
        """Do nothing."""

    def begin_epoch(self, epoch: int, n_images: int) -> None:
        """Do nothing."""

    def advance(self, n_images: int, running: RunningScore, lr: float) -> None:
        """Do nothing."""

    def end_epoch(self) -> None:
        """Do nothing."""

    def report(self, report: EpochReport) -> None:
        """Do nothing."""
