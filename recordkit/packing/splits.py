"""The order of packing, and its division into shards and splits, by im2rec's arithmetic. Numbers only.

Source: ``write_list`` and ``make_list``, tools/im2rec.py of MXNet 1.9.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from recordkit.errors import PlanError

IM2REC_SEED = 100
"""The seed that im2rec.py always shuffles with."""

# im2rec writes empty lists if there are more shards than images. This limit avoids millions of them.
_MAX_EMPTY_SHARDS = 10_000


@dataclass(frozen=True, slots=True)
class Split:
    """Consecutive positions in the order of packing that become one set of files.

    Attributes
    ----------
    suffix : str
        Appended to PREFIX: ``""``, ``"_train"``, ``"_0_val"``.
    begin, end : int
        Positions in the order; `end` is not included.
    part : str
        The end of the suffix that names the split, without the number of the shard: ``""`` or ``"_val"``.
    """

    suffix: str
    begin: int
    end: int
    part: str = ""


def split_samples(n: int, *, shards: int = 1, train_ratio: float = 1.0, test_ratio: float = 0.0) -> list[Split]:
    """Divide `n` samples into shards, and each shard into test, train and val.

    The sizes of test and train are ``trunc(shard_size * ratio)``, where shard_size is the size of a full shard, even
    for the shorter last one. The rest is val. If the two ratios add up to 1 there is no val, and up to one sample of
    each shard belongs to no split. ``train_ratio`` 1 means no splits, whatever `test_ratio` is.

    Parameters
    ----------
    n : int
    shards : int, default 1
    train_ratio, test_ratio : float, 0 to 1

    Returns
    -------
    splits : list of Split
        In the order in which im2rec writes its files. Splits may be empty.

    Raises
    ------
    PlanError
        A ratio is not from 0 to 1, or there are too many shards.

    Examples
    --------
    >>> [(split.suffix, split.begin, split.end) for split in split_samples(10, train_ratio=0.6, test_ratio=0.2)]
    [('_test', 0, 2), ('_val', 8, 10), ('_train', 2, 8)]
    """
    for argument, ratio in (("train_ratio", train_ratio), ("test_ratio", test_ratio)):
        if not 0 <= ratio <= 1:  # as NaN
            raise PlanError(argument=argument, expected="a fraction from 0 to 1", got=ratio)
    max_shards = max(n, _MAX_EMPTY_SHARDS)
    if shards > max_shards:
        raise PlanError(argument="shards", expected=f"at most {max_shards}", got=shards)
    size = -(-n // shards)
    splits: list[Split] = []
    for shard in range(shards):
        begin, end = min(shard * size, n), min((shard + 1) * size, n)
        suffix = f"_{shard}" if shards > 1 else ""
        if train_ratio == 1.0:
            splits.append(Split(suffix, begin, end))
            continue
        test_end = min(begin + int(size * test_ratio), end)
        train_end = min(begin + int(size * test_ratio) + int(size * train_ratio), end)
        if test_ratio:
            splits.append(Split(f"{suffix}_test", begin, test_end, "_test"))
        if train_ratio + test_ratio < 1.0:
            splits.append(Split(f"{suffix}_val", train_end, end, "_val"))
        splits.append(Split(f"{suffix}_train", test_end, train_end, "_train"))
    return splits


def packing_order(n: int, *, shuffle: bool, seed: int = IM2REC_SEED) -> Sequence[int]:
    """Return the positions 0 to n - 1 in the order of packing. A shuffled order takes 8 bytes per sample.

    Examples
    --------
    >>> list(packing_order(10, shuffle=True))
    [4, 0, 5, 9, 3, 1, 6, 8, 7, 2]
    """
    if not shuffle:
        return range(n)
    order = array("Q", range(n))
    random.Random(seed).shuffle(order)
    return order
