"""Optimizers: SGD or Adam, and the learning rate of each update of a run.

The learning rate is a function of the number of the update alone, so that a resumed run continues its schedule.

Sources: Loshchilov and Hutter, SGDR, 2017 (cosine); Smith and Topin, Super-Convergence, 2018 (one-cycle); factor and
step are MXNet's FactorScheduler and MultiFactorScheduler.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from recordkit.errors import PlanError
from recordkit.training.options import check, option

OPTIMIZERS = ("sgd", "adam")
SCHEDULES = ("cosine", "one-cycle", "step", "factor", "constant")

# Share of the updates in which the learning rate rises.
_WARMUP = {"cosine": 0.05, "one-cycle": 0.3}
# First and last learning rate of one-cycle, as shares of the highest.
_CYCLE_BEGIN, _CYCLE_END = 1 / 25, 1e-4


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer with its learning rate.

    Attributes
    ----------
    name : {"sgd", "adam"}
    lr : float, default 0.05
        Highest learning rate.
    momentum : float, default 0.9, below 1
        Momentum of SGD.
    wd : float, default 0.0005
        Weight decay; not applied to biases.
    schedule : {"cosine", "one-cycle", "step", "factor", "constant"}
        "cosine" rises for 5% of the updates and falls to 0. "one-cycle" rises for 30%, from 1/25, and falls to
        1/10,000. "step" multiplies by `factor` after each of `step_epochs`, "factor" after every epoch, or after each
        `factor_updates` updates.
    factor : float, default 0.1
        Factor of the schedules "step" and "factor".
    factor_updates : int, optional
        Updates between the falls of the schedule "factor"; by default those of an epoch.
    step_epochs : tuple of int
        Epochs after which "step" multiplies, counted from 1.

    Raises
    ------
    PlanError
        A value is out of range, or `step_epochs` or `factor_updates` and `schedule` do not fit.

    Examples
    --------
    >>> optimizer = Optimizer(lr=0.1, schedule="step", step_epochs=(1, 3))
    >>> [round(optimizer.rate(update, 10, 40), 6) for update in (10, 11, 31)]
    [0.1, 0.01, 0.001]
    """

    name: str = field(
        default="sgd", metadata=option("Rule of the updates.  [default: sgd]", argument="optimizer", choices=OPTIMIZERS)
    )
    lr: float = field(default=0.05, metadata=option("Highest learning rate.  [default: 0.05; 0.001 with adam]", low=0))
    momentum: float = field(
        default=0.9, metadata=option("Momentum of sgd.  [default: 0.9]", low=0, high=1, below_high=True)
    )
    wd: float = field(default=0.0005, metadata=option("Weight decay.  [default: 0.0005]", low=0))
    schedule: str = field(
        default="cosine",
        metadata=option("Learning rate over the run.  [default: cosine; step with `step_epochs`]", choices=SCHEDULES),
    )
    factor: float = field(
        default=0.1,
        metadata=option("Factor of the schedules step and factor.  [default: 0.1]", name="lr-factor", low=0),
    )
    factor_updates: int | None = field(
        default=None,
        metadata=option(
            "Updates after which the schedule factor multiplies.  [default: an epoch]",
            name="lr-factor-updates",
            low=1,
        ),
    )
    step_epochs: tuple[int, ...] = field(
        default=(),
        metadata=option("Epochs after which the rate falls, as in 30,60.", name="lr-step-epochs", metavar="N,N,..."),
    )

    def __post_init__(self) -> None:
        check(self)
        if self.schedule == "step" and not self.step_epochs:
            raise PlanError(
                argument="schedule", expected="`step_epochs` with step, after which the rate falls", got="none"
            )
        if self.schedule != "step" and self.step_epochs:
            raise PlanError(argument="step_epochs", expected="the schedule step with it", got=self.schedule)
        if self.schedule != "factor" and self.factor_updates is not None:
            raise PlanError(argument="factor_updates", expected="the schedule factor with it", got=self.schedule)

    def rate(self, update: int, n_updates: int, n_total: int) -> float:
        """Return the learning rate of an update.

        Parameters
        ----------
        update : int
            Number of the update, from 1.
        n_updates : int
            Updates in an epoch.
        n_total : int
            Updates in all epochs.
        """
        if self.schedule in _WARMUP:
            return self.lr * self._rise_and_fall(min(update / (n_total + 1), 1.0), _WARMUP[self.schedule])
        n_epochs = (update - 1) // n_updates
        n_falls = {
            "constant": 0,
            "factor": (update - 1) // (self.factor_updates or n_updates),
            "step": sum(n_epochs >= epoch for epoch in self.step_epochs),
        }
        return float(self.lr * self.factor ** n_falls[self.schedule])

    def _rise_and_fall(self, share: float, warmup: float) -> float:
        """Return the learning rate as a share of the highest, after a share of all updates."""
        begin, end = (_CYCLE_BEGIN, _CYCLE_END) if self.schedule == "one-cycle" else (0.0, 0.0)
        if share < warmup:
            return begin + (1 - begin) * share / warmup
        return end + (1 - end) * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup))) / 2

    def create(
        self, mx: Any, names: dict[int, str], *, batch_size: int, n_updates: int, n_total: int, n_done: int
    ) -> Any:
        """Return MXNet's optimizer.

        Parameters
        ----------
        mx : module
        names : dict of int to str
            Names of the parameters by number: MXNet recognizes biases by them. Empty if `wd_mult` of each parameter is
            set.
        batch_size : int
            Samples in a batch: gradients are the mean over them.
        n_updates, n_total : int
            See `rate`.
        n_done : int
            Updates before this run. Adam's corrections depend on the number too.
        """
        options = {"momentum": self.momentum} if self.name == "sgd" else {}
        return mx.optimizer.create(
            self.name,
            learning_rate=self.lr,
            wd=self.wd,
            rescale_grad=1 / batch_size,
            lr_scheduler=_Schedule(self, n_updates, n_total),
            begin_num_update=n_done,
            param_idx2name=names,
            **options,
        )


class _Schedule:
    """The learning rate as MXNet's scheduler: a function of the number of the update."""

    def __init__(self, optimizer: Optimizer, n_updates: int, n_total: int) -> None:
        self.base_lr = optimizer.lr
        self._optimizer, self._n_updates, self._n_total = optimizer, n_updates, n_total

    def __call__(self, update: int) -> float:
        return self._optimizer.rate(max(update, 1), self._n_updates, self._n_total)
