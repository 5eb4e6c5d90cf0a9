"""The rules by which `recordkit.upkeep.split` divides a dataset."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError, enumerate_some, plural
from recordkit.memory import read_size
from recordkit.sampling.permutation import Permutation
from recordkit.upkeep.division.groups import find_groups
from recordkit.upkeep.division.shares import WholeRatios, count_parts, count_table, shares_of
from recordkit.upkeep.division.sizes import bounds_below, even_bounds
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.labels.text import label_text
from recordkit.upkeep.selection.keys import SortedKeys, parse_ranges
from recordkit.upkeep.selection.table import SampleTable

_Rows = NDArray[np.int64]
# More labels than this are numbers rather than classes, and their table would take hundreds of megabytes.
_MAX_STRATA = 1_000_000


class Division(NamedTuple):
    """The parts of a dataset.

    Attributes
    ----------
    parts : dict of str to ndarray of int64
        The rows of each part, increasing.
    notes : list of str
        Facts that a reader should know.
    """

    parts: dict[str, _Rows]
    notes: list[str]


@dataclass(frozen=True)
class Ratios:
    """Parts at random, in proportion to some ratios. Each part keeps the order of the records.

    Attributes
    ----------
    ratios : mapping of str to float or Fraction
        Name of each part, and its weight; the weights are divided by their sum. The counts are by the largest
        remainder.
    seed : int, 0 to 2**64 - 1, default 0
        The parts are the same on every machine.
    stratify : bool, default False
        Divide the records of each first label in the same proportion: each part has the exact share of a label, rounded
        down or up.
    group_by : str, optional
        Keep the records of a group in one part; see `recordkit.upkeep.division.groups`. The groups, in random order,
        are divided where the counts of their records come nearest to the ratios.

    Raises
    ------
    PlanError
        A name or a ratio is no good one, or `stratify` is combined with `group_by`.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key in range(10):
    ...         writer.write_idx(key, pack(IRHeader(0, key % 2, key, 0), b"jpeg"))
    >>> with Inputs([prefix]) as inputs:
    ...     Ratios({"train": 0.8, "val": 0.2}, stratify=True).divide(inputs).parts["val"]
    array([5, 8])
    """

    ratios: Mapping[str, float | Fraction]
    seed: int = 0
    stratify: bool = False
    group_by: str | None = None

    def __post_init__(self) -> None:
        check_names(self.ratios)
        shares_of(self.ratios)
        if not 0 <= self.seed < 2**64:
            raise PlanError(argument="seed", expected="0 to 2**64 - 1", got=self.seed)
        if self.stratify and self.group_by is not None:
            raise PlanError("`stratify` and `group_by` exclude each other, because a group may have several labels")

    def divide(self, inputs: Inputs) -> Division:
        """Divide the samples of some inputs.

        Raises
        ------
        PlanError
            A part would be empty.
        FormatError
            A record is damaged.
        """
        shares = shares_of(self.ratios)
        notes: list[str] = []
        if self.stratify:
            numbers, notes = self._divide_labels(inputs, shares)
        elif self.group_by is not None:
            numbers = self._divide_groups(find_groups(self.group_by, inputs), shares)
        else:
            counts = count_parts(len(inputs), shares)
            numbers = np.empty(len(inputs), np.int8)
            numbers[self._shuffled(len(inputs))] = np.repeat(np.arange(len(counts), dtype=np.int8), counts)
        parts = {name: np.flatnonzero(numbers == number) for number, name in enumerate(self.ratios)}
        if empty := [name for name, rows in parts.items() if not len(rows)]:
            raise PlanError(
                argument="ratios",
                expected="a record or more in each part",
                got=f"none of {plural(len(inputs), 'record')} in {enumerate_some(empty)}",
            )
        return Division(parts, notes)

    def _shuffled(self, n: int) -> _Rows:
        return Permutation(n, seed=self.seed, epoch=0).permute_all() if n else np.arange(0)

    def _divide_labels(self, inputs: Inputs, shares: WholeRatios) -> tuple[NDArray[np.int8], list[str]]:
        labels, strata, sizes = np.unique(SampleTable(inputs).first_labels(), return_inverse=True, return_counts=True)
        if len(labels) > _MAX_STRATA:
            raise PlanError(argument="stratify", expected=f"at most {_MAX_STRATA} labels", got=len(labels))
        n_parts = len(shares.numbers)
        table = count_table(sizes.astype(np.int64), shares, seed=self.seed)
        shuffled = self._shuffled(len(inputs))
        order = shuffled[np.argsort(strata.reshape(-1)[shuffled], kind="stable")]  # by label, then at random
        numbers = np.empty(len(inputs), np.int8)
        numbers[order] = np.repeat(np.tile(np.arange(n_parts, dtype=np.int8), len(labels)), table.reshape(-1))
        small = [label_text(label) for label in labels[sizes < n_parts].tolist()]
        notes = [f"labels with fewer records than parts, which are not in all parts: {enumerate_some(small)}"]
        return numbers, notes if small else []

    def _divide_groups(self, groups: _Rows, shares: WholeRatios) -> NDArray[np.int8]:
        sizes = np.bincount(groups)
        order = self._shuffled(len(sizes))
        ends = np.cumsum(sizes[order])
        middles = 2 * ends - sizes[order]  # times 2, in whole numbers
        cuts = 2 * np.cumsum(count_parts(len(groups), shares))
        part_of_group = np.empty(len(sizes), np.int8)
        part_of_group[order] = np.searchsorted(cuts, middles, "left")
        return part_of_group[groups]


@dataclass(frozen=True)
class KeyParts:
    """Parts by ranges of keys.

    Attributes
    ----------
    ranges : mapping of str to str
        Name of each part, and keys and ranges such as ``"0:50000"``, whose ends are not included. A record whose key
        is in no part is left out, and a note says how many are.

    Raises
    ------
    PlanError
        A name or a range is no good one.
    """

    ranges: Mapping[str, str]

    def __post_init__(self) -> None:
        check_names(self.ranges)
        for text in self.ranges.values():
            parse_ranges(text)

    def divide(self, inputs: Inputs) -> Division:
        """Divide the samples of some inputs.

        Raises
        ------
        PlanError
            A range has no key of the dataset, or a key is in two parts.
        """
        keys = SortedKeys(inputs.keys)
        parts = {name: keys.in_ranges(parse_ranges(text)) for name, text in self.ranges.items()}
        numbers = np.full(len(inputs), -1, np.int64)
        for number, (name, rows) in enumerate(parts.items()):
            if len(taken := rows[numbers[rows] >= 0]):
                other = list(parts)[numbers[taken[0]]]
                got = f"key {inputs.keys[taken[0]]} in {other} and in {name}"
                raise PlanError(argument="keys", expected="parts without common keys", got=got)
            numbers[rows] = number
        n_left_out = int(np.sum(numbers < 0))
        notes = [f"{plural(n_left_out, 'record')} in no part"] if n_left_out else []
        return Division(parts, notes)


@dataclass(frozen=True)
class Shards:
    """Consecutive records in files of about the same size, with a manifest. Exactly one of the two is given.

    Attributes
    ----------
    count : int, optional
        Number of shards.
    max_bytes : int or str, optional
        Most bytes of a shard, as a number or as "512M" or "2G"; a record that is larger is alone in its shard.
    """

    count: int | None = None
    max_bytes: int | str | None = None

    def __post_init__(self) -> None:
        if (self.count is None) == (self.max_bytes is None):
            raise PlanError(expected="either `count` or `max_bytes`", got="both" if self.count else "none")
        if self.count is not None and self.count < 1:
            raise PlanError(argument="count", expected="1 or more", got=self.count)
        if self.max_bytes is not None:
            read_size(self.max_bytes, "max_bytes")

    def divide(self, inputs: Inputs) -> Division:
        """Divide the samples of some inputs.

        Raises
        ------
        PlanError
            There are fewer records than shards.
        """
        ends = inputs.ends()
        if self.count is not None and self.count > len(ends):
            raise PlanError(argument="shards", expected=f"1 to the number of records, {len(ends)}", got=self.count)
        if self.max_bytes is None:
            bounds = even_bounds(ends, self.count or 1)
        else:
            bounds = bounds_below(ends, read_size(self.max_bytes, "max_bytes"))
        return Division({str(n): np.arange(*pair) for n, pair in enumerate(itertools.pairwise(bounds))}, [])


def check_names(names: Iterable[str]) -> None:
    """Refuse names that cannot be parts of file names.

    Raises
    ------
    PlanError
    """
    given = list(names)
    if len(given) < 2:
        raise PlanError(expected="two parts or more", got=plural(len(given), "part"))
    if len(given) > 100:
        raise PlanError(expected="at most 100 parts", got=len(given))
    for name in given:
        if not re.fullmatch(r"[\w-]{1,100}", name):
            raise PlanError(expected="names of letters, digits, _ and -", got=repr(name))
