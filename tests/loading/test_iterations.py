"""Iterations of one loader: two at a time, in other processes, and their epochs."""

import copy
import itertools
import multiprocessing
import pickle
import weakref

import pytest
from images import noise, write

import recordkit as rk
from recordkit.codec import encode
from recordkit.errors import PlanError

ONE_AT_A_TIME = "expected one iteration of a loader at a time, got a newer one.*; make a Loader for each iteration"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write(tmp_path_factory.mktemp("rec") / "a.rec", [encode(noise(8, 8, seed=n), "raw") for n in range(12)])


def keys(batches):
    return [batch.key.tolist() for batch in batches]


def spy_on_reads(monkeypatch, note):
    """Call `note` whenever Python reads samples, as it does to find the format of the batches."""
    for name in ("__getitem__", "labels_at"):
        read = getattr(rk.RecordDataset, name)

        def spy(dataset, index, read=read):
            note()
            return read(dataset, index)

        monkeypatch.setattr(rk.RecordDataset, name, spy)


def test_a_loader_zipped_with_itself_says_that_it_has_one_iteration(images):
    loader = rk.Loader(images, batch_size=4)
    with pytest.raises(PlanError, match=ONE_AT_A_TIME):
        list(zip(loader, loader, strict=True))
    with rk.Loader(images, batch_size=4) as first, rk.Loader(images, batch_size=4) as second:
        assert len(list(zip(first, second, strict=True))) == 3


def test_the_older_of_two_iterations_does_not_end_silently(images):
    loader = rk.Loader(images, batch_size=4)
    start = loader.state_dict()
    for replace in (iter, lambda loader: loader.load_state_dict(start), lambda loader: loader.set_epoch(3)):
        older = iter(loader)
        next(older)
        newer = replace(loader)
        with pytest.raises(PlanError, match=ONE_AT_A_TIME):
            next(older)
        assert len(list(newer or loader)) == 3


def test_an_iteration_that_is_over_stays_over(images):
    loader = rk.Loader(images, batch_size=4)
    older = iter(loader)
    assert len(list(older)) == 3
    newer = iter(loader)
    assert next(older, None) is None and len(list(newer)) == 3
    closed = iter(loader)
    next(closed)
    loader.close()
    assert next(closed, None) is None


def test_a_loader_that_is_dropped_in_an_epoch_ends_at_once(images):
    loader = rk.Loader(images, batch_size=4)
    next(iter(loader))
    dropped = weakref.ref(loader)
    del loader  # nothing refers to itself, so this needs no garbage collector
    assert dropped() is None


def test_a_pickled_or_copied_loader_goes_on_at_the_same_position(images, engine):
    options = {"batch_size": 4, "shuffle": True, "seed": 3, "transforms": [rk.RandomFlip()], "engine": engine}
    loader = rk.Loader(images, **options, label_dtype="auto", memory="64M")
    next(iter(loader))
    for other in (pickle.loads(pickle.dumps(loader)), copy.deepcopy(loader)):
        assert other.state_dict() == loader.state_dict() and other.memory == loader.memory
        want = rk.Loader(images, **options)
        want.load_state_dict(loader.state_dict())
        assert [batch.data.tolist() for batch in other] == [batch.data.tolist() for batch in want]
    part = pickle.loads(pickle.dumps(rk.Loader(rk.RecordDataset(images)[3:7], batch_size=4)))
    assert keys(part) == [[3, 4, 5, 6]]


def test_a_copy_of_a_loader_reads_no_sample_to_find_the_format(images, monkeypatch):
    loader = rk.Loader(images, batch_size=4, channels="keep", label_dtype="auto", transforms=[lambda image: image / 2])
    reads = []
    spy_on_reads(monkeypatch, lambda: reads.append(1))
    other = copy.deepcopy(loader)
    assert not reads and next(iter(other)).data.dtype == "float64"


def test_a_loader_works_in_a_spawned_process(images):
    loader = rk.Loader(images, batch_size=4)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(keys, (loader,)) == keys(loader)


def test_set_epoch_begins_an_epoch_and_without_it_none_is_repeated(images):
    loader = rk.Loader(images, batch_size=4, shuffle=True)
    epochs = [keys(loader) for _ in range(4)]
    assert all(one != other for one, other in itertools.combinations(epochs, 2))
    for epoch in (2, 0, 3):
        loader.set_epoch(epoch)
        assert loader.epoch == epoch and keys(loader) == epochs[epoch]
    for epoch in (-1, 1.5, "1", None):
        with pytest.raises(PlanError, match=rf"epoch: expected 0 to 2\*\*32 - 1, got {epoch!r}"):
            loader.set_epoch(epoch)


def test_an_index_into_a_loader_says_what_takes_one(images):
    with pytest.raises(
        PlanError, match=r"got the index 0; a DataLoader of torch takes recordkit\.interop\.torch\.Loader"
    ):
        rk.Loader(images, batch_size=4)[0]


def test_a_batch_unpacks_and_indexes_as_a_pair(images):
    batch = next(iter(rk.Loader(images, batch_size=4)))
    data, label = batch
    assert data is batch.data is batch[0] and label is batch.label is batch[1] is batch[-1]
    with pytest.raises(IndexError):
        batch[2]
