"""The computed permutation: every index once, no pattern, and always the same one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordkit.errors import PlanError
from recordkit.sampling.permutation import MAX_N, Permutation

_MASK = 2**64 - 1


def whole(n, seed=0, epoch=0, stream=0):
    return Permutation(n, seed=seed, epoch=epoch, stream=stream).permute(np.arange(n))


def is_permutation(indices):
    return np.array_equal(np.sort(indices), np.arange(len(indices)))


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_every_small_number_is_permuted(seed):
    assert all(is_permutation(whole(n, seed)) for n in range(1, 301))


@pytest.mark.parametrize("n", [9_973, 2**16 - 1, 2**16, 2**16 + 1, 60_000, 317**2, 1_281_167 // 4])
def test_large_numbers_are_permuted(n):
    assert is_permutation(whole(n))


def test_the_order_is_pinned():
    assert whole(20).tolist() == [5, 19, 8, 14, 0, 15, 6, 2, 7, 9, 13, 4, 16, 17, 10, 1, 3, 12, 18, 11]
    assert whole(20, seed=1).tolist() == [8, 16, 0, 15, 1, 14, 9, 18, 12, 3, 7, 17, 6, 10, 19, 11, 13, 2, 4, 5]
    assert whole(20, epoch=1).tolist() == [14, 9, 7, 18, 8, 11, 1, 4, 16, 2, 15, 6, 10, 17, 19, 13, 5, 12, 0, 3]
    assert Permutation(MAX_N, seed=2**64 - 1, epoch=2**32 - 1).permute(np.array([0, MAX_N - 1])).tolist() == [
        164352157665491,
        267481337451608,
    ]


def in_plain_integers(n, seed, epoch, position):
    """Return the index by the definition, with the whole finaliser of MurmurHash3 and true remainders."""

    def fmix64(h):
        h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & _MASK
        h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
        return h ^ h >> 33

    permutation = Permutation(n, seed=seed, epoch=epoch)
    b = int(permutation._n_low)
    while True:
        digits = list(divmod(position, b))
        for number, (key, n_values) in enumerate((int(key), int(n_values)) for key, n_values in permutation._rounds):
            unmixed = key ^ key >> 33  # the first step of the finaliser turns it back into the key
            random = fmix64(digits[1 - number % 2] ^ unmixed) >> 32
            digits[number % 2] = (digits[number % 2] + (random * n_values >> 32)) % n_values
        position = digits[0] * b + digits[1]
        if position < n:
            return position


@given(st.data())
def test_it_equals_its_definition(data):
    n = data.draw(st.one_of(st.integers(1, 100), st.integers(1, MAX_N)))
    seed, epoch = data.draw(st.integers(0, 2**64 - 1)), data.draw(st.integers(0, 2**32 - 1))
    positions = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=5))
    indices = Permutation(n, seed=seed, epoch=epoch).permute(np.array(positions))
    assert indices.tolist() == [in_plain_integers(n, seed, epoch, position) for position in positions]


def test_each_index_comes_to_each_position_equally_often():
    n, n_seeds = 100, 3_000
    indices = np.array([whole(n, seed) for seed in range(n_seeds)])
    counts = np.array([np.bincount(indices[:, position], minlength=n) for position in range(n)])
    chi_square = ((counts - n_seeds / n) ** 2 / (n_seeds / n)).sum()
    freedom = (n - 1) ** 2
    assert abs(chi_square - freedom) < 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("n", [10, 16])
def test_the_indices_at_two_positions_are_independent(n):
    n_seeds = 3_000
    indices = np.array([whole(n, seed) for seed in range(n_seeds)])
    expected, freedom = n_seeds / (n * (n - 1)), n * (n - 1) - 1
    excess = []
    for first in range(n):
        for second in range(first):
            counts = np.bincount(indices[:, first] * n + indices[:, second], minlength=n * n).reshape(n, n)
            chi_square = ((counts[~np.eye(n, dtype=bool)] - expected) ** 2 / expected).sum()
            excess.append((chi_square - freedom) / (2 * freedom) ** 0.5)
    assert abs(np.mean(excess)) < 0.5 and max(excess) < 5


@pytest.mark.parametrize("lag", [1, 2, 3, 64, 100, 1_000, 317])
def test_neighbours_are_unrelated(lag):
    n = 100_000  # a rectangle of 317 x 316
    indices = whole(n)
    assert abs(np.corrcoef(indices[:-lag], indices[lag:])[0, 1]) < 5 / n**0.5


@pytest.mark.parametrize("other", [{"seed": 1}, {"seed": 2**32}, {"epoch": 1}, {"stream": 1}, {"stream": 2**32}])
def test_other_seeds_epochs_and_streams_are_unrelated(other):
    n = 100_000
    one, two = whole(n), whole(n, **other)
    assert abs(np.corrcoef(one, two)[0, 1]) < 5 / n**0.5
    assert (one == two).sum() < 8  # 1 on average


@pytest.mark.parametrize("n", [0, -1, MAX_N + 1])
def test_a_size_out_of_range_is_refused(n):
    with pytest.raises(PlanError, match=f"n: expected 1 to {MAX_N} samples, got {n}"):
        Permutation(n, seed=0, epoch=0)
