"""The compiled reader and the Python reader return the same records, offsets and errors, also for damaged files."""

import itertools
import os
import signal
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from formats.test_frame import GOLDEN, WHOLE_FILE, WHOLE_FILE_RECORDS
from hypothesis import given
from hypothesis import strategies as st
from strategies import records

from recordkit import native
from recordkit.errors import FormatError, TruncatedError
from recordkit.formats import idx
from recordkit.formats.frame import MAGIC, RecordReader, RecordWriter

pytestmark = pytest.mark.usefixtures("require_native")


def open_core(path):
    return native.load().RecordFile(path)


def outcome(act, *arguments):
    """Return the result of a call, or the class and the text of its error."""
    try:
        return act(*arguments)
    except (FormatError, OSError) as error:
        return type(error), str(error)


def write(path, contents):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        return [writer.write(record) for record in contents]


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@given(st.lists(records, max_size=8), st.integers(0, 3))
def test_records_and_offsets_are_the_same(folder, some, n_threads):
    offsets = write(folder / "a.rec", some)
    core = open_core(folder / "a.rec")
    assert core.scan().tolist() == offsets and core.size == (folder / "a.rec").stat().st_size
    with RecordReader(folder / "a.rec") as reader:
        assert [core.read(offset) for offset in offsets] == [reader.read(offset) for offset in offsets]
    order = np.array(offsets[::-1] * 2, np.uint64)
    buffer, bounds = core.read_many(order, n_threads)
    pieces = [buffer[begin:end].tobytes() for begin, end in itertools.pairwise(bounds)]
    assert pieces == some[::-1] * 2
    ahead = core.read_ahead(0) if some else []
    assert [record for record, _ in ahead] == some[: len(ahead)] and (len(ahead) == len(some) or len(some) > 64)


@given(st.lists(records, min_size=1, max_size=5), st.data())
def test_damage_is_the_same_error_at_the_same_offset(folder, some, data):
    offsets = write(folder / "d.rec", some)
    content = bytearray((folder / "d.rec").read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    (folder / "d.rec").write_bytes(content)
    core = open_core(folder / "d.rec")
    with RecordReader(folder / "d.rec") as reader:
        for offset in [*offsets, len(content), len(content) + 8]:
            assert outcome(core.read, offset) == outcome(reader.read, offset)
        want = outcome(lambda: [offset for offset, _ in reader.scan()])
        got = outcome(lambda: core.scan().tolist())
        assert got == want
        many = np.array(offsets, np.uint64)
        first = next(
            (error for error in (outcome(reader.read, o) for o in offsets) if isinstance(error[0], type)), None
        )
        got = outcome(core.read_many, many, 1)
        assert (got == first) if first else not isinstance(got[0], type)


@pytest.mark.parametrize(("record", "golden"), GOLDEN)
def test_records_that_mxnet_wrote_are_read(record, golden, tmp_path):
    (tmp_path / "a.rec").write_bytes(bytes.fromhex(golden))
    core = open_core(tmp_path / "a.rec")
    assert core.read(0) == (record, core.size)
    assert core.read_many(np.zeros(2, np.uint64), 2)[0].tobytes() == record * 2


def test_a_file_that_mxnet_wrote_is_read_whole(tmp_path):
    (tmp_path / "a.rec").write_bytes(WHOLE_FILE)
    core = open_core(tmp_path / "a.rec")
    assert core.scan().tolist() == list(WHOLE_FILE_RECORDS)
    assert [record for record, _ in core.read_ahead(0)] == list(WHOLE_FILE_RECORDS.values())


LINES = st.lists(
    st.sampled_from([
        "0\t0", "1\t8", " 7\t 9 ", "18446744073709551615\t3", "18446744073709551616\t3", "", "\r", "x\t1", "1",
        "1\t2\t3", "-1\t2", "1\t2\r", "1 2", "+1\t2", "1.0\t2", "\xed\xb0\x80", "9" * 300,
    ]),
    max_size=6,
)  # fmt: skip


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_an_index_reads_the_same_or_fails_the_same(folder, lines, ending, ended):
    path = folder / "a.idx"
    path.write_bytes((ending.join(lines) + ending * ended).encode("latin-1"))
    want = outcome(idx.read, path)
    got = outcome(native.load().read_idx, path, 2)
    if isinstance(want, tuple):
        assert got[0] is want[0] and got[1].split(": expected")[0] == want[1].split(": expected")[0]
        return
    keys, offsets = got
    assert offsets.tolist() == want.offsets.tolist()
    assert (list(range(len(offsets))) if keys is None else keys.tolist()) == want.keys.tolist()


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_a_long_index_reads_the_same_at_any_number_of_threads(tmp_path, n_threads):
    n = 200_000  # several blocks
    keys, offsets = np.arange(n, dtype=np.uint64), np.cumsum(np.arange(n, dtype=np.uint64))
    for first in (0, 5):
        (tmp_path / "a.idx").write_bytes(idx.lines((keys + np.uint64(first)).tolist(), offsets.tolist()))
        got_keys, got = native.load().read_idx(tmp_path / "a.idx", n_threads)
        assert np.array_equal(got, offsets)
        assert got_keys is None if first == 0 else np.array_equal(got_keys, keys + np.uint64(5))


def test_many_records_read_the_same_at_any_number_of_threads(tmp_path):
    rng = np.random.default_rng(0)
    some = [rng.bytes(int(size)) for size in rng.integers(0, 60, 20_000)]
    offsets = np.array(write(tmp_path / "a.rec", some), np.uint64)
    order = rng.permutation(len(some))
    answers = [open_core(tmp_path / "a.rec").read_many(offsets[order], n) for n in (1, 2, 7)]
    for buffer, bounds in answers:
        assert buffer.tobytes() == b"".join(some[n] for n in order) and bounds[-1] == len(buffer)


def test_a_file_that_has_shrunk_is_an_error_and_not_a_crash(tmp_path):
    write(tmp_path / "a.rec", [bytes(100_000)] * 3)
    core = open_core(tmp_path / "a.rec")
    os.truncate(tmp_path / "a.rec", 1000)
    for read in (lambda: core.read(200_016), lambda: core.read_many(np.array([0], np.uint64), 1), core.scan):
        with pytest.raises(TruncatedError, match="expected the file to keep its 300024 bytes, got 1000; open it again"):
            read()


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir])
@pytest.mark.parametrize("act", ["RecordFile", "read_idx"])
def test_a_missing_file_and_a_folder_are_os_errors_with_the_path(tmp_path, make, act):
    make(tmp_path / "x")
    arguments = (2,) if act == "read_idx" else ()
    with pytest.raises(OSError, match="Errno") as caught:
        getattr(native.load(), act)(tmp_path / "x", *arguments)
    assert caught.value.filename == str(tmp_path / "x")


@pytest.mark.parametrize("act", ["RecordFile", "read_idx"])
def test_a_pipe_is_refused_with_the_same_error_as_in_python(tmp_path, act):
    os.mkfifo(tmp_path / "x")
    native_act, reference = {
        "RecordFile": (native.load().RecordFile, RecordReader),
        "read_idx": (lambda path: native.load().read_idx(path, 2), idx.read),
    }[act]
    assert outcome(native_act, tmp_path / "x") == outcome(reference, tmp_path / "x")
    with pytest.raises(FormatError, match="expected a file, got a pipe or device"):
        native_act(tmp_path / "x")


def test_advise_does_not_change_what_is_read(tmp_path):
    offsets = write(tmp_path / "a.rec", [b"one", b"two"])
    core = open_core(tmp_path / "a.rec")
    core.advise(np.array([*offsets, 10**12], np.uint64), 100)
    assert core.read(0)[0] == b"one"


def test_paths_that_are_not_utf_8_can_be_opened_and_are_in_errors(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.rec")
    Path(name).write_bytes(b"short")
    with pytest.raises(TruncatedError) as caught:
        open_core(name).read(0)
    assert caught.value.path == name


@pytest.mark.parametrize("work", ["scan", "headers"])
def test_signals_are_handled_during_long_work(folder, work):
    path = folder / "many.rec"
    if not path.exists():
        path.write_bytes(struct.pack("<II24x", MAGIC, 24) * 1_000_000)
    core = open_core(path)
    offsets = core.scan()
    handled = []
    before = signal.signal(signal.SIGALRM, lambda *_: handled.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for _ in range(100):
            handled.clear()
            core.scan() if work == "scan" else core.headers(offsets)
            if len(handled) > 3:  # several, not a single one after the work
                return
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    pytest.fail("no signal was handled before the end")
