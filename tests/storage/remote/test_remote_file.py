"""A remote file has the bytes of its object, whatever is fetched, dropped, cancelled or refused on the way."""

import gc
import os
import random
import threading
import weakref

import numpy as np
import pytest
from memory_store import MemoryStore

from recordkit.errors import CacheWarning, PlanError, RemoteError
from recordkit.storage.remote import request_pool
from recordkit.storage.remote.cache.folder import CacheFolder
from recordkit.storage.remote.cache.pages import PageCache
from recordkit.storage.remote.remote_file import RemoteFile
from recordkit.storage.remote.settings import RemoteSettings
from recordkit.storage.remote.transfers import Counters

DATA = np.random.default_rng(1).bytes(100_500)
PAGE = 1000


@pytest.fixture
def store():
    return MemoryStore(DATA)


@pytest.fixture
def open_file(tmp_path, store, monkeypatch):
    """A function that opens the object with a cache of some bytes. Four threads send its requests."""
    pools = {}
    monkeypatch.setattr(request_pool, "_pools", pools)  # those of other tests have more threads
    files = []

    def open_file(cache_bytes=1 << 20, total_s=20):
        cache = PageCache(tmp_path / "cache", cache_bytes, page_bytes=PAGE)
        files.append(RemoteFile(store, "train.rec", store.facts, cache, RemoteSettings(n_requests=4, total_s=total_s)))
        return files[-1]

    yield open_file
    for file in files:
        file.close()
    for pool in pools.values():
        pool.close()


def folder_bytes(folder):
    """Bytes of all pages, counted while nobody creates or removes one."""
    with CacheFolder(folder, 0).locked():
        return sum(path.stat().st_size for path in folder.rglob("pages/*"))


@pytest.mark.parametrize("cache_bytes", [10, 5 * (PAGE + 4), 1 << 20], ids=["no page", "5 pages", "all"])
def test_reads_give_the_bytes_of_the_object(open_file, tmp_path, cache_bytes):
    file, random_ = open_file(cache_bytes), random.Random(1)
    for _ in range(300):
        begin = random_.randrange(len(DATA))
        size = random_.choice([1, 10, 900, 5000])
        assert file.pread(size, begin) == DATA[begin : begin + size]
        assert folder_bytes(tmp_path / "cache") <= cache_bytes
    assert file.pread(10, len(DATA)) == b""
    assert file.pread(1 << 20, 0) == DATA


@pytest.mark.parametrize("cache_bytes", [10, 1 << 20])
def test_threads_share_a_file_and_its_requests(open_file, store, cache_bytes):
    file, errors = open_file(cache_bytes), []

    def read(seed):
        random_ = random.Random(seed)
        try:
            for _ in range(50):
                begins = np.array([random_.randrange(len(DATA) - 300) for _ in range(20)], np.uint64)
                with file.fetched(begins, begins + np.uint64(300)):
                    for begin in begins.tolist():
                        assert file.pread(300, begin) == DATA[begin : begin + 300]
        except BaseException as error:  # noqa: BLE001 (asserted below)
            errors.append(error)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.max_at_once <= 4 and file.extents.n_bytes_in_memory == 0
    if cache_bytes > len(DATA):
        pages = [begin for begin, end in store.requests if end - begin >= 500]
        assert len(pages) == len(set(pages)) > 90 and {begin % PAGE for begin in pages} == {0}


def test_a_second_file_finds_the_pages_of_the_first(open_file, store):
    assert open_file().pread(len(DATA), 0) == DATA
    store.requests.clear()
    again = open_file()
    assert again.pread(len(DATA), 0) == DATA
    assert store.requests == []
    assert again.counters == (0, 0, len(DATA))


def test_ranges_without_room_in_the_cache_are_joined_over_small_gaps_and_dropped(open_file, store):
    file = open_file(10)
    begins = np.append(np.arange(0, 50_000, 106), 60_000)
    with file.fetched(begins, begins + 100):
        requests = sorted(store.requests)
        assert requests[0][0] == 0 and requests[-2:] == [(requests[-3][1], 50_026), (60_000, 60_100)]
        assert len(requests) == 52 and max(end - begin for begin, end in requests) <= PAGE
        assert file.extents.n_bytes_in_memory == 50_126
        assert file.pread(100, 49_926) == DATA[49_926:50_026]
    assert file.extents.n_bytes_in_memory == 0
    assert file.counters[:2] == (52, 50_126)


def test_a_range_stays_until_the_last_of_its_users_releases_it(open_file, store):
    file = open_file(10)
    first, second = file.start_fetching([0], [200]), file.start_fetching([100], [300])
    first.wait()
    first.release()
    second.wait()
    assert file.pread(200, 100) == DATA[100:300]
    assert sorted(store.requests) == [(0, 200), (200, 300)]
    second.release()
    second.release()
    assert file.extents.n_bytes_in_memory == 0


def test_what_is_released_before_it_came_is_not_kept(open_file, store):
    store.gate.clear()
    file = open_file(10)
    fetches = [file.start_fetching([begin], [begin + 10]) for begin in range(0, 1000, 10)]
    for fetch in fetches:
        fetch.release()
    store.gate.set()
    with file.fetched([5000], [6000]):
        assert file.pread(1000, 5000) == DATA[5000:6000]
    assert len(store.requests) <= 5 and file.extents.n_bytes_in_memory == 0


def test_a_wait_ends_when_another_thread_releases_the_fetch(open_file, store):
    store.gate.clear()
    file = open_file(10)
    fetch = file.start_fetching([0, 50_000], [10, 50_010])
    waiter = threading.Thread(target=fetch.wait)
    waiter.start()
    fetch.release()
    waiter.join(20)
    assert not waiter.is_alive()
    store.gate.set()
    assert file.pread(10, 0) == DATA[:10]


def test_an_error_of_the_store_reaches_every_waiter_and_a_later_try_succeeds(open_file, store):
    file = open_file()
    store.error = RemoteError(path="s3://bucket/train.rec", got="HTTP 503")
    fetch = file.start_fetching([0, 5000], [10, 5010])
    with pytest.raises(RemoteError, match="HTTP 503"):
        fetch.wait()
    fetch.release()
    with pytest.raises(RemoteError, match="HTTP 503"):
        file.pread(10, 0)
    store.error = None
    assert file.pread(10, 0) == DATA[:10]


@pytest.mark.parametrize("announced", [True, False])
def test_an_open_file_keeps_no_frame_that_its_errors_passed(open_file, store, announced):
    file = open_file()
    store.etag = "2"

    def read():
        local = threading.Event()  # lives as long as the frame
        fetch = file.start_fetching([0], [10]) if announced else None
        with pytest.raises(RemoteError, match="ETag"):
            file.pread(10, 0) if fetch is None else fetch.wait()
        return weakref.ref(local), fetch

    local, _fetch = read()
    gc.collect()
    assert local() is None


def test_an_object_that_changes_is_an_error_and_never_a_mixture(open_file, store):
    file = open_file()
    assert file.pread(10, 0) == DATA[:10]
    store.data, store.etag = bytes(len(DATA)), "2"
    with pytest.raises(RemoteError, match="expected the object of ETag 1, got 2"):
        file.pread(10, 50_000)
    assert file.pread(10, 0) == DATA[:10]  # a page of the old object is still right
    assert open_file().pread(10, 0) == bytes(10)


def test_objects_without_an_etag_share_no_pages(open_file, store):
    store.etag = None
    assert open_file().pread(len(DATA), 0) == DATA
    store.data = bytes(len(DATA))
    assert open_file().pread(len(DATA), 0) == bytes(len(DATA))


def test_a_closed_file_says_so(open_file):
    file = open_file()
    file.close()
    file.close()
    with pytest.raises(PlanError, match="train.rec: expected an open file, got a closed one"):
        file.pread(10, 0)
    with pytest.raises(PlanError, match="got a closed one"):
        file.start_fetching([0], [10])


def test_closing_ends_a_wait(open_file, store):
    file = open_file(10)
    store.gate.clear()
    fetches = [file.start_fetching([begin], [begin + 10]) for begin in range(0, 10_000, 100)]
    file.close()
    store.gate.set()
    with pytest.raises(PlanError, match="got a closed one"):
        fetches[-1].wait()


def test_ranges_outside_of_the_object_are_refused(open_file):
    with pytest.raises(PlanError, match="expected ranges of 100500 bytes, got 0 to 100501"):
        open_file().start_fetching([0, 5], [10, 100_501])


def test_a_file_that_is_dropped_frees_its_memory(open_file, store, tmp_path):
    cache = PageCache(tmp_path / "other", 10, page_bytes=PAGE)
    file = RemoteFile(store, "train.rec", store.facts, cache, RemoteSettings())
    file.pread(10, 0)
    gone = weakref.ref(file)
    del file
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("cache_bytes", [10, 1 << 20])
def test_a_forked_process_reads_with_threads_of_its_own(open_file, store, cache_bytes):
    file = open_file(cache_bytes, total_s=0.1)
    file.pread(10, len(DATA) - 10)
    store.gate.clear()
    fetch = file.start_fetching([0], [50_000])  # the child must not wait for the threads of its parent
    pid = os.fork()
    if not pid:
        try:
            store.gate.set()
            fetch.wait()
            fetch.release()
            ok = file.counters == Counters()  # the parent has fetched some, which are none of the child
            ok = file.pread(len(DATA), 0) == DATA and ok
            os._exit(0 if ok else 1)
        except BaseException:  # noqa: BLE001 (a test's process ends here)
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    store.gate.set()
    fetch.wait()
    assert file.pread(len(DATA), 0) == DATA


def test_a_folder_that_takes_no_files_is_one_warning_and_no_cache(store, tmp_path):
    (tmp_path / "file").write_text("")
    cache = PageCache(tmp_path / "file", 1 << 20, page_bytes=PAGE)
    file = RemoteFile(store, "train.rec", store.facts, cache, RemoteSettings())
    with pytest.warns(CacheWarning, match="file: the cache stores no pages: .*; pass another cache_dir"):
        file.start_fetching([0], [10]).release()
    assert file.pread(len(DATA), 0) == DATA


def test_a_page_that_is_cut_short_while_it_is_open_is_fetched_again(open_file, store, tmp_path):
    file = open_file()
    assert file.pread(len(DATA), 0) == DATA
    page = next(path for path in tmp_path.rglob("pages/*") if path.name == "000000003")
    os.truncate(page, 10)
    assert file.pread(len(DATA), 0) == DATA
    assert file.pread(PAGE, 3 * PAGE) == DATA[3 * PAGE : 4 * PAGE]
    assert store.n_bytes == len(DATA) + PAGE


def test_reads_that_go_forward_fetch_more_and_more_ahead(open_file, store):
    file = open_file()
    assert b"".join(file.pread(100, begin) for begin in range(0, 4 * PAGE, 100)) == DATA[: 4 * PAGE]
    with file.fetched([0], [5 * PAGE]):  # these pages are here or on their way
        assert len(store.requests) == 1 + 5
    assert file.pread(len(DATA), 4 * PAGE) == DATA[4 * PAGE :]
    assert file.counters.n_bytes_fetched == 100 + len(DATA)


def test_a_look_at_single_records_fetches_no_whole_page_before_the_second_time(open_file, store):
    file = open_file()
    assert file.pread(100, 50_100) == DATA[50_100:50_200]
    assert store.requests == [(50_100, 50_200)]
    assert file.pread(100, 50_700) == DATA[50_700:50_800]
    assert store.requests[1:] == [(50_000, 51_000)]
    with file.fetched([60_000], [60_500]):
        assert store.requests[2:] == [(60_000, 61_000)]


def test_the_end_of_a_program_waits_for_all_threads_together(monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr(request_pool.time, "monotonic", lambda: now_s[0])
    pool, waits = request_pool.RequestPool(3), []

    class HangingThread:
        def join(self, seconds):
            waits.append(seconds)
            now_s[0] += seconds

    pool._threads = [HangingThread() for _ in range(3)]
    pool.close()
    assert waits == [request_pool._END_S, 0, 0]


def test_after_an_error_no_further_call_begins(monkeypatch):
    monkeypatch.setattr(request_pool, "_END_S", 0)
    calls, go_on = [], threading.Event()

    def fail_or_wait(item):
        calls.append(item)
        if not item:
            raise ValueError("the first")
        go_on.wait(20)

    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="the first"):
        request_pool.call_at_once(fail_or_wait, range(100), 1)
    go_on.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(20)
    assert len(calls) <= 2
