"""The training loop: SGD over a packed file with MXNet's Module, checkpoints, resume, and the final measurement.

The same plan gives the same parameters, as far as MXNet's arithmetic is repeatable (on a CPU with one number of
threads it is): the parameters are drawn from `seed`, and each epoch's order and shifts from `seed` and the
epoch's number alone. So a run that was cut off and resumed ends with the same bytes as one that was not.

The validation file is measured only. The result of a run is its last checkpoint, whatever was measured on the way.

Terminal, log file and exit code are the command's, `recordkit.apps.cli.train`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from recordkit.apps.train import lenet
from recordkit.apps.train.checkpoint import Checkpoints
from recordkit.apps.train.environment import set_threads
from recordkit.apps.train.feed import ITERATORS, Feed, Shuffle, choose, make_feed
from recordkit.apps.train.measure import Score, Tally, measure
from recordkit.apps.train.plan import EpochReport, FittedPlan, TrainPlan, TrainReport
from recordkit.apps.train.survey import Survey, survey
from recordkit.errors import PlanError, TrainError
from recordkit.interop import mxnet as bridge

# The share of the updates in which the learning rate rises.
_WARMUP = 0.05
# MXNet's modules log what the user has no use for.
_QUIET = logging.getLogger(f"{__name__}.mxnet")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class Watcher(Protocol):
    """Who wants to know how far the training is."""

    def say(self, line: str) -> None:
        """Take one line for the log."""

    def begin_epoch(self, epoch: int, n_images: int) -> None:
        """Hear that an epoch begins."""

    def advance(self, n_images: int) -> None:
        """Hear that so many more of its images are done."""

    def end_epoch(self) -> None:
        """Hear that its last image is done, or that it failed."""


class Nobody:
    """The watcher for a run that nobody watches."""

    def say(self, line: str) -> None:
        """Do nothing."""

    def begin_epoch(self, epoch: int, n_images: int) -> None:
        """Do nothing."""

    def advance(self, n_images: int) -> None:
        """Do nothing."""

    def end_epoch(self) -> None:
        """Do nothing."""


def train(plan: TrainPlan, watcher: Watcher | None = None) -> TrainReport:
    """Train the LeNet.

    Parameters
    ----------
    plan : TrainPlan
    watcher : Watcher, optional

    Returns
    -------
    report : TrainReport

    Raises
    ------
    MissingError
        MXNet or the device is missing.
    TrainError
        The images cannot be learnt from, the loss is no longer a number, or there is nothing fitting to resume.
    PlanError
        The options do not fit each other or the images.
    FormatError, PublishError, OSError
        A file is damaged, missing or cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> plan = TrainPlan(Path("out/train.rec"), Path("models/lenet"), val=Path("out/test.rec"))
    >>> train(plan).final.accuracy  # doctest: +SKIP
    0.9926
    """
    watcher = watcher or Nobody()
    if plan.iterator not in ITERATORS:
        raise PlanError(f"iterator: expected one of {', '.join(ITERATORS)}, got {plan.iterator!r}")
    plan = replace(plan, threads=set_threads(plan.threads), iterator=choose(plan.iterator))
    context = bridge.device(plan.device)
    mx = bridge.load()
    data = survey(plan.records, iterator=plan.iterator)
    val_data = survey(plan.val, iterator=plan.iterator) if plan.val is not None else None
    fitted = plan.fitted(data)
    if val_data is not None and val_data.max_label >= fitted.n_classes:
        raise TrainError(
            f"{val_data.path}: expected labels below {fitted.n_classes} as in {data.path}, "
            f"got {val_data.max_label}; pack both with the same classes"
        )
    val_feed = _feed(mx, val_data, fitted) if val_data else None
    return _Run(mx, context, fitted, _feed(mx, data, fitted), val_feed, watcher).carry_out()


def _feed(mx: Any, data: Survey, plan: FittedPlan) -> Feed:
    return make_feed(
        mx, data, iterator=plan.iterator, shape=plan.shape, batch_size=plan.batch_size, threads=plan.threads
    )


class _Run:
    """One run: a module in training, its feeds and its checkpoints."""

    def __init__(
        self, mx: Any, context: Any, plan: FittedPlan, feed: Feed, val_feed: Feed | None, watcher: Watcher
    ) -> None:
        self._mx = mx
        self._context = context
        self._plan = plan
        self._feed = feed
        self._val_feed = val_feed
        self._watcher = watcher
        self._checkpoints = Checkpoints(plan.output)
        self._n_updates = -(-len(feed.survey) // feed.batch_size)  # in an epoch

    def carry_out(self) -> TrainReport:
        start_s = time.perf_counter()
        plan = self._plan
        module, done = self._resumed() if plan.resume else self._fresh()
        todo = f"epochs {done + 1} to {plan.epochs}" if done < plan.epochs else f"all {done} epochs are done"
        self._watcher.say(
            f"{plan.records}: {len(self._feed.survey)} images {plan.shape}, {plan.n_classes} classes; {todo}, "
            f"batch {self._feed.batch_size}, seed {plan.seed}, {plan.device}, {plan.iterator}'s iterator"
        )
        reports = []
        for epoch in range(done + 1, plan.epochs + 1):
            train_score = self._learn(module, epoch)
            saved = epoch % plan.checkpoint_every == 0 or epoch == plan.epochs
            model = (module.symbol, *module.get_params())
            self._check_finite(model, epoch)
            if saved:
                self._checkpoints.save(module, epoch)
            val_score = self._measure(model)
            reports.append(EpochReport(epoch, module._optimizer.learning_rate, train_score, val_score))
            self._watcher.say(str(reports[-1]) + (", checkpoint" if saved else ""))
        last = self._checkpoints.last()
        final = self._measure(self._checkpoints.load(self._mx, last)) if self._val_feed else None
        return TrainReport(plan, tuple(reports), last, final, time.perf_counter() - start_s)

    def _fresh(self) -> tuple[Any, int]:
        plan = self._plan
        replaced = self._checkpoints.clear()
        if replaced:
            self._watcher.say(f"{plan.output}: replacing an earlier run with {replaced} checkpoints")
        net = lenet.symbol(self._mx, plan.n_classes)
        self._checkpoints.begin(net, plan.identity(len(self._feed.survey)))
        self._mx.random.seed(plan.seed)
        module = self._bound(net)
        module.init_params(self._mx.init.Xavier())
        self._give_optimizer(module, 0)
        return module, 0

    def _resumed(self) -> tuple[Any, int]:
        plan, checkpoints = self._plan, self._checkpoints
        done = checkpoints.last()
        now, then = plan.identity(len(self._feed.survey)), checkpoints.describe()
        if not then:
            raise TrainError(f"{checkpoints}: expected {checkpoints.run.name}, got none; train again without --resume")
        changed = [f"{name} {then.get(name)!r}, got {now[name]!r}" for name in now if now[name] != then.get(name)]
        if changed:
            raise TrainError(
                f"{checkpoints.run}: to go on with this run, expected {', '.join(changed)}; "
                "give the same file and options, or leave out --resume"
            )
        if done > plan.epochs:
            raise TrainError(
                f"{checkpoints}: expected a run of up to {plan.epochs} epochs, got {done}; give more --epochs"
            )
        net, arg_params, aux_params = checkpoints.load(self._mx, done)
        module = self._bound(net)
        module.set_params(arg_params, aux_params)
        self._give_optimizer(module, done)
        checkpoints.load_states(module, done)
        return module, done

    def _bound(self, net: Any) -> Any:
        module = self._mx.mod.Module(net, context=self._context, logger=_QUIET)
        shape = self._feed.batch_shape
        module.bind(data_shapes=[("data", shape)], label_shapes=[("softmax_label", shape[:1])])
        return module

    def _give_optimizer(self, module: Any, done: int) -> None:
        plan = self._plan
        total = plan.epochs * self._n_updates
        options = {"learning_rate": plan.lr, "momentum": plan.momentum, "wd": plan.wd}
        if plan.schedule == "cosine":
            warmup = max(1, int(_WARMUP * total))
            options["lr_scheduler"] = self._mx.lr_scheduler.CosineScheduler(
                max(total, warmup + 1), base_lr=plan.lr, warmup_steps=warmup
            )
        # Where the schedule stands is all that the optimizer's own counter decides.
        options["begin_num_update"] = done * self._n_updates
        module.init_optimizer(kvstore=None, optimizer="sgd", optimizer_params=options)

    def _learn(self, module: Any, epoch: int) -> Score:
        plan = self._plan
        tally = Tally()
        self._watcher.begin_epoch(epoch, len(self._feed.survey))
        try:
            for batch, n_new in self._feed.epoch(Shuffle(plan.seed, epoch, plan.shift)):
                module.forward_backward(batch)
                module.update()
                probabilities = module.get_outputs()[0].asnumpy()
                tally.add(probabilities[:n_new], batch.label[0].asnumpy()[:n_new])
                if not tally.is_finite:
                    raise self._diverged(epoch, f"a finite loss, got NaN after {tally.n} images")
                self._watcher.advance(n_new)
        finally:
            self._watcher.end_epoch()
        return tally.score()

    def _check_finite(self, model: tuple[Any, Any, Any], epoch: int) -> None:
        # The loss is taken before the update, so that of the epoch's last update is not in it.
        for name, value in model[1].items():
            if not np.isfinite(value.asnumpy()).all():
                raise self._diverged(epoch, f"finite parameters, got NaN in {name}")

    def _diverged(self, epoch: int, what: str) -> TrainError:
        epochs = self._checkpoints.epochs()
        kept = (
            f"the last checkpoint is {self._checkpoints.params(epochs[-1])}" if epochs else "no checkpoint was written"
        )
        return TrainError(f"epoch {epoch}: expected {what}; lower --lr; {kept}")

    def _measure(self, model: tuple[Any, Any, Any]) -> Score | None:
        if self._val_feed is None:
            return None
        return measure(self._mx, model, self._val_feed, self._context)
