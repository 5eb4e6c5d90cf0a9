"""Threads: how many, and results in order."""

import pytest

from recordkit.errors import PlanError
from recordkit.threads import MAX_THREADS, count_threads


def test_none_asked_for_means_as_many_as_there_are_cpus():
    assert 1 <= count_threads(0) <= MAX_THREADS


@pytest.mark.parametrize("asked", [-1, MAX_THREADS + 1, 2_000_000_000])
def test_more_threads_than_a_machine_can_use_are_refused(asked):
    with pytest.raises(PlanError, match=f"threads: expected 0 to 1024, got {asked}"):
        count_threads(asked)
