"""Extents in memory and in files give the bytes of the object, in the core and in Python."""

import gc
import itertools
import os
import resource
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordkit import native
from recordkit.errors import RemoteError, TruncatedError
from recordkit.storage.remote import extents as extents_module
from recordkit.storage.remote.extents import make_extents

OBJECT = np.random.default_rng(3).bytes(1000)


@pytest.fixture(params=["native", "python"], scope="module")
def make(request):
    """Return the class of extents of each engine."""
    if request.param == "python":
        return extents_module._PythonExtents
    if not native.available():
        pytest.skip("the core is not built")
    return native.load().Extents


@pytest.fixture(scope="module")
def object_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("object") / "object"
    path.write_bytes(OBJECT)
    return path


def nothing(begin, end):
    raise RemoteError(path="s3://bucket/a.rec", offset=begin, expected="no fetch", got=end)


def missing(extents, *ranges):
    begins, ends = np.array(ranges, np.uint64).reshape(-1, 2).T
    return extents.missing(np.ascontiguousarray(begins), np.ascontiguousarray(ends))


def file_of(folder, begin, end, before=b""):
    path = folder / f"{begin}-{end}"
    path.write_bytes(before + OBJECT[begin:end])
    return path


def test_the_core_has_the_extents_of_a_source_if_it_is_built():
    kind = native.load().Extents if native.available() else extents_module._PythonExtents
    assert type(make_extents(5, nothing)) is kind


def test_bytes_come_from_memory_and_files_and_the_rest_is_fetched(make, tmp_path):
    asked = []

    def fetch(begin, end):
        asked.append((begin, end))
        extents.add_bytes(begin, OBJECT[begin : begin + 100])

    extents = make(1000, fetch)
    extents.add_file(200, 500, file_of(tmp_path, 200, 500, before=b"head"), 4)
    extents.add_bytes(450, OBJECT[450:600])
    assert extents.read(400, 200) == OBJECT[200:600] and asked == []
    assert extents.read(1000, 150) == OBJECT[150:]
    assert asked == [(150, 1000), (600, 1000), (700, 1000), (800, 1000), (900, 1000)]
    assert extents.size == 1000 and extents.n_bytes_in_memory == 150 + 5 * 100


@pytest.mark.parametrize(("size", "offset"), [(0, 0), (10, 995), (1, 1000), (10, 2**40), (2000, 0)])
def test_fewer_bytes_come_only_at_the_end(make, size, offset):
    extents = make(1000, lambda begin, end: extents.add_bytes(begin, OBJECT[begin:end]))
    assert extents.read(size, offset) == OBJECT[offset : offset + size]


def test_bytes_that_are_not_needed_are_not_fetched(make):
    extents = make(1000, nothing)
    extents.add_bytes(100, OBJECT[100:200])
    extents.add_bytes(200, OBJECT[200:250])
    assert extents.read(500, 120, 50) == OBJECT[120:250]
    assert extents.read(500, 250, 0) == b""
    with pytest.raises(RemoteError, match="expected no fetch, got 310"):
        extents.read(500, 110, 200)


def test_an_error_of_fetch_is_that_of_the_read(make):
    extents = make(1000, nothing)
    with pytest.raises(RemoteError) as caught:
        extents.read(10, 5)
    assert (caught.value.path, caught.value.offset, caught.value.got) == ("s3://bucket/a.rec", 5, 15)


def test_a_fetch_that_adds_nothing_is_an_error(make):
    with pytest.raises(RuntimeError, match="byte 7 was fetched, and no extent has it"):
        make(1000, lambda _begin, _end: None).read(10, 7)


def test_a_file_may_be_unlinked_and_its_range_removed(make, tmp_path):
    extents = make(1000, nothing)
    path = file_of(tmp_path, 0, 300)
    extents.add_file(0, 300, path)
    extents.add_bytes(300, OBJECT[300:400])
    path.unlink()
    assert extents.read(400, 0) == OBJECT[:400]
    extents.remove(1, 399)
    assert missing(extents, (0, 1000)) == [(400, 1000)] and extents.n_bytes_in_memory == 100
    extents.remove(0, 350)
    assert missing(extents, (0, 1000)) == [(0, 300), (400, 1000)]
    extents.remove(0, 1000)
    assert missing(extents, (0, 1000)) == [(0, 1000)] and extents.n_bytes_in_memory == 0


def test_files_are_closed_when_they_are_removed_replaced_or_dropped(make, tmp_path):
    gc.collect()
    n_open = len(os.listdir("/proc/self/fd"))
    extents = make(1000, nothing)
    for begin in range(0, 1000, 10):
        extents.add_file(begin, begin + 10, file_of(tmp_path, begin, begin + 10))
    assert len(os.listdir("/proc/self/fd")) == n_open + 100
    extents.add_file(0, 400, file_of(tmp_path, 0, 400))
    extents.remove(400, 500)
    assert len(os.listdir("/proc/self/fd")) == n_open + 51
    del extents
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == n_open


@pytest.fixture
def few_files():
    """Let this process have some more files open than it has: extents keep half of the limit open."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * max(map(int, os.listdir("/proc/self/fd"))) + 64, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_more_files_than_a_process_may_open_are_read(make, tmp_path, few_files):
    gc.collect()
    fetched = []

    def fetch(begin, _end):
        fetched.append(begin)
        extents.add_bytes(begin, OBJECT[begin : begin + 2])

    extents, others = make(1000, fetch), make(1000, fetch)
    paths = [file_of(tmp_path, begin, begin + 2) for begin in range(0, 1000, 2)]
    for number, path in enumerate(paths):
        (extents if number < 490 else others).add_file(2 * number, 2 * number + 2, path)
    for _ in range(2):
        for begin in range(978, 0, -7):
            assert extents.read(20, begin, 1)[:2] == OBJECT[begin : begin + 2]
        assert extents.read(980, 0) == OBJECT[:980]
        assert others.read(20, 980) == OBJECT[980:]
    assert fetched == []
    for path in paths:
        path.unlink()
    assert extents.read(980, 0) == OBJECT[:980]
    n_open = 490 - len(fetched)
    assert 10 < n_open <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 + 1


def test_a_file_that_is_cut_short_is_fetched_again(make, tmp_path):
    extents = make(1000, lambda begin, end: extents.add_bytes(begin, OBJECT[begin:end]))
    path = file_of(tmp_path, 0, 300)
    extents.add_file(0, 300, path)
    os.truncate(path, 100)
    assert extents.read(400, 50) == OBJECT[50:450]
    assert extents.n_bytes_in_memory > 0


def test_a_file_without_all_bytes_is_refused(make, tmp_path):
    extents = make(1000, nothing)
    path = file_of(tmp_path, 0, 300)
    with pytest.raises(TruncatedError, match="expected 300 bytes from byte 1 on, got a file of 300 bytes; delete it"):
        extents.add_file(0, 300, path, 1)
    with pytest.raises(TruncatedError):
        extents.add_file(0, 300, path, 2**63)
    with pytest.raises(FileNotFoundError):
        extents.add_file(0, 300, tmp_path / "none")
    assert missing(extents, (0, 300)) == [(0, 300)]


@pytest.mark.parametrize(("begin", "end"), [(5, 5), (6, 5), (0, 1001), (1000, 1001)])
def test_a_range_that_the_object_has_not_is_refused(make, tmp_path, begin, end):
    extents = make(1000, nothing)
    with pytest.raises(ValueError, match=f"expected a range of an object of 1000 bytes, got {begin} to {end}"):
        extents.add_file(begin, end, file_of(tmp_path, 0, 1000))
    if begin <= end:
        with pytest.raises(ValueError, match="expected a range of an object of 1000 bytes"):
            extents.add_bytes(begin, bytes(end - begin))


RANGES = st.tuples(st.integers(0, 39), st.integers(1, 12)).map(lambda pair: (pair[0], min(40, sum(pair))))


@given(st.lists(st.tuples(st.sampled_from(["file", "bytes", "remove"]), RANGES), max_size=12), st.lists(RANGES))
def test_any_extents_give_the_bytes_and_the_ranges_that_are_missing(make, object_path, steps, asked):
    """Extents inside another one may be forgotten when it is removed, so a byte of a removed range may be missing."""
    extents, present, perhaps = make(40, nothing), set(), set()
    for kind, (begin, end) in steps:
        if kind == "file":
            extents.add_file(begin, end, object_path, begin)
        elif kind == "bytes":
            extents.add_bytes(begin, OBJECT[begin:end])
        if kind == "remove":
            extents.remove(begin, end)
            perhaps |= present & set(range(begin, end))
            present -= set(range(begin, end))
        else:
            present |= set(range(begin, end))
    gaps = missing(extents, *asked)
    assert gaps == sorted(gaps) and all(a[1] < b[0] for a, b in itertools.pairwise(gaps))
    lacking = {byte for begin, end in gaps for byte in range(begin, end)}
    wanted = {byte for begin, end in asked for byte in range(begin, end)}
    assert wanted - present - perhaps <= lacking <= wanted - (present - perhaps)
    for byte in wanted:
        if byte in lacking:
            with pytest.raises(RemoteError):
                extents.read(1, byte)
        else:
            assert extents.read(40 - byte, byte, 1)[:1] == OBJECT[byte : byte + 1]


def test_extents_and_what_fetches_for_them_are_collected_together(make):
    class Source:
        def __init__(self):
            self.extents = make(10, self.fetch)

        def fetch(self, begin, end):
            self.extents.add_bytes(begin, OBJECT[begin:end])

    source = Source()
    assert source.extents.read(10, 0) == OBJECT[:10]
    reference = weakref.ref(source)
    del source
    gc.collect()
    assert reference() is None


def test_a_forked_process_reads_on(make, tmp_path):
    """Fork while threads add and remove extents: the child must find no lock taken."""
    extents = make(1000, lambda begin, end: extents.add_bytes(begin, OBJECT[begin:end]))
    extents.add_file(0, 500, file_of(tmp_path, 0, 500))
    stopped = threading.Event()

    def change():
        while not stopped.is_set():
            extents.read(1000, 0)
            extents.remove(500, 1000)

    threads = [threading.Thread(target=change) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if not child:
                is_right = extents.read(1000, 0) == OBJECT
                os._exit(0 if is_right else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
