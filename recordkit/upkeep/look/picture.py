"""The chosen samples of a dataset with their thumbnails and captions, as a sheet or a page shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.thumbnail import Thumbnail, make_thumbnail
from recordkit.errors import FormatError
from recordkit.memory import MemoryBudget, choose_memory
from recordkit.threads import ThreadedMap, count_threads
from recordkit.upkeep.labels.text import label_text

# Labels of a sample that are shown; a box or a face may have many.
_N_LABELS = 4


@dataclass(frozen=True, eq=False)
class Picture:
    """A sample with its thumbnail.

    Attributes
    ----------
    key : int
    label : str
        Its label, or several between commas.
    first_label : str
        The first of them.
    name : str
        Name of the class; "" if it has none.
    path : str
        The .rec file.
    thumbnail : Thumbnail
    """

    key: int
    label: str
    first_label: str
    name: str
    path: str
    thumbnail: Thumbnail

    @property
    def title(self) -> str:
        """Class name and label, or the label alone."""
        return f"{self.name} ({self.label})" if self.name else self.label

    @property
    def category(self) -> str:
        """Class name and first label, or the first label alone, by which samples are filtered."""
        return f"{self.name} ({self.first_label})" if self.name else self.first_label

    def without_pixels(self) -> Picture:
        """Return the facts alone, for a caller that keeps those of many images."""
        return replace(self, thumbnail=self.thumbnail.without_pixels())


def make_pictures(
    dataset: RecordDataset,
    indices: NDArray[np.int64],
    side: int,
    *,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Picture]:
    """Read and shrink some samples, in the order of `indices`.

    Parameters
    ----------
    dataset : RecordDataset
    indices : ndarray of int64, shape (m,)
    side : int
        Longest side of a thumbnail, in pixels.
    threads : int, default 0
        See `recordkit.threads.count_threads`.
    progress : callable, optional
        Called with the number of samples read since the last call.

    Yields
    ------
    picture : Picture
        One that is damaged has a thumbnail without pixels.
    """
    n_threads = count_threads(threads)
    budget = MemoryBudget(choose_memory(None), n_threads)
    names: dict[float, str] = {label: name for name, label in (dataset.classes or {}).items()}
    paths = [str(path) for path in dataset.files]
    keys, file_indices = dataset.keys_at(indices), dataset.file_indices(indices)

    def make(position: int) -> Picture:
        key, path = int(keys[position]), paths[file_indices[position]]
        try:
            sample = dataset[int(indices[position])]
        except FormatError as error:
            return Picture(key, "", "", "", path, Thumbnail(None, 0, 0, "", 0, error.problem))
        label, first_label, name = _describe(sample.label, names)
        return Picture(key, label, first_label, name, path, make_thumbnail(sample.payload, side, budget=budget))

    with ThreadedMap(make, range(len(indices)), n_threads) as pictures:
        for picture in pictures:
            if progress is not None:
                progress(1)
            yield picture


def _describe(label: Any, names: dict[float, str]) -> tuple[str, str, str]:
    """Return the text of the labels, that of the first one, and the name of its class."""
    labels = np.ravel(label).tolist()
    more = ", ..." if len(labels) > _N_LABELS else ""
    texts = [label_text(each) for each in labels[:_N_LABELS]]
    return ", ".join(texts) + more, texts[0], names.get(labels[0], "")
