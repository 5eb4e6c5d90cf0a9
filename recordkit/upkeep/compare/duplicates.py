"""Equal images within a dataset, or in several: photographs that are in the training and in the test set.

Images are equal if their encoded bytes are. The same picture in another size or encoding is another image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import SourceError
from recordkit.formats.lst import ListFile
from recordkit.storage.fileset import Fileset
from recordkit.upkeep.compare.payloads import Progress, digest_payloads, labels_differ, same_payloads
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.labels.arrays import Labels
from recordkit.upkeep.labels.class_maps import unite_classes
from recordkit.upkeep.labels.values import LabelMap


@dataclass(frozen=True)
class DuplicateSample:
    """A sample whose image another one has, too.

    Attributes
    ----------
    path : str
        The .rec file.
    key : int
    labels : tuple of float or int
    name : str or None
        Path of the image in the list of the file; None if it has none.
    """

    path: str
    key: int
    labels: tuple[float, ...]
    name: str | None


@dataclass(frozen=True)
class DuplicateGroup:
    """Samples with equal images.

    Attributes
    ----------
    samples : tuple of DuplicateSample
        In the order of the datasets.
    n_bytes : int
        Size of the image.
    labels_agree : bool
        Class names are compared if there are several datasets and all have some.
    """

    samples: tuple[DuplicateSample, ...]
    n_bytes: int
    labels_agree: bool


@dataclass(frozen=True, eq=False)
class DuplicatesReport:
    """The result of `duplicates`.

    Attributes
    ----------
    paths : tuple of str
        The datasets.
    n_records : int
        Number of samples that were compared.
    groups : tuple of DuplicateGroup
        By their first samples.
    """

    paths: tuple[str, ...]
    n_records: int
    groups: tuple[DuplicateGroup, ...]

    @property
    def n_duplicates(self) -> int:
        """Number of samples in the groups."""
        return sum(len(group.samples) for group in self.groups)

    @property
    def n_disagreeing(self) -> int:
        """Number of groups whose labels disagree."""
        return sum(not group.labels_agree for group in self.groups)

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        groups = [
            {
                "n_bytes": group.n_bytes,
                "labels_agree": group.labels_agree,
                "samples": [{**vars(sample), "labels": list(sample.labels)} for sample in group.samples],
            }
            for group in self.groups
        ]
        return {
            "paths": list(self.paths),
            "n_records": self.n_records,
            "n_duplicates": self.n_duplicates,
            "n_disagreeing": self.n_disagreeing,
            "groups": groups,
        }


def duplicates(*paths: str | Path, threads: int = 0, progress: Progress | None = None) -> DuplicatesReport:
    r"""Find samples with equal images.

    Parameters
    ----------
    *paths : str or Path
        Each a .rec file, a prefix or a pattern, as `recordkit.RecordDataset` takes it. Equal images are reported that
        one dataset has more than once, or that are in two or more of several.
    threads : int, 0 to `recordkit.threads.MAX_THREADS`, default 0
        Number of threads that read; 0 means one per CPU that this process may use.
    progress : callable, optional
        Called with the number of samples since the last call.

    Returns
    -------
    report : DuplicatesReport
        Finding them takes up to 100 bytes of memory per sample, and more for each duplicate.

    Raises
    ------
    NotFoundError
        A dataset does not exist.
    FormatError
        A dataset is damaged.
    PlanError
        There is no path, or one file is in two datasets.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/a"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key, image in enumerate([b"cat", b"dog", b"cat"]):
    ...         writer.write_idx(key, pack(IRHeader(0, 1.0, key, 0), image))
    >>> (group,) = duplicates(prefix).groups
    >>> [sample.key for sample in group.samples], group.labels_agree
    ([0, 2], True)
    """
    with Inputs(paths) as inputs:
        digests = digest_payloads(inputs, np.arange(len(inputs)), threads=threads, progress=progress)
        return compare_equal_digests(inputs, digests, tuple(map(str, paths)), threads=threads)


def compare_equal_digests(
    inputs: Inputs, digests: NDArray[np.uint64], paths: tuple[str, ...], *, threads: int = 0
) -> DuplicatesReport:
    """Find the samples with equal images among those with equal digests, whose images are compared byte by byte.

    Parameters
    ----------
    inputs : Inputs
    digests : ndarray of uint64, shape (n,)
        Of all samples, by `digest_payloads`.
    paths : tuple of str
        The datasets.
    threads : int, default 0

    Raises
    ------
    FormatError
        A record is damaged.
    """
    rows, starts = _equal_rows(inputs, digests, threads)
    if len(paths) > 1:
        rows, starts = _in_several(rows, starts, inputs.starts)
    return DuplicatesReport(paths, len(inputs), tuple(_groups(inputs, digests, rows, starts)))


def _equal_rows(
    inputs: Inputs, digests: NDArray[np.uint64], threads: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows with equal payloads, group after group, and the index at which each group begins."""
    order = np.argsort(digests, kind="stable")
    is_next = np.zeros(len(order), bool)
    ordered = digests[order]
    np.equal(ordered[1:], ordered[:-1], out=is_next[1:])
    del ordered
    # Only the few rows that have a twin are kept from here on.
    is_in_group = is_next.copy()
    is_in_group[:-1] |= is_next[1:]
    # Groups by digest; those of payloads that differ nevertheless are split until none does.
    firsts, members = _pairs(order[is_in_group], is_next[is_in_group])
    del order
    rows: list[NDArray[np.int64]] = []
    names: list[NDArray[np.int64]] = []
    while len(members):
        is_equal = same_payloads(inputs, firsts, members, threads=threads)
        leaders = np.unique(firsts[is_equal])
        rows += [leaders, members[is_equal]]
        names += [leaders, firsts[is_equal]]
        rest, rest_firsts = members[~is_equal], firsts[~is_equal]
        # The first payload that differs from that of its group begins a new group.
        begins = np.append(True, np.diff(rest_firsts) != 0)[: len(rest)]
        firsts, members = _pairs(rest, ~begins)
    if not rows:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    all_rows, all_names = np.concatenate(rows), np.concatenate(names)
    by_group = np.lexsort((all_rows, all_names))
    return all_rows[by_group], np.flatnonzero(np.append(True, np.diff(all_names[by_group]) != 0))


def _pairs(rows: NDArray[np.int64], is_next: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first row of its group for each other row, and these; a row without `is_next` begins a group."""
    begins = np.flatnonzero(~is_next)
    numbers = np.cumsum(~is_next) - 1
    return rows[begins[numbers]][is_next], rows[is_next]


def _in_several(
    rows: NDArray[np.int64], starts: NDArray[np.int64], dataset_starts: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the groups with rows of two datasets or more."""
    if not len(rows):
        return rows, starts
    sizes = np.diff(np.append(starts, len(rows)))
    ends = starts + sizes - 1  # the rows of a group increase
    first, last = (np.searchsorted(dataset_starts, rows[at], "right") for at in (starts, ends))
    is_kept = first != last
    return rows[np.repeat(is_kept, sizes)], np.append(0, np.cumsum(sizes[is_kept]))[: np.count_nonzero(is_kept)]


def _groups(
    inputs: Inputs, digests: NDArray[np.uint64], rows: NDArray[np.int64], starts: NDArray[np.int64]
) -> Iterator[DuplicateGroup]:
    if not len(rows):
        return
    labels = inputs.labels_at(rows)
    sizes = np.diff(np.append(starts, len(rows)))
    meanings = _with_one_numbering(inputs, rows, labels)
    differs = np.logical_or.reduceat(labels_differ(meanings, meanings.at(np.repeat(starts, sizes))), starts)
    samples = _samples(inputs, rows, labels)
    for start, size, is_other in zip(starts.tolist(), sizes.tolist(), differs.tolist(), strict=True):
        n_bytes = int(digests[rows[start]] & np.uint64(0xFFFFFFFF))
        yield DuplicateGroup(tuple(samples[start : start + size]), n_bytes, labels_agree=not is_other)


def _with_one_numbering(inputs: Inputs, rows: NDArray[np.int64], labels: Labels) -> Labels:
    """Return the labels of rows in the numbering of the first dataset, if all have class names."""
    maps = [classes for classes in inputs.classes if classes]
    if len(maps) < len(inputs.classes):
        return labels
    try:
        united = unite_classes(maps, list(map(str, range(len(maps)))))
    except SourceError:  # the names contradict each other
        return labels
    values, numbers = labels.values.copy(), np.searchsorted(inputs.starts, rows, "right") - 1
    for number, new_labels in enumerate(united.new_labels):
        chosen = labels.bounds[:-1][(numbers == number) & (labels.widths == 1)].astype(np.int64)
        values[chosen] = LabelMap(new_labels).apply(values[chosen], path="")[0]
    return Labels(values, labels.bounds)


def _samples(inputs: Inputs, rows: NDArray[np.int64], labels: Labels) -> list[DuplicateSample]:
    numbers, keys = inputs.locations(rows).file_numbers.tolist(), inputs.keys[rows].tolist()
    values, bounds = labels.values.tolist(), labels.bounds.tolist()
    names = {number: _names(inputs.paths[number], keys) for number in set(numbers)}
    return [
        DuplicateSample(str(inputs.paths[number]), key, tuple(values[begin:end]), names[number].get(key))
        for number, key, begin, end in zip(numbers, keys, bounds, bounds[1:], strict=False)
    ]


def _names(path: Path, keys: list[int]) -> dict[int, str]:
    """Return the paths of images in the list of a file, by key; empty if the file has no list."""
    files = Fileset(path)
    list_path = files.path(".lst")
    if not list_path.exists() or files.description().get("list") == "none":
        return {}
    wanted = set(keys)
    with ListFile(list_path) as listed:
        return {int(key): listed[row].path for row, key in enumerate(listed.keys) if int(key) in wanted}
