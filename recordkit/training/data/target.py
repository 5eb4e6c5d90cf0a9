"""Targets: what each output of a network predicts from which labels, and the loss.

An output that is compared with labels is a head. Its loss is one of:

- "softmax": the label is a class. The loss is the cross entropy.
- "sigmoid": each label is 0 or 1, and several may be 1. The loss is the binary cross entropy, averaged over the labels.
- "linear": each label is a number. The loss is half of the squared difference, averaged over the labels.
- "mae": each label is a number. The loss is the absolute difference, averaged over the labels.

The loss of a network is the sum over its heads, each times its weight. These are the losses whose gradients MXNet's
output layers SoftmaxOutput, LogisticRegressionOutput, LinearRegressionOutput and MAERegressionOutput propagate.

`recordkit.training.model.output_layers` reads the target from a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOSSES = ("softmax", "sigmoid")
"""Losses of the output layers that a run adds to a network without any."""

# Smallest probability that the logarithm gets: a sound network may give a probability of 0.
_MIN_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class Head:
    """An output of a network with its labels and its loss.

    Attributes
    ----------
    name : str
        Name of the output layer.
    loss : {"softmax", "sigmoid", "linear", "mae"}
    size : int
        Numbers that the output has for an image: the classes with "softmax", otherwise one for each label.
    columns : tuple of int
        Positions of the head's labels among the labels of an image: one with "softmax", otherwise `size`.
    weight : float
        Factor of the loss.
    output : int
        Position of the output among all outputs of the network.

    Examples
    --------
    >>> head = Head("angle", "mae", 1, (1,))
    >>> head.losses(np.float32([[3], [5]]), np.float32([[4], [5]])).tolist()
    [1.0, 0.0]
    """

    name: str
    loss: str
    size: int
    columns: tuple[int, ...]
    weight: float = 1.0
    output: int = 0

    @property
    def n_classes(self) -> int:
        """Number of classes of each label; 0 if the labels are numbers."""
        return {"softmax": self.size, "sigmoid": 2}.get(self.loss, 0)

    def labels(self, labels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the head's columns of the labels of a batch, shape (B,) or (B, n_labels)."""
        return labels.reshape(len(labels), -1)[:, self.columns]

    def predict(self, output: NDArray[np.float32]) -> NDArray[Any]:
        """Return the predictions for a batch.

        Parameters
        ----------
        output : ndarray of float32, shape (B, size) or (B,)
            Probabilities, or the predicted numbers.

        Returns
        -------
        predicted : ndarray of int64 or float32, shape (B, len(columns))
            Classes, or numbers.
        """
        rows = output.reshape(len(output), -1)
        if self.loss == "softmax":
            return rows.argmax(axis=1)[:, None]
        return (rows >= 0.5).astype(np.int64) if self.loss == "sigmoid" else rows

    def probabilities(self, output: NDArray[np.float32], classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the probabilities of classes.

        Parameters
        ----------
        output : ndarray of float32, shape (B, size)
        classes : ndarray of int64, shape (B, len(columns))
        """
        rows = output.reshape(len(output), -1)
        if self.loss == "softmax":
            return np.take_along_axis(rows, classes, 1)
        probabilities: NDArray[np.float32] = np.where(classes == 1, rows, 1 - rows)
        return probabilities

    def losses(self, output: NDArray[np.float32], labels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the loss of each image, in nats for classes, without the weight.

        Parameters
        ----------
        output : ndarray of float32, shape (B, size) or (B,)
        labels : ndarray of float32, shape (B, len(columns))
        """
        if self.n_classes:
            probabilities = self.probabilities(output, labels.astype(np.int64))
            losses = -np.log(np.maximum(probabilities, _MIN_PROBABILITY))
        else:
            losses = np.abs(output.reshape(len(output), -1) - labels)
            with np.errstate(over="ignore"):  # a run that diverges ends with an error of its own
                losses = losses**2 / 2 if self.loss == "linear" else losses
        means: NDArray[np.float32] = losses.mean(axis=1, dtype=np.float32)
        return means


@dataclass(frozen=True, slots=True)
class LabelInput:
    """An input of a network that takes labels in training.

    Attributes
    ----------
    name : str
    begin, end : int
        Positions of its labels among the labels of an image, `end` excluded.
    is_flat : bool
        Its shape is (B,); otherwise it is (B, end - begin).
    """

    name: str
    begin: int
    end: int
    is_flat: bool

    def shape(self, batch_size: int) -> tuple[int, ...]:
        """Return the shape for a batch."""
        return (batch_size,) if self.is_flat else (batch_size, self.end - self.begin)


@dataclass(frozen=True, slots=True)
class Target:
    """All that a network predicts.

    Attributes
    ----------
    heads : tuple of Head
        In the order of the network's outputs.
    label_inputs : tuple of LabelInput
        Empty for a network without loss.

    Examples
    --------
    >>> target = Target((Head("digit", "softmax", 10, (0,)), Head("angle", "linear", 1, (1,))))
    >>> target.n_labels, str(target)
    (2, '10 classes (digit) and 1 number (angle)')
    """

    heads: tuple[Head, ...]
    label_inputs: tuple[LabelInput, ...] = ()

    def __str__(self) -> str:
        if all(head.loss == "softmax" for head in self.heads):
            return f"{' + '.join(str(head.size) for head in self.heads)} classes"
        if len(self.heads) == 1:
            return _content(self.heads[0])
        return " and ".join(f"{_content(head)} ({head.name})" for head in self.heads)

    @property
    def n_labels(self) -> int:
        """Number of labels of an image."""
        ends = [label.end for label in self.label_inputs]
        return max(*ends, *(column + 1 for head in self.heads for column in head.columns), 0)

    @property
    def n_classes(self) -> tuple[int, ...]:
        """Number of classes of each label in `class_columns`."""
        return tuple(head.n_classes for head in self.heads if head.n_classes for _ in head.columns)

    @property
    def class_titles(self) -> tuple[str, ...]:
        """Titles of `class_columns`: the head's name, or the number of the label if the head has several."""
        return tuple(
            head.name if len(head.columns) == 1 else f"label {column + 1}"
            for head in self.heads
            if head.n_classes
            for column in head.columns
        )

    @property
    def class_columns(self) -> tuple[int, ...]:
        """Positions of the labels that are classes, in the order of the heads."""
        return tuple(column for head in self.heads if head.n_classes for column in head.columns)

    def label_shapes(self, batch_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the inputs for labels by their names."""
        return {label.name: label.shape(batch_size) for label in self.label_inputs}

    def label_arrays(self, labels: Any) -> list[Any]:
        """Return the arrays for the inputs for labels.

        Parameters
        ----------
        labels : mxnet.ndarray.NDArray, shape (B,) or (B, n_labels)
        """
        shapes = [label.shape(labels.shape[0]) for label in self.label_inputs]
        if shapes == [labels.shape]:
            return [labels]
        rows = labels.reshape((labels.shape[0], -1))
        return [
            rows.slice_axis(axis=1, begin=label.begin, end=label.end).reshape(shape)
            for label, shape in zip(self.label_inputs, shapes, strict=True)
        ]

    def true_labels(self, labels: NDArray[np.float32]) -> list[tuple[int | float, ...]]:
        """Return the labels of each image in the order of the heads: whole numbers for classes, others for numbers.

        Parameters
        ----------
        labels : ndarray of float32, shape (B,) or (B, n_labels)
        """
        return as_tuples([_as_kind(head, head.labels(labels)) for head in self.heads])

    def loss_sum(self, outputs: list[NDArray[np.float32]], labels: NDArray[np.float32]) -> float:
        """Return the sum of the losses of a batch's images.

        Parameters
        ----------
        outputs : list of ndarray of float32
            Output of each head, see `Head.predict`.
        labels : ndarray of float32, shape (B,) or (B, n_labels)
        """
        return sum(
            head.weight * float(head.losses(output, head.labels(labels)).sum(dtype=np.float64))
            for head, output in zip(self.heads, outputs, strict=True)
        )


def as_tuples(columns: list[NDArray[Any]]) -> list[tuple[Any, ...]]:
    """Return the rows of several arrays of shape (B, n), side by side, as tuples of Python's numbers."""
    rows = zip(*(array.tolist() for array in columns), strict=True)
    return [tuple(value for part in row for value in part) for row in rows]


def _as_kind(head: Head, labels: NDArray[np.float32]) -> NDArray[Any]:
    return labels.astype(np.int64) if head.n_classes else labels


def _content(head: Head) -> str:
    if head.loss == "softmax":
        return f"{head.size} classes"
    kind = "label" if head.loss == "sigmoid" else "number"
    return f"{head.size} {kind}{'' if head.size == 1 else 's'}"
