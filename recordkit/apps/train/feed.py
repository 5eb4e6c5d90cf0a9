"""Batches from a packed file, by recordkit's ImageRecordIter or by MXNet's own, without its traps.

Both take the same parameters, and give the same pixels where nothing is random; orders and shifts are their own. Of
MXNet's:

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
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recordkit.apps.train.survey import Survey
from recordkit.errors import TrainError
from recordkit.formats import idx
from recordkit.interop.mxnet import ImageRecordIter
from recordkit.reading.choice import choose as choose_engine

NORMAL = {"mean_r": 128, "mean_g": 128, "mean_b": 128, "scale": 1 / 256}
"""Pixels become (x - 128) / 256."""

ITERATORS = ("auto", "recordkit", "mxnet")

# The iterator adds up to a batch size to this and keeps it in 32 bits.
_MAX_SEED = 2**30


@dataclass(frozen=True, slots=True)
class Shuffle:
    """The order and the shifts of one epoch.

    Attributes
    ----------
    seed : int
        Of the run.
    epoch : int
        Another epoch has another order; the same one has the same order in a resumed run.
    shift : int
        Move each image by up to so many pixels each way.
    """

    seed: int
    epoch: int
    shift: int

    def options(self, border: int) -> dict[str, Any]:
        """Return the iterator's options for this epoch."""
        order, shifts = np.random.SeedSequence([self.seed, self.epoch]).generate_state(2) % _MAX_SEED
        options: dict[str, Any] = {"shuffle": True, "seed": int(order)}
        if self.shift:
            options |= {"pad": self.shift, "rand_crop": True, "fill_value": border, "seed_aug": int(shifts)}
        return options


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
    iterator : {"recordkit", "mxnet"}
    shape : tuple of int
        (C, H, W) of an image in a batch. Smaller images are scaled up, larger ones lose their edges.
    batch_size : int
        At most the number of images is used: MXNet cannot fill a batch with fewer.
    threads : int
        Decoding threads; MXNet takes at most half of the CPUs.
    """
    make = RecordkitFeed if iterator == "recordkit" else MxnetFeed
    return make(mx, survey, shape=shape, batch_size=batch_size, threads=threads)


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
            "verbose": False,
            **NORMAL,
        }

    def epoch(self, shuffle: Shuffle | None = None) -> Iterator[tuple[Any, int]]:
        """Yield every image once.

        Parameters
        ----------
        shuffle : Shuffle, optional
            Default is file order, not shifted.

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
        options = shuffle.options(self.survey.border) if shuffle else {}
        left = len(self.survey)
        with contextlib.closing(self._batches(self._options | options)) as batches:
            while left > 0:
                batch = next(batches, None)
                if batch is None:
                    raise TrainError(f"{self.survey.path}: it ended early; was the file changed? start again")
                n_new = min(left, self.batch_size)
                left -= n_new
                yield batch, n_new

    @abstractmethod
    def _batches(self, options: dict[str, Any]) -> Generator[Any, None, None]:
        """Yield what a new iterator with these options gives."""


class RecordkitFeed(Feed):
    """By `recordkit.interop.mxnet.ImageRecordIter`."""

    def _batches(self, options: dict[str, Any]) -> Generator[Any, None, None]:
        iterator = ImageRecordIter(path_imgrec=self.survey.path, **options)
        with iterator.source:
            yield from iterator


class MxnetFeed(Feed):
    """By ``mx.io.ImageRecordIter``."""

    def _batches(self, options: dict[str, Any]) -> Generator[Any, None, None]:
        path = self.survey.path
        with tempfile.TemporaryDirectory(prefix="recordkit-feed-") as folder:
            records, index = Path(folder, "images.rec"), Path(folder, "images.idx")
            records.symlink_to(path.resolve())
            index.write_bytes(idx.lines(range(len(self.survey)), self.survey.offsets.tolist()))
            try:
                yield from self._mx.io.ImageRecordIter(path_imgrec=str(records), path_imgidx=str(index), **options)
            except self._mx.base.MXNetError as error:
                # Behind the trace of C++ frames, or before it, stands one line with the reason.
                reason = next((line for line in str(error).splitlines() if "rror" in line), "no reason given")
                raise TrainError(
                    f"{path}: MXNet cannot decode an image ({reason.strip()}); run 'recordkit verify {path}'"
                ) from None
