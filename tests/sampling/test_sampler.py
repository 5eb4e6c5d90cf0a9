"""Batches of ranks: every sample once before any padding, for every step at which an epoch stops and continues."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordkit.errors import PlanError
from recordkit.sampling.order import Pages, Sequential, Shuffled, Weighted
from recordkit.sampling.sampler import Sampler

orders = st.one_of(
    st.builds(Sequential, st.integers(1, 60)),
    st.builds(Shuffled, st.integers(1, 60), st.integers(0, 9)),
    st.builds(Pages, st.integers(1, 60), st.integers(0, 9), st.integers(1, 9), st.integers(1, 4)),
    st.builds(lambda n, seed: Weighted([1, 2, 3], seed=seed, n=n), st.integers(1, 60), st.integers(0, 9)),
)
batch_sizes = st.integers(1, 9)
ranks = st.integers(1, 4)
last_batches = st.sampled_from(["keep", "pad", "drop"])


def all_ranks(order, batch_size, n_ranks, last_batch):
    return [
        Sampler(order=order, batch_size=batch_size, rank=rank, n_ranks=n_ranks, last_batch=last_batch)
        for rank in range(n_ranks)
    ]


def delivered(samplers, epoch, start=0, n_batches=None):
    """Positions and indices of the valid samples, in the order over all ranks."""
    (n_all,) = {sampler.n_batches(start=start) for sampler in samplers}
    batches = [
        sampler.batch(epoch, number, start=start)
        for number in range(n_all if n_batches is None else n_batches)
        for sampler in samplers
    ]
    positions = [position for batch in batches for position in batch.positions[: batch.n_valid].tolist()]
    return positions, [index for batch in batches for index in batch.indices[: batch.n_valid].tolist()]


@given(orders, batch_sizes, ranks, last_batches)
def test_all_ranks_together_visit_the_order_once(order, batch_size, n_ranks, last_batch):
    positions, indices = delivered(all_ranks(order, batch_size, n_ranks, last_batch), epoch=1)
    whole = batch_size * n_ranks
    n = order.n // whole * whole if last_batch == "drop" else order.n
    assert positions == list(range(n))
    assert indices == order.indices(1, np.arange(n)).tolist()


@given(orders, batch_sizes, ranks, last_batches, batch_sizes, ranks)
def test_an_epoch_continues_at_any_step_with_any_ranks_and_batch_size(
    order, batch_size, n_ranks, last_batch, next_size, next_ranks
):
    first = all_ranks(order, batch_size, n_ranks, last_batch)
    then = all_ranks(order, next_size, next_ranks, "pad")
    for n_batches in range(first[0].n_batches() + 1):
        before, _ = delivered(first, epoch=0, n_batches=n_batches)
        start = first[0].position(n_batches)
        after, indices = delivered(then, epoch=0, start=start)
        assert before + after == list(range(order.n))
        assert indices == order.indices(0, np.arange(start, order.n)).tolist()


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
@pytest.mark.parametrize("last_batch", ["keep", "pad", "drop"])
def test_an_epoch_that_continues_equals_one_without_a_stop(n_ranks, last_batch):
    for sampler in all_ranks(Shuffled(100, seed=7), 8, n_ranks, last_batch):
        through = sampler.batches(3, 0, sampler.n_batches())
        for number, batch in enumerate(through):
            again = sampler.batch(3, 0, start=sampler.position(number))
            assert again.positions.tolist() == batch.positions.tolist()
            assert again.indices.tolist() == batch.indices.tolist()
            assert again.n_valid == batch.n_valid


def test_three_ranks_continue_where_two_ranks_stopped_inside_a_global_batch():
    two, three = (all_ranks(Shuffled(1_000, seed=1), 32, n_ranks, "pad") for n_ranks in (2, 3))
    start = two[0].position(5)
    assert start == 320 and start % (32 * 3)
    _, before = delivered(two, epoch=0, n_batches=5)
    _, after = delivered(three, epoch=0, start=start)
    assert sorted(before + after) == list(range(1_000))


@given(orders, batch_sizes, ranks, last_batches, st.data())
def test_several_batches_at_once_equal_single_batches(order, batch_size, n_ranks, last_batch, data):
    start = data.draw(st.integers(0, order.n))
    for sampler in all_ranks(order, batch_size, n_ranks, last_batch):
        n_batches = sampler.n_batches(start=start)
        if n_batches:
            first = data.draw(st.integers(0, n_batches - 1))
            count = data.draw(st.integers(1, n_batches - first))
            for number, batch in enumerate(sampler.batches(2, first, count, start=start), first):
                alone = sampler.batch(2, number, start=start)
                assert batch.positions.tolist() == alone.positions.tolist()
                assert batch.indices.tolist() == alone.indices.tolist()
                assert batch.n_valid == alone.n_valid


@given(orders, batch_sizes, ranks)
def test_padding_fills_every_batch_with_the_beginning_of_the_order(order, batch_size, n_ranks):
    last = [sampler.batch(0, sampler.n_batches() - 1) for sampler in all_ranks(order, batch_size, n_ranks, "pad")]
    assert all(len(batch.indices) == batch_size for batch in last)
    positions = np.concatenate([batch.positions for batch in last])
    assert np.array_equal(positions, np.arange(positions[0], positions[0] + batch_size * n_ranks))
    indices = np.concatenate([batch.indices for batch in last])
    assert np.array_equal(indices, order.indices(0, positions % order.n))
    assert sum(batch.n_valid for batch in last) == order.n - positions[0]


@given(orders, batch_sizes, ranks)
def test_kept_samples_are_divided_evenly(order, batch_size, n_ranks):
    last = [sampler.batch(0, sampler.n_batches() - 1) for sampler in all_ranks(order, batch_size, n_ranks, "keep")]
    sizes = [len(batch.indices) for batch in last]
    assert max(sizes) - min(sizes) <= 1
    assert [batch.n_valid for batch in last] == sizes


def test_the_batches_are_pinned():
    sampler = Sampler(order=Shuffled(20, seed=3), batch_size=3, rank=1, n_ranks=2)
    batches = sampler.batches(epoch=4, first=2, count=2)
    assert [batch.positions.tolist() for batch in batches] == [[15, 16, 17], [21, 22, 23]]
    assert [batch.indices.tolist() for batch in batches] == [[11, 6, 15], [8, 10, 16]]
    assert [batch.n_valid for batch in batches] == [3, 0]


def test_no_batches_are_left_at_the_end_of_an_epoch():
    assert Sampler(order=Shuffled(20), batch_size=3).n_batches(start=20) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 2.0}, "batch_size: expected a whole number, got 2.0"),
        ({"rank": "0"}, "rank: expected a whole number, got '0'"),
        ({"n_ranks": None}, "n_ranks: expected a whole number, got None"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"rank": 2, "n_ranks": 2}, "rank: expected 0 to n_ranks - 1, got 2 of 2"),
        ({"n_ranks": 0}, "rank: expected 0 to n_ranks - 1, got 0 of 0"),
        ({"last_batch": "repeat"}, "last_batch: expected one of keep, pad, drop, got 'repeat'"),
    ],
)
def test_bad_parameters_are_refused(options, message):
    with pytest.raises(PlanError, match=f"^{message}$"):
        Sampler(**{"order": Sequential(10), "batch_size": 2, **options})


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, 0), (5, 1), (4, 2)])
def test_batches_that_the_epoch_does_not_have_are_refused(first, count):
    with pytest.raises(PlanError, match=f"^expected batches from 0 to 4, got {first} to {first + count - 1}$"):
        Sampler(order=Sequential(10), batch_size=2).batches(0, first, count)


@pytest.mark.parametrize("start", [-1, 11])
def test_a_start_outside_of_the_epoch_is_refused(start):
    with pytest.raises(PlanError, match=f"start: expected 0 to 10 samples of the epoch, got {start}"):
        Sampler(order=Sequential(10), batch_size=2).batch(0, 0, start=start)
