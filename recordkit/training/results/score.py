"""Scores: accuracy and loss on some images, the confusion matrices of a file, and the accuracy gate."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import TrainError
from recordkit.training.data.target import Target


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy and loss on some images.

    Attributes
    ----------
    accuracy : float, 0 to 1
        Share of labels that were predicted correctly.
    loss : float
        Mean cross entropy, in nats.
    n : int
        Number of images.
    rate_img_s : float
        Images per second, decoding and computing together.
    """

    accuracy: float
    loss: float
    n: int
    rate_img_s: float

    def __str__(self) -> str:
        return f"accuracy {self.accuracy:.4f} loss {self.loss:.4f} ({self.n} images, {self.rate_img_s:.0f} img/s)"


class RunningScore:
    """A `Score` that grows batch by batch. Time counts from its creation.

    Parameters
    ----------
    target : Target
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._n_right = 0
        self._loss = 0.0
        self.n = 0
        self._begin_s = time.perf_counter()

    def add(self, outputs: list[NDArray[np.float32]], labels: NDArray[np.float32]) -> NDArray[np.int64]:
        """Add one batch and return its predictions. Parameters: see `Target.loss_sum`."""
        predicted = self._target.predict(outputs)
        self._n_right += int((predicted == labels.reshape(predicted.shape)).sum())
        self._loss += self._target.loss_sum(outputs, labels)
        self.n += len(labels)
        return predicted

    def score(self) -> Score:
        """Return the score of all batches so far."""
        seconds = time.perf_counter() - self._begin_s
        n_labels = self.n * len(self._target.sizes)
        return Score(self._n_right / n_labels, self._loss / self.n, self.n, self.n / seconds)

    @property
    def is_finite(self) -> bool:
        """The loss so far is a finite number."""
        return bool(np.isfinite(self._loss))


@dataclass(frozen=True, slots=True)
class Metrics:
    """Results of a model on a whole file.

    Attributes
    ----------
    score : Score
    confusion : tuple of ndarray of int64, shape (n_classes, n_classes)
        A matrix for each label: rows are the classes in the file, columns the predicted classes. Empty if a label has
        more than 1,000 classes.
    """

    score: Score
    confusion: tuple[NDArray[np.int64], ...]


def require_accuracy(score: Score, min_accuracy: float, subject: str) -> None:
    """Refuse a model that is not accurate enough.

    Parameters
    ----------
    score : Score
    min_accuracy : float, 0 to 1
    subject : str
        The checkpoint and the file, for the error.

    Raises
    ------
    TrainError
        The accuracy is below the minimum.
    """
    if not score.accuracy >= min_accuracy:
        raise TrainError(
            subject,
            expected=f"an accuracy of at least {min_accuracy}",
            got=f"{score.accuracy:.4f}",
            advice="train longer, or lower `min_accuracy`",
        )
