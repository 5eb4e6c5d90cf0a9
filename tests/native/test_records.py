"""The compiled core at the limits of files, indexes and machines: the results of the Python code, and no crash."""

import resource
import subprocess
import sys
import tempfile
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import float32s, keys, records

from recordkit import native
from recordkit.errors import FormatError
from recordkit.formats import frame, idx, irheader

pytestmark = pytest.mark.usefixtures("require_native")

BLOCK = 1 << 20  # as recordkit.formats.idx reads


def outcome(act, *arguments):
    """Return the result of a call, or the class, text and fields of its error."""
    try:
        return act(*arguments)
    except (FormatError, OSError) as error:
        return type(error), str(error), getattr(error, "__dict__", None)


def frame_records(samples, **options):
    """Frame samples (key, labels, payload) with the core."""
    numbers, labels, payloads = ([sample[n] for sample in samples] for n in range(3))
    return native.load().frame_records(
        np.array(numbers, np.uint64),
        np.array([label for row in labels for label in row], np.float32),
        np.array(list(accumulate(map(len, labels), initial=0)), np.uint64),
        payloads,
        **options,
    )


def read_index(path, n_threads=2):
    """Return keys and offsets as lists, from the core."""
    numbers, offsets = native.load().read_idx(path, n_threads)
    return list(range(len(offsets))) if numbers is None else numbers.tolist(), offsets.tolist()


def read_index_in_python(path):
    """Return keys and offsets as lists, from the Python code."""
    index = idx.read(path)
    return index.keys.tolist(), index.offsets.tolist()


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@pytest.fixture
def three(tmp_path):
    """Return the path of a file with three records."""
    with open(tmp_path / "a.rec", "wb") as file:
        writer = frame.RecordWriter(file)
        for record in (b"first", b"", b"third"):
            writer.write(record)
    return tmp_path / "a.rec"


@given(
    st.lists(st.tuples(keys, st.lists(float32s, min_size=1, max_size=5).map(tuple), records), max_size=6), st.booleans()
)
def test_frames_are_equal_to_those_of_the_python_code(samples, first_label):
    want = [
        b"".join(frame.pack(irheader.pack(irheader.IRHeader(labels if labels[1:] else labels[0], key), payload,
                                          first_label=first_label)))
        for key, labels, payload in samples
    ]  # fmt: skip
    frames, sizes = b"".join(want), list(map(len, want))
    assert frame_records(samples, first_label=first_label, checksums=False) == (frames, sizes, b"")


@pytest.mark.parametrize("n_labels", [1, 3])
def test_a_record_too_long_for_a_frame_is_refused(n_labels):
    header = 24 + (4 * n_labels if n_labels > 1 else 0)
    payload = bytes(2**29 - header)  # one byte too long
    with pytest.raises(FormatError, match=r"^expected a record shorter than 2\*\*29 bytes, got 536870912 bytes$"):
        frame_records([(1, (0.0,) * n_labels, payload)], first_label=False, checksums=False)


@pytest.mark.parametrize("offset", [-(2**70), -4, -1, 0, 16, 52, 2**63, 2**64 - 8, 2**64 - 1, 2**64, 2**70])
def test_any_integer_may_be_an_offset(three, offset):
    core = native.load().RecordFile(three)
    with frame.RecordReader(three) as reader:
        want = outcome(reader.read, offset)
        assert outcome(core.read, offset) == want
        if isinstance(want[0], bytes):
            assert core.read_ahead(offset)[0] == want
        else:
            assert outcome(core.read_ahead, offset) == want
        if 0 <= offset < 2**64:
            many = np.array([0, offset], np.uint64)
            got = outcome(core.read_many, many, 1)
            assert got == want if isinstance(want[0], type) else got[0].tobytes() == b"first" + want[0]
            begins = outcome(lambda: [begin for begin, _ in reader.scan(offset)])
            assert outcome(lambda: core.scan(offset).tolist()) == begins
    assert core.read(np.uint64(0)) == (b"first", 16)
    with pytest.raises(TypeError):
        core.read(0.0)


CHARACTERS = st.sampled_from([b"0", b"7", b"18446744073709551615", b"18446744073709551616", b"\t", b" ", b"\r", b"\n",
                              b"-", b"\0", b"\x0b", b"\xff", b"\xc3\xa9", b"'", b"\\"])  # fmt: skip


@given(st.lists(CHARACTERS, max_size=24).map(b"".join), st.integers(0, 3))
def test_any_text_is_the_same_index_or_the_same_error(folder, text, n_threads):
    (folder / "a.idx").write_bytes(b"5\t6\n" + text)
    assert outcome(read_index, folder / "a.idx", n_threads) == outcome(read_index_in_python, folder / "a.idx")


@pytest.mark.parametrize("length", [1, 254, 255, 256, 600, BLOCK - 1, BLOCK + 300])
@pytest.mark.parametrize("before", [0, 1, 256, 257, 400])
@pytest.mark.parametrize("line", ["blank", "numbers"])
def test_long_lines_are_the_same_numbers_or_errors_as_in_python(tmp_path, length, before, line):
    """Read two lines of many blanks; the first begins `before` bytes before the end of a block."""
    filler = (b" " * 199 + b"\n") * (BLOCK // 200 - 2)
    filler += b"\n" * (BLOCK - before - len(filler))
    long = b" " * length if line == "blank" else b"5" + b" " * length + b"9"
    path = tmp_path / "a.idx"
    for end in (b"", b"\n", b"\nx\n"):
        path.write_bytes(filler + long + b"\n" + long + end)
        assert outcome(read_index, path) == outcome(read_index_in_python, path)


def test_a_record_file_read_as_an_index_is_an_error_that_shows_its_first_bytes(three):
    want = outcome(read_index_in_python, three)
    assert "got '\\\\xd7\\\\xce" in want[1] or "got '#" in want[1]
    assert outcome(read_index, three) == want


FEW_THREADS = """
import resource, sys
import numpy as np
from recordkit import native
core = native.load().RecordFile(sys.argv[1])
offsets = np.zeros(400_000, np.uint64)
core.read_many(offsets, 2)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20),) * 2)
buffer, bounds = core.read_many(offsets, 1000)
assert buffer.tobytes() == b"first" * 400_000 and len(bounds) == 400_001
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_AS"), reason="the system has no RLIMIT_AS")
def test_fewer_threads_than_requested_do_all_the_work(three):
    ended = subprocess.run([sys.executable, "-c", FEW_THREADS, str(three)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
