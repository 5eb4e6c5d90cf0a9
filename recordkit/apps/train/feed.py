"""Batches from a packed file, by MXNet's own ImageRecordIter, without its traps.

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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from recordkit.apps.train.survey import Survey, index_lines
from recordkit.errors import TrainError

NORMAL = {"mean_r": 128, "mean_g": 128, "mean_b": 128, "scale": 1 / 256}
"""Pixels become (x - 128) / 256."""

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


class Feed:
    """A packed file as batches of float32. Use it as a context manager: it has a temporary folder.

    Parameters
    ----------
    mx : module
        What `recordkit.interop.mxnet.load` returns.
    survey : Survey
    shape : tuple of int
        (C, H, W) of an image in a batch. Smaller images are scaled up, larger ones lose their edges.
    batch_size : int
        At most the number of images is used: MXNet cannot fill a batch with fewer.
    threads : int
        Decoding threads; MXNet takes at most half of the CPUs.

    Attributes
    ----------
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
        self._folder = tempfile.TemporaryDirectory(prefix="recordkit-feed-")
        folder = Path(self._folder.name)
        (folder / "images.rec").symlink_to(survey.path.resolve())
        (folder / "images.idx").write_text(index_lines(survey.offsets), encoding="ascii")
        self._options = {
            "path_imgrec": str(folder / "images.rec"),
            "path_imgidx": str(folder / "images.idx"),
            "data_shape": shape,
            "batch_size": self.batch_size,
            "preprocess_threads": threads,
            "verbose": False,
            **NORMAL,
        }

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary folder."""
        self._folder.cleanup()

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
        TrainError
            MXNet cannot decode an image.
        """
        options = shuffle.options(self.survey.border) if shuffle else {}
        left = len(self.survey)
        with self._as_train_error():
            iterator = self._mx.io.ImageRecordIter(**self._options, **options)
        while left > 0:
            with self._as_train_error():
                batch = next(iterator)
            n_new = min(left, self.batch_size)
            left -= n_new
            yield batch, n_new

    @contextlib.contextmanager
    def _as_train_error(self) -> Iterator[None]:
        path = self.survey.path
        try:
            yield
        except self._mx.base.MXNetError as error:
            # Behind the trace of C++ frames, or before it, stands one line with the reason.
            reason = next((line for line in str(error).splitlines() if "rror" in line), "no reason given")
            raise TrainError(
                f"{path}: MXNet cannot decode an image ({reason.strip()}); run 'recordkit verify {path}'"
            ) from None
        except StopIteration:
            raise TrainError(f"{path}: MXNet ended early; was the file changed? start again") from None
