"""Pictures of a model on a file: the confusion of each label, and a sheet of predictions, the worst first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from recordkit.errors import ImageError
from recordkit.training.data.target import Target
from recordkit.training.results import pictures
from recordkit.training.results.prediction import Prediction, shorten_start
from recordkit.training.results.score import Metrics

_N_SHOWN = 32


def save_confusion(
    metrics: Metrics, target: Target, class_names: tuple[str, ...], subject: str, prefix: Path
) -> list[Path]:
    """Draw the confusion matrix of each label that is a class, and return the paths of the pictures.

    Parameters
    ----------
    metrics : Metrics
    target : Target
    class_names : tuple of str
    subject : str
        The model and the file, for the title.
    prefix : Path
        The files are PREFIX-confusion.png, or PREFIX-confusion-1.png and so on with several labels.
    """
    has_several = len(metrics.confusion) > 1
    paths = []
    for number, (matrix, name) in enumerate(zip(metrics.confusion, target.class_titles, strict=False), 1):
        result = name if has_several else f"accuracy {metrics.score.accuracy:.2%}"
        names = [str(value) for value in range(len(matrix))] if has_several else class_names
        ending = f"confusion-{number}.png" if has_several else "confusion.png"
        figure = pictures.draw_confusion(matrix, names, f"{subject}: {result}")
        paths.append(prefix.with_name(f"{prefix.name}-{ending}"))
        pictures.save(figure, paths[-1])
    return paths


def save_predictions(
    predictions: Iterable[Prediction], class_names: tuple[str, ...], subject: str, prefix: Path
) -> Path:
    """Draw PREFIX-predictions.png, return its path: the wrong predictions that are most certain, and some right ones.

    Parameters
    ----------
    predictions : iterable of Prediction
    class_names : tuple of str
        Empty if the model predicts numbers alone.
    subject : str
        The model and the file, for the title.
    prefix : Path
    """
    right: list[Prediction] = []
    wrong: list[tuple[float, int, Prediction]] = []  # a heap: the least certain is first, and of several the last
    n_right = n_wrong = 0
    for prediction in predictions:
        if prediction.is_wrong:
            n_wrong += 1
            item = (prediction.confidence, -n_wrong, prediction)
            if len(wrong) < _N_SHOWN:
                heapq.heappush(wrong, item)
            else:
                heapq.heappushpop(wrong, item)
        else:
            n_right += 1
            if len(right) < _N_SHOWN:
                right.append(prediction)
    worst = [prediction for *_, prediction in sorted(wrong, reverse=True)]
    worst = worst[: max(_N_SHOWN // 2, _N_SHOWN - len(right))]
    right = right[: _N_SHOWN - len(worst)]
    right_ones = f"{len(right)} of {n_right:,} right ones"
    shown = f"the {len(worst)} most certain of {n_wrong:,} wrong predictions, and {right_ones}"
    if not n_wrong:
        shown = f"no wrong prediction, and {right_ones}"
    if not class_names:
        shown = f"{len(right)} of {n_right:,} predictions, and the labels"
    figure = draw_predictions([*worst, *right], class_names, f"{subject}:\n{shown}")
    path = prefix.with_name(f"{prefix.name}-predictions.png")
    pictures.save(figure, path)
    return path


def draw_predictions(
    predictions: Sequence[Prediction], class_names: tuple[str, ...], title: str, *, broken: Sequence[ImageError] = ()
) -> Any:
    """Return a figure of images with their predictions; wrong ones are marked.

    Parameters
    ----------
    predictions : sequence of Prediction
    class_names : tuple of str
    title : str
    broken : sequence of ImageError
        Errors of files that cannot be decoded. Each has a tile, before the predictions.
    """
    images = [None] * len(broken) + [prediction.image for prediction in predictions]
    titles = [f"{shorten_start(Path(error.path or '').name)}\ncannot be read" for error in broken]
    titles += [prediction.title(class_names) for prediction in predictions]
    are_wrong = [True] * len(broken) + [prediction.is_wrong for prediction in predictions]
    return pictures.draw_images(images, titles, are_wrong, title)
