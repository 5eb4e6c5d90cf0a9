"""Ratios, intervals and verdicts, on numbers whose truth is known."""

import math

import numpy as np
import pytest

from recordkit.bench.statistics import ratio, student, verdict


def test_a_slow_round_is_slow_for_both():
    reference = [100.0, 50.0, 200.0]
    found = ratio([300.0, 150.0, 600.0], reference)
    assert (found.value, found.low, found.high) == pytest.approx((3, 3, 3))


def test_one_round_has_no_interval():
    assert ratio([2.0], [1.0]).high == math.inf
    assert student(1) == math.inf


def test_another_run_is_inside_the_interval_19_times_of_20():
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(4000):
        one, other = (ratio(np.exp(rng.normal(0.7, 0.02, 5)), np.exp(rng.normal(0, 0.02, 5))) for _ in range(2))
        inside.append(one.low <= other.value <= one.high)
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
def test_what_two_runs_say(change, spread, n, word):
    rng = np.random.default_rng(1)
    found = [verdict(rng.normal(0, spread, n), rng.normal(math.log1p(change), spread, n)).word for _ in range(50)]
    assert found.count(word) >= 45


@pytest.mark.parametrize(
    ("change", "spread", "word"),
    [(0.01, 0.001, "same"), (0.04, 0.001, "same"), (0.06, 0.001, "faster"), (-0.06, 0.02, "slower")]
    + [(0.04, 0.04, "cannot tell"), (-0.04, 0.04, "cannot tell")],  # certain, but for less than runs of the same code
)
def test_what_counts_as_a_change(change, spread, word):
    found = verdict([-spread, spread] * 10, [change - spread, change + spread] * 10)
    assert found.word == word and (word != "cannot tell" or found.low * found.high > 0)
