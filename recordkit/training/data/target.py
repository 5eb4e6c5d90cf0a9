"""Targets: the output layers of the network, the loss, and the predictions.

- "softmax": each label is a class. An image with several labels has an output layer for each, and the layers before are
  shared. The loss is the cross entropy, averaged over the labels.
- "sigmoid": each label is 0 or 1, and several may be 1. The loss is the binary cross entropy, averaged over the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOSSES = ("softmax", "sigmoid")
# Smallest probability that the logarithm gets: a sound network may give a probability of 0.
_MIN_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class Target:
    """The labels that a network predicts, and its loss.

    Attributes
    ----------
    loss : {"softmax", "sigmoid"}
    sizes : tuple of int
        Number of outputs for each label: its classes with "softmax", 1 with "sigmoid".

    Examples
    --------
    >>> Target("softmax", (10, 3)).n_outputs, Target("softmax", (10,)).label_shape(64)
    (13, (64,))
    """

    loss: str
    sizes: tuple[int, ...]

    @property
    def n_outputs(self) -> int:
        """Number of outputs of the network."""
        return sum(self.sizes)

    @property
    def n_values(self) -> tuple[int, ...]:
        """Number of values of each label."""
        return (2,) * len(self.sizes) if self.loss == "sigmoid" else self.sizes

    def label_shape(self, batch_size: int) -> tuple[int, ...]:
        """Return the shape of a batch's labels."""
        return (batch_size,) if len(self.sizes) == 1 else (batch_size, len(self.sizes))

    def symbol(self, mx: Any, logits: Any) -> Any:
        """Return the network with its loss layers.

        Parameters
        ----------
        mx : module
        logits : mxnet.symbol.Symbol, shape (B, n_outputs)

        Returns
        -------
        symbol : mxnet.symbol.Symbol
            Its outputs are probabilities; its inputs are ``data`` and ``softmax_label``.
        """
        label = mx.sym.Variable("softmax_label")
        if self.loss == "sigmoid":
            return mx.sym.LogisticRegressionOutput(logits, label, name="sigmoid")
        if len(self.sizes) == 1:
            return mx.sym.SoftmaxOutput(logits, label, name="softmax")
        scale = 1 / len(self.sizes)  # the loss is a mean
        return mx.sym.Group(
            [
                mx.sym.SoftmaxOutput(head, column.reshape((-1,)), grad_scale=scale, name=f"softmax{number}")
                for number, (head, column) in enumerate(self._columns(mx.sym, logits, label))
            ]
        )

    def gluon_loss(self, mx: Any, logits: Any, label: Any) -> Any:
        """Return the loss of each sample, shape (B,)."""
        if self.loss == "sigmoid":
            return mx.gluon.loss.SigmoidBinaryCrossEntropyLoss()(logits, label.reshape(logits.shape))
        loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
        if len(self.sizes) == 1:
            return loss(logits, label)
        losses = [loss(head, column.reshape((-1,))) for head, column in self._columns(mx.nd, logits, label)]
        return sum(losses[1:], losses[0]) / len(losses)

    def probabilities(self, mx: Any, logits: Any) -> list[Any]:
        """Return the outputs of `symbol`, computed from logits."""
        if self.loss == "sigmoid":
            return [logits.sigmoid()]
        if len(self.sizes) == 1:
            return [logits.softmax()]
        return [head.softmax() for head, _ in self._columns(mx.nd, logits, None)]

    def _columns(self, functions: Any, logits: Any, label: Any) -> list[tuple[Any, Any]]:
        """Split logits and labels by label; `functions` is ``mx.sym`` or ``mx.nd``."""
        ends = np.cumsum(self.sizes).tolist()
        return [
            (
                functions.slice_axis(logits, axis=1, begin=end - size, end=end),
                None if label is None else functions.slice_axis(label, axis=1, begin=number, end=number + 1),
            )
            for number, (size, end) in enumerate(zip(self.sizes, ends, strict=True))
        ]

    def predict(self, outputs: list[NDArray[np.float32]]) -> NDArray[np.int64]:
        """Return the predictions for a batch.

        Parameters
        ----------
        outputs : list of ndarray of float32
            Probabilities: with "softmax" an array of shape (B, size) for each label, with "sigmoid" one array of shape
            (B, n_labels).

        Returns
        -------
        predicted : ndarray of int64, shape (B, n_labels)
        """
        if self.loss == "sigmoid":
            return (outputs[0] >= 0.5).astype(np.int64)
        return np.stack([head.argmax(axis=1) for head in outputs], axis=1)

    def loss_sum(self, outputs: list[NDArray[np.float32]], labels: NDArray[np.float32]) -> float:
        """Return the sum of the losses of a batch's samples, in nats.

        Parameters
        ----------
        outputs : list of ndarray of float32
            See `predict`.
        labels : ndarray of float32, shape (B,) or (B, n_labels)
        """
        classes = labels.reshape(len(labels), -1).astype(np.int64)
        if self.loss == "sigmoid":
            probabilities = np.where(classes == 1, outputs[0], 1 - outputs[0])
        else:
            rows = np.arange(len(classes))
            probabilities = np.stack([head[rows, column] for head, column in zip(outputs, classes.T, strict=True)], 1)
        logs = np.log(np.maximum(probabilities, _MIN_PROBABILITY))
        return -float(logs.mean(axis=1).sum(dtype=np.float64))

    def probabilities_of(self, outputs: list[NDArray[np.float32]], predicted: list[int]) -> tuple[float, ...]:
        """Return the probability of each prediction for one image.

        Parameters
        ----------
        outputs : list of ndarray of float32
            Rows of the arrays that `predict` takes.
        predicted : list of int
        """
        if self.loss == "sigmoid":
            pairs = zip(outputs[0], predicted, strict=True)
            return tuple(float(probability if value else 1 - probability) for probability, value in pairs)
        return tuple(float(head[value]) for head, value in zip(outputs, predicted, strict=True))
