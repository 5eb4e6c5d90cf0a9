"""Predictions of a trained model for image files, folders and .rec files."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, ImageError, PlanError, TrainError
from recordkit.formats.files import read_file
from recordkit.formats.frame import MAX_RECORD_BYTES
from recordkit.interop import mxnet as bridge
from recordkit.interop.mxnet.threads import set_threads
from recordkit.sample import Image
from recordkit.threads import ThreadedMap
from recordkit.training.compatibility import check_classes, check_labels
from recordkit.training.data.adaptation import Adaptation
from recordkit.training.data.appearance import Appearance, Difference
from recordkit.training.data.batches import BatchReader
from recordkit.training.data.iterators import open_batches, resolve_iterator
from recordkit.training.data.network_input import NetworkInput
from recordkit.training.data.normalization import Normalization
from recordkit.training.data.prediction_sources import find_sources
from recordkit.training.data.survey import survey
from recordkit.training.data.target import Target, as_tuples
from recordkit.training.model.inference import Inference, infer
from recordkit.training.model.trained_model import TrainedModel
from recordkit.training.results.prediction import Prediction
from recordkit.training.trainer import Model

_BATCH_SIZE = 64

_FileInput = tuple[Path, Image, tuple[Difference, ...]]
"""A file, the network's input for it, and respects in which it is unlike the training images."""


@dataclass(frozen=True, slots=True)
class _OpenRec:
    """A .rec file to predict.

    Attributes
    ----------
    target : Target
        What the model predicts, for the labels of the file.
    reader : BatchReader
    has_labels : bool
        The labels of the file are the target's.
    """

    target: Target
    reader: BatchReader
    has_labels: bool

    def __len__(self) -> int:
        return len(self.reader.survey)


class Predictor:
    """A checkpoint that predicts the labels of images.

    Parameters
    ----------
    model_prefix : str or Path
        Prefix of the model.
    epoch : int, optional
        Epoch of the checkpoint; default is the last one.
    shape, normalization
        For a model of another program, see `recordkit.training.model.trained_model.TrainedModel`.
    device : {"cpu", "gpu"}
    threads : int, default 0
        Decoding threads; 0 for the CPUs this process may use.
    invert, center
        What is done to image files before the prediction, see `recordkit.training.data.adaptation.Adaptation`.

    Attributes
    ----------
    class_names : tuple of str
        Names of the classes; a number stands for a missing name.
    n_images : int
        Number of images that the last call of `predict` found.
    broken : list of ImageError
        Errors of the files that cannot be decoded so far.

    Raises
    ------
    MissingError
        MXNet or the device is missing.
    TrainError
        There is no model.
    PlanError
        `invert` or `center` needs a model whose training images have one background.
    FormatError, OSError
        A file is damaged or missing.

    Examples
    --------
    >>> predictor = Predictor("models/lenet")  # doctest: +SKIP
    >>> [prediction.labels for prediction in predictor.predict([Path("7.png")])]  # doctest: +SKIP
    [(7,)]
    """

    def __init__(
        self,
        model_prefix: str | Path,
        *,
        epoch: int | None = None,
        shape: tuple[int, int, int] | None = None,
        normalization: Normalization | None = None,
        device: str = "cpu",
        threads: int = 0,
        invert: str = "never",
        center: bool = False,
    ) -> None:
        self._n_threads = set_threads(threads)
        self._context = bridge.device(device)
        self._mx = bridge.load()
        self._trained = TrainedModel(self._mx, model_prefix, epoch=epoch, shape=shape, normalization=normalization)
        self._target, record = self._trained.target(), self._trained.record
        self._adapt = Adaptation(record.appearance(), self._trained.shape, invert, center)
        self._input = NetworkInput(self._adapt, record.side)
        self.class_names = record.class_names(self._target)
        self.n_images = 0
        self.broken: list[ImageError] = []

    def predict(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Predict the labels of images, after a look at all paths.

        If all training images had the same short side, files are resized to it first.

        Parameters
        ----------
        paths : sequence of Path
            Image files, folders with images, and datasets: .rec files, prefixes, manifests, or patterns of them.

        Returns
        -------
        predictions : iterator of Prediction
            It raises ImageError, after the predictions of all other images, if files cannot be decoded.

        Raises
        ------
        SourceError, TrainError
            A folder or a .rec file has no image.
        PlanError
            Images of a .rec file are to be inverted or centred; or a numbered shard is missing.
        FormatError, OSError
            A file is damaged or missing.

        Warns
        -----
        UserWarning
            A file cannot be decoded; a .rec file has labels that are not the model's and are not compared; files of a
            folder are ignored because of their suffix.
        """
        self.broken = []
        sources = [source if isinstance(source, list) else self._open_rec(source) for source in find_sources(paths)]
        self.n_images = sum(map(len, sources))
        return self._predict(sources)

    def _predict(self, sources: list[list[Path] | _OpenRec]) -> Iterator[Prediction]:
        for source in sources:
            if isinstance(source, list):
                yield from self._predict_files(source)
            else:
                yield from predict_batches(
                    self._mx,
                    self._trained.model,
                    source.target,
                    source.reader,
                    self._context,
                    has_labels=source.has_labels,
                    appearance=self._adapt.appearance,
                )
        if self.broken:
            more = f" and {len(self.broken) - 1} more" if len(self.broken) > 1 else ""
            raise ImageError(f"{self.broken[0].path}{more}", expected="images", got="files that cannot be decoded")

    def _predict_files(self, files: list[Path]) -> Iterator[Prediction]:
        batch_shape = (min(_BATCH_SIZE, len(files)), *self._trained.shape)
        with ThreadedMap(self._read, files, self._n_threads) as images:
            readable = self._readable(images)
            inference = None
            while batch := list(itertools.islice(readable, _BATCH_SIZE)):
                if inference is None:
                    inference = Inference(self._mx, self._trained.model, batch_shape, self._context)
                pixels = np.zeros(batch_shape, np.float32)
                for index, (_, image, _) in enumerate(batch):
                    pixels[index] = self._trained.normalization.pixels(image)
                outputs = inference.outputs(self._mx.nd.array(pixels), len(batch))
                for (file, image, unlike), labels, probabilities in zip(
                    batch, *_labels_of(self._target, outputs), strict=True
                ):
                    yield Prediction(str(file), labels, probabilities, None, image, unlike=unlike)

    def _read(self, file: Path) -> _FileInput | ImageError:
        """Read and convert a file; return the error of a file that cannot be decoded."""
        try:
            payload = read_file(file, max_bytes=MAX_RECORD_BYTES, what="an image")
        except FormatError as error:  # a pipe, a device or a huge file
            return ImageError(path=str(file), expected=error.expected, got=error.got)
        try:
            return file, *self._input.convert(payload)
        except ImageError as error:
            return error.located(path=str(file))

    def _readable(self, images: Iterable[_FileInput | ImageError]) -> Iterator[_FileInput]:
        """Yield the images; warn of the files that cannot be decoded, and keep their errors."""
        for image in images:
            if isinstance(image, ImageError):
                warnings.warn(f"{image}; left out", UserWarning, stacklevel=2)
                self.broken.append(image)
            else:
                yield image

    def _open_rec(self, path: Path) -> _OpenRec:
        if not self._adapt.is_nothing:
            raise PlanError(
                path=str(path),
                expected="image files to invert or to centre",
                got="a .rec file",
                advice="leave out `invert` and `center`, or give the files that were packed",
            )
        iterator = resolve_iterator("auto", path)
        data = survey(path, iterator=iterator)
        target, has_labels = self._target, True
        try:
            target = self._trained.target(len(data.labels))
            check_labels(data, target)
            check_classes(data, self._trained.record.class_numbers)
        except TrainError as error:
            warnings.warn(f"labels are not compared: {error}", UserWarning, stacklevel=2)
            has_labels = False
        reader = open_batches(
            self._mx,
            data,
            iterator=iterator,
            shape=self._trained.shape,
            normalization=self._trained.normalization,
            batch_size=_BATCH_SIZE,
            threads=self._n_threads,
        )
        return _OpenRec(target, reader, has_labels)


def predict_batches(
    mx: Any,
    model: Model,
    target: Target,
    reader: BatchReader,
    context: Any,
    *,
    has_labels: bool = True,
    appearance: Appearance | None = None,
) -> Iterator[Prediction]:
    """Yield the prediction for each image of a .rec file.

    Parameters
    ----------
    mx, model, reader, context
        See `recordkit.training.model.inference.infer`.
    target : Target
    has_labels : bool
        The labels of the file are the target's.
    appearance : Appearance, optional
        That of the training images, to compare with.
    """
    index = 0
    for data, outputs, labels in infer(mx, model, reader, context):
        images = reader.normalization.images(data.asnumpy()[: len(labels)])
        true_labels = target.true_labels(labels) if has_labels else [None] * len(labels)
        unlike = appearance.differences(np.stack(images)) if appearance else [()] * len(images)
        for image, true, differences, predicted, probabilities in zip(
            images, true_labels, unlike, *_labels_of(target, outputs), strict=True
        ):
            name, key = f"{reader.survey.path}[{index}]", int(reader.survey.keys[index])
            yield Prediction(name, predicted, probabilities, true, image, key, differences)
            index += 1


def _labels_of(
    target: Target, outputs: list[NDArray[np.float32]]
) -> tuple[list[tuple[int | float, ...]], list[tuple[float | None, ...]]]:
    """Return the predicted labels of each image, and their probabilities."""
    pairs = [(head, output, head.predict(output)) for head, output in zip(target.heads, outputs, strict=True)]
    probabilities = [
        head.probabilities(output, predicted) if head.n_classes else np.full(predicted.shape, None)
        for head, output, predicted in pairs
    ]
    return as_tuples([predicted for _, _, predicted in pairs]), as_tuples(probabilities)
