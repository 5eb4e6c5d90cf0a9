"""Statistics of a dataset in one pass: encodings, sizes, labels, and mean and deviation for `Normalize`.

Every image is decoded, as a loader decodes it: upright, to RGB, gray as three equal channels, without alpha. The parts
of a dataset can be measured apart, and their tallies merged: `recordkit.upkeep.look.tally` and `labels`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError
from recordkit.upkeep.check.report import Problem
from recordkit.upkeep.look.distribution import Distribution, distribute
from recordkit.upkeep.look.labels import LabelSummary, count_labels
from recordkit.upkeep.look.opening import Samples, open_images
from recordkit.upkeep.look.tally import ImageTally, encoding_text, measure_images
from recordkit.upkeep.selection import Selection


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
    with open_images(samples) as dataset:
        indices = choose_sample(dataset, sample)
        labels = count_labels(dataset)
        tally = measure_images(dataset, indices, threads=threads, engine=engine, progress=progress)
        return describe(dataset, tally, labels)


def choose_sample(dataset: RecordDataset, sample: int | None) -> NDArray[np.int64]:
    """Return the indices of the samples to look at, which increase: all, or `sample` of them if there are more.

    Raises
    ------
    PlanError
        `sample` is less than 1.
    """
    if sample is not None and sample < 1:
        raise PlanError(argument="sample", expected="at least 1", got=sample)
    if sample is None or sample >= len(dataset):
        return np.arange(len(dataset))
    return Selection(sample=sample).rows(dataset)


def describe(dataset: RecordDataset, tally: ImageTally, labels: LabelSummary) -> Stats:
    """Return the statistics of a dataset from the tally of its images and the summary of its labels."""
    width, height, image_bytes = tally.sizes
    return Stats(
        path=str(dataset.files[0]),
        n_files=len(dataset.files),
        n_samples=len(dataset),
        n_measured=tally.n_measured,
        n_images=tally.n_images,
        formats={encoding_text(*key): n for key, n in tally.formats.most_common()},
        qualities=dict(sorted((quality, n) for quality, n in tally.qualities.items() if quality)),
        n_unknown_quality=tally.qualities[0],
        width=distribute(width),
        height=distribute(height),
        aspect=distribute(width / height),
        image_bytes=distribute(image_bytes),
        channels=ChannelStats(*tally.pixel_moments()) if tally.n_images else None,
        labels=labels,
        problems=tally.problems,
        n_problems=tally.n_problems,
    )
