"""Facts about the labels of a source, from which an export knows what its format can hold before it writes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from recordkit.errors import SourceError
from recordkit.sample import Entry, Source

_MAX_WHOLE = 2**63  # an int64, in which a .cls and Parquet hold a whole number, is less
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
        All labels are whole numbers of 64 bits.
    first_labels : set of float
        The distinct first labels.
    max_key : int
        Largest key.
    not_finite : Entry, optional
        The first sample with a label that is infinite or NaN.
    """

    min_width: int
    max_width: int
    are_whole: bool
    first_labels: set[float]
    max_key: int
    not_finite: Entry | None = None

    def check_finite(self, holder: str) -> None:
        """Refuse labels that are infinite or NaN.

        Parameters
        ----------
        holder : str
            That which cannot hold them, such as "a list".

        Raises
        ------
        SourceError
            There is one.
        """
        if self.not_finite is not None:
            raise SourceError(
                path=self.not_finite.name,
                key=self.not_finite.key,
                expected=f"a finite label, which {holder} can hold",
                got=next(label for label in self.not_finite.labels if not math.isfinite(label)),
            )

    @classmethod
    def merge(cls, parts: Sequence[LabelFacts]) -> LabelFacts:
        """Return the facts about all samples of some parts, in their order; there is at least one.

        Examples
        --------
        >>> LabelFacts.merge([LabelFacts(1, 1, True, {4}, 9), LabelFacts(1, 2, False, {0.5}, 7)])
        LabelFacts(min_width=1, max_width=2, are_whole=False, first_labels={0.5, 4}, max_key=9, not_finite=None)
        """
        return cls(
            min(part.min_width for part in parts),
            max(part.max_width for part in parts),
            all(part.are_whole for part in parts),
            set().union(*(part.first_labels for part in parts)),
            max(part.max_key for part in parts),
            next((part.not_finite for part in parts if part.not_finite is not None), None),
        )

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
    LabelFacts(min_width=1, max_width=2, are_whole=False, first_labels={1, 2}, max_key=9, not_finite=None)
    """
    widths: set[int] = set()
    first_labels: set[float] = set()
    are_whole, max_key, not_finite = True, 0, None
    for begin in range(0, len(source), _BLOCK_SIZE):
        entries = source.entries(range(begin, min(begin + _BLOCK_SIZE, len(source))))
        rows = [entry.labels for entry in entries]
        widths.update(map(len, rows))
        first_labels.update([row[0] for row in rows])
        distinct = set(itertools.chain.from_iterable(rows))
        are_whole = are_whole and all(map(is_whole, distinct))
        if not_finite is None and not all(map(math.isfinite, distinct)):
            not_finite = next(entry for entry in entries if not all(map(math.isfinite, entry.labels)))
        max_key = max(max_key, max(entry.key for entry in entries))
    return LabelFacts(min(widths), max(widths), are_whole, first_labels, max_key, not_finite)


def is_whole(label: float) -> bool:
    """Tell whether a label is a whole number of 64 bits.

    Examples
    --------
    >>> is_whole(4.0), is_whole(2**53 + 1), is_whole(0.5), is_whole(1e30), is_whole(float("inf"))
    (True, True, False, False, False)
    """
    return isinstance(label, int) or (label.is_integer() and -_MAX_WHOLE <= label < _MAX_WHOLE)
