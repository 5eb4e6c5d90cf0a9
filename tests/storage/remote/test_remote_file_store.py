"""Remote files of a real S3 server: processes that share a cache, faults, and an object that changes."""

import contextlib
import multiprocessing
import random

import numpy as np
import pytest
from fault_proxy import at_random

from recordkit.errors import RecordkitError, RemoteError
from recordkit.sampling.order import Shuffled
from recordkit.storage.remote.cache.folder import CacheFolder
from recordkit.storage.remote.cache.next_use import UsePlan
from recordkit.storage.remote.cache.pages import PageCache
from recordkit.storage.remote.remote_file import RemoteFile
from recordkit.storage.remote.settings import RemoteSettings
from recordkit.storage.remote.store import Store

DATA = np.random.default_rng(5).bytes(2_000_500)
PAGE = 1 << 16
RECORD = 1000
SETTINGS = RemoteSettings(timeout_s=2, total_s=3, n_requests=4)


def open_file(url, folder, cache_bytes):
    store = Store(url, SETTINGS)
    return RemoteFile(
        store, "train.rec", store.facts("train.rec"), PageCache(folder, cache_bytes, page_bytes=PAGE), SETTINGS
    )


def locate(indices):
    return np.zeros_like(indices), indices * RECORD, (indices + 1) * RECORD


def read_epoch(url, folder, cache_bytes, seed, results):
    """Read an epoch in a process of its own and report the requests, or the first error."""
    try:
        file, order = open_file(url, folder, cache_bytes), Shuffled(len(DATA) // RECORD, seed)
        plan = UsePlan(order, locate, [len(DATA)], PAGE)
        file.plan(plan.of_file(0))
        for position in range(0, order.n, 50):
            plan.advance(0, position)
            _, begins, ends = locate(order.indices(0, np.arange(position, position + 50)))
            with file.fetched(begins, ends):
                for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
                    assert file.pread(RECORD, begin) == DATA[begin:end]
        results.put(tuple(file.counters))
    except BaseException as error:  # noqa: BLE001 (the test shows it)
        results.put(repr(error))


@pytest.mark.parametrize("share", [0.5, 2])
def test_processes_that_start_at_once_fetch_each_page_once(object_store, tmp_path, share):
    object_store.put("train.rec", DATA)
    max_bytes = int(share * len(DATA))
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    arguments = (object_store.url, tmp_path / "cache", max_bytes)
    processes = [context.Process(target=read_epoch, args=(*arguments, seed, results)) for seed in range(4)]
    for process in processes:
        process.start()
    counters = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert all(isinstance(counter, tuple) for counter in counters), counters
    n_bytes = sum(counter[1] for counter in counters)
    with CacheFolder(tmp_path / "cache", max_bytes).locked() as ledger:
        assert ledger.n_bytes <= max_bytes
    # With room for all, each byte comes once, besides the ranges of the begin, when few whole pages are fetched.
    assert n_bytes < (1.5 if share == 2 else 3.3) * len(DATA)


def test_random_faults_are_overcome_or_one_clear_error(faulty_store, tmp_path):
    faulty_store.put("train.rec", DATA)
    file, random_ = open_file(faulty_store.url, tmp_path / "cache", len(DATA) // 2), random.Random(4)
    faulty_store.proxy.choose = at_random(4, 0.2, ("reset", "end", "status", "short", "range"))
    n_read = 0
    for _ in range(20):
        begins = np.array([random_.randrange(len(DATA) - RECORD) for _ in range(10)])
        with contextlib.suppress(RemoteError), file.fetched(begins, begins + RECORD):
            for begin in begins.tolist():
                assert file.pread(RECORD, begin) == DATA[begin : begin + RECORD]
            n_read += 1
    assert n_read > 10 and file.extents.n_bytes_in_memory < 1 << 20
    with contextlib.closing(file):
        faulty_store.proxy.choose = at_random(4, 1, ("status",))
        with pytest.raises(RemoteError, match="train.rec: byte .*: expected .* bytes, got"):
            file.pread(RECORD, 1_500_000)


def test_an_object_that_is_replaced_is_an_error_and_a_new_file_reads_the_new_one(object_store, tmp_path):
    object_store.put("train.rec", DATA)
    file = open_file(object_store.url, tmp_path / "cache", 1 << 24)
    assert file.pread(RECORD, 0) == DATA[:RECORD]
    object_store.put("train.rec", bytes(len(DATA)))
    with pytest.raises(RecordkitError, match="train.rec"):
        file.pread(RECORD, 1_000_000)
    file.close()
    again = open_file(object_store.url, tmp_path / "cache", 1 << 24)
    assert again.pread(RECORD, 0) == bytes(RECORD)
    again.close()
