"""Reports of a training run: one for each epoch, and one for the whole run."""

from __future__ import annotations

from dataclasses import dataclass

from recordkit.training.data.target import Target
from recordkit.training.resolve import ResolvedPlan
from recordkit.training.results.score import Metrics, Score


@dataclass(frozen=True, slots=True)
class EpochReport:
    """Results of one epoch.

    Attributes
    ----------
    epoch : int
        Number of the epoch, from 1.
    lr : float
        Learning rate of the last update.
    train : Score
        Score on the augmented training images, each before the update by its batch.
    val : Score, optional
        Score on the validation file.
    duration_s : float
        Time of the updates, without the evaluation.
    wait_share : float, 0 to 1
        Share of `duration_s` in which the updates waited for a batch.
    """

    epoch: int
    lr: float
    train: Score
    val: Score | None
    duration_s: float
    wait_share: float

    def __str__(self) -> str:
        line = f"epoch {self.epoch}: train {self.train}"
        return f"{line}, val {self.val.figures}" if self.val else line


@dataclass(frozen=True, slots=True)
class TrainReport:
    """Results of a run.

    Attributes
    ----------
    resolved : ResolvedPlan
        The plan that was carried out.
    target : Target
    epochs : tuple of EpochReport
        Epochs of this run; a resumed run does not include earlier ones.
    checkpoint : int
        Epoch of the last checkpoint.
    final : Metrics, optional
        Metrics of the last checkpoint, reloaded from disk, on ``resolved.plan.val``.
    duration_s : float
        Time from before the first epoch to the evaluation of the last checkpoint.
    """

    resolved: ResolvedPlan
    target: Target
    epochs: tuple[EpochReport, ...]
    checkpoint: int
    final: Metrics | None
    duration_s: float
