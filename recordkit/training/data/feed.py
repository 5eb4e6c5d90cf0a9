"""Batches from a packed file: by recordkit's ImageRecordIter, MXNet's without its traps, or Gluon's DataLoader.

All give the same pixels where nothing is random; orders and changes are their own. Gluon's are in worker processes, and
of `Augment` it knows `shift`, `random_crop` and `random_mirror`; of some damaged images it makes black ones. Of MXNet's
ImageRecordIter:

- Each epoch gets a new iterator: one that is reset goes on behind the samples that its last batch borrowed, so
  that samples are counted twice or not at all, and it cannot be given another seed.
- How many samples of a batch count is worked out here; the iterator's own `pad` is stale or 0 at times.
- With an index the shuffle is over the whole file. The index is made from the survey.
- MXNet reads through a link with a plain name: in a path, it takes ``;``, ``#`` and ``?`` for syntax.
- Augmentation has a seed for each position in a batch, so it does not depend on which thread decodes. Left to
  itself the iterator gives each thread its own generator and the images to whichever thread is free.

Source: the behaviour of mxnet 1.9.1, measured. The values of `NORMAL` are those of the book's LeNet.
"""

from __future__ import annotations

import contextlib
import signal
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError, TrainError
from recordkit.formats import idx
from recordkit.interop.mxnet import ImageRecordIter, reason
from recordkit.loading.native import choose_engine
from recordkit.training.augment import Augment
from recordkit.training.data.survey import Survey
from recordkit.transforms.resize import resize_to

NORMAL = {"mean_r": 128, "mean_g": 128, "mean_b": 128, "scale": 1 / 256}
"""Pixels become (x - 128) / 256."""

ITERATORS = ("auto", "recordkit", "mxnet", "gluon")

# The iterator adds up to a batch size to this and keeps it in 32 bits.
_MAX_SEED = 2**30


@dataclass(frozen=True, slots=True)
class Shuffle:
    """The order and the changes of one epoch.

    Attributes
    ----------
    seed : int
        Of the run.
    epoch : int
        Another epoch has another order; the same one has the same order in a resumed run.
    augment : Augment
    """

    seed: int
    epoch: int
    augment: Augment

    def seeds(self) -> tuple[int, int]:
        """Return the seeds of the order and of the changes."""
        order, changes = np.random.SeedSequence([self.seed, self.epoch]).generate_state(2) % _MAX_SEED
        return int(order), int(changes)

    def options(self, border: int) -> dict[str, Any]:
        """Return the iterator's options for this epoch."""
        order, changes = self.seeds()
        augmented = self.augment.options(border=border)
        return {"shuffle": True, "seed": order, **({"seed_aug": changes} if augmented else {}), **augmented}


def choose(iterator: str) -> str:
    """Return the name of the iterator that "auto" stands for; any other name stands for itself."""
    if iterator == "auto":
        return "recordkit" if choose_engine("auto").name == "native" else "mxnet"
    return iterator


def make_feed(
    mx: Any, survey: Survey, *, iterator: str, shape: tuple[int, int, int], batch_size: int, threads: int
) -> Feed:
    """Return a packed file as batches.

    Parameters
    ----------
    mx : module
        What `recordkit.interop.mxnet.load` returns.
    survey : Survey
    iterator : {"recordkit", "mxnet", "gluon"}
    shape : tuple of int
        (C, H, W) of an image in a batch. Smaller images are scaled up, larger ones lose their edges.
    batch_size : int
        At most the number of images is used: MXNet cannot fill a batch with fewer.
    threads : int
        Decoding threads; MXNet takes at most half of the CPUs.
    """
    return _FEEDS[iterator](mx, survey, shape=shape, batch_size=batch_size, threads=threads)


class Feed(ABC):
    """A packed file as batches of float32, epoch after epoch. Parameters: see `make_feed`.

    Attributes
    ----------
    survey : Survey
    batch_size : int
        As used.
    batch_shape : tuple of int
        (B, C, H, W).
    """

    def __init__(self, mx: Any, survey: Survey, *, shape: tuple[int, int, int], batch_size: int, threads: int) -> None:
        self.survey = survey
        self.batch_size = min(batch_size, len(survey))
        self.batch_shape = (self.batch_size, *shape)
        self._mx = mx
        self._options = {
            "data_shape": shape,
            "batch_size": self.batch_size,
            "preprocess_threads": threads,
            "label_width": len(survey.max_labels),
            "verbose": False,
            **NORMAL,
        }

    def epoch(self, shuffle: Shuffle | None = None) -> Generator[tuple[Any, int], None, None]:
        """Yield every image once.

        Parameters
        ----------
        shuffle : Shuffle, optional
            Default is file order, not changed.

        Yields
        ------
        batch : mxnet.io.DataBatch
            Always full: the last one is filled with images that have been there before. Valid until the third
            next one is asked for.
        n_new : int
            How many of its images, from the first on, have not been there before.

        Raises
        ------
        TrainError, ImageError
            An image cannot be decoded.
        """
        left = len(self.survey)
        with contextlib.closing(self._batches(shuffle)) as batches:
            while left > 0:
                batch = next(batches, None)
                if batch is None:
                    raise TrainError(f"{self.survey.path}: it ended early; was the file changed? start again")
                n_new = min(left, self.batch_size)
                left -= n_new
                yield batch, n_new

    @abstractmethod
    def _batches(self, shuffle: Shuffle | None) -> Generator[Any, None, None]:
        """Yield what a new iterator gives."""

    def _iterator_options(self, shuffle: Shuffle | None) -> dict[str, Any]:
        return self._options | (shuffle.options(self.survey.border) if shuffle else {})


class RecordkitFeed(Feed):
    """By `recordkit.interop.mxnet.ImageRecordIter`."""

    def _batches(self, shuffle: Shuffle | None) -> Generator[Any, None, None]:
        iterator = ImageRecordIter(path_imgrec=self.survey.path, **self._iterator_options(shuffle))
        with iterator.source:
            yield from iterator


@contextlib.contextmanager
def _linked(survey: Survey) -> Iterator[tuple[str, str]]:
    """Give a file a plain name, and an index made from the survey."""
    with tempfile.TemporaryDirectory(prefix="recordkit-feed-") as folder:
        records, index = Path(folder, "images.rec"), Path(folder, "images.idx")
        records.symlink_to(survey.path.resolve())
        index.write_bytes(idx.lines(range(len(survey)), survey.offsets.tolist()))
        yield str(records), str(index)


@contextlib.contextmanager
def _explained(mx: Any, path: Path) -> Iterator[None]:
    """Say in one line that MXNet cannot decode an image."""
    try:
        yield
    except mx.base.MXNetError as error:
        raise TrainError(
            f"{path}: MXNet cannot decode an image ({reason(error)}); run 'recordkit verify {path}'"
        ) from None


class MxnetFeed(Feed):
    """By ``mx.io.ImageRecordIter``."""

    def _batches(self, shuffle: Shuffle | None) -> Generator[Any, None, None]:
        options = self._iterator_options(shuffle)
        with _linked(self.survey) as (records, index), _explained(self._mx, self.survey.path):
            yield from self._mx.io.ImageRecordIter(path_imgrec=records, path_imgidx=index, **options)


class GluonFeed(Feed):
    """By ``gluon.data.vision.ImageRecordDataset`` and ``gluon.data.DataLoader``, whose workers are processes."""

    def _batches(self, shuffle: Shuffle | None) -> Generator[Any, None, None]:
        data = self._mx.gluon.data
        n = len(self.survey)
        order = np.arange(n)
        if shuffle is not None:
            order = np.random.default_rng(shuffle.seeds()[0]).permutation(n)
        order = np.concatenate([order, order[: -n % self.batch_size]])
        with _linked(self.survey) as (records, _), _explained(self._mx, self.survey.path):
            images = data.vision.ImageRecordDataset(records, flag=0 if self.batch_shape[1] == 1 else 1)
            with _default_signals():
                loader = data.DataLoader(
                    _Samples(images, self.batch_shape[1:], self.survey.border, shuffle),
                    batch_size=self.batch_size,
                    sampler=order.tolist(),
                    num_workers=self._options["preprocess_threads"],
                )
            shape = (self.batch_size, -1) if len(self.survey.max_labels) > 1 else (-1,)
            for pixels, label in loader:
                yield self._mx.io.DataBatch(data=[pixels], label=[label.astype("float32").reshape(shape)])


@contextlib.contextmanager
def _default_signals() -> Iterator[None]:
    """Let processes that are started here end at SIGTERM, by which Gluon ends them, without a word."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Samples:
    """What Gluon's loader asks for samples: an image of Gluon's dataset, changed and normalised."""

    def __init__(self, images: Any, shape: tuple[int, ...], border: int, shuffle: Shuffle | None) -> None:
        options = shuffle.augment.options(border=border) if shuffle else {}
        unknown = sorted(options.keys() - {"rand_crop", "rand_mirror", "pad", "fill_value"})
        if unknown:
            raise PlanError(f"--iterator gluon: expected crops, mirrors and shifts alone, got {', '.join(unknown)}")
        self._images, self._shape, self._shuffle, self._options = images, shape, shuffle, options

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Any]:
        array, label = self._images[index]
        image: NDArray[np.uint8] = array.asnumpy()
        if pad := self._options.get("pad"):
            image = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), constant_values=self._options["fill_value"])
        _, height, width = self._shape
        if image.shape[0] < height or image.shape[1] < width:
            image = resize_to(image, max(height, image.shape[0]), max(width, image.shape[1]), "bilinear")
        room = image.shape[0] - height, image.shape[1] - width
        top, left = room[0] // 2, room[1] // 2
        if self._shuffle is not None:
            rng = np.random.default_rng([self._shuffle.seeds()[1], index])
            if self._options.get("rand_crop"):
                top, left = rng.integers(0, room, endpoint=True)
            if self._options.get("rand_mirror") and rng.random() < 0.5:
                image, left = image[:, ::-1], room[1] - left
        image = image[top : top + height, left : left + width]
        pixels = (image.transpose(2, 0, 1).astype(np.float32) - NORMAL["mean_r"]) * np.float32(NORMAL["scale"])
        return pixels, label


def as_images(pixels: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
    """Return normalised pixels as images again.

    Parameters
    ----------
    pixels : ndarray of float32, shape (B, C, H, W)

    Returns
    -------
    images : list of ndarray of uint8, shape (H, W, C)
    """
    levels = np.rint(pixels / NORMAL["scale"] + NORMAL["mean_r"]).clip(0, 255).astype(np.uint8)
    return list(levels.transpose(0, 2, 3, 1))


_FEEDS: dict[str, type[RecordkitFeed | MxnetFeed | GluonFeed]] = {
    "recordkit": RecordkitFeed,
    "mxnet": MxnetFeed,
    "gluon": GluonFeed,
}
