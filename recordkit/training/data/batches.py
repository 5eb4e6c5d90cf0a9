"""Batches of a .rec file, read by recordkit's ImageRecordIter, MXNet's, or Gluon's DataLoader.

All three give the same pixels if nothing is random; their orders and augmentations differ. Gluon's reader is in
`recordkit.training.data.gluon_batches`, and `recordkit.training.data.iterators` chooses among the readers. MXNet's
ImageRecordIter has pitfalls, which `MxnetReader` avoids:

- Each epoch gets a new iterator. A reset one continues after the samples that its last batch took from the beginning,
  so that some samples count twice and others not at all, and its seed cannot be changed.
- The number of valid samples of a batch is computed here, because the iterator's own `pad` is sometimes stale or 0.
- The iterator gets an index, made from the survey: without one it does not shuffle the whole file.
- The iterator reads a symbolic link with a plain name, because it takes ``;``, ``#`` and ``?`` in a path for syntax.
- `seed_aug` gives each index in a batch a seed of its own, so that the augmentation does not depend on which thread
  decodes an image. Without it each thread has a generator, and any idle thread takes the next image.

Source: the behavior of mxnet 1.9.1, as measured.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from recordkit.errors import TrainError
from recordkit.formats import idx
from recordkit.formats.frame import verify_advice
from recordkit.interop.mxnet import ImageRecordIter, reason
from recordkit.training.data.normalization import Normalization
from recordkit.training.data.shuffle import Shuffle
from recordkit.training.data.survey import Survey


class BatchReader(ABC):
    """Reads a .rec file as batches of float32, epoch after epoch.

    Parameters are described at `recordkit.training.data.iterators.open_batches`.

    Attributes
    ----------
    survey : Survey
    normalization : Normalization
    batch_size : int
        Size in use, at most the number of images.
    batch_shape : tuple of int
        (B, C, H, W).
    """

    def __init__(
        self,
        mx: Any,
        survey: Survey,
        *,
        shape: tuple[int, int, int],
        normalization: Normalization,
        batch_size: int,
        threads: int,
    ) -> None:
        self.survey = survey
        self.normalization = normalization
        self.batch_size = min(batch_size, len(survey))
        self.batch_shape = (self.batch_size, *shape)
        self._mx = mx
        self._n_threads = threads

    def epoch(self, shuffle: Shuffle | None = None) -> Generator[tuple[Any, int], None, None]:
        """Yield every image once.

        Parameters
        ----------
        shuffle : Shuffle, optional
            Default is file order without augmentation.

        Yields
        ------
        batch : mxnet.io.DataBatch
            Always full: images that came before pad the last batch. MXNet's iterator overwrites its arrays when the
            fourth batch after it is read, so copy what you keep longer.
        n_valid : int
            Images at the beginning of the batch that are not padding.

        Raises
        ------
        TrainError, ImageError
            An image cannot be decoded, or another file has been put in the place of this one.
        """
        n_left = len(self.survey)
        with contextlib.closing(self._batches(shuffle)) as batches:
            while n_left > 0:
                batch = next(batches, None)
                # After the first batch, when the reader has opened the file.
                if n_left == len(self.survey) and not self.survey.describes_file():
                    raise TrainError(
                        path=str(self.survey.path),
                        expected="the file that was read before the training",
                        got="another one",
                        advice="start again if the file was changed",
                    )
                if batch is None:
                    raise TrainError(
                        path=str(self.survey.path),
                        expected=f"{n_left} more images",
                        got="the end of the file",
                        advice="start again if the file was changed",
                    )
                n_valid = min(n_left, self.batch_size)
                n_left -= n_valid
                yield batch, n_valid

    @abstractmethod
    def _batches(self, shuffle: Shuffle | None) -> Generator[Any, None, None]:
        """Yield the batches of a new iterator."""

    def _iterator_options(self, shuffle: Shuffle | None) -> dict[str, Any]:
        options = {
            "data_shape": self.batch_shape[1:],
            "batch_size": self.batch_size,
            "preprocess_threads": self._n_threads,
            "label_width": self.survey.label_width,
            "verbose": False,
            **self.normalization.iterator_options(),
        }
        return options | (shuffle.iterator_options(self.survey.border) if shuffle else {})


class RecordkitReader(BatchReader):
    """Reads with `recordkit.interop.mxnet.ImageRecordIter`."""

    def _batches(self, shuffle: Shuffle | None) -> Generator[Any, None, None]:
        iterator = ImageRecordIter(path_imgrec=self.survey.path, **self._iterator_options(shuffle))
        is_first_label = self.survey.label_width > len(self.survey.labels)
        with iterator.source:
            for batch in iterator:
                if is_first_label:
                    batch.label = [labels[:, 0] for labels in batch.label]
                yield batch


class MxnetReader(BatchReader):
    """Reads with ``mx.io.ImageRecordIter``."""

    def _batches(self, shuffle: Shuffle | None) -> Generator[Any, None, None]:
        options = self._iterator_options(shuffle)
        with plain_name(self.survey) as (records, index), one_line_errors(self._mx, self.survey.path):
            yield from self._mx.io.ImageRecordIter(path_imgrec=records, path_imgidx=index, **options)


@contextlib.contextmanager
def plain_name(survey: Survey) -> Iterator[tuple[str, str]]:
    """Link a file under a plain name while the block runs, beside an index made from the survey.

    Yields
    ------
    records, index : str
        Paths of the link and of the index.
    """
    with tempfile.TemporaryDirectory(prefix="recordkit-train-") as folder:
        records, index = Path(folder, "images.rec"), Path(folder, "images.idx")
        records.symlink_to(survey.path.resolve())
        index.write_bytes(idx.lines(range(len(survey)), survey.offsets.tolist()))
        yield str(records), str(index)


@contextlib.contextmanager
def one_line_errors(mx: Any, path: Path) -> Iterator[None]:
    """Turn MXNet's stack trace for an image that it cannot decode into a TrainError.

    Raises
    ------
    TrainError
        MXNet raised an error inside the block.
    """
    try:
        yield
    except mx.base.MXNetError as error:
        raise TrainError(
            f"MXNet cannot decode an image ({reason(error)})", path=str(path), advice=verify_advice(path, decode=True)
        ) from None


class TimedBatches(Iterator[tuple[Any, int]]):
    """An iterator over batches that measures how long its caller waits for them.

    Parameters
    ----------
    batches : iterator
        An epoch of a `BatchReader`.

    Attributes
    ----------
    wait_s : float
        Time spent in ``next`` so far, in seconds.
    """

    def __init__(self, batches: Iterator[tuple[Any, int]]) -> None:
        self._batches = batches
        self.wait_s = 0.0

    def __next__(self) -> tuple[Any, int]:
        begin_s = time.perf_counter()
        try:
            return next(self._batches)
        finally:
            self.wait_s += time.perf_counter() - begin_s
