"""What a model says of images: of files, folders or a packed file."""

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.errors import ImageError, TrainError
from recordkit.formats import idx
from recordkit.formats.frame import RecordWriter
from recordkit.formats.irheader import IRHeader, pack
from recordkit.interop import mxnet as bridge
from recordkit.interop.mxnet.threads import set_threads
from recordkit.sources import EXTENSIONS
from recordkit.training.checkpoint import Checkpoints
from recordkit.training.compatibility import check_classes, check_labels
from recordkit.training.data.feed import Feed, as_images, choose, make_feed
from recordkit.training.data.survey import Survey, survey
from recordkit.training.data.target import Target
from recordkit.training.evaluation import Forward
from recordkit.transforms import Resize

_BATCH_SIZE = 64
# Of a name above an image: the likelihood and a mark have room beside it.
_LETTERS = 13


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of an image.

    Attributes
    ----------
    name : str
        The file, or the .rec file and the position in it.
    labels : tuple of int
        The most likely class of each label; with the loss "sigmoid" 1 where it is likelier than not.
    probabilities : tuple of float
        Of `labels`, 0 to 1.
    wanted : tuple of int, or None
        The labels in the .rec file.
    image : ndarray of uint8, shape (H, W, C)
        As the model sees it.
    """

    name: str
    labels: tuple[int, ...]
    probabilities: tuple[float, ...]
    wanted: tuple[int, ...] | None
    image: NDArray[np.uint8]

    @property
    def wrong(self) -> bool:
        """The file has other labels."""
        return self.wanted not in (None, self.labels)

    def said(self, classes: tuple[str, ...]) -> str:
        """Return the name of the class; of several labels their values."""
        return named(self.labels, classes)

    def title(self, classes: tuple[str, ...]) -> str:
        """Return what stands above it in a picture: what is said and how likely, and below what it is if not that."""
        said = f"{_short(self.said(classes))} {min(self.probabilities):.0%}"
        return f"{said}\nis {_short(named(self.wanted, classes))}" if self.wanted and self.wrong else said


def named(labels: tuple[int, ...], classes: tuple[str, ...]) -> str:
    """Return the name of the class that a label is; of several labels their values.

    Examples
    --------
    >>> named((1,), ("cat", "dog")), named((1, 0), ("cat", "dog"))
    ('dog', '1 0')
    """
    return classes[labels[0]] if len(labels) == 1 else " ".join(map(str, labels))


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


class Predictor:
    """A checkpoint that is asked.

    Parameters
    ----------
    prefix : str or Path
        Of the model.
    epoch : int, optional
        Default is the last one that has a checkpoint.
    device : {"cpu", "gpu"}
    threads : int, default 0
        For decoding; 0 for the CPUs this process may use.

    Attributes
    ----------
    classes : tuple of str
        Names of the classes; their numbers where they have no names.

    Raises
    ------
    MissingError
        MXNet or the device is missing.
    TrainError
        There is no model.
    FormatError, OSError
        A file is damaged or missing.

    Examples
    --------
    >>> predictor = Predictor("models/lenet")  # doctest: +SKIP
    >>> [predictor.classes[one.labels[0]] for one in predictor.predict([Path("seven.png")])]  # doctest: +SKIP
    ['7']
    """

    def __init__(self, prefix: str | Path, *, epoch: int | None = None, device: str = "cpu", threads: int = 0) -> None:
        self._threads = set_threads(threads)
        self._context = bridge.device(device)
        self._mx = bridge.load()
        checkpoints = Checkpoints(prefix)
        self._model = checkpoints.load(self._mx, checkpoints.last() if epoch is None else epoch)
        about = checkpoints.describe()
        self._shape, self._target = about.image_shape(), about.target()
        self._resize = None if about.side is None else Resize(about.side)
        self._iterator, self._numbers = choose("auto"), about.class_numbers
        self.classes = about.classes(self._target)

    def predict(self, sources: Sequence[Path]) -> Iterator[Prediction]:
        """Ask about images.

        Files are resized first, if the images that were learnt from had one short side, to that.

        Parameters
        ----------
        sources : sequence of Path
            Image files, folders of them, .rec files.

        Yields
        ------
        prediction : Prediction

        Raises
        ------
        ImageError
            Files are no images that can be decoded; raised behind the predictions of the others.
        TrainError
            A folder has no image.
        FormatError, OSError
            A file is damaged or missing.

        Warns
        -----
        UserWarning
            For each file that cannot be decoded. The labels of a .rec are none of the model's, and are not compared.
            Files of a folder are left alone for their suffix.
        """
        bad: list[Path] = []
        files: list[Path] = []
        for source in sources:
            if source.suffix == ".rec":
                yield from self._of_files(files, bad)
                files = []
                yield from self._of_rec(source)
            else:
                files += [source] if source.is_file() else _images_in(source)
        yield from self._of_files(files, bad)
        if bad:
            others = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            raise ImageError(f"{bad[0]}{others}: expected images, got files that cannot be decoded")

    def _of_files(self, files: list[Path], bad: list[Path]) -> Iterator[Prediction]:
        with tempfile.TemporaryDirectory(prefix="recordkit-predict-") as folder:
            path = Path(folder) / "images.rec"
            with open(path, "wb") as target:
                writer = RecordWriter(target)
                offsets: list[int] = []
                names: list[str] = []
                for file in files:
                    try:
                        payload = self._as_learnt(file.read_bytes())
                    except ImageError as error:
                        warnings.warn(f"{file}: {error}; left out", UserWarning, stacklevel=2)
                        bad.append(file)
                        continue
                    offsets.append(writer.write(pack(IRHeader(0.0, len(names)), payload)))
                    names.append(str(file))
            if names:
                path.with_suffix(".idx").write_bytes(idx.lines(range(len(offsets)), offsets))
                data = survey(path, iterator=self._iterator, labelled=False)
                for name, one in zip(names, self._ask(data), strict=True):
                    yield replace(one, name=name, wanted=None)

    def _as_learnt(self, payload: bytes) -> bytes:
        """Return an image as those that were learnt from, in a format that every iterator decodes."""
        image = codec.decode(payload, channels="keep")
        resized = image if self._resize is None else self._resize(image)
        if resized.shape == image.shape and codec.sniff(payload) in ("jpg", "png"):
            return payload
        return codec.encode(resized, "png")

    def _of_rec(self, path: Path) -> Iterator[Prediction]:
        try:
            data = survey(path, iterator=self._iterator)
            check_labels(data, self._target)
            check_classes(data, self._numbers)
            comparable = True
        except TrainError as error:
            data = survey(path, iterator=self._iterator, labelled=False)  # fails if more than the labels is wrong
            warnings.warn(f"labels are not compared: {error}", UserWarning, stacklevel=2)
            comparable = False
        for one in self._ask(data):
            yield one if comparable else replace(one, wanted=None)

    def _ask(self, data: Survey) -> Iterator[Prediction]:
        feed = make_feed(
            self._mx, data, iterator=self._iterator, shape=self._shape, batch_size=_BATCH_SIZE, threads=self._threads
        )
        yield from ask(self._mx, self._model, self._target, feed, self._context)


def ask(mx: Any, model: tuple[Any, Any, Any], target: Target, feed: Feed, context: Any) -> Iterator[Prediction]:
    """Yield what a model says of each image of a feed. Parameters: see `recordkit.training.evaluation.measure`."""
    number = 0
    for batch, outputs, labels in Forward(mx, model, target, feed, context).batches():
        predicted, _ = target.judge(outputs, np.zeros_like(labels, shape=target.label_shape(len(labels))))
        wanted = labels.reshape(len(labels), -1).astype(int).tolist()
        images = as_images(batch.data[0].asnumpy()[: len(labels)])
        for row, (image, found) in enumerate(zip(images, predicted.tolist(), strict=True)):
            likely = target.likelihood([each[row] for each in outputs], found)
            name = f"{feed.survey.path}[{number}]"
            yield Prediction(name, tuple(found), likely, tuple(wanted[row]), image)
            number += 1


def _images_in(folder: Path) -> list[Path]:
    """Return the images of a folder and of those in it, by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [path for path in files if path.suffix.lower() in EXTENSIONS]
    if not found:
        folder.stat()  # that it is missing is said by the system
        raise TrainError(f"{folder}: expected images ({', '.join(EXTENSIONS)}), got a folder without any")
    left = [path.suffix.lower() for path in files if not path.name.startswith(".")]
    if others := Counter(suffix or "without" for suffix in left if suffix not in EXTENSIONS):
        kinds = ", ".join(f"{n} {suffix}" for suffix, n in others.most_common(5))
        warnings.warn(
            f"{folder}: {others.total()} files of other suffixes were left alone ({kinds}); name those to be read",
            UserWarning,
            stacklevel=2,
        )
    return found
