"""Evaluate a model on a whole file: every image counts exactly once, and the model does not change."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recordkit.interop import mxnet as bridge
from recordkit.interop.mxnet.threads import set_threads
from recordkit.training.checkpoint import Checkpoints
from recordkit.training.compatibility import check_classes, check_labels, size_warning
from recordkit.training.data.batches import BatchReader
from recordkit.training.data.iterators import open_batches, resolve_iterator
from recordkit.training.data.survey import survey
from recordkit.training.data.target import Target
from recordkit.training.inference import Inference, infer
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
        A label is not one of the model's classes, or the parameters do not fit the images.
    """
    check_labels(reader.survey, target)
    sizes = target.n_values if max(target.n_values) <= _MAX_CLASSES else ()
    confusion = tuple(np.zeros((size, size), np.int64) for size in sizes)
    running = RunningScore(target)
    for _, outputs, labels in infer(mx, model, target, reader, context):
        predicted = running.add(outputs, labels)
        for column, matrix in enumerate(confusion):
            true_labels = labels.reshape(predicted.shape)[:, column].astype(np.int64)
            np.add.at(matrix, (true_labels, predicted[:, column]), 1)
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
    metrics : Metrics
    class_names : tuple of str
        Names of the classes; a number stands for a missing name.
    batch_64_s : float
        Median time of a batch of 64, forward only, in seconds.
    """

    epoch: int
    metrics: Metrics
    class_names: tuple[str, ...]
    batch_64_s: float


def evaluate(
    model_prefix: str | Path,
    path: str | Path,
    *,
    epoch: int | None = None,
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
    FormatError, OSError
        A file is damaged or missing.

    Warns
    -----
    UserWarning
        The images have another size than the training images.
    """
    n_threads = set_threads(threads)
    context = bridge.device(device)
    mx = bridge.load()
    checkpoints = Checkpoints(model_prefix)
    epoch = checkpoints.last() if epoch is None else epoch
    model = checkpoints.load(mx, epoch)
    iterator = resolve_iterator("auto")
    data = survey(path, iterator=iterator)
    record = checkpoints.run_record()
    shape, target = record.image_shape(), record.target()
    check_classes(data, record.class_numbers)
    if warning := size_warning(data, record.side):
        warnings.warn(warning, UserWarning, stacklevel=2)
    reader = open_batches(
        mx,
        data,
        iterator=iterator,
        shape=shape,
        normalization=record.normalization(),
        batch_size=_BATCH_SIZE,
        threads=n_threads,
    )
    metrics = evaluate_model(mx, model, target, reader, context, progress=progress)
    batch_64_s = Inference(mx, model, target, reader.batch_shape, context, str(data.path)).batch_64_s()
    return Evaluation(epoch, metrics, record.class_names(target), batch_64_s)
