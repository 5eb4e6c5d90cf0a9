"""Scores: accuracy, errors and loss on some images, the confusion matrices of a file, and the accuracy gate."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError, TrainError, plural
from recordkit.training.data.target import Head, Target


@dataclass(frozen=True, slots=True)
class HeadScore:
    """Score of one output of a network.

    Attributes
    ----------
    head : Head
    accuracy : float, 0 to 1, or None
        Share of labels that were predicted correctly; None if the labels are numbers.
    mae : float, or None
        Mean absolute difference of prediction and label; None if the labels are classes.
    rmse : float, or None
        Root of the mean squared difference; None if the labels are classes.
    """

    head: Head
    accuracy: float | None
    mae: float | None
    rmse: float | None

    def __str__(self) -> str:
        if self.accuracy is not None:
            return f"{self.head.name} accuracy {self.accuracy:.4f}"
        return f"{self.head.name} MAE {self.mae:.4g} RMSE {self.rmse:.4g}"


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy and loss on some images.

    Attributes
    ----------
    accuracy : float, 0 to 1, or None
        Share of labels that were predicted correctly, among those that are classes; None if all are numbers.
    loss : float
        Mean loss, see `recordkit.training.data.target`.
    n : int
        Number of images.
    rate_img_s : float
        Images per second, decoding and computing together.
    heads : tuple of HeadScore
        Score of each output; empty if one output predicts a class, because its accuracy is `accuracy`.
    """

    accuracy: float | None
    loss: float
    n: int
    rate_img_s: float
    heads: tuple[HeadScore, ...] = ()

    def __str__(self) -> str:
        return f"{self.figures} ({plural(self.n, 'image')}, {self.rate_img_s:.0f} img/s)"

    @property
    def figures(self) -> str:
        """The text without the number of images and the speed."""
        accuracy = "" if self.accuracy is None else f"accuracy {self.accuracy:.4f} "
        return ", ".join([f"{accuracy}loss {self.loss:.4f}", *map(str, self.heads)])

    def quantities(self) -> dict[str, float]:
        """Return the figures by the names that they have in MXNet's logs; those of several outputs begin with theirs.

        Examples
        --------
        >>> Score(0.5, 1.25, 100, 1000.0).quantities()
        {'accuracy': 0.5, 'cross-entropy': 1.25}
        """
        quantities = {} if self.accuracy is None else {"accuracy": self.accuracy}
        is_cross_entropy = all(score.head.n_classes for score in self.heads)
        quantities["cross-entropy" if is_cross_entropy else "loss"] = self.loss
        for score in self.heads:
            values = {"accuracy": score.accuracy, "mae": score.mae, "rmse": score.rmse}
            quantities |= {f"{score.head.name}-{name}": value for name, value in values.items() if value is not None}
        return quantities


class RunningScore:
    """A `Score` that grows batch by batch. Time counts from its creation.

    Parameters
    ----------
    target : Target
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        # For each head: labels predicted correctly, absolute differences, squared differences.
        self._sums = np.zeros((len(target.heads), 3))
        self._loss = 0.0
        self.n = 0
        self._begin_s = time.perf_counter()

    def add(self, outputs: list[NDArray[np.float32]], labels: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Add one batch and return the predictions of each head. Parameters: see `Target.loss_sum`."""
        predictions = []
        for sums, head, output in zip(self._sums, self._target.heads, outputs, strict=True):
            predicted = head.predict(output)
            differences = predicted - head.labels(labels).astype(np.float64)
            sums += (differences == 0).sum(), np.abs(differences).sum(), (differences**2).sum()
            predictions.append(predicted)
        self._loss += self._target.loss_sum(outputs, labels)
        self.n += len(labels)
        return predictions

    def score(self) -> Score:
        """Return the score of all batches so far."""
        seconds = time.perf_counter() - self._begin_s
        heads = tuple(self._head_score(head, sums) for head, sums in zip(self._target.heads, self._sums, strict=True))
        n_class_labels = self.n * len(self._target.class_columns)
        n_right = sum(sums[0] for head, sums in zip(self._target.heads, self._sums, strict=True) if head.n_classes)
        accuracy = float(n_right / n_class_labels) if n_class_labels else None
        is_accuracy_enough = len(heads) == 1 and heads[0].accuracy is not None
        return Score(accuracy, self._loss / self.n, self.n, self.n / seconds, () if is_accuracy_enough else heads)

    def _head_score(self, head: Head, sums: NDArray[np.float64]) -> HeadScore:
        n_right, absolute, squared = (float(total) / (self.n * len(head.columns)) for total in sums)
        if head.n_classes:
            return HeadScore(head, n_right, None, None)
        return HeadScore(head, None, absolute, math.sqrt(squared))

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
        A matrix for each of `Target.class_columns`: rows are the classes in the file, columns the predicted classes.
        Empty if a label has more than 1,000 classes.
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
    PlanError
        The model predicts numbers alone, so it has no accuracy.
    """
    if score.accuracy is None:
        raise PlanError(
            subject,
            expected="classes, of which `min_accuracy` is a share",
            got="numbers alone",
            advice="leave out `min_accuracy`",
        )
    if not score.accuracy >= min_accuracy:
        raise TrainError(
            subject,
            expected=f"an accuracy of at least {min_accuracy}",
            got=f"{score.accuracy:.4f}",
            advice="train longer, or lower `min_accuracy`",
        )
