"""Accuracy and loss: of one batch, of a whole file, and of a checkpoint on a file.

Every image counts exactly once, and the model is not changed: what is measured here decides nothing.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import TrainError
from recordkit.interop import mxnet as bridge
from recordkit.interop.mxnet.threads import set_threads
from recordkit.training.checkpoint import Checkpoints
from recordkit.training.compatibility import check_classes, check_labels, unlike
from recordkit.training.data.feed import Feed, choose, make_feed
from recordkit.training.data.survey import survey
from recordkit.training.data.target import Target

_BATCH_SIZE = 256
# The book's, for the time of a batch.
_TIMED_BATCH_SIZE = 64
_N_TIMED, _N_WARM = 50, 10
_MOST_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Score:
    """What was measured on some images.

    Attributes
    ----------
    accuracy : float
        Share of labels that were found; with one label an image, of images whose most likely class is theirs.
    loss : float
        Mean cross entropy, in nats.
    n : int
        Images.
    rate_img_s : float
        Images per second, decoding and computing together.
    """

    accuracy: float
    loss: float
    n: int
    rate_img_s: float

    def __str__(self) -> str:
        return f"accuracy {self.accuracy:.4f} loss {self.loss:.4f} ({self.n} images, {self.rate_img_s:.0f} img/s)"


class Tally:
    """Adds batches up to a `Score`.

    Parameters
    ----------
    target : Target
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._n_right = 0
        self._loss = 0.0
        self.n = 0
        self._start_s = time.perf_counter()

    def add(self, outputs: list[NDArray[np.float32]], labels: NDArray[np.float32]) -> NDArray[np.int64]:
        """Count one batch; return what was predicted. See `Target.judge`."""
        predicted, loss = self._target.judge(outputs, labels)
        self._n_right += int((predicted == labels.reshape(predicted.shape)).sum())
        self._loss += loss
        self.n += len(labels)
        return predicted

    def score(self) -> Score:
        """Return the score of what was added, timed since the tally was made."""
        seconds = time.perf_counter() - self._start_s
        n_labels = self.n * len(self._target.sizes)
        return Score(self._n_right / n_labels, self._loss / self.n, self.n, self.n / seconds)

    @property
    def is_finite(self) -> bool:
        """The loss so far is a number."""
        return bool(np.isfinite(self._loss))


class Forward:
    """A model that is only asked, and not trained.

    Parameters
    ----------
    mx : module
    model : tuple
        Net, arg_params and aux_params, as `Checkpoints.load` returns them.
    target : Target
    feed : Feed
    context : mxnet.context.Context

    Raises
    ------
    TrainError
        The parameters do not fit the images.
    """

    def __init__(self, mx: Any, model: tuple[Any, Any, Any], target: Target, feed: Feed, context: Any) -> None:
        net, arg_params, aux_params = model
        if "data" not in net.list_arguments():
            raise TrainError("model: expected an input called 'data', as recordkit train makes it, got none")
        self._mx, self._feed, self._context, self._target = mx, feed, context, target
        # One end, which needs the labels' shape and not the labels; models of others may call them otherwise.
        self._labels = [name for name in net.list_arguments() if name.endswith("label")][:1]
        self._module = mx.mod.Module(net, label_names=self._labels, context=context)
        try:
            self._module.bind(
                data_shapes=[("data", feed.batch_shape)], label_shapes=self._label_shapes(feed.batch_size),
                for_training=False,
            )  # fmt: skip
            self._module.set_params(arg_params, aux_params, allow_missing=False)
        except (mx.base.MXNetError, RuntimeError, ValueError) as error:
            raise TrainError(
                f"{feed.survey.path}: expected images that fit the model, got {feed.batch_shape[1:]} "
                f"({type(error).__name__}); does {feed.survey.path.name} belong to another model?"
            ) from None

    def _label_shapes(self, batch_size: int) -> list[tuple[str, tuple[int, ...]]] | None:
        return [(name, self._target.label_shape(batch_size)) for name in self._labels] or None

    def batches(self) -> Iterator[tuple[Any, list[NDArray[np.float32]], NDArray[np.float32]]]:
        """Yield each batch of the feed, the outputs for it, and its labels, without what fills it up."""
        for batch, n_new in self._feed.epoch():
            self._module.forward(self._fitting(batch), is_train=False)
            outputs = [each.asnumpy()[:n_new] for each in self._module.get_outputs()]
            yield batch, outputs, batch.label[0].asnumpy()[:n_new]

    def _fitting(self, batch: Any) -> Any:
        """Return a batch whose labels have the shape that the model wants, whatever the file's have."""
        shape = self._target.label_shape(batch.data[0].shape[0])
        labels = [] if not self._labels else [self._mx.nd.zeros(shape)]
        return self._mx.io.DataBatch(data=batch.data, label=labels)

    def batch_ms(self) -> float:
        """Return the median time of a batch of 64 that is in memory already, forward only, after some that warm up."""
        shape = (_TIMED_BATCH_SIZE, *self._feed.batch_shape[1:])
        batch = self._fitting(self._mx.io.DataBatch(data=[self._mx.nd.zeros(shape, ctx=self._context)]))
        times_s = []
        for _ in range(_N_WARM + _N_TIMED):
            begin_s = time.perf_counter()
            self._module.forward(batch, is_train=False)
            for output in self._module.get_outputs():
                output.wait_to_read()
            times_s.append(time.perf_counter() - begin_s)
        return float(np.median(times_s[_N_WARM:]) * 1000)


@dataclass(frozen=True, slots=True)
class Measured:
    """What `measure` found.

    Attributes
    ----------
    score : Score
    confusion : tuple of ndarray of int64, shape (n_classes, n_classes)
        For each label: rows are the classes of the file, columns what the model says. Empty if a label has more than
        1,000 classes.
    """

    score: Score
    confusion: tuple[NDArray[np.int64], ...]


def measure(mx: Any, model: tuple[Any, Any, Any], target: Target, feed: Feed, context: Any) -> Measured:
    """Measure a model on a whole file.

    The model is bound anew, so that a module in training is not touched.

    Parameters
    ----------
    mx : module
    model : tuple
        Net, arg_params and aux_params, as `Checkpoints.load` returns them.
    target : Target
    feed : Feed
    context : mxnet.context.Context

    Returns
    -------
    measured : Measured

    Raises
    ------
    TrainError
        A label is beyond the model's classes, or its parameters do not fit the images.
    """
    check_labels(feed.survey, target)
    few = max(target.n_values) <= _MOST_CLASSES
    confusion = tuple(np.zeros((size, size), np.int64) for size in target.n_values if few)
    tally = Tally(target)
    for _, outputs, labels in Forward(mx, model, target, feed, context).batches():
        predicted = tally.add(outputs, labels)
        for number, table in enumerate(confusion):
            wanted = labels.reshape(predicted.shape)[:, number].astype(np.int64)
            np.add.at(table, (wanted, predicted[:, number]), 1)
    return Measured(tally.score(), confusion)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` found.

    Attributes
    ----------
    epoch : int
        The one that was measured.
    measured : Measured
    classes : tuple of str
        Names, or numbers where there are no names.
    batch_ms : float
        Median time of a batch of 64, forward only, in milliseconds.
    """

    epoch: int
    measured: Measured
    classes: tuple[str, ...]
    batch_ms: float


def evaluate(
    prefix: str | Path, records: str | Path, *, epoch: int | None = None, device: str = "cpu", threads: int = 0
) -> Evaluation:
    """Measure a checkpoint on a packed file.

    Parameters
    ----------
    prefix : str or Path
        Of the model.
    records : str or Path
        The .rec file.
    epoch : int, optional
        Default is the last one that has a checkpoint.
    device : {"cpu", "gpu"}
    threads : int, default 0
        For decoding; 0 for the CPUs this process may use.

    Returns
    -------
    evaluation : Evaluation

    Raises
    ------
    MissingError
        MXNet or the device is missing.
    TrainError
        There is no model, or the images do not fit it.
    FormatError, OSError
        A file is damaged or missing.

    Warns
    -----
    UserWarning
        The images have another size than those that were learnt from.
    """
    n_threads = set_threads(threads)
    context = bridge.device(device)
    mx = bridge.load()
    checkpoints = Checkpoints(prefix)
    number = checkpoints.last() if epoch is None else epoch
    model = checkpoints.load(mx, number)
    iterator = choose("auto")
    data = survey(records, iterator=iterator)
    about = checkpoints.describe()
    shape, target = about.image_shape(), about.target()
    check_classes(data, about.class_numbers)
    if why := unlike(data, about.side):
        warnings.warn(why, UserWarning, stacklevel=2)
    feed = make_feed(mx, data, iterator=iterator, shape=shape, batch_size=_BATCH_SIZE, threads=n_threads)
    measured = measure(mx, model, target, feed, context)
    batch_ms = Forward(mx, model, target, feed, context).batch_ms()
    return Evaluation(number, measured, about.classes(target), batch_ms)


def gate(score: Score, minimum: float, what: str) -> None:
    """Refuse a model that is not good enough.

    Parameters
    ----------
    score : Score
    minimum : float, 0 to 1
        Accuracy.
    what : str
        The checkpoint and the file, for the message.

    Raises
    ------
    TrainError
        The accuracy is below the minimum.
    """
    if not score.accuracy >= minimum:
        raise TrainError(
            f"{what}: expected an accuracy of at least {minimum}, got {score.accuracy:.4f}; "
            "train longer, or lower the gate"
        )
