"""The prediction for an image, and its texts: the names of the classes, and the title above a picture of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.training.data.appearance import Difference

# Letters of a class name above an image; the probability and a mark need the rest of the line.
_MAX_LETTERS = 13
# Letters of a file's name above an image.
_MAX_FILE_LETTERS = 18


@dataclass(frozen=True, slots=True)
class Prediction:
    """Prediction for one image.

    Attributes
    ----------
    name : str
        The file, or the .rec file and the index in it.
    labels : tuple of int or float
        Predictions in the order of the model's outputs: the most likely class; with the loss "sigmoid" 1 if its
        probability is at least 0.5; a float if the label is a number.
    probabilities : tuple of float, 0 to 1, or None
        Probability of each of `labels`; None for a number.
    true_labels : tuple of int or float, or None
        Labels in the .rec file; None if there are none to compare.
    image : ndarray of uint8, shape (H, W, C)
        Input of the model.
    key : int or None
        Key of the record; None for a file.
    unlike : tuple of Difference
        Respects in which the image is unlike the training images.
    """

    name: str
    labels: tuple[int | float, ...]
    probabilities: tuple[float | None, ...]
    true_labels: tuple[int | float, ...] | None
    image: NDArray[np.uint8]
    key: int | None = None
    unlike: tuple[Difference, ...] = ()

    @property
    def is_wrong(self) -> bool:
        """The .rec file has labels, and other classes than the predicted ones."""
        pairs = zip(self.labels, self.true_labels or (), strict=False)
        return any(predicted != true for predicted, true in pairs if isinstance(predicted, int))

    @property
    def confidence(self) -> float:
        """The lowest of the probabilities; 0 if the labels are numbers."""
        return min((probability for probability in self.probabilities if probability is not None), default=0.0)

    @property
    def differing_labels(self) -> tuple[int | float, ...] | None:
        """The labels in the .rec file if they say more than the prediction: it is wrong, or some are numbers."""
        has_numbers = any(isinstance(label, float) for label in self.labels)
        return self.true_labels if self.is_wrong or has_numbers else None

    def class_name(self, class_names: tuple[str, ...]) -> str:
        """Return the predicted labels as a text, see `class_name`."""
        return class_name(self.labels, class_names)

    def title(self, class_names: tuple[str, ...]) -> str:
        """Return a title for the image: file or key, prediction and probability, and the label if it differs."""
        name = f"key {self.key}" if self.key is not None else shorten_start(Path(self.name).name)
        title = f"{name}\n{_shorten(self.class_name(class_names))}"
        if self.confidence:
            title = f"{title} {self.confidence:.0%}"
        if self.differing_labels:
            return f"{title}\nis {_shorten(class_name(self.differing_labels, class_names))}"
        return title


def class_name(labels: tuple[int | float, ...], class_names: tuple[str, ...] = ()) -> str:
    """Return labels as a text, with the name of the class if only one is a class.

    Examples
    --------
    >>> class_name((1,), ("cat", "dog")), class_name((1, 0), ("cat", "dog")), class_name((1, 44.5), ("cat", "dog"))
    ('dog', '1 0', 'dog 44.5')
    """
    n_classes = sum(isinstance(label, int) for label in labels)
    names = class_names if n_classes == 1 else ()
    return " ".join(
        f"{label:.6g}" if isinstance(label, float) else names[label] if names else str(label) for label in labels
    )


def _shorten(name: str) -> str:
    return name if len(name) <= _MAX_LETTERS else f"{name[: _MAX_LETTERS - 1]}…"


def shorten_start(name: str) -> str:
    """Shorten the name of a file, whose end says more than its start."""
    return name if len(name) <= _MAX_FILE_LETTERS else f"…{name[1 - _MAX_FILE_LETTERS :]}"
