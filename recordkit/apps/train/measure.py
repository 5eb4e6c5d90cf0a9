"""Accuracy and loss: of one batch, of a whole file, and of a checkpoint on a file.

Every image counts exactly once, and the model is not changed: what is measured here decides nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.apps.train.checkpoint import Checkpoints
from recordkit.apps.train.environment import set_threads
from recordkit.apps.train.feed import Feed, choose, make_feed
from recordkit.apps.train.survey import survey
from recordkit.errors import TrainError
from recordkit.interop import mxnet as bridge

# The log of a probability of 0 is not finite; a net can be that wrong without being broken.
_LEAST_PROBABILITY = 1e-12
_BATCH_SIZE = 256


@dataclass(frozen=True, slots=True)
class Score:
    """What was measured on some images.

    Attributes
    ----------
    accuracy : float
        Share of images whose most likely class is their label.
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
    """Adds batches up to a `Score`."""

    def __init__(self) -> None:
        self._n_right = 0
        self._loss = 0.0
        self.n = 0
        self._start_s = time.perf_counter()

    def add(self, probabilities: NDArray[np.float32], labels: NDArray[np.float32]) -> None:
        """Count one batch.

        Parameters
        ----------
        probabilities : ndarray of float32, shape (B, n_classes)
        labels : ndarray of float32, shape (B,)
        """
        classes = labels.astype(np.int64)
        likely = probabilities[np.arange(len(classes)), classes]
        self._n_right += int((probabilities.argmax(axis=1) == classes).sum())
        self._loss -= float(np.log(np.maximum(likely, _LEAST_PROBABILITY)).sum(dtype=np.float64))
        self.n += len(classes)

    def score(self) -> Score:
        """Return the score of what was added, timed since the tally was made."""
        seconds = time.perf_counter() - self._start_s
        return Score(self._n_right / self.n, self._loss / self.n, self.n, self.n / seconds)

    @property
    def is_finite(self) -> bool:
        """The loss so far is a number."""
        return bool(np.isfinite(self._loss))


def measure(mx: Any, model: tuple[Any, Any, Any], feed: Feed, context: Any) -> Score:
    """Measure a model on a whole file.

    The model is bound anew, so that a module in training is not touched.

    Parameters
    ----------
    mx : module
    model : tuple
        Net, arg_params and aux_params, as `Checkpoints.load` returns them.
    feed : Feed
    context : mxnet.context.Context

    Returns
    -------
    score : Score

    Raises
    ------
    TrainError
        A label is beyond the model's classes, or its parameters do not fit the images.
    """
    net, arg_params, aux_params = model
    module = mx.mod.Module(net, context=context)
    try:
        shape = feed.batch_shape
        labels = [("softmax_label", shape[:1])]
        module.bind(data_shapes=[("data", shape)], label_shapes=labels, for_training=False)
        module.set_params(arg_params, aux_params, allow_missing=False)
    except (mx.base.MXNetError, RuntimeError, ValueError) as error:
        raise TrainError(
            f"{feed.survey.path}: expected images that fit the model, got {feed.batch_shape[1:]} "
            f"({type(error).__name__}); give the --data-shape it was trained with"
        ) from None
    tally = Tally()
    for batch, n_new in feed.epoch():
        module.forward(batch, is_train=False)
        probabilities = module.get_outputs()[0].asnumpy()
        if feed.survey.max_label >= probabilities.shape[1]:
            raise TrainError(
                f"{feed.survey.path}: expected labels below the model's {probabilities.shape[1]} classes, "
                f"got {feed.survey.max_label}; was the model trained on another dataset?"
            )
        tally.add(probabilities[:n_new], batch.label[0].asnumpy()[:n_new])
    return tally.score()


def evaluate(
    prefix: str | Path, records: str | Path, *, epoch: int | None = None, device: str = "cpu", threads: int = 0
) -> tuple[int, Score]:
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
    epoch : int
        The one that was measured.
    score : Score

    Raises
    ------
    MissingError
        MXNet or the device is missing.
    TrainError
        There is no model, or the images do not fit it.
    FormatError, OSError
        A file is damaged or missing.
    """
    n_threads = set_threads(threads)
    context = bridge.device(device)
    mx = bridge.load()
    checkpoints = Checkpoints(prefix)
    number = checkpoints.last() if epoch is None else epoch
    model = checkpoints.load(mx, number)
    iterator = choose("auto")
    data = survey(records, iterator=iterator)
    shape = checkpoints.image_shape() or data.image_shape
    feed = make_feed(mx, data, iterator=iterator, shape=shape, batch_size=_BATCH_SIZE, threads=n_threads)
    return number, measure(mx, model, feed, context)


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
