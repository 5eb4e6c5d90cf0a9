"""Records of a source elsewhere are those of the same local file, and an error of fetching reaches the caller."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from images import noise, picture, save, write
from storage.remote.fake_source import FakeSource

import recordkit as rk
from recordkit import native
from recordkit.dataset.copied_records import Changes, copy_records
from recordkit.dataset.records import open_record_file
from recordkit.errors import FormatError, RemoteError
from recordkit.formats import frame, irheader
from recordkit.formats.byte_source import register
from recordkit.transforms import RandomCrop, Resize
from recordkit.upkeep.look.measurement import COLUMNS

PIECES = [301, 4096, 1 << 20]


@pytest.fixture(params=["python", "native"])
def reader(request, monkeypatch):
    """Read with each of the two readers."""
    request.getfixturevalue("require_native" if request.param == "native" else "no_native")
    return request.param


@pytest.fixture(scope="module")
def rec(tmp_path_factory):
    """A file with labels of several widths, records in parts, and sizes from 0 to 80 kB."""
    path = tmp_path_factory.mktemp("rec") / "a.rec"
    rng = np.random.default_rng(0)
    with open(path, "wb") as file:
        writer = frame.RecordWriter(file)
        for key in range(60):
            label = float(key % 7) if key % 3 else tuple(float(n) for n in range(1 + key % 40))
            payload = rng.bytes(40_000 if key == 20 else int(rng.integers(0, 1500)))
            if key % 10 == 5:
                payload += bytes(-len(payload) % 4) + frame.MAGIC_BYTES * 2 + payload
            writer.write(irheader.pack(irheader.IRHeader(label, key), payload))
    return path


@pytest.fixture
def opened(rec, tmp_path):
    """Return a function that opens the file as a source, as `open_record_file` does for a registered path."""
    path = tmp_path / "mirror.rec"

    def open_it(piece_bytes=1000, content=None, **options):
        source = FakeSource(rec.read_bytes() if content is None else content, piece_bytes, **options)
        register(path, lambda: source)
        return open_record_file(path), source

    yield open_it
    register(path, None)


def plain(result):
    """Return a result with lists in place of arrays."""
    if isinstance(result, tuple | list):
        return [plain(each) for each in result]
    return result.tolist() if isinstance(result, np.ndarray) else result


def calls(file, offsets, size):
    """Return each method's name with a call of it."""
    shuffled = np.random.default_rng(1).permutation(offsets)
    where = np.zeros(len(offsets), np.int64), shuffled, shuffled + np.uint64(2000), np.full(len(offsets), -1)
    changes = Changes(np.arange(len(offsets), dtype=np.uint64))
    return {
        "read": lambda: [file.read(offset) for offset in shuffled.tolist()],
        "read_frame": lambda: [file.read_frame(offset) for offset in shuffled.tolist()],
        "scan": lambda: file.scan(),
        "read_many": lambda: file.read_many(shuffled, 3),
        "headers": lambda: file.headers(shuffled),
        "payload_sizes": lambda: file.payload_sizes(offsets),
        "heads": lambda: file.heads(0, size),
        "digests": lambda: file.digests(shuffled, payload=True),
        "same_payloads": lambda: file.same_payloads(offsets, file, shuffled),
        "copy_records": lambda: copy_records([file], ["a.rec"], *where, changes),
    }


@pytest.mark.parametrize("piece_bytes", PIECES)
def test_every_method_gives_what_it_gives_for_a_local_file(reader, rec, opened, piece_bytes):
    local = open_record_file(rec)
    offsets = local.scan()
    expected = {name: plain(call()) for name, call in calls(local, offsets, local.size).items()}
    for name in expected:
        file, source = opened(piece_bytes)
        assert file.size == local.size
        assert plain(calls(file, offsets, file.size)[name]()) == expected[name], name
        assert source.asked
        file.close()


def test_read_ahead_gives_the_same_records(reader, rec, opened):
    local = open_record_file(rec)
    file, _ = opened()
    offset, records = 0, []
    while offset < file.size:
        ahead = file.read_ahead(offset)
        records += [record for record, _ in ahead]
        offset = ahead[-1][1]
    assert records == [local.read(offset)[0] for offset in local.scan().tolist()]


def test_only_the_bytes_of_the_records_are_fetched(reader, rec, opened):
    """Readers read ahead what is here, and nothing that would have to be fetched."""
    local = open_record_file(rec)
    offsets = local.scan()
    for row in (3, 20, 21, 59):
        file, source = opened(64)
        begin, end = int(offsets[row]), int(offsets[row + 1]) if row < 59 else local.size
        source.extents.add_bytes(begin, source.content[begin:end])
        source.asked.clear()
        one = offsets[row : row + 1]
        assert file.read(begin) == local.read(begin)
        assert plain(file.read_many(one, 1)) == plain(local.read_many(one, 1))
        assert plain(file.headers(one)) == plain(local.headers(one))
        assert file.read_frame(begin) == local.read_frame(begin)
        assert source.asked == []


def test_a_damaged_source_gives_the_errors_of_a_damaged_file(reader, rec, opened, tmp_path):
    content = bytearray(rec.read_bytes())
    offsets = open_record_file(rec).scan().tolist()
    content[offsets[30]] ^= 1
    del content[offsets[55] + 20 :]
    (tmp_path / "damaged.rec").write_bytes(content)
    local = open_record_file(tmp_path / "damaged.rec")
    file, source = opened(content=bytes(content))
    for offset in (offsets[30], offsets[55], len(content), len(content) + 100, 2**63):
        texts = []
        for each in (file, local):
            with pytest.raises(FormatError) as caught:
                each.read(offset)
            texts.append(str(caught.value))
        assert texts[0] == texts[1].replace(str(tmp_path / "damaged.rec"), source.name)


@pytest.mark.parametrize("kind", [RemoteError, FormatError, KeyboardInterrupt])
def test_an_error_of_fetching_reaches_the_caller_of_every_method(reader, rec, opened, kind):
    offsets = open_record_file(rec).scan()
    error = kind("no network")
    for name in calls(open_record_file(rec), offsets, 1):
        file, _ = opened(error=error, error_at=int(offsets[40]) + 10)
        with pytest.raises(kind) as caught:
            calls(file, offsets, file.size)[name]()
        assert caught.value is error, name
    del caught
    file, _ = opened(error=error, error_at=int(offsets[40]) + 10)
    with pytest.raises(kind, match="no network"):
        file.read_ahead(int(offsets[40]))


def test_an_error_of_the_other_file_reaches_the_caller_too(reader, rec, opened):
    offsets = open_record_file(rec).scan()
    good, _ = opened()
    bad, source = opened(error=RemoteError("no network"), error_at=int(offsets[40]) + 10)
    source.asked.clear()
    with pytest.raises(RemoteError, match="no network"):
        good.same_payloads(offsets[40:41], bad, offsets[40:41])
    assert len(source.asked) == 1


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    images = [save(picture(noise(40 + n % 5, 50, seed=n)), "JPEG" if n % 3 else "PNG") for n in range(60)]
    return write(tmp_path_factory.mktemp("photos") / "a.rec", images)


def everything(dataset, engine, **options):
    loader = rk.Loader(dataset, batch_size=16, threads=3, engine=engine, seed=5, **options)
    return [(batch.data.tobytes(), batch.label.tobytes(), batch.key.tobytes()) for batch in loader]


TRANSFORMS = [Resize(40), RandomCrop(32)]


class Same:
    """A transform that only Python has."""

    def __call__(self, image, draws):
        return image


@pytest.mark.parametrize("transforms", [TRANSFORMS, [*TRANSFORMS, Same()]])
def test_batches_are_those_of_the_local_file(engine, photos, transforms):
    path = str(photos)
    local = everything(rk.RecordDataset(path), engine, transforms=transforms, shuffle=True)
    source = FakeSource(Path(path).read_bytes())
    register(path, lambda: source)
    try:
        assert everything(rk.RecordDataset(path), engine, transforms=transforms, shuffle=True) == local
    finally:
        register(path, None)
    assert source.asked


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("transforms", [TRANSFORMS, [*TRANSFORMS, Same()]])
def test_no_sample_is_skipped_if_the_store_fails(engine, photos, transforms, on_error):
    error = RemoteError(path="s3://bucket/a.rec", offset=0, expected="8 bytes", got="HTTP 503")
    content = Path(photos).read_bytes()
    source = FakeSource(content, error=error, error_at=len(content) // 2)
    register(photos, lambda: source)
    try:
        with pytest.raises(RemoteError, match="expected 8 bytes, got HTTP 503"):
            everything(rk.RecordDataset(photos), engine, transforms=transforms, on_error=on_error)
    finally:
        register(photos, None)


def test_threads_of_the_core_fetch_and_the_first_error_of_fetching_reaches_the_caller(require_native, opened):
    """A call of 3 threads, which share 20,000 records, while a thread of Python waits for the same lock as they."""
    content = b"".join(b"".join(frame.pack(n.to_bytes(4, "little") * 5)) for n in range(20_000))
    offsets = np.arange(0, len(content), 28, dtype=np.uint64)
    lock, threads = threading.Lock(), set()

    class Locking(FakeSource):
        def fetch(self, begin, end):
            with lock:
                threads.add(threading.get_ident())
                super().fetch(begin, end)

    source = Locking(content, 4096)
    file = native.load().RecordFile(source.name, source.extents)
    stopped = threading.Event()

    def hold_the_lock():
        while not stopped.is_set():
            with lock:
                source.extents.missing(offsets[:1000], offsets[:1000] + np.uint64(28))

    with ThreadPoolExecutor() as pool:
        done = pool.submit(hold_the_lock)
        buffer, _ = file.read_many(offsets, 3)
        stopped.set()
        done.result()
    assert np.array_equal(buffer.view(np.uint32)[::5], np.arange(20_000))
    assert len(threads) > 1
    error = RemoteError("no network")
    file, _ = opened(4096, content=content, error=error, error_at=len(content) // 2)
    with pytest.raises(RemoteError) as caught:
        file.read_many(offsets, 3)
    assert caught.value is error


def test_threads_read_while_others_add_and_remove_extents(reader, rec, opened):
    file, source = opened(5000)
    local = open_record_file(rec)
    offsets = local.scan()
    want = plain(local.read_many(offsets, 1))
    stopped = threading.Event()

    def change(seed):
        rng = np.random.default_rng(seed)
        while not stopped.is_set():
            begin = int(rng.integers(0, source.size))
            source.extents.remove(begin, begin + 20_000)
            begin = int(rng.integers(0, source.size))
            source.extents.add_bytes(begin, source.content[begin : begin + 5000])
            source.extents.missing(np.array([0], np.uint64), np.array([source.size], np.uint64))

    def read(seed):
        order = np.random.default_rng(seed).permutation(offsets)[:20].tolist()
        for _ in range(5):
            assert plain(file.read_many(offsets, 3)) == want
            assert [file.read(offset) for offset in order] == [local.read(offset) for offset in order]

    with ThreadPoolExecutor() as pool:
        changes = [pool.submit(change, seed) for seed in range(2)]
        try:
            for done in [pool.submit(read, seed) for seed in range(3)]:
                done.result()
        finally:
            stopped.set()
    for done in changes:
        done.result()


@pytest.mark.parametrize("how", ["close", "drop"])
def test_the_source_is_closed_and_freed_with_the_file(reader, opened, how):
    file, source = opened()
    file.read(0)
    assert source.n_closed == 0
    if how == "close":
        file.close()
        with pytest.raises(ValueError, match="closed"):
            file.read(0)
    del file
    gc.collect()
    assert source.n_closed >= 1


def test_the_core_keeps_what_it_reads_from(require_native, rec):
    """The collector frees a source that only refers to itself, and none that a file or a batch of records reads."""
    core = native.load()
    source = FakeSource(rec.read_bytes())
    file = core.RecordFile(source.name, source.extents, source.close)
    reference = weakref.ref(source)
    del source
    gc.collect()
    column, ends = np.zeros(1, np.int64), np.full(1, 500, np.uint64)
    records = core.Records([file], column, np.zeros(1, np.uint64), ends, np.zeros(0, np.uint32), column, 0)
    del file
    gc.collect()
    facts = np.zeros((1, len(COLUMNS)), np.int64)
    core.measure_records(records, facts, None, None)
    assert reference() is not None
    del records
    gc.collect()
    assert reference() is None
