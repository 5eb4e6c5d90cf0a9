"""Statistics of a dataset on the machines of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.cluster.connection import connect
from recordkit.cluster.fingerprint import check_fingerprint, take_fingerprint
from recordkit.cluster.upkeep.ranges import Work, divide, run_on_ranges
from recordkit.dataset.dataset import RecordDataset
from recordkit.upkeep.look.labels import LabelTally
from recordkit.upkeep.look.opening import Samples, open_images
from recordkit.upkeep.look.stats import Stats, choose_sample, describe
from recordkit.upkeep.look.tally import ImageTally, measure_images


class _Chosen(NamedTuple):
    """The samples of a range to measure, and the versions that decide the pixels."""

    indices: NDArray[np.int64]
    fingerprint: Mapping[str, str]


def stats(
    samples: Samples,
    *,
    sample: int | None = None,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
    address: str | None = None,
) -> Stats:
    """Decode the images of a dataset once on a cluster and describe them, as `recordkit.upkeep.stats` on one machine.

    The files are opened here, on the driver, for their indexes alone. Each task reads a range of records of one file,
    of 256 MiB or 32,768 records at most, so all machines must reach the files by the same path or URL.

    Parameters
    ----------
    samples : RecordDataset, str, Path, or sequence of str or Path
        A whole dataset, or what `recordkit.RecordDataset` opens.
    sample : int, at least 1, optional
        Number of images to decode: the same ones as on one machine. The labels of all samples are counted.
    threads : int, default 0
        Threads, and CPUs, of a task; 0 is 1.
    progress : callable, optional
        Called with the number of samples of the ranges that were read since the last call.
    address : str, optional
        See `recordkit.cluster.connection.connect`.

    Returns
    -------
    stats : Stats
        That of `recordkit.upkeep.stats`. The driver keeps 12 bytes for each image, and the indexes.

    Raises
    ------
    NotFoundError, FormatError
        As `recordkit.upkeep.stats` raises them, also of a file that was replaced meanwhile.
    PlanError
        The dataset is a subset, or no machine has the CPUs of a task.
    ClusterError, MissingError
        The cluster cannot be reached, a machine has other versions of the codecs, or Ray is missing.

    Examples
    --------
    >>> result = recordkit.cluster.stats("s3://bucket/train.manifest.json")  # doctest: +SKIP
    >>> str(result.channels)  # doctest: +SKIP
    'Normalize(mean=(123.68, 116.78, 103.94), std=(58.39, 57.12, 57.38))'
    """
    with open_images(samples) as dataset:
        chosen = choose_sample(dataset, sample)
        ranges = divide(dataset)
        classes = dataset.classes
        bounds = np.searchsorted(chosen, [each.begin for each in ranges] + [len(dataset)])
        fingerprint = take_fingerprint("auto")

        def argument(number: int) -> _Chosen:
            return _Chosen(chosen[bounds[number] : bounds[number + 1]] - ranges[number].begin, fingerprint)

        with connect(address) as ray:
            tallies = run_on_ranges(ray, ranges, Work(_measure, argument), threads=threads, progress=progress)
        images = ImageTally.merge([images for images, _ in tallies])
        labels = LabelTally.merge([labels for _, labels in tallies])
        return describe(dataset, images, labels.summary(classes))


def _measure(dataset: RecordDataset, chosen: _Chosen, n_threads: int) -> tuple[ImageTally, LabelTally]:
    check_fingerprint(chosen.fingerprint)
    labels = LabelTally.of(dataset)
    return measure_images(dataset, chosen.indices, threads=n_threads, engine=chosen.fingerprint["engine"]), labels
