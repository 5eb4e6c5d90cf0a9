"""MXNet's .idx file, against text that MXNet itself wrote."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import keys

from recordkit.errors import FormatError
from recordkit.formats import idx

MXNET_WROTE = b"0\t0\n5\t40\n3\t88\n9\t136\n10\t144\n"


@pytest.fixture
def read(tmp_path):
    """Return a function that reads an .idx file with some content as pairs."""

    def read(content):
        (tmp_path / "a.idx").write_bytes(content)
        return pairs(idx.read(tmp_path / "a.idx"))

    return read


def pairs(index):
    return list(zip(index.keys.tolist(), index.offsets.tolist(), strict=True))


def test_golden_bytes(read):
    got = read(MXNET_WROTE)
    assert got == [(0, 0), (5, 40), (3, 88), (9, 136), (10, 144)]
    assert idx.lines(*zip(*got, strict=True)) == MXNET_WROTE


@given(st.lists(st.tuples(keys, keys), max_size=40))
@example([(2**64 - 1, 2**64 - 1)])
def test_reading_undoes_writing(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("idx") / "a.idx"
    path.write_bytes(idx.lines([key for key, _ in table], [offset for _, offset in table]))
    assert pairs(idx.read(path)) == table


@given(st.lists(st.tuples(keys, keys), max_size=9), st.data())
def test_blanks_crlf_blank_lines_and_a_missing_last_line_feed_change_nothing(tmp_path_factory, table, data):
    blanks = st.sampled_from([b"\t", b" ", b" \t "])
    margin = st.sampled_from([b"", b" ", b"\t"])
    ends = st.lists(st.sampled_from([b"\n", b"\r\n", b" \n"]), min_size=1, max_size=3).map(b"".join)
    content = b"".join(
        data.draw(margin) + b"%d" % key + data.draw(blanks) + b"%d" % offset + data.draw(margin) + data.draw(ends)
        for key, offset in table
    )
    path = tmp_path_factory.mktemp("idx") / "a.idx"
    path.write_bytes(data.draw(ends) + (content.rstrip(b"\r\n") if data.draw(st.booleans()) else content))
    assert pairs(idx.read(path)) == table


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n\r\n", b"  \t \n", b" "])
def test_a_file_without_rows_is_an_empty_index(content, tmp_path):
    (tmp_path / "a.idx").write_bytes(content)
    index = idx.read(tmp_path / "a.idx")
    assert pairs(index) == [] and index.keys.dtype == index.offsets.dtype == np.uint64


def test_each_key_needs_an_offset():
    with pytest.raises(ValueError, match="shorter"):
        idx.lines([1, 2], [0])


def test_the_last_line_needs_no_line_feed(read):
    assert read(b"1\t2\r\n3\t4") == [(1, 2), (3, 4)]
    assert read(b"1\t2\r\n3\t4\r") == [(1, 2), (3, 4)]


def test_duplicate_and_unsorted_keys_are_kept(read):
    assert read(b"7\t40\n7\t0\n2\t80\n") == [(7, 40), (7, 0), (2, 80)]


def test_numbers_are_at_most_two_to_the_64_less_one_and_may_have_leading_zeros(read):
    assert read(b"18446744073709551615\t00000000000000000007\n") == [(2**64 - 1, 7)]


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (b"18446744073709551616\t0", "'18446744073709551616\\t0'"),
        (b"0\t99999999999999999999", "'0\\t99999999999999999999'"),
        (b"0\t000000000000000000001", "'0\\t000000000000000000001'"),
        (b"-1\t0", "'-1\\t0'"),
        (b"0\t-8", "'0\\t-8'"),
        (b"+1\t0", "'+1\\t0'"),
        (b"1.0\t0", "'1.0\\t0'"),
        (b"1e3\t0", "'1e3\\t0'"),
        (b"1_0\t0", "'1_0\\t0'"),
        (b"cat\t0", "'cat\\t0'"),
        (b"5", "'5'"),
        (b"1\t2\t3", "'1\\t2\\t3'"),
        (b"1\t2\r3\t4", "'1\\t2\\r3\\t4'"),
        (b"1\x0b2", "'1\\x0b2'"),
        ("\u0661\t0".encode(), "'\u0661\\t0'"),
        (b"\xef\xbb\xbf0\t0", "'\\ufeff0\\t0'"),
        (b"\x89PNG\x00", "'\\\\x89PNG\\x00'"),
        (b"x" * 5000, "'" + "x" * 60 + "'"),
    ],
)
def test_a_row_that_is_not_two_whole_numbers_is_named(row, shown, tmp_path):
    path = tmp_path / "a.idx"
    path.write_bytes(b"0\t0\n\n1\t8\n" + row + b"\n2\t16\n")
    with pytest.raises(FormatError) as caught:
        idx.read(path)
    assert (
        str(caught.value) == f"{path}: line 4: expected KEY and OFFSET, whole numbers with a tab between, got {shown}"
    )


@given(st.binary(max_size=200))
def test_any_bytes_give_an_index_or_a_format_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("idx") / "a.idx"
    path.write_bytes(content)
    try:
        got = pairs(idx.read(path))
    except FormatError as error:
        assert error.path == str(path) and error.line
    else:
        assert got == [tuple(map(int, line.split())) for line in content.split(b"\n") if line.split()]


def test_lines_across_the_blocks_of_a_large_index_are_whole(tmp_path):
    n = 200_000  # about 3 MB, so that the reader's blocks of 1 MiB end inside lines
    offsets = np.arange(n, dtype=np.uint64) * 131
    path = tmp_path / "a.idx"
    path.write_bytes(idx.lines(range(len(offsets)), offsets.tolist()))
    index = idx.read(path)
    assert index.keys.dtype == index.offsets.dtype == np.uint64
    assert (index.keys == np.arange(n)).all() and (index.offsets == offsets).all()


def test_a_bad_row_after_the_first_block_has_the_right_number(tmp_path):
    path = tmp_path / "a.idx"
    path.write_bytes(b"0\t123456789\r\n" * 200_000 + b"0\tx\n")
    with pytest.raises(FormatError, match=r"line 200001: expected KEY and OFFSET.*got '0\\tx'"):
        idx.read(path)


@pytest.mark.parametrize("filler", [b"\0", b"7", b" ", b"\t", b"1\t"])
@pytest.mark.parametrize("n_rows", [0, 3])
def test_a_line_without_an_end_is_not_read_completely(filler, n_rows, tmp_path):
    path = tmp_path / "a.idx"
    path.write_bytes(b"1\t2\n" * n_rows + filler * (3 << 20) + b"\n5\t6\n")
    with pytest.raises(FormatError, match=f"line {n_rows + 1}: expected KEY and OFFSET"):
        idx.read(path)


def test_a_long_line_of_blanks_ends_no_index_early(tmp_path):
    path = tmp_path / "a.idx"
    rows = b"1\t2\n" * ((1 << 18) - 100)
    path.write_bytes(rows + b"3\t4" + b" " * 1000 + b"\n5\t6\n")  # the blanks are in two of the reader's blocks
    with pytest.raises(FormatError, match=f"line {(1 << 18) - 99}: expected KEY and OFFSET"):
        idx.read(path)


def test_a_missing_file_stays_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        idx.read(tmp_path / "none.idx")
