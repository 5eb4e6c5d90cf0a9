"""Mixing datasets: exact counts, even passes, and the same order for any batches, ranks and interruptions."""

import pickle

import numpy as np
import pytest

from recordkit import Loader, RecordDataset
from recordkit.errors import PlanError
from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack_img
from recordkit.sampling.mix import Mix
from recordkit.sampling.permutation import MAX_N
from recordkit.sampling.sampler import Sampler

SIZES = (40, 7, 100)


def epoch_of(order, epoch):
    return order.indices(epoch, np.arange(order.n))


def datasets_of(indices, sizes=SIZES):
    return np.bincount(np.searchsorted(np.cumsum(sizes), indices, "right"), minlength=len(sizes)).tolist()


@pytest.mark.parametrize(
    ("weights", "counts"),
    [((1, 1, 1), (49, 49, 49)), ((0.7, 0.2, 0.1), (103, 29, 15)), ((0, 1, 0), (0, 147, 0)), ((5, 5, 1), (67, 67, 13))],
)
def test_each_epoch_has_the_exact_number_of_samples_of_each_dataset(weights, counts):
    order = Mix(SIZES, weights, seed=3)
    assert order.counts == counts and sum(counts) == order.n == order.n_samples == 147
    for epoch in (0, 1, 7):
        assert datasets_of(epoch_of(order, epoch)) == list(counts)


def test_no_sample_comes_again_before_all_of_its_dataset_came_once():
    order = Mix(SIZES, (3, 2, 1), n=60, seed=1)
    seen = np.zeros(sum(SIZES), np.int64)
    for epoch in range(30):
        np.add.at(seen, epoch_of(order, epoch), 1)
        for begin, end in ((0, 40), (40, 47), (47, 147)):
            assert np.ptp(seen[begin:end]) <= 1
    assert seen[40] >= 30 * 20 // 7


def test_epochs_and_seeds_differ():
    orders = [epoch_of(Mix(SIZES, (1, 1, 1), seed=seed), epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(map(tuple, orders))) == 4


def test_an_order_of_a_seed_stays_as_it_is():
    """A saved state names this order, so it never changes."""
    assert Mix((5, 3), (1, 1), seed=9).indices(2, np.arange(8)).tolist() == [5, 5, 6, 1, 3, 4, 7, 2]


@pytest.mark.parametrize("start", range(0, 31, 5))
def test_an_epoch_continues_at_any_position_with_another_number_of_ranks(start):
    order = Mix(SIZES, (2, 1, 1), n=30)
    whole = epoch_of(order, 4).tolist()

    def rest(n_ranks):
        samplers = [
            Sampler(order=order, batch_size=2, rank=rank, n_ranks=n_ranks, last_batch="keep") for rank in range(n_ranks)
        ]
        n_batches = samplers[0].n_batches(start=start)
        return [
            index
            for number in range(n_batches)
            for sampler in samplers
            for index in sampler.batch(4, number, start=start).indices.tolist()
        ]

    assert rest(3) == rest(2) == rest(1) == whole[start:]


def test_a_dataset_of_one_sample_and_epochs_without_end():
    order = Mix((1, MAX_N - 1), (1, 1), n=2**33)
    indices = order.indices(2**32 - 1, np.array([0, 1, 2, 2**33 - 1]))
    assert 0 <= indices.min() <= indices.max() < MAX_N


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (((3, 2), (1,)), "weights: expected one weight for each of 2 datasets, got shape"),
        (((3, 2), (1, -1)), "weights: expected numbers of at least 0"),
        (((3, 2), (0, 0)), "weights: expected numbers of at least 0, not all of them 0"),
        (((3, 2), (1, float("nan"))), "weights: expected numbers of at least 0"),
        (((3, 0), (1, 1)), "sizes: expected samples in each dataset with a weight, got none in 1"),
        (((3, -1), (1, 1)), "sizes: expected sizes of datasets"),
        (((), ()), "n: expected 1 to"),
    ],
)
def test_wrong_arguments_are_named(arguments, text):
    with pytest.raises(PlanError) as caught:
        Mix(*arguments)
    assert str(caught.value).startswith(text)


def write_records(prefix, first, n):
    with MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "w") as writer:
        for key in range(n):
            header = IRHeader(0, first + key, key, 0)
            writer.write_idx(key, pack_img(header, np.full((2, 2, 3), key, np.uint8), img_fmt=".png"))


def test_a_loader_mixes_files_and_resumes(tmp_path):
    write_records(tmp_path / "a", 0, 9)
    write_records(tmp_path / "b", 100, 3)
    paths = [tmp_path / "a.rec", tmp_path / "b.rec"]
    with RecordDataset(paths) as dataset:
        assert dataset.sizes == [9, 3] and dataset[2:5].sizes == [3]
        order = pickle.loads(pickle.dumps(Mix(dataset.sizes, [1, 1], seed=5)))

    def loader():
        return Loader(paths, batch_size=4, shuffle=order, threads=1)

    with loader() as whole:
        labels = [[batch.label.tolist() for batch in whole] for _ in range(2)]
    assert [sum(label >= 100 for batch in epoch for label in batch) for epoch in labels] == [6, 6]
    with loader() as first:
        assert next(iter(first)).label.tolist() == labels[0][0]
        state = first.state_dict()
    with loader() as second:
        second.load_state_dict(state)
        assert [batch.label.tolist() for batch in second] == labels[0][1:]
        assert [batch.label.tolist() for batch in second] == labels[1]
    with Loader(paths, batch_size=4, shuffle=Mix((9, 3), [2, 1], seed=5)) as other:
        with pytest.raises(PlanError, match="loader state: order"):
            other.load_state_dict(state)
