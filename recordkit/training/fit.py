"""The training loop: updates by Module or Gluon, checkpoints, resume, and the final evaluation.

The same plan gives the same parameters wherever MXNet's arithmetic is repeatable, as it is on a CPU with a fixed number
of threads. The initial parameters depend on `seed`; order, augmentation and dropout of an epoch on `seed` and the
number of the epoch alone. Therefore a run that was interrupted and resumed ends with the same bytes as an uninterrupted
one. An interrupt writes a checkpoint of the last complete epoch, unless the first checkpoint would replace an earlier
run. MXNet's own iterator is an exception if it draws colors, angles or scales: its threads share random numbers.

Validation never influences training. The result of a run is its last checkpoint, reloaded from disk.

Terminal, log file and exit code belong to the command, `recordkit.cli.commands.train`.
"""

from __future__ import annotations

import collections
import contextlib
import time
from dataclasses import replace
from typing import Any

import numpy as np

from recordkit.errors import PlanError, TrainError, plural
from recordkit.interop import mxnet as bridge
from recordkit.interop.mxnet.threads import set_threads
from recordkit.training.augment import Augment
from recordkit.training.compatibility import check_classes, check_labels, class_warning, size_warning
from recordkit.training.data.appearance import survey_appearance
from recordkit.training.data.batches import BatchReader, TimedBatches
from recordkit.training.data.iterators import open_batches, resolve_iterator
from recordkit.training.data.shuffle import Shuffle
from recordkit.training.data.survey import Survey, survey
from recordkit.training.evaluation import evaluate_model
from recordkit.training.model.build import build_network
from recordkit.training.plan import TrainPlan
from recordkit.training.predict import predict_batches
from recordkit.training.resolve import ResolvedPlan, resolve
from recordkit.training.results.evaluation_pictures import save_confusion, save_predictions
from recordkit.training.results.observer import NullObserver, Observer
from recordkit.training.results.report import EpochReport, TrainReport
from recordkit.training.results.run_files import RunFiles
from recordkit.training.results.score import Metrics, RunningScore
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.record import recorded_options
from recordkit.training.run.writer import RunWriter
from recordkit.training.trainer import TRAINERS, Model, ModelSpec, Trainer


def train(plan: TrainPlan, observer: Observer | None = None, *, writer: RunWriter | None = None) -> TrainReport:
    """Train a network.

    Parameters
    ----------
    plan : TrainPlan
    observer : Observer, optional
    writer : RunWriter, optional
        Holds the prefix of the plan already, see `recordkit.training.run.begin.open_run`. It is closed at the end.

    Returns
    -------
    report : TrainReport

    Raises
    ------
    MissingError
        MXNet or the device is missing.
    TrainError
        The images are unsuitable, the loss is no longer finite, or there is no such run to resume.
    PlanError
        Options contradict each other or the images.
    FormatError, PublishError, OSError
        A file is damaged, missing or cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> plan = TrainPlan(Path("out/train.rec"), Path("models/lenet"), val=Path("out/test.rec"))
    >>> train(plan).final.score.accuracy  # doctest: +SKIP
    0.9926
    """
    observer = observer or NullObserver()
    set_threads(plan.threads)  # before MXNet is loaded
    context = bridge.device(plan.device, plan.gpu)
    mx = bridge.load()
    iterator = resolve_iterator(plan.iterator, plan.path, plan.val)
    data = survey(plan.path, iterator=iterator)
    val_data = survey(plan.val, iterator=iterator) if plan.val is not None else None
    resolved = resolve(plan, data)
    symbol, target = build_network(mx, resolved, data)
    val_reader = _open(mx, val_data, resolved) if val_data else None
    reader = _open(mx, data, resolved)
    run = _Run(resolved, ModelSpec(mx, symbol, target, reader.batch_shape, context), reader, val_reader, observer)
    if val_data:
        check_labels(val_data, target)
        check_classes(val_data, data.classes)
        for warning in (class_warning(val_data, data.classes), size_warning(val_data, data.side)):
            if warning:
                observer.log(f"warning: {warning}")
    with writer or RunWriter(Checkpoints(plan.model_prefix), resume=plan.resume) as claimed:
        return run.execute(claimed)


def _open(mx: Any, data: Survey, resolved: ResolvedPlan) -> BatchReader:
    return open_batches(
        mx,
        data,
        iterator=resolved.iterator,
        shape=resolved.shape,
        normalization=resolved.plan.normalization,
        batch_size=resolved.batch_size,
        threads=resolved.threads,
    )


class _Run:
    """One run: a trainer, readers of the files, and checkpoints."""

    _writer: RunWriter  # while the run is executed

    def __init__(
        self,
        resolved: ResolvedPlan,
        spec: ModelSpec,
        reader: BatchReader,
        val_reader: BatchReader | None,
        observer: Observer,
    ) -> None:
        self._mx, self._context, self._target = spec.mx, spec.context, spec.target
        self._spec = spec
        self._resolved = resolved
        self._plan = resolved.plan
        self._reader = reader
        self._val_reader = val_reader
        self._observer = observer
        self._checkpoints = Checkpoints(self._plan.model_prefix)
        self._files = RunFiles(self._plan.model_prefix)
        self._n_updates = -(-len(reader.survey) // reader.batch_size)  # in an epoch
        self._replaces = False  # the first checkpoint replaces an earlier run
        self._unsaved: tuple[Model, bytes, int] | None = None  # last complete epoch, while it has no checkpoint

    def execute(self, writer: RunWriter) -> TrainReport:
        self._writer = writer
        begin_s = time.perf_counter()
        plan, resolved = self._plan, self._resolved
        trainer, n_done = self._resume() if plan.resume else self._begin()
        self._observer.log(self._headline(n_done))
        reports = []
        self._files.begin(self._writer, n_done)
        try:
            for epoch in range(n_done + 1, resolved.epochs + 1):
                reports.append(self._run_epoch(trainer, epoch))
        except Exception:
            raise
        except BaseException:  # Ctrl-C or a signal
            self._save_unsaved()
            raise
        last = self._checkpoints.last()
        model = self._checkpoints.load(self._mx, last)
        final = self._evaluate(model)
        report = TrainReport(resolved, self._target, tuple(reports), last, final, time.perf_counter() - begin_s)
        self._files.write_summary(report, self._reader.survey.path)
        if plan.pictures:
            self._draw(model, final)
        return report

    def _headline(self, n_done: int) -> str:
        plan, resolved = self._plan, self._resolved
        is_done = n_done >= resolved.epochs
        epochs = (
            f"all {plural(n_done, 'epoch is', 'epochs are')} done"
            if is_done
            else f"epochs {n_done + 1} to {resolved.epochs}"
        )
        return (
            f"{plan.path}: {plural(len(self._reader.survey), 'image')} {resolved.shape}, {self._target}; "
            f"{plan.network} by {plan.api}, {epochs}, batch {self._reader.batch_size}, seed {plan.seed}, "
            f"{plan.device}, {resolved.iterator}'s iterator; the model is {plan.model_prefix}"
        )

    def _begin(self) -> tuple[Trainer, int]:
        plan, data = self._plan, self._reader.survey
        model = self._spec.initial_model(plan.seed)
        facts = self._resolved.identity(len(data))
        # A file that does not decode is an error now, not after the first epoch.
        with contextlib.closing(self._reader.epoch(Shuffle(plan.seed, 1, self._resolved.augment))) as batches:
            next(batches)
        if self._val_reader is not None:
            collections.deque(self._val_reader.epoch(), maxlen=0)
        facts |= {"classes": data.classes, "side": data.side, "epochs": self._resolved.epochs}
        facts["images"] = survey_appearance(data, self._resolved.shape).facts()
        if n_replaced := self._writer.begin(model[0], facts | self._recorded_options()):
            self._replaces = True
            replaced = f"an earlier run with {plural(n_replaced, 'checkpoint')}"
            self._observer.log(f"{plan.model_prefix}: the first checkpoint will replace {replaced}")
        return self._trainer(model, 0), 0

    def _resume(self) -> tuple[Trainer, int]:
        checkpoints, epochs = self._checkpoints, self._resolved.epochs
        n_done = checkpoints.last()
        record = checkpoints.run_record()
        record.check_identity(self._resolved.identity(len(self._reader.survey)))
        if n_done > epochs:
            raise TrainError(
                path=str(checkpoints),
                expected=f"a run of up to {epochs} epochs",
                got=n_done,
                advice="give more `epochs`",
            )
        if self._resolved.iterator == "mxnet":
            self._observer.log(
                "MXNet's iterator: if it draws colors, angles or scales, the result is not exactly that of an "
                "uninterrupted run; with recordkit's iterator it is"
            )
        model = checkpoints.load(self._mx, n_done)
        if epochs != record.facts.get("epochs"):
            self._observer.log(
                f"{checkpoints}: begun with {record.facts.get('epochs')} epochs, continues with {epochs}; "
                f"the learning rate follows the schedule of {epochs}"
            )
        facts = record.facts | self._recorded_options() | {"epochs": epochs}
        if facts != record.facts:
            self._writer.write_record(facts)
        trainer = self._trainer(model, n_done)
        states = checkpoints.load_states(n_done)
        try:
            trainer.set_states(states)
        except Exception as error:  # noqa: BLE001 (a damaged pickle raises almost anything)
            raise TrainError(
                path=str(checkpoints.states_path(n_done)),
                expected="the optimizer's state",
                got=f"{type(error).__name__}: {error}",
                advice="train again without `resume`",
            ) from None
        return trainer, n_done

    def _recorded_options(self) -> dict[str, Any]:
        return {"options": recorded_options(self._plan.options(), self._checkpoints.prefix.parent)}

    def _trainer(self, model: Model, n_done: int) -> Trainer:
        def create(names: dict[int, str]) -> Any:
            return self._plan.optimizer.create(
                self._mx,
                names,
                batch_size=self._reader.batch_size,
                n_updates=self._n_updates,
                n_total=self._resolved.epochs * self._n_updates,
                n_done=n_done * self._n_updates,
            )

        try:
            return TRAINERS[self._plan.api](self._spec, model, create)
        except RuntimeError as error:  # MXNetError is one as well
            raise PlanError(
                argument="network", expected="a network that MXNet can train", got=f"the error {bridge.reason(error)!r}"
            ) from None

    def _run_epoch(self, trainer: Trainer, epoch: int) -> EpochReport:
        running, seconds, wait_s = self._update(trainer, epoch)
        model = trainer.model()
        self._check_finite(model, epoch)
        val = self._evaluate(model)
        train_score = replace(running.score(), rate_img_s=running.n / seconds)
        report = EpochReport(
            epoch, trainer.learning_rate, train_score, val.score if val else None, seconds, wait_s / seconds
        )
        # The figures are written before the checkpoint: if a run ends between the two, its resumption drops them.
        self._files.add(self._writer, report)
        states = trainer.states()
        if self._may_save:  # before the report, after which the user relies on the epoch
            # Copies, because Module writes the parameters of the next epoch into the same arrays.
            arrays = [{name: value.copy() for name, value in params.items()} for params in model[1:]]
            self._unsaved = (model[0], arrays[0], arrays[1]), states, epoch
        self._observer.report(report)
        if epoch % self._resolved.checkpoint_every == 0 or epoch == self._resolved.epochs:
            if not self._writer.has_checkpoint:
                self._unsaved = None  # an interrupted first checkpoint is published or dropped as a whole
            self._writer.save(self._mx, model, states, epoch)
            self._unsaved = None
        return report

    @property
    def _may_save(self) -> bool:
        """An interrupt may write a checkpoint: it replaces no earlier run, whose model may be better."""
        return self._writer.has_checkpoint or not self._replaces

    def _save_unsaved(self) -> None:
        """Write a checkpoint of the last complete epoch, if it has none."""
        if self._unsaved is not None:
            self._writer.save(self._mx, *self._unsaved)

    def _update(self, trainer: Trainer, epoch: int) -> tuple[RunningScore, float, float]:
        """Train on each image once; return the score, the time, and the time spent waiting for batches, in s."""
        shuffle = Shuffle(self._plan.seed, epoch, self._resolved.augment)
        self._mx.random.seed(shuffle.seeds()[1])  # for dropout
        running, batches = RunningScore(self._target), TimedBatches(self._reader.epoch(shuffle))
        self._observer.begin_epoch(epoch, len(self._reader.survey))
        begin_s = time.perf_counter()
        try:
            for batch, n_valid in batches:
                outputs = trainer.step(batch)
                running.add([output.asnumpy()[:n_valid] for output in outputs], batch.label[0].asnumpy()[:n_valid])
                if not running.is_finite:
                    raise self._diverged(epoch, "a finite loss", f"NaN after {plural(running.n, 'image')}")
                self._observer.advance(n_valid, running, trainer.learning_rate)
        finally:
            self._observer.end_epoch()
        return running, time.perf_counter() - begin_s, batches.wait_s

    def _check_finite(self, model: Model, epoch: int) -> None:
        # The loss is computed before the update, so it does not show the last update of the epoch.
        for name, value in (model[1] | model[2]).items():
            if not np.isfinite(value.asnumpy()).all():
                raise self._diverged(epoch, "finite parameters", f"NaN in {name}")

    def _diverged(self, epoch: int, expected: str, got: str) -> TrainError:
        last = "no checkpoint was written"
        if self._writer.has_checkpoint:
            last = f"the last checkpoint is {self._checkpoints.params_path(self._checkpoints.last())}"
        advice = "lower `lr`"
        if numbers := [head.name for head in self._target.heads if not head.n_classes]:
            advice += f", or give {' and '.join(map(repr, numbers))} a smaller grad_scale"
        return TrainError(f"epoch {epoch}", expected=expected, got=got, advice=f"{advice}; {last}")

    def _evaluate(self, model: Model) -> Metrics | None:
        if self._val_reader is None:
            return None
        return evaluate_model(self._mx, model, self._target, self._val_reader, self._context)

    def _draw(self, model: Model, final: Metrics | None) -> None:
        files = self._files
        if files.matplotlib_error is not None:
            self._observer.log(f"no pictures of samples, curves, confusion and predictions: {files.matplotlib_error}")
            return
        target = self._target
        class_names = self._checkpoints.run_record().class_names(target)
        files.draw_samples(self._reader, Shuffle(self._plan.seed, 1, self._resolved.augment), target, class_names)
        files.draw_curves(is_augmented=self._resolved.augment != Augment())
        if self._val_reader is not None and final is not None:
            prefix, params_path = self._checkpoints.prefix, self._checkpoints.params_path(self._checkpoints.last())
            subject = f"{params_path.name} on {self._val_reader.survey.path.name}"
            save_confusion(final, target, class_names, subject, prefix)
            predictions = predict_batches(self._mx, model, target, self._val_reader, self._context)
            save_predictions(predictions, class_names, subject, prefix)
