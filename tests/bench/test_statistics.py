"""Ratios, intervals and verdicts on random numbers with known means."""

import math

import numpy as np
import pytest

from recordkit.bench.statistics import ratio, student_t, verdict


def test_a_round_that_is_slow_for_both_leaves_the_ratio():
    reference = [100.0, 50.0, 200.0]
    triple = ratio([300.0, 150.0, 600.0], reference)
    assert (triple.value, triple.low, triple.high) == pytest.approx((3, 3, 3))


def test_one_round_has_no_interval():
    assert ratio([2.0], [1.0]).high == math.inf
    assert student_t(1) == math.inf


def test_the_interval_contains_another_run_19_times_of_20():
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(4000):
        first, second = (ratio(np.exp(rng.normal(0.7, 0.02, 5)), np.exp(rng.normal(0, 0.02, 5))) for _ in range(2))
        inside.append(first.low <= second.value <= first.high)
    assert 0.93 < np.mean(inside) < 0.97


@pytest.mark.parametrize(
    ("change", "spread", "n", "word"),
    [
        (0.0, 0.01, 20, "same"),
        (-0.1, 0.02, 20, "slower"),
        (0.1, 0.02, 20, "faster"),
        (0.0, 0.2, 5, "cannot tell"),
        (-0.1, 0.02, 1, "cannot tell"),
    ],
)
def test_verdicts_are_right_nine_times_of_ten(change, spread, n, word):
    rng = np.random.default_rng(1)
    words = [verdict(rng.normal(0, spread, n), rng.normal(math.log1p(change), spread, n)).word for _ in range(50)]
    assert words.count(word) >= 45


@pytest.mark.parametrize(
    ("change", "spread", "word"),
    [(0.01, 0.001, "same"), (0.04, 0.001, "same"), (0.06, 0.001, "faster"), (-0.06, 0.02, "slower")]
    + [
        (0.04, 0.04, "cannot tell"),
        (-0.04, 0.04, "cannot tell"),
    ],  # certain, but smaller than differences of runs of the same code
)
def test_small_changes_do_not_count(change, spread, word):
    change_verdict = verdict([-spread, spread] * 10, [change - spread, change + spread] * 10)
    assert change_verdict.word == word
    assert word != "cannot tell" or change_verdict.low * change_verdict.high > 0
