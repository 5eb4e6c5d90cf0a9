"""Readers in other processes while a set is packed again and again; re_packs.py does it as often as one wants."""

import pytest
from dataset.re_packs import count_opens, is_good


@pytest.mark.slow
def test_no_open_mixes_two_sets_during_re_packs():
    counts = count_opens(n_packs=500, n_readers=2)
    assert is_good(counts) and counts["dataset"]["tried"] > 20, counts
