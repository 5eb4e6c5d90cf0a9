"""The samples that several conditions select together.

Conditions come first: keys, labels, classes, list and expression, all of which must hold. Then the rest is thinned, in
this order: every n-th, the first of each class, a random sample, the first ones. The samples keep their order, except
that a list gives its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.arguments import one_or_more
from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.keys import ranks
from recordkit.errors import PlanError, enumerate_some, plural
from recordkit.formats.lst import ListFile
from recordkit.sampling.permutation import Permutation
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.labels.text import label_text
from recordkit.upkeep.selection.expression import Expression
from recordkit.upkeep.selection.keys import SortedKeys, parse_ranges, read_keys
from recordkit.upkeep.selection.table import SampleTable

_Rows = NDArray[np.int64]
_MAX_KEYS_TOLD = 1000


@dataclass(frozen=True, eq=False)
class Selection:
    """Conditions on samples; without any, all samples are selected.

    Attributes
    ----------
    keys : int, str, Path, or sequence of int, optional
        Keys and ranges of keys such as ``"0:1000,1500"``, whose ends are not included; a file with a key on each line;
        or the keys themselves. Each key, and a key of each range, must be in the dataset.
    labels : float or sequence of float, optional
        One first label or several. Each must be in the dataset.
    classes : str or sequence of str, optional
        One name of a class or several. Each must have a sample. Together with `labels` they are one condition:
        a sample has one of these labels or classes.
    listed : str or Path, optional
        A .lst file. The samples with its keys are selected, in its order; its labels and paths are not used.
    where : str, optional
        An expression such as ``"label == 3 and bytes > 10000"``; see `recordkit.upkeep.selection.expression`.
    every : int, default 1
        Select every n-th sample, from `start` on.
    start : int, default 0
    first_per_class : int, optional
        Number of samples to select of each first label; all of them if there are fewer.
    sample : int, optional
        Number of samples to draw at random, without repetition.
    seed : int, 0 to 2**64 - 1, default 0
        Seed of `sample`.
    first : int, optional
        Number of samples to select from the beginning; all if there are fewer.

    Raises
    ------
    PlanError
        A number is out of range, or a text has not the form that it should have.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key, label in enumerate([4, 9, 4, 4, 1]):
    ...         writer.write_idx(key, pack(IRHeader(0, label, key, 0), b"jpeg"))
    >>> with RecordDataset(prefix) as dataset:
    ...     Selection(labels=[4, 1], keys="1:").rows(dataset), Selection(first_per_class=1).rows(dataset)
    (array([2, 3, 4]), array([0, 1, 4]))
    """

    keys: int | str | Path | Sequence[int] | NDArray[np.uint64] | None = None
    labels: float | Sequence[float] = ()
    classes: str | Sequence[str] = ()
    listed: str | Path | None = None
    where: str | None = None
    every: int = 1
    start: int = 0
    first_per_class: int | None = None
    sample: int | None = None
    seed: int = 0
    first: int | None = None

    def __post_init__(self) -> None:
        for argument, least in (("every", 1), ("start", 0), ("first_per_class", 1), ("sample", 1), ("first", 1)):
            number = getattr(self, argument)
            if number is not None and number < least:
                raise PlanError(argument=argument, expected=f"{least} or more", got=number)
        if not 0 <= self.seed < 2**64:
            raise PlanError(argument="seed", expected="0 to 2**64 - 1", got=self.seed)
        if self.where is not None:
            Expression(self.where)
        if isinstance(self.keys, str):
            parse_ranges(self.keys)

    def rows(self, samples: RecordDataset | Inputs) -> _Rows:
        """Return the rows of the selected samples.

        Parameters
        ----------
        samples : RecordDataset or Inputs
            The caller closes it.

        Returns
        -------
        rows : ndarray of int64, shape (m,)
            Positions in the dataset, or in all inputs; at least one. They increase, except with `listed`.

        Raises
        ------
        PlanError
            No sample is selected; a key, label or class is not in the dataset; `sample` is larger than the number of
            samples; or an expression does not fit them.
        NotFoundError, FormatError, OSError
            A file cannot be read, or a record is damaged.
        """
        table = SampleTable(samples)
        rows = np.arange(len(table)) if self.listed is None else self._listed_rows(table, self.listed)
        if self.keys is not None:
            is_named = np.zeros(len(table), bool)
            is_named[self._named_rows(table)] = True
            rows = rows[is_named[rows]]
        if one_or_more(self.labels) or one_or_more(self.classes):
            rows = rows[np.isin(table.label_column(0, rows), self._wanted_labels(table))]
        if self.where is not None:
            rows = rows[Expression(self.where).matches(table, rows)]
        rows = self._thin(rows, table)
        if not len(rows):
            raise self._nothing_selected(table)
        return rows

    def _nothing_selected(self, table: SampleTable) -> PlanError:
        """Return the error about a selection of nothing: the expression, and the labels if it is about them."""
        got, advice = "none", None
        if self.where is not None:
            got = f"none with {self.where!r}"
            if "label" in self.where:
                labels = [label_text(label) for label in np.unique(table.first_labels()).tolist()]
                advice = f"the first labels are {enumerate_some(labels)}"
        expected = f"some of {plural(len(table), 'record')}"
        return PlanError("no record is selected", expected=expected, got=got, advice=advice)

    def files(self) -> list[str | Path]:
        """Return the files that `rows` reads besides the samples."""
        candidates = (self.keys if isinstance(self.keys, Path) else None, self.listed)
        return [path for path in candidates if path is not None]

    @property
    def is_empty(self) -> bool:
        """True if there is no condition, so that all samples are selected."""
        return not any(value for name, value in self.as_json().items() if name != "seed")

    def as_json(self) -> dict[str, object]:
        """Return the conditions as JSON-compatible values, without those that are not used; up to 1,000 keys.

        Examples
        --------
        >>> Selection(labels=[3], first=10).as_json()
        {'labels': [3], 'first': 10}
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("labels", "classes"):
            values[name] = tuple(one_or_more(values[name]))
        document: dict[str, object] = {
            field.name: values[field.name]
            for field in fields(self)
            if field.name != "keys" and values[field.name] != field.default
        }
        if isinstance(self.keys, str | Path):
            document["keys"] = Path(self.keys).name if isinstance(self.keys, Path) else self.keys
        elif self.keys is not None:
            document["keys"] = np.atleast_1d(self.keys)[:_MAX_KEYS_TOLD].tolist()
        for name in ("labels", "classes"):
            if name in document:
                document[name] = list(values[name])
        if self.listed is not None:
            document["listed"] = Path(self.listed).name
        return document

    def _listed_rows(self, table: SampleTable, path: str | Path) -> _Rows:
        with ListFile(path, label_width="auto") as rows:
            keys = np.array(rows.keys, np.uint64)
        return SortedKeys(table.keys).of_each(keys, str(path))

    def _named_rows(self, table: SampleTable) -> _Rows:
        keys = self.keys
        lookup = SortedKeys(table.keys)
        if isinstance(keys, str):
            return lookup.in_ranges(parse_ranges(keys))
        return lookup.in_set(read_keys(keys) if isinstance(keys, Path) else np.atleast_1d(np.asarray(keys, np.uint64)))

    def _wanted_labels(self, table: SampleTable) -> NDArray[Any]:
        """Return the labels of `labels` and `classes`, all of which the dataset has."""
        labels = table.first_labels()
        there = np.unique(labels)
        wanted: list[Any] = []
        for argument, name, label in [*self._named_labels(), *self._class_labels(table)]:
            value = labels.dtype.type(label)
            if value not in there or (labels.dtype == np.int64 and value != label):
                got = f"{name}, which none of the {len(there)} labels is" if argument == "labels" else name
                expected = enumerate_some([label_text(each) for each in there.tolist()])
                if argument == "classes":
                    known = [each for each, number in (table.classes or {}).items() if number in there]
                    expected = f"classes with records{f', as {enumerate_some(known)}' if known else ''}"
                    got = f"{name}, label {label_text(label)}, without any"
                raise PlanError(argument=argument, expected=expected, got=got)
            wanted.append(value)
        return np.array(wanted).astype(labels.dtype)

    def _named_labels(self) -> list[tuple[str, str, float]]:
        return [("labels", label_text(label), label) for label in one_or_more(self.labels)]

    def _class_labels(self, table: SampleTable) -> list[tuple[str, str, float]]:
        names = one_or_more(self.classes)
        if not names:
            return []
        known = table.classes
        if known is None:
            raise PlanError(
                argument="classes", expected="a dataset with class names", got="none", advice="give `labels`"
            )
        for name in names:
            if name not in known:
                similar = get_close_matches(name, known, n=1)
                advice = f"did you mean {similar[0]}?" if similar else None
                if len(names := name.split(",")) > 1 and known.keys() >= set(names):
                    advice = f"give each name by itself: {' '.join(f'`classes={each}`' for each in names)}"
                raise PlanError(argument="classes", expected=enumerate_some(known), got=name, advice=advice)
        return [("classes", name, known[name]) for name in names]

    def _thin(self, rows: _Rows, table: SampleTable) -> _Rows:
        rows = rows[self.start :: self.every]
        if self.first_per_class is not None and len(rows):
            rows = rows[ranks(table.label_column(0, rows)) < self.first_per_class]
        if self.sample is not None:
            if self.sample > len(rows):
                raise PlanError(argument="sample", expected=f"1 to {len(rows)} records", got=self.sample)
            drawn = Permutation(len(rows), seed=self.seed, epoch=0).permute(np.arange(self.sample))
            rows = rows[np.sort(drawn)]
        return rows if self.first is None else rows[: self.first]
