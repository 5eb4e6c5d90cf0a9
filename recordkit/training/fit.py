"""The training loop: updates by Module or Gluon over a packed file, checkpoints, resume, and the final measurement.

The same plan gives the same parameters, as far as MXNet's arithmetic is repeatable (on a CPU with one number of
threads it is): the parameters are drawn from `seed`, and each epoch's order, changes and dropout from `seed` and the
epoch's number alone. So a run that was cut off and resumed ends with the same bytes as one that was not. Not so with
MXNet's own iterator where it draws colours, angles or scales: its threads share their random numbers.

The validation file is measured only. The result of a run is its last checkpoint, whatever was measured on the way.

Terminal, log file and exit code are the command's, `recordkit.cli.commands.train`.
"""

from __future__ import annotations

import collections
import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from recordkit.errors import PlanError, TrainError
from recordkit.interop import mxnet as bridge
from recordkit.interop.mxnet.threads import set_threads
from recordkit.training.checkpoint import Checkpoints
from recordkit.training.compatibility import check_classes, check_labels, unlike
from recordkit.training.data.feed import ITERATORS, Feed, Shuffle, choose, make_feed
from recordkit.training.data.survey import Survey, survey
from recordkit.training.evaluation import Measured, Tally, measure
from recordkit.training.learner import LEARNERS, Learner, Model, Task
from recordkit.training.plan import EpochReport, FittedPlan, TrainPlan, TrainReport
from recordkit.training.predict import ask
from recordkit.training.results.artefacts import Artefacts


class Watcher(Protocol):
    """Who wants to know how far the training is."""

    def say(self, line: str) -> None:
        """Take one line for the log."""

    def begin_epoch(self, epoch: int, n_images: int) -> None:
        """Hear that an epoch begins."""

    def advance(self, n_images: int, tally: Tally, lr: float) -> None:
        """Hear that so many more of its images are done, what came of all so far, and the learning rate."""

    def end_epoch(self) -> None:
        """Hear that its last image is done, or that it failed."""

    def report(self, report: EpochReport) -> None:
        """Hear what came of an epoch."""


class Nobody:
    """The watcher for a run that nobody watches."""

    def say(self, line: str) -> None:
        """Do nothing."""

    def begin_epoch(self, epoch: int, n_images: int) -> None:
        """Do nothing."""

    def advance(self, n_images: int, tally: Tally, lr: float) -> None:
        """Do nothing."""

    def end_epoch(self) -> None:
        """Do nothing."""

    def report(self, report: EpochReport) -> None:
        """Do nothing."""


def train(plan: TrainPlan, watcher: Watcher | None = None) -> TrainReport:
    """Train a network.

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
    if plan.resume and plan.epochs is None:
        plan = replace(plan, epochs=Checkpoints(plan.output).describe().epochs)
    context = bridge.device(plan.device, plan.gpu)
    mx = bridge.load()
    data = survey(plan.records, iterator=plan.iterator)
    val_data = survey(plan.val, iterator=plan.iterator) if plan.val is not None else None
    fitted = plan.fitted(data)
    val_feed = _feed(mx, val_data, fitted) if val_data else None
    run = _Run(mx, context, fitted, _feed(mx, data, fitted), val_feed, watcher)
    if val_data:
        check_labels(val_data, fitted.target)
        check_classes(val_data, data.classes)
        if why := unlike(val_data, data.side):
            watcher.say(f"warning: {why}")
    return run.carry_out()


def _feed(mx: Any, data: Survey, fitted: FittedPlan) -> Feed:
    plan = fitted.plan
    return make_feed(
        mx, data, iterator=plan.iterator, shape=fitted.shape, batch_size=fitted.batch_size, threads=plan.threads
    )


class _Run:
    """One run: a learner, its feeds and its checkpoints."""

    def __init__(
        self, mx: Any, context: Any, fitted: FittedPlan, feed: Feed, val_feed: Feed | None, watcher: Watcher
    ) -> None:
        self._mx = mx
        self._context = context
        self._fitted = fitted
        self._plan = fitted.plan
        self._feed = feed
        self._val_feed = val_feed
        self._watcher = watcher
        self._checkpoints = Checkpoints(self._plan.output)
        self._artefacts = Artefacts(self._plan.output)
        self._n_updates = -(-len(feed.survey) // feed.batch_size)  # in an epoch
        with mx.name.NameManager():  # so that layers without a name get the same one in each run
            logits = fitted.network.draw(mx, fitted.target.n_outputs, fitted.shape)
        self._task = Task(mx, logits, fitted.target, feed.batch_shape, context)

    def carry_out(self) -> TrainReport:
        start_s = time.perf_counter()
        plan, fitted = self._plan, self._fitted
        learner, done = self._resumed() if plan.resume else self._fresh()
        todo = f"epochs {done + 1} to {fitted.epochs}" if done < fitted.epochs else f"all {done} epochs are done"
        sizes = " + ".join(map(str, fitted.target.sizes)) if plan.loss == "softmax" else len(fitted.target.sizes)
        self._watcher.say(
            f"{plan.records}: {len(self._feed.survey)} images {fitted.shape}, {sizes} classes; {plan.network} by "
            f"{plan.api}, {todo}, batch {self._feed.batch_size}, seed {plan.seed}, {plan.device}, "
            f"{plan.iterator}'s iterator"
        )
        reports = []
        self._artefacts.begin(done)
        for epoch in range(done + 1, fitted.epochs + 1):
            reports.append(self._epoch(learner, epoch))
        last = self._checkpoints.last()
        model = self._checkpoints.load(self._mx, last)
        final = self._measure(model)
        report = TrainReport(fitted, tuple(reports), last, final, time.perf_counter() - start_s)
        self._artefacts.summarise(report, self._feed.survey.path)
        if plan.pictures:
            self._draw(model, final)
        return report

    def _draw(self, model: Model, final: Measured | None) -> None:
        artefacts = self._artefacts
        if artefacts.missing is not None:
            self._watcher.say(f"no pictures of samples, curves, confusion and predictions: {artefacts.missing}")
            return
        classes = self._checkpoints.describe().classes(self._fitted.target)
        artefacts.draw_samples(self._feed, Shuffle(self._plan.seed, 1, self._fitted.augment), classes)
        artefacts.draw_curves()
        if self._val_feed is not None and final is not None:
            artefacts.draw_confusion(final, classes)
            found = ask(self._mx, model, self._fitted.target, self._val_feed, self._context)
            artefacts.draw_predictions(found, classes)

    def _epoch(self, learner: Learner, epoch: int) -> EpochReport:
        fitted = self._fitted
        tally, seconds, wait_s = self._learn(learner, epoch)
        model = learner.model()
        self._check_finite(model, epoch)
        val = self._measure(model)
        score = replace(tally.score(), rate_img_s=tally.n / seconds)
        report = EpochReport(epoch, learner.learning_rate, score, val.score if val else None, seconds, wait_s / seconds)
        # First the figures: those of an epoch that has no checkpoint in the end are dropped by a resume.
        self._artefacts.add(report)
        self._watcher.report(report)
        if epoch % fitted.checkpoint_every == 0 or epoch == fitted.epochs:
            self._checkpoints.save(self._mx, model, learner.states(), epoch)
        return report

    def _fresh(self) -> tuple[Learner, int]:
        plan = self._plan
        model = self._task.draw_parameters(plan.seed)
        identity = self._fitted.identity(len(self._feed.survey))
        # An earlier run goes only when this one is known to have a network, batches, and whole images to measure on.
        with contextlib.closing(self._feed.epoch(Shuffle(plan.seed, 1, self._fitted.augment))) as batches:
            next(batches)
        if self._val_feed is not None:
            collections.deque(self._val_feed.epoch(), maxlen=0)
        replaced = self._checkpoints.clear()
        if replaced:
            self._watcher.say(f"{plan.output}: replacing an earlier run with {replaced} checkpoints")
        facts = {
            "classes": self._feed.survey.classes,
            "side": self._feed.survey.side,
            "epochs": self._fitted.epochs,
        }
        self._checkpoints.begin(self._mx, model[0], identity | facts)
        return self._learner(model, 0), 0

    def _resumed(self) -> tuple[Learner, int]:
        checkpoints = self._checkpoints
        done = checkpoints.last()
        now, then = self._fitted.identity(len(self._feed.survey)), checkpoints.describe().facts
        if not then:
            raise TrainError(f"{checkpoints}: expected {checkpoints.run.name}, got none; train again without --resume")
        changed = [f"{name} {then.get(name)!r}, got {now[name]!r}" for name in now if now[name] != then.get(name)]
        if changed:
            raise TrainError(
                f"{checkpoints.run}: to go on with this run, expected {', '.join(changed)}; "
                "give the same file and options, or leave out --resume"
            )
        if done > self._fitted.epochs:
            raise TrainError(
                f"{checkpoints}: expected a run of up to {self._fitted.epochs} epochs, got {done}; "
                "give more --num-epochs"
            )
        if self._plan.iterator == "mxnet":
            self._watcher.say(
                "MXNet's iterator: the run goes on, but where it draws colours, angles or scales not exactly as one "
                "that was not cut off; --iterator recordkit does"
            )
        model = checkpoints.load(self._mx, done)
        if self._fitted.epochs != then.get("epochs"):
            self._watcher.say(
                f"{checkpoints}: begun with {then.get('epochs')} epochs, goes on with {self._fitted.epochs} and the "
                "learning rate's schedule for so many"
            )
            checkpoints.begin(self._mx, model[0], then | {"epochs": self._fitted.epochs})
        learner = self._learner(model, done)
        states = checkpoints.load_states(done)
        try:
            learner.set_states(states)
        except Exception as error:  # noqa: BLE001 (a damaged pickle raises almost anything)
            raise TrainError(
                f"{checkpoints.states(done)}: expected the optimizer's state, got {type(error).__name__}: {error}; "
                "train again without --resume"
            ) from None
        return learner, done

    def _learner(self, model: Model, done: int) -> Learner:
        def create(names: dict[int, str]) -> Any:
            return self._plan.optimizer.create(
                self._mx,
                names,
                batch_size=self._feed.batch_size,
                n_updates=self._n_updates,
                total=self._fitted.epochs * self._n_updates,
                done=done * self._n_updates,
            )

        return LEARNERS[self._plan.api](self._task, model, create)

    def _learn(self, learner: Learner, epoch: int) -> tuple[Tally, float, float]:
        """Learn from each image once; return what came of it, how long it took, and how long no batch was there."""
        plan = self._plan
        shuffle = Shuffle(plan.seed, epoch, self._fitted.augment)
        self._mx.random.seed(shuffle.seeds()[1])  # of dropout
        tally, wait = Tally(self._fitted.target), _Waiting(self._feed.epoch(shuffle))
        self._watcher.begin_epoch(epoch, len(self._feed.survey))
        begin_s = time.perf_counter()
        try:
            for batch, n_new in wait:
                outputs = learner.learn(batch)
                tally.add([each.asnumpy()[:n_new] for each in outputs], batch.label[0].asnumpy()[:n_new])
                if not tally.is_finite:
                    raise self._diverged(epoch, f"a finite loss, got NaN after {tally.n} images")
                self._watcher.advance(n_new, tally, learner.learning_rate)
        finally:
            self._watcher.end_epoch()
        return tally, time.perf_counter() - begin_s, wait.seconds

    def _check_finite(self, model: Model, epoch: int) -> None:
        # The loss is taken before the update, so that of the epoch's last update is not in it.
        for name, value in (model[1] | model[2]).items():
            if not np.isfinite(value.asnumpy()).all():
                raise self._diverged(epoch, f"finite parameters, got NaN in {name}")

    def _diverged(self, epoch: int, what: str) -> TrainError:
        epochs = self._checkpoints.epochs()
        kept = (
            f"the last checkpoint is {self._checkpoints.params(epochs[-1])}" if epochs else "no checkpoint was written"
        )
        return TrainError(f"epoch {epoch}: expected {what}; lower --lr; {kept}")

    def _measure(self, model: Model) -> Measured | None:
        if self._val_feed is None:
            return None
        return measure(self._mx, model, self._fitted.target, self._val_feed, self._context)


class _Waiting(Iterator[tuple[Any, int]]):
    """Batches, and how long they were waited for."""

    def __init__(self, batches: Iterator[tuple[Any, int]]) -> None:
        self._batches = batches
        self.seconds = 0.0

    def __next__(self) -> tuple[Any, int]:
        begin_s = time.perf_counter()
        try:
            return next(self._batches)
        finally:
            self.seconds += time.perf_counter() - begin_s
