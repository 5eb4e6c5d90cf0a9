"""What is learnt of an image's labels: the end of the network, the loss, and what counts as right.

- "softmax": each label is a class; an image with several labels has a head for each, which share all but the last
  layer. Loss is the cross entropy, the mean over the labels.
- "sigmoid": each label is 0 or 1, and several may be 1. Loss is the binary cross entropy, the mean over the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOSSES = ("softmax", "sigmoid")
# The log of a probability of 0 is not finite; a net can be that wrong without being broken.
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Target:
    """What is learnt.

    Attributes
    ----------
    loss : {"softmax", "sigmoid"}
    sizes : tuple of int
        Classes of each label; 1 for each with "sigmoid".

    Examples
    --------
    >>> Target("softmax", (10, 3)).n_outputs, Target("softmax", (10,)).label_shape(64)
    (13, (64,))
    """

    loss: str
    sizes: tuple[int, ...]

    @property
    def n_outputs(self) -> int:
        """Outputs of the network."""
        return sum(self.sizes)

    @property
    def n_values(self) -> tuple[int, ...]:
        """How many values each label can have."""
        return (2,) * len(self.sizes) if self.loss == "sigmoid" else self.sizes

    def label_shape(self, batch_size: int) -> tuple[int, ...]:
        """Return the shape of a batch's labels."""
        return (batch_size,) if len(self.sizes) == 1 else (batch_size, len(self.sizes))

    def symbol(self, mx: Any, logits: Any) -> Any:
        """Return the network with its end, whose outputs are probabilities; its second input is ``softmax_label``."""
        label = mx.sym.Variable("softmax_label")
        if self.loss == "sigmoid":
            return mx.sym.LogisticRegressionOutput(logits, label, name="sigmoid")
        if len(self.sizes) == 1:
            return mx.sym.SoftmaxOutput(logits, label, name="softmax")
        # The gradient of each head is a part of a mean.
        share = 1 / len(self.sizes)
        return mx.sym.Group(
            [
                mx.sym.SoftmaxOutput(part, one.reshape((-1,)), grad_scale=share, name=f"softmax{number}")
                for number, (part, one) in enumerate(self._columns(mx.sym, logits, label))
            ]
        )

    def gluon_loss(self, mx: Any, logits: Any, label: Any) -> Any:
        """Return the loss of each sample, shape (B,)."""
        if self.loss == "sigmoid":
            return mx.gluon.loss.SigmoidBinaryCrossEntropyLoss()(logits, label.reshape(logits.shape))
        loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
        if len(self.sizes) == 1:
            return loss(logits, label)
        parts = [loss(part, one.reshape((-1,))) for part, one in self._columns(mx.nd, logits, label)]
        return sum(parts[1:], parts[0]) / len(parts)

    def probabilities(self, mx: Any, logits: Any) -> list[Any]:
        """Return what the outputs of `symbol` are, computed from logits."""
        if self.loss == "sigmoid":
            return [logits.sigmoid()]
        if len(self.sizes) == 1:
            return [logits.softmax()]
        return [part.softmax() for part, _ in self._columns(mx.nd, logits, None)]

    def _columns(self, functions: Any, logits: Any, label: Any) -> list[tuple[Any, Any]]:
        ends = np.cumsum(self.sizes).tolist()
        return [
            (
                functions.slice_axis(logits, axis=1, begin=end - size, end=end),
                None if label is None else functions.slice_axis(label, axis=1, begin=number, end=number + 1),
            )
            for number, (size, end) in enumerate(zip(self.sizes, ends, strict=True))
        ]

    def judge(self, outputs: list[NDArray[np.float32]], labels: NDArray[np.float32]) -> tuple[NDArray[np.int64], float]:
        """Say what was predicted, and how bad that is.

        Parameters
        ----------
        outputs : list of ndarray of float32, shape (B, size) each; of "sigmoid" one of shape (B, n_labels)
        labels : ndarray of float32, shape (B,) or (B, n_labels)

        Returns
        -------
        predicted : ndarray of int64, shape (B, n_labels)
        loss : float
            The sum over the samples, in nats.
        """
        wanted = labels.reshape(len(labels), -1).astype(np.int64)
        if self.loss == "sigmoid":
            likely = np.where(wanted == 1, outputs[0], 1 - outputs[0])
            predicted = (outputs[0] >= 0.5).astype(np.int64)
        else:
            rows = np.arange(len(wanted))
            likely = np.stack([each[rows, wanted[:, number]] for number, each in enumerate(outputs)], axis=1)
            predicted = np.stack([each.argmax(axis=1) for each in outputs], axis=1)
        return predicted, -float(np.log(np.maximum(likely, _LEAST)).mean(axis=1).sum(dtype=np.float64))

    def likelihood(self, outputs: list[NDArray[np.float32]], predicted: list[int]) -> tuple[float, ...]:
        """Return how likely what was predicted of one image is, a number a label.

        Parameters
        ----------
        outputs : list of ndarray of float32, shape (size,) each; of "sigmoid" one of shape (n_labels,)
        predicted : list of int
        """
        if self.loss == "sigmoid":
            return tuple(float(one if value else 1 - one) for one, value in zip(outputs[0], predicted, strict=True))
        return tuple(float(each[value]) for each, value in zip(outputs, predicted, strict=True))
