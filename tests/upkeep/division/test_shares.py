"""Counts in the proportion of ratios: exact sums, and each share rounded down or up."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordkit.errors import PlanError
from recordkit.upkeep.division.shares import count_parts, count_table, shares_of
from recordkit.upkeep.division.sizes import bounds_below, even_bounds

weights = st.lists(st.integers(1, 40), min_size=2, max_size=6)


def shares(numbers):
    return shares_of({str(n): Fraction(number, sum(numbers)) for n, number in enumerate(numbers)})


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60), weights, st.integers(0, 5))
def test_a_table_has_exact_sums_and_entries_within_one_record(sizes, numbers, seed):
    sizes, ratios = np.array(sizes), shares(numbers)
    table = count_table(sizes, ratios, seed=seed)
    assert table.sum(axis=1).tolist() == sizes.tolist()
    assert table.sum(axis=0).tolist() == count_parts(int(sizes.sum()), ratios).tolist()
    exact = sizes[:, None] * ratios.numbers / ratios.total
    assert np.all(np.floor(exact - 1e-9) <= table) and np.all(table <= np.ceil(exact + 1e-9)) and table.min() >= 0


@given(st.integers(0, 10**9), weights)
def test_counts_are_the_shares_rounded_down_or_up(n, numbers):
    ratios = shares(numbers)
    counts = count_parts(n, ratios)
    assert counts.sum() == n and np.all(np.abs(counts - n * ratios.numbers / ratios.total) < 1)


def test_the_table_of_many_small_labels_is_balanced_quickly():
    table = count_table(np.ones(200_000, np.int64), shares_of({"a": 0.7, "b": 0.2, "c": 0.1}), seed=3)
    assert table.sum(axis=0).tolist() == [140_000, 40_000, 20_000]


def test_ratios_without_a_small_denominator_are_rounded():
    third = shares_of({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    assert third.numbers.sum() == third.total and third.total <= 10**6
    assert shares_of({"a": Fraction(1, 3), "b": Fraction(2, 3)}) == (pytest.approx([1, 2]), 3)


@pytest.mark.parametrize(
    ("ratios", "message"),
    [
        ({"a": 1.5, "b": -0.5}, "ratios of more than 0, got a=1.5, b=-0.5"),
        ({"a": float("nan"), "b": 0.5}, "ratios of more than 0, got a=nan, b=0.5"),
        ({"a": Fraction(10**400), "b": -Fraction(10**400)}, "ratios of more than 0, got a=inf, b=-inf"),
    ],
)
def test_bad_ratios_are_errors(ratios, message):
    with pytest.raises(PlanError, match=message):
        shares_of(ratios)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=50), st.integers(1, 3000))
def test_bounds_below_a_size_leave_no_part_larger_except_one_record(sizes, most):
    ends = np.cumsum(sizes)
    bounds = bounds_below(ends, most)
    assert bounds[0] == 0 and bounds[-1] == len(sizes) and all(np.diff(bounds) > 0)
    for begin, end in itertools.pairwise(bounds):
        assert sum(sizes[begin:end]) <= most or end == begin + 1


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=50), st.data())
def test_even_bounds_give_each_part_a_record(sizes, data):
    n = data.draw(st.integers(1, len(sizes)))
    bounds = even_bounds(np.cumsum(sizes), n)
    assert len(bounds) == n + 1 and bounds[0] == 0 and bounds[-1] == len(sizes) and all(np.diff(bounds) > 0)


def test_weights_are_divided_by_their_sum():
    for weights in ({"a": 80, "b": 10, "c": 10}, {"a": 8e307, "b": 1e307, "c": 1e307}):
        assert shares_of(weights).numbers.tolist() == [8, 1, 1]
