"""Orders: each sample once or as often as its weight says, and always the same."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordkit.errors import PlanError
from recordkit.sampling import order
from recordkit.sampling.order import Order, Pages, Sequential, Shuffled, Weighted
from recordkit.sampling.shuffle_quality import shuffle_quality
from recordkit.transforms.draws import ORDER, Draws

seeds = st.integers(0, 2**64 - 1)
epochs = st.integers(0, 2**32 - 1)
n_samples = st.integers(1, 200)
once = st.one_of(
    st.builds(Sequential, n_samples),
    st.builds(Shuffled, n_samples, seeds),
    st.builds(Pages, n_samples, seeds, st.integers(1, 40), st.integers(1, 10)),
)
weights = st.lists(st.floats(0, 1e9), min_size=1, max_size=30).filter(lambda weights: sum(weights) > 0)
weighted = st.builds(lambda weights, seed, n: Weighted(weights, seed=seed, n=n), weights, seeds, n_samples)


def whole(order, epoch=0):
    return order.indices(epoch, np.arange(order.n))


@given(once, epochs)
def test_each_sample_comes_once(order, epoch):
    assert sorted(whole(order, epoch).tolist()) == list(range(order.n))


@given(st.one_of(once, weighted), epochs, st.data())
def test_an_index_does_not_depend_on_the_other_positions_of_the_call(order, epoch, data):
    positions = data.draw(st.lists(st.integers(0, order.n - 1), max_size=10))
    indices = order.indices(epoch, np.array(positions, np.int64))
    assert indices.dtype == np.int64
    assert indices.tolist() == whole(order, epoch)[positions].tolist()


@given(st.one_of(once, weighted))
def test_a_pickled_order_is_the_same(order):
    copy = pickle.loads(pickle.dumps(order))
    assert repr(copy) == repr(order)
    assert whole(copy).tolist() == whole(order).tolist()


def test_the_orders_are_pinned():
    assert whole(Shuffled(16, seed=5), epoch=2).tolist() == [12, 3, 0, 14, 11, 5, 2, 7, 15, 9, 6, 4, 10, 1, 13, 8]
    assert whole(Pages(16, seed=5, page=3, window=2), epoch=2).tolist() == [
        12,
        14,
        13,
        4,
        3,
        5,
        8,
        6,
        7,
        10,
        9,
        11,
        2,
        0,
        15,
        1,
    ]
    assert whole(Weighted([1, 2, 0, 4], seed=5, n=16), epoch=2).tolist() == [
        1,
        3,
        3,
        3,
        1,
        3,
        3,
        3,
        3,
        0,
        3,
        3,
        3,
        3,
        3,
        0,
    ]


@pytest.mark.parametrize("order", [Sequential(10**12), Shuffled(10**12), Pages(10**12)])
def test_orders_of_10_to_the_12_samples_need_no_memory(order):
    positions = np.arange(10**12 - 1_000, 10**12)
    indices = order.indices(0, positions)
    assert len(np.unique(indices)) == 1_000
    assert indices.min() >= 0 and indices.max() < 10**12


def test_a_window_holds_few_pages_and_is_drawn_from_at_random():
    n, page, window = 10_000, 50, 4
    indices = whole(Pages(n, seed=1, page=page, window=window))
    for begin in range(0, n, page * window):
        samples = np.sort(indices[begin : begin + page * window])
        # A page begins at each gap between neighbouring samples; adjacent pages have no gap between them.
        assert (np.diff(samples) != 1).sum() <= window
    assert (np.abs(np.diff(indices)) == 1).mean() < 0.02


def test_the_incomplete_page_has_other_samples_in_each_epoch():
    order = Pages(1_005, page=10, window=1)
    ends = {tuple(sorted(whole(order, epoch)[-5:].tolist())) for epoch in range(20)}
    assert len(ends) > 15


def test_shuffle_quality_of_no_shuffle_of_a_full_shuffle_and_of_pages():
    n = 100_000
    assert shuffle_quality(Sequential(n)).displacement == 0
    assert shuffle_quality(Sequential(n)).separation < 1e-4
    shuffled = shuffle_quality(Shuffled(n))
    assert shuffled.displacement == pytest.approx(1, abs=0.03)
    assert shuffled.separation == pytest.approx(1, abs=0.03)
    for window in (1, 2, 4, 16):
        pages = shuffle_quality(Pages(n, page=100, window=window))
        assert pages.displacement == pytest.approx(1, abs=0.15)  # a thousand pages, not a hundred thousand samples
        assert pages.separation == pytest.approx(1 - 1 / window, abs=0.05)


class Reversed(Order):
    def __init__(self, n):
        self.n = n

    def indices(self, epoch, positions):
        return self.n - 1 - positions


@pytest.mark.parametrize(("n", "displacement", "separation"), [(2, 2, 1), (4, 4 / 3, 3 / 5)])
def test_the_shuffle_quality_of_a_few_samples_is_exact(n, displacement, separation):
    # Positions 0 to 2 of 4 samples are measured: they moved by 3, 1 and 1, on average 5 / 3. That is divided by 5 / 4.
    quality = shuffle_quality(Reversed(n))
    assert quality.displacement == pytest.approx(displacement)
    assert quality.separation == pytest.approx(separation)


def test_the_shuffle_quality_is_that_of_epoch_0_by_default():
    order = Shuffled(100)
    assert shuffle_quality(order) == shuffle_quality(order, epoch=0) != shuffle_quality(order, epoch=1)


def test_the_shuffle_quality_of_one_sample_is_refused():
    with pytest.raises(PlanError, match="^shuffle quality: expected an order of at least 2 samples, got 1$"):
        shuffle_quality(Shuffled(1))


def test_samples_come_as_often_as_their_weights_say():
    given_weights = np.array([0, 1, 2, 0, 3, 4, 0])
    counts = np.bincount(whole(Weighted(given_weights, seed=3, n=100_000)), minlength=7)
    assert counts[given_weights == 0].sum() == 0
    expected = 10_000 * given_weights[given_weights > 0]
    assert ((counts[given_weights > 0] - expected) ** 2 / expected).sum() < 20  # chi-square of 3 degrees of freedom


def test_classes_come_equally_often():
    labels = np.array(["cat"] * 900 + ["dog"] * 90 + ["owl"] * 10)
    indices = whole(Weighted.balanced(labels, n=30_000))
    classes, counts = np.unique(labels[indices], return_counts=True)
    assert classes.tolist() == ["cat", "dog", "owl"]
    assert np.abs(counts - 10_000).max() < 500
    assert np.bincount(indices)[-10:].min() > 800


@pytest.mark.parametrize(("seed", "n"), [(0, 3), (7, 3), (0, 50)])
def test_balanced_classes_have_the_seed_and_the_number_of_draws(seed, n):
    order = Weighted.balanced([1, 2, 2], seed=seed, n=n)
    assert (order.seed, order.n, order.n_samples) == (seed, n, 3)
    assert Weighted.balanced([1, 2, 2]).seed == Weighted([1, 2]).seed == 0


@given(weights, seeds, epochs, st.integers(0, 2**48 - 1))
def test_a_weighted_draw_is_that_of_the_scalar_generator(weights, seed, epoch, position):
    draws = Draws(seed=seed, epoch=epoch, position=position, transform=ORDER)
    random = (draws.word() << 32 | draws.word()) >> 11
    sums = np.cumsum(weights) / np.cumsum(weights)[-1]
    expected = next(index for index, share in enumerate(sums) if share > random / 2**53)
    assert Weighted(weights, seed=seed, n=2**48).indices(epoch, np.array([position])).tolist() == [expected]


@pytest.mark.parametrize(
    ("weights", "random", "index"), [([0, 1], 0, 1), ([1, 1], 1 << 31, 1), ([1, 1], (1 << 31) - 1, 0)]
)
def test_a_random_number_that_equals_a_sum_belongs_to_the_next_sample(weights, random, index, monkeypatch):
    words = [np.array([word], np.uint64) for word in (random, 0, 0, 0)]
    monkeypatch.setattr(order, "philox", lambda counter, key: words)
    assert Weighted(weights).indices(0, np.array([0])).tolist() == [index]


def test_weights_are_summed_in_float64():
    narrow = np.full(1000, 0.1, np.float32)
    assert repr(Weighted(narrow)) == repr(Weighted(narrow.astype(np.float64)))


@pytest.mark.parametrize("bad", [[], [0, 0], [1, -1], [1, np.nan], [1, np.inf], [1e308, 1e308]])
def test_weights_that_cannot_be_drawn_from_are_refused(bad):
    with np.errstate(over="ignore"), pytest.raises(PlanError, match="weights: expected numbers of at least 0"):
        Weighted(bad)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Sequential(0), "n: expected 1 to 281474976710656, got 0"),
        (lambda: Shuffled(2**48 + 1), "n: expected 1 to 281474976710656, got 281474976710657"),
        (lambda: Shuffled(1, seed=-1), "seed: expected 0 to 18446744073709551615, got -1"),
        (lambda: Shuffled(2.5), "n: expected 1 to 281474976710656, got 2.5"),
        (lambda: Pages(9, page=2.5), "page: expected 1 to 281474976710656, got 2.5"),
        (lambda: Weighted([1], seed=None), "seed: expected 0 to 18446744073709551615, got None"),
        (lambda: Pages(1, page=0), "page: expected 1 to 281474976710656, got 0"),
        (lambda: Pages(1, page=2**40, window=257), "window: expected 1 to 256, got 257"),
        (lambda: Weighted([1], n=0), "n: expected 1 to 281474976710656, got 0"),
        (lambda: Weighted([1], seed=2**64), "seed: expected 0 to 18446744073709551615, got 18446744073709551616"),
        (lambda: Weighted([[1, 2]]), r"weights: expected one weight per sample, got an array of shape \(1, 2\)"),
        (
            lambda: Weighted.balanced([[1], [2]]),
            r"labels: expected one label per sample, got an array of shape \(2, 1\); choose a column",
        ),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises(PlanError, match=f"^{message}$"):
        build()


def test_orders_with_other_weights_have_another_repr():
    assert repr(Weighted([1, 2])) == repr(Weighted([2, 4])) != repr(Weighted([1, 3]))
