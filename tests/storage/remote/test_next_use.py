"""Next uses of pages, and the hits of a cache of half a dataset in the second epoch."""

import numpy as np
import pytest
from memory_store import MemoryStore

from recordkit.sampling.order import Pages, Sequential, Shuffled, Weighted
from recordkit.storage.remote.cache import next_use
from recordkit.storage.remote.cache.next_use import UsePlan
from recordkit.storage.remote.cache.pages import PageCache
from recordkit.storage.remote.remote_file import RemoteFile
from recordkit.storage.remote.settings import RemoteSettings

RECORD = 100
PAGE = 2000
N = 4000
ORDERS = {
    "sequential": Sequential(N),
    "pages": Pages(N, page=20, window=8),
    "shuffled": Shuffled(N),
}


def locate(indices):
    return np.zeros_like(indices), indices * RECORD, (indices + 1) * RECORD


def expected_uses(order, epoch, n_pages):
    """Return the positions at which each page is used in two epochs."""
    uses = [[] for _ in range(n_pages)]
    for number in (0, 1):
        pages = order.indices(epoch + number, np.arange(order.n)) * RECORD // PAGE
        for position, page in enumerate(pages.tolist()):
            uses[page].append(number * order.n + position)
    return uses


@pytest.mark.parametrize("horizon", [256, 1 << 20])
@pytest.mark.parametrize("name", ORDERS)
def test_the_next_use_of_every_page_is_right_to_a_segment(name, horizon, monkeypatch):
    monkeypatch.setattr(next_use, "_CHUNK", 300)
    order, n_pages = ORDERS[name], N * RECORD // PAGE
    plan = UsePlan(order, locate, [N * RECORD], PAGE, horizon)
    uses = expected_uses(order, 3, n_pages)
    for _ in range(20):
        plan.advance(3, 0)  # enumerates all
    for position in range(0, N, 50):
        plan.advance(3, position)
        times = plan.of_file(0).next_use(np.arange(n_pages))
        for page, time in enumerate(times.tolist()):
            coming = [use for use in uses[page] if use >= position]
            horizon_end = plan._begin + plan._horizon
            if coming[0] >= N:
                if position - plan._begin < plan.segment or time >= N:
                    assert time == coming[0]
            elif coming[0] < horizon_end:
                assert time <= coming[0]
            else:
                assert horizon_end <= time <= horizon_end + 1


def test_records_that_span_pages_and_files_are_counted_with_their_bytes():
    sizes = [2500, 900]
    begins, ends = np.array([0, 900, 2400, 0]), np.array([900, 2400, 2500, 900])
    files = np.array([0, 0, 0, 1])
    plan = UsePlan(Sequential(4), lambda indices: (files[indices], begins[indices], ends[indices]), sizes, 1000)
    plan.advance(0, 0)
    first, second = plan.of_file(0), plan.of_file(1)
    assert [first.bytes_before(page, 4) for page in range(3)] == [1000, 1000, 500]
    assert second.bytes_before(0, 4) == 900 and second.bytes_before(0, 3) == 0
    assert first.next_use(np.arange(3)).tolist() == [0, 1, 1] and second.next_use(np.array([0])).tolist() == [3]
    plan.advance(0, 3)
    assert first.next_use(np.arange(3)).tolist() == [4, 5, 5]


def test_an_order_with_replacement_has_pages_that_are_never_used():
    plan = UsePlan(Weighted([1, 0, 0, 0], n=10), locate, [400], 100)
    plan.advance(0, 0)
    assert plan.of_file(0).next_use(np.arange(4)).tolist() == [0, 20, 20, 20]


def read_epochs(folder, order, share, n_epochs=3, batch=50):
    """Return the bytes fetched over the bytes needed in each epoch, with a cache of a share of the dataset."""
    data = np.random.default_rng(1).bytes(N * RECORD)
    store = MemoryStore(data)
    cache = PageCache(folder, int(len(data) * share * (PAGE + 4) / PAGE), page_bytes=PAGE)
    file = RemoteFile(store, "a.rec", store.facts, cache, RemoteSettings(n_requests=2))
    plan = UsePlan(order, locate, [len(data)], PAGE)
    file.plan(plan.of_file(0))
    ratios, n_requests = [], []
    for epoch in range(n_epochs):
        before = file.counters
        for position in range(0, order.n, batch):
            plan.advance(epoch, position)
            _, begins, ends = locate(order.indices(epoch, np.arange(position, min(position + batch, order.n))))
            with file.fetched(begins, ends):
                assert file.pread(RECORD, int(begins[0])) == data[begins[0] : ends[0]]
        ratios.append((file.counters.n_bytes_fetched - before.n_bytes_fetched) / (order.n * RECORD))
        n_requests.append(file.counters.n_requests - before.n_requests)
    file.close()
    return ratios, n_requests


@pytest.mark.parametrize(
    ("name", "first", "later", "requests"),
    [("sequential", 1.001, 0.51, 120), ("pages", 1.1, 0.62, 300), ("shuffled", 1.05, 0.52, 2200)],
)
def test_a_cache_of_half_the_dataset_serves_about_half_of_later_epochs(name, first, later, requests, memory_path):
    ratios, n_requests = read_epochs(memory_path, ORDERS[name], 0.5)
    assert ratios[0] <= first and max(ratios[1:]) <= later
    assert max(n_requests[1:]) <= requests


@pytest.mark.parametrize("name", ORDERS)
def test_without_a_cache_only_the_bytes_that_are_needed_are_fetched(name, memory_path):
    ratios, _ = read_epochs(memory_path, ORDERS[name], 0, n_epochs=1)
    assert 1 <= ratios[0] < 1.1


@pytest.mark.parametrize("name", ORDERS)
def test_a_cache_of_the_dataset_serves_all_of_the_second_epoch(name, memory_path):
    ratios, _ = read_epochs(memory_path, ORDERS[name], 1)
    assert ratios[0] < 1.3 and ratios[1:] == [0, 0]


def test_the_files_of_a_dataset_share_the_cache_by_their_plan(memory_path):
    """Two files of 100 pages, read one after the other, with a cache of 50 pages: those of the first one stay."""
    half = N * RECORD // 2
    stores = [MemoryStore(bytes(half)), MemoryStore(bytes(half))]
    for number, store in enumerate(stores):
        store.root = f"s3://bucket{number}"
    cache = PageCache(memory_path, 50 * (PAGE + 4), page_bytes=PAGE)
    files = [RemoteFile(store, "a.rec", store.facts, cache, RemoteSettings(n_requests=2)) for store in stores]

    def locate_in_two(indices):
        begins = indices * RECORD
        return begins // half, begins % half, begins % half + RECORD

    plan = UsePlan(Sequential(N), locate_in_two, [half, half], PAGE)
    for number, file in enumerate(files):
        file.plan(plan.of_file(number))
    for epoch in range(3):
        for position in range(0, N, 50):
            plan.advance(epoch, position)
            number, begin = divmod(position * RECORD, half)
            with files[number].fetched([begin], [begin + 50 * RECORD]):
                pass
    ratios = [file.counters.n_bytes_fetched / half for file in files]
    assert sum(ratios) == pytest.approx(2 + 2 * 1.5, abs=0.05) and ratios[0] < 2.15
    for file in files:
        file.close()


def test_a_plan_that_has_not_begun_makes_no_room_and_lets_single_reads_fetch(tmp_path):
    store = MemoryStore(bytes(3 * PAGE))
    cache = PageCache(tmp_path / "cache", 2 * (PAGE + 4), page_bytes=PAGE)
    file = RemoteFile(store, "a.rec", store.facts, cache, RemoteSettings())
    plan = UsePlan(Sequential(60), locate, [3 * PAGE], PAGE)
    file.plan(plan.of_file(0))
    for begin in (0, PAGE, 2 * PAGE, 0):
        assert file.pread(10, begin) == bytes(10)
    assert len(list((tmp_path / "cache").glob("objects/*/pages/*"))) == 2
    assert plan.of_file(0).next_use(np.arange(3)).tolist() == [60.0] * 3
    file.close()
