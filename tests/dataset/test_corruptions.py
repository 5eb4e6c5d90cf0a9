"""Damage in any file of a set is an error or changes nothing; `corruptions.py` runs more of it."""

import pytest
from dataset import corruptions


@pytest.mark.parametrize("first", [0, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_damage_kills_hangs_or_gives_wrong_data_with_check(first, require_native):
    counts, faults = corruptions.run(range(first, first + (300 if first else 20)))
    assert not faults, corruptions.table(counts)
