"""The order, the keys and the labels of the images in a face dataset, and what that layout cannot hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import SourceError, plural
from recordkit.formats.insightface import faces
from recordkit.formats.irheader import IRHeader
from recordkit.sample import Source
from recordkit.sampling.permutation import Permutation

# Samples whose labels are read together.
_BLOCK_SIZE = 4096
_MAX_LABEL = 2**24 - 1  # the next number is the number of classes


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The images of a face dataset in the order of their records.

    Attributes
    ----------
    order : ndarray of int64, shape (n,)
        Index of each image in the source.
    labels : ndarray of int64, shape (n,)
        The identity of each image.
    first_key : int
        Key of the first image; the others follow.
    bounds : ndarray of int64, shape (m + 1,)
        The images of identity record i are ``bounds[i]`` to ``bounds[i + 1] - 1``; shape (0,) in a file without
        identity records.
    notes : tuple of str
        Facts that may be unexpected: above all, what the layout does not hold.
    """

    order: NDArray[np.int64]
    labels: NDArray[np.int64]
    first_key: int
    bounds: NDArray[np.int64]
    notes: tuple[str, ...]

    @property
    def n_identities(self) -> int:
        """Number of labels that have images."""
        return len(np.unique(self.labels))

    @property
    def n_classes(self) -> int:
        """The largest label and 1."""
        return int(np.max(self.labels)) + 1

    def metadata(self) -> Iterator[IRHeader]:
        """Yield the headers of the records without an image, in their order in the file: identities, and the first."""
        if not len(self.bounds):
            return
        first = self.first_key + len(self.order)
        ranges = zip(self.bounds[:-1].tolist(), self.bounds[1:].tolist(), strict=True)
        for number, (begin, end) in enumerate(ranges):
            yield faces.identity_header(first + number, begin + self.first_key, end + self.first_key)
        yield faces.file_header(first, first + len(self.bounds) - 1)


def by_identity(source: Source) -> Arrangement:
    """Arrange images by identity, with the keys 1 to n, and identity records behind them.

    Images of one identity keep their order.

    Raises
    ------
    SourceError
        A label is not a whole number from 0 to 2**24 - 1.
    """
    labels, keys, notes = _read_columns(source)
    order = np.argsort(labels, kind="stable")
    labels = labels[order]
    bounds = np.concatenate([[0], np.flatnonzero(labels[1:] != labels[:-1]) + 1, [len(labels)]])
    is_renumbered = np.any(keys[order] != np.arange(1, len(order) + 1, dtype=np.uint64))
    if is_renumbered and source.order == "listed":  # the keys of other sources are their own numbering
        notes.append("the keys are numbered anew, from 1 on in the order of the labels")
    notes += _rounding_notes(bounds + 1)
    return Arrangement(order, labels, 1, bounds, tuple(notes))


def shuffled(source: Source, seed: int) -> Arrangement:
    """Arrange images in an order that is drawn by a seed, with the keys 0 to n - 1 and no other records.

    Raises
    ------
    SourceError
        A label is not a whole number from 0 to 2**24 - 1.
    """
    labels, _, notes = _read_columns(source)
    n = len(labels)
    order = Permutation(n, seed=seed, epoch=0).permute(np.arange(n))
    notes.append("the keys are numbered anew, from 0 on in the new order")
    return Arrangement(order, labels[order], 0, np.zeros(0, np.int64), tuple(notes))


def _read_columns(source: Source) -> tuple[NDArray[np.int64], NDArray[np.uint64], list[str]]:
    """Return first labels and keys of all samples, and notes on what is left out."""
    n = len(source)
    labels, keys = np.empty(n, np.int64), np.empty(n, np.uint64)
    max_width = 1
    for begin in range(0, n, _BLOCK_SIZE):
        entries = source.entries(range(begin, min(begin + _BLOCK_SIZE, n)))
        firsts = np.array([entry.labels[0] for entry in entries], np.float64)
        is_wrong = ~((firsts >= 0) & (firsts <= _MAX_LABEL) & (firsts == np.floor(firsts)))
        if is_wrong.any():
            entry = entries[int(np.argmax(is_wrong))]
            raise SourceError(
                path=entry.name,
                key=entry.key,
                expected=f"the number of an identity, 0 to {_MAX_LABEL}",
                got=f"the label {entry.labels[0]}",
                advice="'recordkit relabel' gives images other labels",
            )
        labels[begin : begin + len(entries)] = firsts
        keys[begin : begin + len(entries)] = [entry.key for entry in entries]
        max_width = max(max_width, *[len(entry.labels) for entry in entries])
    notes = [*source.notes]
    if max_width > 1:
        notes.append(f"the first of up to {max_width} labels is the identity, and the others are left out")
    n_identities, n_classes = len(np.unique(labels)), int(np.max(labels)) + 1
    if n_identities < n_classes:
        n_empty = plural(n_classes - n_identities, "number")
        verb = "has" if n_classes - n_identities == 1 else "have"
        advice = "'recordkit relabel' gives images the numbers that are free"
        notes.append(f"labels are 0 to {n_classes - 1}, and {n_empty} of these {verb} no image; {advice}")
    return labels, keys, notes


def _rounding_notes(bounds: NDArray[np.int64]) -> list[str]:
    """Say what readers of the ranges miss in a file of more than 2**24 records.

    Parameters
    ----------
    bounds : ndarray of int64, shape (m + 1,)
        Keys of the first images, and the one behind the last image.
    """
    end = int(bounds[-1])
    if end + len(bounds) <= faces.MAX_EXACT:
        return []
    late = np.flatnonzero(bounds[1:] > faces.MAX_EXACT).tolist()
    ranges = [faces.identity_header(0, int(bounds[number]), int(bounds[number + 1])).labels for number in late]
    n_held = int(sum(last - first for first, last in ranges))
    n_missed = end - int(bounds[late[0]]) - n_held if late else 0
    n_behind = end - int(faces.file_header(end, end).labels[0])
    return [
        f"float32 holds no odd number above {faces.MAX_EXACT}: readers of the record with key 0 miss "
        f"{plural(n_behind, 'image')}, those of the identity records miss {plural(n_missed, 'image')} or fail; "
        "a shuffled file has no such records"
    ]
