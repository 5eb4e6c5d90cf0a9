"""Philox: the published vectors, and the agreement of arrays with single words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordkit.transforms.draws import philox

words = st.integers(0, 2**32 - 1)


# Random123 1.14, tests/kat_vectors, lines philox4x32 10
@pytest.mark.parametrize(
    ("counter", "key", "block"),
    [
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_returns_the_published_blocks(counter, key, block):
    assert philox(counter, key) == block


@given(st.lists(st.tuples(words, words, words, words), min_size=1, max_size=5), st.tuples(words, words))
def test_arrays_of_counters_return_the_block_of_each_counter(counters, key):
    blocks = philox(tuple(np.array(counters, np.uint64).T), key)
    assert all(lane.dtype == np.uint64 for lane in blocks)
    assert [tuple(block) for block in np.array(blocks).T.tolist()] == [philox(counter, key) for counter in counters]
