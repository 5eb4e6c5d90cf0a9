"""Predictions of a trained model for image files, folders and .rec files."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.errors import FormatError, ImageError, PlanError, TrainError
from recordkit.formats.files import not_found, read_file
from recordkit.formats.frame import MAX_RECORD_BYTES
from recordkit.interop import mxnet as bridge
from recordkit.interop.mxnet.threads import set_threads
from recordkit.sources import EXTENSIONS
from recordkit.sources.image_tree import ImageTree, join_name
from recordkit.threads import ThreadedMap
from recordkit.training.compatibility import check_classes, check_labels
from recordkit.training.data.adaptation import Adaptation
from recordkit.training.data.appearance import Appearance, Difference, has_transparency
from recordkit.training.data.batches import BatchReader
from recordkit.training.data.iterators import open_batches, resolve_iterator
from recordkit.training.data.normalization import Normalization
from recordkit.training.data.survey import survey
from recordkit.training.data.target import Target, as_tuples
from recordkit.training.model.inference import Inference, infer
from recordkit.training.model.trained_model import TrainedModel
from recordkit.training.trainer import Model
from recordkit.transforms import Resize
from recordkit.transforms.mxnet_augmenter import FittingCenterCrop

_BATCH_SIZE = 64
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
        name = f"key {self.key}" if self.key is not None else _shorten_start(Path(self.name).name)
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


def _shorten_start(name: str) -> str:
    """Shorten the name of a file, whose end says more than its start."""
    return name if len(name) <= _MAX_FILE_LETTERS else f"…{name[1 - _MAX_FILE_LETTERS :]}"


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
        Number of images in the sources that `predict` has opened.
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
        self._resize = None if record.side is None else Resize(record.side)
        self._crop = FittingCenterCrop(self._trained.shape[1:])
        self._adapt = Adaptation(record.appearance(), self._trained.shape, invert, center)
        self.class_names = record.class_names(self._target)
        self.n_images = 0
        self.broken: list[ImageError] = []

    def predict(self, sources: Sequence[Path]) -> Iterator[Prediction]:
        """Predict the labels of images.

        If all training images had the same short side, files are resized to it first.

        Parameters
        ----------
        sources : sequence of Path
            Image files, folders with images, .rec files.

        Yields
        ------
        prediction : Prediction

        Raises
        ------
        ImageError
            Files cannot be decoded; raised after the predictions of all other images.
        TrainError
            A folder has no image.
        PlanError
            Images of a .rec file are to be inverted or centred.
        FormatError, OSError
            A file is damaged or missing.

        Warns
        -----
        UserWarning
            A file cannot be decoded; a .rec file has labels that are not the model's and are not compared; files of a
            folder are ignored because of their suffix.
        """
        self.broken = []
        for is_rec, group in itertools.groupby(sources, lambda source: source.suffix == ".rec"):
            if is_rec:
                for path in group:
                    yield from self._predict_rec(path)
            else:
                files = [file for path in group for file in ([path] if path.is_file() else _images_in(path))]
                yield from self._predict_files(files)
        if self.broken:
            more = f" and {len(self.broken) - 1} more" if len(self.broken) > 1 else ""
            raise ImageError(f"{self.broken[0].path}{more}", expected="images", got="files that cannot be decoded")

    def _predict_files(self, files: list[Path]) -> Iterator[Prediction]:
        self.n_images += len(files)
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

    def _read(self, file: Path) -> tuple[Path, NDArray[np.uint8], tuple[Difference, ...]] | ImageError:
        """Decode a file as the iterators decode a record; return the error of a file that cannot be decoded."""
        try:
            payload = read_file(file, max_bytes=MAX_RECORD_BYTES, what="an image")
        except FormatError as error:  # a pipe, a device or a huge file
            return ImageError(path=str(file), expected=error.expected, got=error.got)
        try:
            image, unlike = self._input(payload)
        except ImageError as error:
            return error.located(path=str(file))
        if self._adapt.appearance is not None:
            unlike += self._adapt.appearance.differences(image[None])[0]
        return file, image, unlike

    def _input(self, payload: bytes) -> tuple[NDArray[np.uint8], tuple[Difference, ...]]:
        """Return the network's input for an encoded image, and what is lost by that."""
        n_channels = self._trained.shape[0]
        unlike: tuple[Difference, ...] = ()
        if codec.sniff(payload) != "jpg" and n_channels < 4:  # a JPEG has no transparency
            stored = codec.decode(payload, channels="keep")
            if self._adapt.lays(stored):
                return self._fit(self._adapt(stored)), ()
            if self._adapt.appearance is None and has_transparency(stored):
                unlike = (Difference("transparency", round(float((stored[:, :, 3] < 255).mean()), 4), 0.0),)
        if not self._adapt.is_nothing:
            return self._fit(self._adapt(codec.decode(payload, channels=n_channels))), unlike
        return self._crop(self._as_packed(payload)), unlike

    def _fit(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an image with the size and the channels of the network's input."""
        is_placed = self._adapt.center and image.shape[:2] == self._trained.shape[1:]  # centred, of the right extent
        if self._resize is not None and not is_placed:
            image = self._resize(image)
        return self._crop(codec.to_channels(image, self._trained.shape[0]))

    def _as_packed(self, payload: bytes) -> NDArray[np.uint8]:
        """Decode an image as if it were packed and read again."""
        n_channels = self._trained.shape[0]
        if self._resize is not None:
            # `recordkit pack` resizes the stored channels; they are converted when the record is read.
            stored = codec.decode(payload, channels="keep")
            resized = self._resize(stored)
            if resized is not stored:
                return codec.to_channels(resized, n_channels)
        return codec.decode(payload, channels=n_channels)

    def _readable(
        self, images: Iterator[tuple[Path, NDArray[np.uint8], tuple[Difference, ...]] | ImageError]
    ) -> Iterator[tuple[Path, NDArray[np.uint8], tuple[Difference, ...]]]:
        """Yield the images; warn of the files that cannot be decoded, and keep their errors."""
        for image in images:
            if isinstance(image, ImageError):
                warnings.warn(f"{image}; left out", UserWarning, stacklevel=2)
                self.broken.append(image)
            else:
                yield image

    def _predict_rec(self, path: Path) -> Iterator[Prediction]:
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
        self.n_images += len(data)
        reader = open_batches(
            self._mx,
            data,
            iterator=iterator,
            shape=self._trained.shape,
            normalization=self._trained.normalization,
            batch_size=_BATCH_SIZE,
            threads=self._n_threads,
        )
        yield from predict_batches(
            self._mx,
            self._trained.model,
            target,
            reader,
            self._context,
            has_labels=has_labels,
            appearance=self._adapt.appearance,
        )


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


def _images_in(folder: Path) -> list[Path]:
    """Return the images in a folder and its subfolders, in the order of their names.

    Raises
    ------
    SourceError
        There is no image.
    NotFoundError
        There is no folder.
    """
    if not folder.exists():
        raise not_found(folder, "an image, a folder of images or a .rec file")
    tree = ImageTree(folder, EXTENSIONS)
    if tree.is_empty:
        raise tree.left_out.no_image_error("images", "name the images themselves, whose suffix is {}")
    for note in tree.left_out.notes():
        warnings.warn(note, UserWarning, stacklevel=2)
    names = [join_name(path, name) for path, names in tree.files.items() for name in names]
    names += [bad.name for bad in tree.bad_in(tree.folders)]  # the error about one is that of reading it
    return sorted(Path(folder, name) for name in names)
