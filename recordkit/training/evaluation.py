"""Evaluate a model on a whole file: every image counts exactly once, and the model does not change."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recordkit.interop import mxnet as bridge
from recordkit.interop.mxnet.threads import set_threads
from recordkit.training.compatibility import check_classes, check_labels, class_warning, size_warning
from recordkit.training.data.batches import BatchReader
from recordkit.training.data.iterators import open_batches, resolve_iterator
from recordkit.training.data.normalization import Normalization
from recordkit.training.data.survey import survey
from recordkit.training.data.target import Target
from recordkit.training.model.inference import Inference, infer
from recordkit.training.model.trained_model import TrainedModel
from recordkit.training.predict import predict_batches
from recordkit.training.results.prediction import Prediction
from recordkit.training.results.score import Metrics, RunningScore
from recordkit.training.trainer import Model

Progress = Callable[[int, int], None]
"""Called with the number of images evaluated since the last call, and the number of all images."""

_BATCH_SIZE = 256
# Confusion matrices of more classes would take too much memory.
_MAX_CLASSES = 1000


def evaluate_model(
    mx: Any,
    model: Model,
    target: Target,
    reader: BatchReader,
    context: Any,
    *,
    progress: Progress | None = None,
) -> Metrics:
    """Evaluate a model in memory on a file.

    Parameters
    ----------
    mx : module
    model : Model
        Network, arg_params and aux_params, as `Checkpoints.load` returns them.
    target : Target
    reader : BatchReader
    context : mxnet.context.Context
    progress : callable, optional
        See `evaluate`.

    Returns
    -------
    metrics : Metrics

    Raises
    ------
    TrainError
        A label is not one of the model's classes.
    """
    check_labels(reader.survey, target)
    sizes = target.n_classes if max(target.n_classes, default=0) <= _MAX_CLASSES else ()
    confusion = tuple(np.zeros((size, size), np.int64) for size in sizes)
    running = RunningScore(target)
    for _, outputs, labels in infer(mx, model, reader, context):
        predictions = running.add(outputs, labels)
        rows = labels.reshape(len(labels), -1)
        classes = [column for head, array in zip(target.heads, predictions, strict=True) if head.n_classes
                   for column in array.T]  # fmt: skip
        for matrix, column, predicted in zip(confusion, target.class_columns, classes, strict=False):
            np.add.at(matrix, (rows[:, column].astype(np.int64), predicted), 1)
        if progress is not None:
            progress(len(labels), len(reader.survey))
    return Metrics(running.score(), confusion)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results of `evaluate`.

    Attributes
    ----------
    epoch : int
        Epoch of the checkpoint.
    target : Target
    metrics : Metrics
    class_names : tuple of str
        Names of the classes; a number stands for a missing name.
    batch_64_s : float
        Median time of a batch of 64, forward only, in seconds.
    predictions : callable
        Reads the file again, and yields the `Prediction` for each image.
    """

    epoch: int
    target: Target
    metrics: Metrics
    class_names: tuple[str, ...]
    batch_64_s: float
    predictions: Callable[[], Iterator[Prediction]]


def evaluate(
    model_prefix: str | Path,
    path: str | Path,
    *,
    epoch: int | None = None,
    shape: tuple[int, int, int] | None = None,
    normalization: Normalization | None = None,
    device: str = "cpu",
    threads: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate a checkpoint on a .rec file.

    Parameters
    ----------
    model_prefix : str or Path
        Prefix of the model.
    path : str or Path
        The .rec file.
    epoch : int, optional
        Epoch of the checkpoint; default is the last one.
    shape, normalization
        For a model of another program, see `recordkit.training.model.trained_model.TrainedModel`.
    device : {"cpu", "gpu"}
    threads : int, default 0
        Decoding threads; 0 for the CPUs this process may use.
    progress : callable, optional
        Called with the number of images evaluated since its last call, and the number of images in the file.

    Returns
    -------
    evaluation : Evaluation

    Raises
    ------
    MissingError
        MXNet or the device is missing.
    TrainError
        There is no model, or the images do not fit it.
    PlanError
        The model has a loss that is not supported; or see `recordkit.training.model.trained_model.TrainedModel`.
    FormatError, OSError
        A file is damaged or missing.

    Warns
    -----
    UserWarning
        The images have another size than the training images; only one of file and model has names of classes; or the
        model is of another program and `normalization` is not given.
    """
    n_threads = set_threads(threads)
    context = bridge.device(device)
    mx = bridge.load()
    trained = TrainedModel(mx, model_prefix, epoch=epoch, shape=shape, normalization=normalization)
    iterator = resolve_iterator("auto", Path(path))
    data = survey(path, iterator=iterator)
    target, record = trained.target(len(data.labels)), trained.record
    check_classes(data, record.class_numbers)
    named = class_warning(data, record.class_numbers) if record.facts else None  # those of other programs have no names
    for warning in (named, size_warning(data, record.side)):
        if warning:
            warnings.warn(warning, UserWarning, stacklevel=2)
    reader = open_batches(
        mx,
        data,
        iterator=iterator,
        shape=trained.shape,
        normalization=trained.normalization,
        batch_size=_BATCH_SIZE,
        threads=n_threads,
    )
    metrics = evaluate_model(mx, trained.model, target, reader, context, progress=progress)
    batch_64_s = Inference(mx, trained.model, reader.batch_shape, context).batch_64_s()

    def predictions() -> Iterator[Prediction]:
        return predict_batches(mx, trained.model, target, reader, context)

    return Evaluation(trained.epoch, target, metrics, record.class_names(target), batch_64_s, predictions)
