"""How parameters are changed: SGD or Adam, and the learning rate over the updates of a run.

The rate is a function of the update's number alone, so that a resumed run goes on where it was.

Sources: Loshchilov and Hutter, SGDR, 2017 (cosine); Smith and Topin, Super-Convergence, 2018 (one-cycle); factor and
step are MXNet's FactorScheduler and MultiFactorScheduler.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from recordkit.errors import PlanError

OPTIMIZERS = ("sgd", "adam")
SCHEDULES = ("cosine", "one-cycle", "step", "factor", "constant")

# The share of the updates in which the learning rate rises.
_WARMUP = {"cosine": 0.05, "one-cycle": 0.3}
# Of the highest rate, where a one-cycle begins and ends.
_CYCLE_BEGIN, _CYCLE_END = 1 / 25, 1e-4


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimiser with its learning rate.

    Attributes
    ----------
    name : {"sgd", "adam"}
    lr : float, default 0.05
        The highest learning rate.
    momentum : float, default 0.9
        Of SGD.
    wd : float, default 0.0005
        Weight decay; not applied to biases.
    schedule : {"cosine", "one-cycle", "step", "factor", "constant"}
        "cosine" rises for 5% of the updates and falls to 0. "one-cycle" rises for 30%, from 1/25, and falls to
        1/10,000. "step" is times `factor` behind each of `step_epochs`, "factor" behind every epoch.
    factor : float, default 0.1
    step_epochs : tuple of int
        Counted from 1.

    Examples
    --------
    >>> one = Optimizer(lr=0.1, schedule="step", step_epochs=(1, 3))
    >>> [round(one.rate(update, 10, 40), 6) for update in (10, 11, 31)]
    [0.1, 0.01, 0.001]
    """

    name: str = "sgd"
    lr: float = 0.05
    momentum: float = 0.9
    wd: float = 0.0005
    schedule: str = "cosine"
    factor: float = 0.1
    step_epochs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for what, value, choices in (("optimizer", self.name, OPTIMIZERS), ("schedule", self.schedule, SCHEDULES)):
            if value not in choices:
                raise PlanError(f"{what}: expected one of {', '.join(choices)}, got {value!r}")
        for what in ("lr", "momentum", "wd", "factor"):
            if not (math.isfinite(value := getattr(self, what)) and value >= 0):
                raise PlanError(f"{what}: expected a number from 0 on, got {value!r}")
        if self.schedule == "step" and not self.step_epochs:
            raise PlanError("schedule step: expected the epochs behind which the rate falls, got no --lr-step-epochs")
        if self.schedule != "step" and self.step_epochs:
            raise PlanError(f"lr-step-epochs: expected the schedule step with it, got {self.schedule}")

    def rate(self, update: int, n_updates: int, total: int) -> float:
        """Return the learning rate of an update.

        Parameters
        ----------
        update : int
            From 1 on.
        n_updates : int
            In an epoch.
        total : int
            In all epochs.
        """
        if self.schedule in _WARMUP:
            return self.lr * self._wave(min(update / (total + 1), 1.0), _WARMUP[self.schedule])
        done = (update - 1) // n_updates  # epochs
        falls = {"factor": done, "step": sum(done >= epoch for epoch in self.step_epochs), "constant": 0}
        return float(self.lr * self.factor ** falls[self.schedule])

    def _wave(self, share: float, warmup: float) -> float:
        low, end = (_CYCLE_BEGIN, _CYCLE_END) if self.schedule == "one-cycle" else (0.0, 0.0)
        if share < warmup:
            return low + (1 - low) * share / warmup
        return end + (1 - end) * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup))) / 2

    def create(self, mx: Any, names: dict[int, str], *, batch_size: int, n_updates: int, total: int, done: int) -> Any:
        """Return MXNet's optimiser.

        Parameters
        ----------
        mx : module
        names : dict of int to str
            Of the parameters, where they tell which are biases.
        batch_size : int
            Gradients are the mean over so many samples.
        n_updates, total : int
            See `rate`.
        done : int
            Updates that were made before. Adam's corrections depend on their number too.
        """
        options = {"momentum": self.momentum} if self.name == "sgd" else {}
        return mx.optimizer.create(
            self.name,
            learning_rate=self.lr,
            wd=self.wd,
            rescale_grad=1 / batch_size,
            lr_scheduler=_Schedule(self, n_updates, total),
            begin_num_update=done,
            param_idx2name=names,
            **options,
        )


class _Schedule:
    """What MXNet calls with the number of the update."""

    def __init__(self, optimizer: Optimizer, n_updates: int, total: int) -> None:
        self.base_lr = optimizer.lr
        self._about = optimizer, n_updates, total

    def __call__(self, update: int) -> float:
        optimizer, n_updates, total = self._about
        return optimizer.rate(max(update, 1), n_updates, total)
