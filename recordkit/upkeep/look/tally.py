"""The facts about some images of a dataset, added up, so that those of its parts can be merged.

**Mean and standard deviation** are those of a pixel of a random image: every image counts the same, whatever its size,
because a loader resizes images to one size before it normalises them. For images of one size this is the mean over all
pixels. For each image the means of x and of x * x are rounded down to a multiple of 2**-20, and added as integers; so
the result is the same for any number of threads, for both engines, and in any order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.memory import MemoryBudget, choose_memory
from recordkit.threads import ThreadedMap, count_threads
from recordkit.upkeep.check.report import MAX_PROBLEMS, Problem
from recordkit.upkeep.look.measurement import COLORS, COLUMNS, FORMATS, Facts, Measured
from recordkit.upkeep.look.native import choose_engine

# Images that a thread measures at a time: enough for tiny ones, and few enough for a progress bar.
_BLOCK = 64
# Means of one image are integers in this unit: 2**-20. Sums of squares of 89 million pixels then fit into 63 bits.
_FRACTION_BITS = 20
_FORMAT, _BYTES, _WIDTH, _HEIGHT, _COLOR, _PROGRESSIVE, _SAMPLING, _QUALITY = range(8)


class ImageTally:
    """Sums, counts and columns of the images that were measured. It can be pickled.

    Parameters
    ----------
    n : int
        Number of samples to measure.

    Attributes
    ----------
    n_measured : int
        `n`.
    n_images : int
        Images that decoded.
    formats : Counter of tuple of int
        Images by their encoding, for `encoding_text`, in the order in which these were met.
    qualities : Counter of int
        JPEGs by their estimated quality; 0 is an unknown one.
    problems : list of Problem
        The first 1,000 images that do not decode.
    n_problems : int
    """

    def __init__(self, n: int) -> None:
        self.n_measured = n
        self.n_images = 0
        self.formats: Counter[tuple[int, ...]] = Counter()
        self.qualities: Counter[int] = Counter()
        self.problems: list[Problem] = []
        self.n_problems = 0
        self._columns = np.zeros((3, n), np.uint32)  # width, height and bytes of the images that decoded
        self._sums = [0] * 6

    @classmethod
    def merge(cls, tallies: Sequence[ImageTally]) -> ImageTally:
        """Return the tally of all images of some tallies, as if they had been added in this order."""
        merged = cls(sum(tally.n_measured for tally in tallies))
        for tally in tallies:
            merged._append(*tally.sizes)
            merged.formats.update(tally.formats)
            merged.qualities.update(tally.qualities)
            merged._add_sums(tally._sums)
            merged.problems += tally.problems[: MAX_PROBLEMS - len(merged.problems)]
            merged.n_problems += tally.n_problems
        return merged

    def add(self, measured: Measured, indices: NDArray[np.int64], dataset: RecordDataset) -> None:
        """Add the facts about the samples at `indices`."""
        facts = measured.facts[measured.facts[:, _FORMAT] > 0]
        self._append(*facts[:, [_WIDTH, _HEIGHT, _BYTES]].T)
        self.formats.update(map(tuple, facts[:, [_FORMAT, _COLOR, _PROGRESSIVE, _SAMPLING]].tolist()))
        self.qualities.update(facts[facts[:, _FORMAT] == FORMATS.index("jpg"), _QUALITY].tolist())
        self._add_sums(_image_means(facts))
        self.n_problems += len(measured.errors)
        for row, error in measured.errors.items():
            if len(self.problems) < MAX_PROBLEMS:
                self.problems.append(_problem(error, dataset, int(indices[row])))

    @property
    def sizes(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
        """Width, height and bytes of each image that decoded."""
        width, height, n_bytes = self._columns[:, : self.n_images]
        return width, height, n_bytes

    def pixel_moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation of each channel, or of the only one of gray images; there are images."""
        n, unit = self.n_images, 1 << _FRACTION_BITS
        sums, squares = self._sums[:3], self._sums[3:]
        if len(set(sums)) == len(set(squares)) == 1:  # gray
            sums, squares = sums[:1], squares[:1]
        # The variance is a difference of large numbers, so it is computed in integers.
        variances = [square * unit * n - total * total for total, square in zip(sums, squares, strict=True)]
        mean = tuple(total / (n * unit) for total in sums)
        return mean, tuple(math.sqrt(max(variance, 0)) / (n * unit) for variance in variances)

    def _append(self, *columns: NDArray[np.generic]) -> None:
        end = self.n_images + len(columns[0])
        for own, new in zip(self._columns, columns, strict=True):
            own[self.n_images : end] = new
        self.n_images = end

    def _add_sums(self, sums: Sequence[int]) -> None:
        self._sums = [total + new for total, new in zip(self._sums, sums, strict=True)]


def measure_images(
    dataset: RecordDataset,
    indices: NDArray[np.int64],
    *,
    threads: int = 0,
    engine: str = "auto",
    progress: Callable[[int], None] | None = None,
) -> ImageTally:
    """Decode the images of some samples, and add up their facts.

    Parameters
    ----------
    dataset : RecordDataset
    indices : ndarray of int64, shape (m,)
    threads, engine, progress
        As for `recordkit.upkeep.stats`.

    Raises
    ------
    FormatError
        A record is damaged.
    """
    n_threads = count_threads(threads)
    tally = ImageTally(len(indices))
    stopped = bytearray(1)
    measurer = choose_engine(engine)(dataset, MemoryBudget(choose_memory(None), n_threads), stopped)
    with ThreadedMap(measurer.measure, _blocks(indices), n_threads, stopped=stopped) as results:
        for block, measured in zip(_blocks(indices), results, strict=True):
            tally.add(measured, block, dataset)
            if progress is not None:
                progress(len(block))
    return tally


def _blocks(indices: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for begin in range(0, len(indices), _BLOCK):
        yield indices[begin : begin + _BLOCK]


def _image_means(facts: Facts) -> list[int]:
    """Return the sums, over images, of the mean of each channel and of its square, in units of 2**-20."""
    sums = facts[:, COLUMNS.index("sum_red") :]
    n_pixels = facts[:, _WIDTH] * facts[:, _HEIGHT]
    # In two steps, because a sum of squares needs up to 43 bits.
    means: list[int] = ((sums << _FRACTION_BITS) // n_pixels[:, None]).sum(0).tolist()
    return means


def encoding_text(image_format: int, color: int, progressive: int, sampling: int) -> str:
    """Name an encoding.

    Examples
    --------
    >>> encoding_text(1, 3, 1, 420), encoding_text(2, 1, 0, 0), encoding_text(4, 0, 0, 0)
    ('jpg 4:2:0 progressive', 'png gray', 'bmp')
    """
    kind = ":".join(str(sampling)) if sampling else COLORS[color]
    return " ".join(filter(None, (FORMATS[image_format], kind, "progressive" if progressive else "")))


def _problem(error: Exception, dataset: RecordDataset, index: int) -> Problem:
    indices = np.array([index])
    path = dataset.files[int(dataset.file_indices(indices)[0])]
    reason = getattr(error, "problem", "") or str(error)
    return Problem(str(path), reason, offset=int(dataset.offsets[index]), key=int(dataset.keys_at(indices)[0]))
