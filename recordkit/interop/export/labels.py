"""Facts about the labels of a source, from which an export knows what its format can hold before it writes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from recordkit.sample import Source

# Rows that are looked at together.
_BLOCK_SIZE = 4096


@dataclass(frozen=True)
class LabelFacts:
    """Facts about the labels of all samples of a source.

    Attributes
    ----------
    min_width, max_width : int
        Smallest and largest number of labels of a sample.
    are_whole : bool
        All labels are whole numbers.
    first_labels : set of float
        The distinct first labels.
    max_key : int
        Largest key.
    """

    min_width: int
    max_width: int
    are_whole: bool
    first_labels: set[float]
    max_key: int

    @property
    def has_one_whole_label(self) -> bool:
        """Every sample has one label, a whole number."""
        return self.max_width == 1 and self.are_whole


def survey_labels(source: Source) -> LabelFacts:
    r"""Look at the labels and keys of all samples, of which there is at least one.

    Raises
    ------
    FormatError
        A record is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from recordkit.sources import ListSource
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "a.jpg").touch()
    >>> _ = (folder / "a.lst").write_text("7\t1\t0.5\ta.jpg\n9\t2\ta.jpg\n")
    >>> survey_labels(ListSource(folder / "a.lst"))
    LabelFacts(min_width=1, max_width=2, are_whole=False, first_labels={1, 2}, max_key=9)
    """
    widths: set[int] = set()
    first_labels: set[float] = set()
    are_whole, max_key = True, 0
    for begin in range(0, len(source), _BLOCK_SIZE):
        entries = source.entries(range(begin, min(begin + _BLOCK_SIZE, len(source))))
        rows = [entry.labels for entry in entries]
        widths.update(map(len, rows))
        first_labels.update([row[0] for row in rows])
        are_whole = are_whole and all(map(is_whole, set(itertools.chain.from_iterable(rows))))
        max_key = max(max_key, max(entry.key for entry in entries))
    return LabelFacts(min(widths), max(widths), are_whole, first_labels, max_key)


def is_whole(label: float) -> bool:
    """Tell whether a label is a whole number.

    Examples
    --------
    >>> is_whole(4.0), is_whole(2**53 + 1), is_whole(0.5), is_whole(float("inf"))
    (True, True, False, False)
    """
    return isinstance(label, int) or label.is_integer()
