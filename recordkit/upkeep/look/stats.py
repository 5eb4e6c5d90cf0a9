"""Statistics of a dataset in one pass: encodings, sizes, labels, and mean and deviation for `Normalize`.

Every image is decoded, as a loader decodes it: upright, to RGB, gray as three equal channels, without alpha.

**Mean and standard deviation** are those of a pixel of a random image: every image counts the same, whatever its size,
because a loader resizes images to one size before it normalises them. For images of one size this is the mean over all
pixels. For each image the means of x and of x * x are rounded down to a multiple of 2**-20, and added as integers; so
the result is the same for any number of threads, for both engines, and in any order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError
from recordkit.memory import MemoryBudget, choose_memory
from recordkit.threads import ThreadedMap, count_threads
from recordkit.upkeep.look.distribution import Distribution, distribute
from recordkit.upkeep.look.labels import LabelSummary, count_labels
from recordkit.upkeep.look.measurement import COLORS, COLUMNS, FORMATS, Facts, Measured
from recordkit.upkeep.look.native import choose_engine
from recordkit.upkeep.look.opening import Samples, open_images
from recordkit.upkeep.report import MAX_PROBLEMS, Problem
from recordkit.upkeep.selection import Selection

# Images that a thread measures at a time: enough for tiny ones, and few enough for a progress bar.
_BLOCK = 64
# Means of one image are integers in this unit: 2**-20. Sums of squares of 89 million pixels then fit into 63 bits.
_FRACTION_BITS = 20
_FORMAT, _BYTES, _WIDTH, _HEIGHT, _COLOR, _PROGRESSIVE, _SAMPLING, _QUALITY = range(8)


@dataclass(frozen=True)
class ChannelStats:
    """Mean and standard deviation of each channel, for pixels from 0 to 255.

    Attributes
    ----------
    mean, std : tuple of float
        Red, green and blue; one number if all images are gray.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __str__(self) -> str:
        """Return the call of `recordkit.transforms.Normalize`; a deviation of 0, of one grey level, becomes 1."""
        mean, std = (", ".join(f"{value:.2f}" for value in values) for values in (self.mean, self._divisors()))
        return f"Normalize(mean=({mean}), std=({std}))" if len(self.mean) > 1 else f"Normalize(mean={mean}, std={std})"

    def _divisors(self) -> tuple[float, ...]:
        return tuple(value if value >= 0.005 else 1.0 for value in self.std)

    def as_json(self) -> dict[str, object]:
        """Return the numbers on both scales, and the call of `Normalize`."""
        return {
            "mean": list(self.mean),
            "std": list(self.std),
            "mean_of_1": [value / 255 for value in self.mean],
            "std_of_1": [value / 255 for value in self.std],
            "normalize": str(self),
        }


@dataclass(frozen=True)
class Stats:
    """Statistics of a dataset.

    Attributes
    ----------
    path : str
        The .rec file, or the first one.
    n_files : int
    n_samples : int
        All samples of the dataset.
    n_measured : int
        Samples that were looked at: all, or those of `sample`.
    n_images : int
        Images that decoded. The fields below are about them, and `labels` about all samples.
    formats : dict of str to int
        Number of images per encoding, such as "jpg 4:2:0" or "png gray", the most frequent first.
    qualities : dict of int to int
        Number of JPEGs per estimated quality, sorted; see `recordkit.formats.images.jpeg_encoding`.
    n_unknown_quality : int
        JPEGs whose tables no quality of libjpeg makes.
    width, height, aspect, image_bytes : Distribution or None
        Size of the upright image in pixels, width divided by height, and size of the file; None without images.
    channels : ChannelStats or None
        None without images.
    labels : LabelSummary
    problems : list of Problem
        The first 1,000 images that do not decode.
    n_problems : int
    """

    path: str
    n_files: int
    n_samples: int
    n_measured: int
    n_images: int
    formats: dict[str, int]
    qualities: dict[int, int]
    n_unknown_quality: int
    width: Distribution | None
    height: Distribution | None
    aspect: Distribution | None
    image_bytes: Distribution | None
    channels: ChannelStats | None
    labels: LabelSummary
    problems: list[Problem] = field(default_factory=list)
    n_problems: int = 0

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        document = dict(self.__dict__)
        for name in ("width", "height", "aspect", "image_bytes", "channels", "labels"):
            document[name] = None if document[name] is None else document[name].as_json()
        document["problems"] = [vars(problem) for problem in self.problems]
        return document


def stats(
    samples: Samples,
    *,
    sample: int | None = None,
    threads: int = 0,
    engine: str = "auto",
    progress: Callable[[int], None] | None = None,
) -> Stats:
    """Decode the images of a dataset once and describe them.

    Parameters
    ----------
    samples : RecordDataset, str, Path, or sequence of str or Path
        A dataset, or what `recordkit.RecordDataset` opens.
    sample : int, at least 1, optional
        Number of images to decode, drawn as `recordkit.upkeep.Selection` does; all by default, and if there are fewer.
    threads : int, 0 to `recordkit.threads.MAX_THREADS`, default 0
        Number of threads that decode; 0 means one per CPU that this process may use.
    engine : {"auto", "native", "python"}, default "auto"
        Both give the same result.
    progress : callable, optional
        Called with the number of images measured since the last call.

    Returns
    -------
    stats : Stats
        The pass takes 16 bytes of memory per image, besides those of the dataset and the images under way.

    Raises
    ------
    NotFoundError
        A file does not exist.
    FormatError
        A file is damaged, or has records of another kind. An image that does not decode is no error, but a problem of
        the result.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.codec import encode
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key in range(2):
    ...         image = encode(np.full((4, 6, 1), 100 + 100 * key, np.uint8), "png")
    ...         writer.write_idx(key, pack(IRHeader(0, key, key, 0), image))
    >>> result = stats(prefix)
    >>> result.formats, result.width.max, str(result.channels)
    ({'png gray': 2}, 6.0, 'Normalize(mean=150.00, std=50.00)')
    """
    if sample is not None and sample < 1:
        raise PlanError(argument="sample", expected="at least 1", got=sample)
    n_threads = count_threads(threads)
    with open_images(samples) as dataset:
        is_part = sample is not None and sample < len(dataset)
        indices = Selection(sample=sample).rows(dataset) if is_part else np.arange(len(dataset))
        tally = _Tally(len(indices))
        labels = count_labels(dataset)
        stopped = bytearray(1)
        measurer = choose_engine(engine)(dataset, MemoryBudget(choose_memory(None), n_threads), stopped)
        with ThreadedMap(measurer.measure, _blocks(indices), n_threads, stopped=stopped) as results:
            for block, measured in zip(_blocks(indices), results, strict=True):
                tally.add(measured, block, dataset)
                if progress is not None:
                    progress(len(block))
        return tally.stats(dataset, labels)


def _blocks(indices: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for begin in range(0, len(indices), _BLOCK):
        yield indices[begin : begin + _BLOCK]


class _Tally:
    """Sums and columns that grow block by block."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._columns = np.zeros((3, n), np.uint32)  # width, height and bytes of the images that decoded
        self._n_images = 0
        self._formats: Counter[tuple[int, ...]] = Counter()
        self._qualities: Counter[int] = Counter()
        self._sums = [0] * 6
        self._problems: list[Problem] = []
        self._n_problems = 0

    def add(self, measured: Measured, indices: NDArray[np.int64], dataset: RecordDataset) -> None:
        facts = measured.facts[measured.facts[:, _FORMAT] > 0]
        end = self._n_images + len(facts)
        self._columns[:, self._n_images : end] = facts[:, [_WIDTH, _HEIGHT, _BYTES]].T
        self._n_images = end
        self._formats.update(map(tuple, facts[:, [_FORMAT, _COLOR, _PROGRESSIVE, _SAMPLING]].tolist()))
        self._qualities.update(facts[facts[:, _FORMAT] == FORMATS.index("jpg"), _QUALITY].tolist())
        self._sums = [total + new for total, new in zip(self._sums, _image_means(facts), strict=True)]
        self._n_problems += len(measured.errors)
        for row, error in measured.errors.items():
            if len(self._problems) < MAX_PROBLEMS:
                self._problems.append(_problem(error, dataset, int(indices[row])))

    def stats(self, dataset: RecordDataset, labels: LabelSummary) -> Stats:
        width, height, image_bytes = self._columns[:, : self._n_images]
        return Stats(
            path=str(dataset.files[0]),
            n_files=len(dataset.files),
            n_samples=len(dataset),
            n_measured=self._n,
            n_images=self._n_images,
            formats={_encoding_text(*key): n for key, n in self._formats.most_common()},
            qualities=dict(sorted((quality, n) for quality, n in self._qualities.items() if quality)),
            n_unknown_quality=self._qualities[0],
            width=distribute(width),
            height=distribute(height),
            aspect=distribute(width / height),
            image_bytes=distribute(image_bytes),
            channels=self._channels() if self._n_images else None,
            labels=labels,
            problems=self._problems,
            n_problems=self._n_problems,
        )

    def _channels(self) -> ChannelStats:
        n, unit = self._n_images, 1 << _FRACTION_BITS
        sums, squares = self._sums[:3], self._sums[3:]
        if len(set(sums)) == len(set(squares)) == 1:  # gray
            sums, squares = sums[:1], squares[:1]
        # The variance is a difference of large numbers, so it is computed in integers.
        variances = [square * unit * n - total * total for total, square in zip(sums, squares, strict=True)]
        return ChannelStats(
            mean=tuple(total / (n * unit) for total in sums),
            std=tuple(math.sqrt(max(variance, 0)) / (n * unit) for variance in variances),
        )


def _image_means(facts: Facts) -> list[int]:
    """Return the sums, over images, of the mean of each channel and of its square, in units of 2**-20."""
    sums = facts[:, COLUMNS.index("sum_red") :]
    n_pixels = facts[:, _WIDTH] * facts[:, _HEIGHT]
    # In two steps, because a sum of squares needs up to 43 bits.
    means: list[int] = ((sums << _FRACTION_BITS) // n_pixels[:, None]).sum(0).tolist()
    return means


def _encoding_text(image_format: int, color: int, progressive: int, sampling: int) -> str:
    """Name an encoding.

    Examples
    --------
    >>> _encoding_text(1, 3, 1, 420), _encoding_text(2, 1, 0, 0), _encoding_text(4, 0, 0, 0)
    ('jpg 4:2:0 progressive', 'png gray', 'bmp')
    """
    kind = ":".join(str(sampling)) if sampling else COLORS[color]
    return " ".join(filter(None, (FORMATS[image_format], kind, "progressive" if progressive else "")))


def _problem(error: Exception, dataset: RecordDataset, index: int) -> Problem:
    indices = np.array([index])
    path = dataset.files[int(dataset.file_indices(indices)[0])]
    reason = getattr(error, "problem", "") or str(error)
    return Problem(str(path), reason, offset=int(dataset.offsets[index]), key=int(dataset.keys_at(indices)[0]))
