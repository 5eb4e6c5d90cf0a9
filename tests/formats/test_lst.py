"""MXNet's .lst file: golden rows, hostile rows, and round trips."""

import os
import threading

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import rows

from recordkit.errors import FormatError, plural
from recordkit.formats import lines, lst
from recordkit.formats.lst import ListFile, Row, line, parse


@pytest.fixture
def open_list(tmp_path):
    """Return a function that opens a list with some content."""
    files = []

    def make(content, **options):
        path = tmp_path / "a.lst"
        path.write_bytes(content)
        files.append(ListFile(path, **options))
        return files[-1]

    yield make
    for file in files:
        file.close()


# Rows as im2rec.py writes them.

GOLDEN = [
    pytest.param(Row(12, (3,), "cats/tom.jpg"), b"12\t3.000000\tcats/tom.jpg\n", id="whole-label"),
    pytest.param(Row(0, (1, 2.5, -3), "a b.jpg"), b"0\t1.000000\t2.5\t-3.000000\ta b.jpg\n", id="several-labels"),
    pytest.param(Row(2**64 - 1, (0.0,), "x"), b"18446744073709551615\t0.000000\tx\n", id="largest-key"),
    pytest.param(Row(1, (1e-7,), "x"), b"1\t1e-07\tx\n", id="six-decimals-would-be-zero"),
    pytest.param(Row(1, (2**63 - 1,), "x"), b"1\t9223372036854775807.000000\tx\n", id="largest-int64"),
    pytest.param(Row(1, (1e300,), "x"), b"1\t1e+300\tx\n", id="huge-label"),
    pytest.param(Row(1, (7,), "\udcff\udcfe.jpg"), b"1\t7.000000\t\xff\xfe.jpg\n", id="name-not-utf-8"),
    pytest.param(Row(1, (7,), "катя/日本.jpg"), "1\t7.000000\tкатя/日本.jpg\n".encode(), id="name-in-utf-8"),
    pytest.param(Row(1, (7,), " leading and trailing "), b"1\t7.000000\t leading and trailing \n", id="blanks"),
    pytest.param(Row(1, (7,), "a\x0bb\x1c\u2028c"), "1\t7.000000\ta\x0bb\x1c\u2028c\n".encode(), id="no-line-breaks"),
]


@pytest.mark.parametrize(("row", "golden"), GOLDEN)
def test_golden_bytes(row, golden):
    assert line(row) == golden


@pytest.mark.parametrize(("row", "golden"), GOLDEN)
def test_a_list_file_reads_what_was_written(row, golden, open_list):
    (got,) = open_list(golden)
    assert got == row


@given(st.lists(rows, max_size=12))
@example([Row(0, (0.0, -0.0, 2**53 + 1, 2**63 - 1, -(2**63), 10**20 - 1, 2.0**60, 1e-320), "a")])
def test_reading_undoes_writing(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("lst") / "a.lst"
    path.write_bytes(b"".join(map(line, table)))
    with ListFile(path) as got:
        assert got.keys.tolist() == [row.key for row in table]
        assert list(got) == table


@given(st.lists(rows, max_size=8))
def test_writing_undoes_reading_what_was_written(table):
    for row in table:
        text = line(row)
        assert line(parse(os.fsdecode(text[:-1]))) == text


@pytest.mark.parametrize("path", ["a\tb.jpg", "a\nb.jpg", "a\rb.jpg", "a.jpg\n", "", " ", "\x0b"])
def test_a_path_with_tabs_or_line_breaks_is_refused(path):
    with pytest.raises(FormatError) as caught:
        line(Row(1, (0,), path))
    assert str(caught.value) == bad_path(path)


def bad_path(path):
    return (
        f"expected a path that is not blank and has no tabs or line breaks, got {path!r}; "
        "rename the file, a .lst row cannot hold it"
    )


@given(st.lists(rows, max_size=8))
def test_many_rows_are_formatted_as_single_rows_are(table):
    assert lst.lines(table) == b"".join(map(line, table))


@pytest.mark.parametrize("path", ["a\tb.jpg", "a\nb.jpg", "a\rb.jpg", " "])
def test_a_bad_path_among_many_rows_is_named(path):
    good = Row(1, (0, 2.5), "a.jpg")
    with pytest.raises(FormatError) as caught:
        lst.lines([good, Row(2, (0,), path), good])
    assert str(caught.value) == bad_path(path)


# Fields.


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("7\t3.000000\ta.jpg", Row(7, (3.0,), "a.jpg")),
        (" 8 \t 3 \ta.jpg", Row(8, (3,), "a.jpg")),
        ("007\t3\ta.jpg", Row(7, (3,), "a.jpg")),
        ("7\t1e3\ta.jpg", Row(7, (1000.0,), "a.jpg")),
        ("7\t-0.5\t+2\t.5\ta.jpg", Row(7, (-0.5, 2, 0.5), "a.jpg")),
        ("7\t3\t a b.jpg ", Row(7, (3,), " a b.jpg ")),
        ("7\t3\t/absolute/a.jpg", Row(7, (3,), "/absolute/a.jpg")),
        ("18446744073709551615\t3\ta", Row(2**64 - 1, (3,), "a")),
    ],
)
def test_a_row_is_key_labels_and_path_between_tabs(text, row):
    assert parse(text) == row


@pytest.mark.parametrize("label", [2**53 + 1, 2**63 - 1, -(2**63), 17091659])
@pytest.mark.parametrize("point", ["", ".0", ".000000"])
def test_whole_labels_stay_exact(label, point):
    (got,) = parse(f"1\t{label}{point}\ta.jpg").labels
    assert got == label


@pytest.mark.parametrize(
    ("text", "kind"),
    [("3", int), ("3.0", float), ("-3.", float), ("9007199254740991.0", float), ("9007199254740992.0", int)],
)
def test_a_whole_label_is_an_int_without_a_point_or_if_it_is_large(text, kind):
    (label,) = parse(f"1\t{text}\ta.jpg").labels
    assert type(label) is kind and label == float(text)


@pytest.mark.parametrize(
    ("text", "n"),
    [("11\tcat.jpg", 2), ("11 3 cat.jpg", 1), ("# comment", 1), ("", 1), ("11\t3\t", 3), ("11\t3\t ", 3), ("\t\t", 3)],
)
def test_too_few_fields_are_named(text, n):
    with pytest.raises(FormatError, match=f"^expected KEY, LABEL and PATH, separated by tabs, got {n} fields?: '"):
        parse(text)


@pytest.mark.parametrize(
    "key", ["7.0", "-7", "+7", "1_1", "", "x", "0x7", "18446744073709551616", "9" * 21, "9" * 5000, "\ufeff7", "²", "٣"]
)
def test_a_key_that_is_not_a_whole_number_of_64_bits_is_named(key):
    with pytest.raises(FormatError, match=r"expected a whole number from 0 to 2\*\*64 - 1 as KEY, got '"):
        parse(f"{key}\t3\ta.jpg")


@pytest.mark.parametrize(
    "label", ["nan", "inf", "-inf", "Infinity", "1e999", "", " ", "cat", "0x1p3", "9" * 400, "1,5"]
)
def test_a_label_that_is_not_a_finite_number_is_named(label):
    with pytest.raises(FormatError, match="expected a finite number as LABEL, got '"):
        parse(f"7\t1\t{label}\ta.jpg")


def test_a_long_field_is_shown_in_part():
    for n, shown in ((60, "x" * 60), (61, "x" * 57 + r"\.\.\.")):
        with pytest.raises(FormatError, match=f"got 1 field: '{shown}'$"):
            parse("x" * n)


# Files.

PLAIN = [Row(7, (3.0,), "a.jpg"), Row(2, (4.0,), "b c.jpg")]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"7\t3.0\ta.jpg\n2\t4.0\tb c.jpg\n", id="plain"),
        pytest.param(b"7\t3.0\ta.jpg\n2\t4.0\tb c.jpg", id="no-last-line-feed"),
        pytest.param(b"7\t3.0\ta.jpg\r\n2\t4.0\tb c.jpg\r\n", id="crlf"),
        pytest.param(b"7\t3.0\ta.jpg\r\n2\t4.0\tb c.jpg\r", id="crlf-cut"),
        pytest.param(b"\xef\xbb\xbf7\t3.0\ta.jpg\n2\t4.0\tb c.jpg\n", id="byte-order-mark"),
        pytest.param(b"\xef\xbb\xbf\r\n7\t3.0\ta.jpg\n2\t4.0\tb c.jpg\n", id="only-a-byte-order-mark-first"),
        pytest.param(b"\n7\t3.0\ta.jpg\n2\t4.0\tb c.jpg\n", id="blank-first"),
        pytest.param(b"7\t3.0\ta.jpg\n\n \t\n\r\n2\t4.0\tb c.jpg\n", id="blank-between"),
        pytest.param(b"7\t3.0\ta.jpg\n2\t4.0\tb c.jpg\n\n\n  ", id="blank-last"),
    ],
)
def test_line_ends_blank_lines_and_a_byte_order_mark_change_nothing(content, open_list):
    rows = open_list(content)
    assert list(rows) == PLAIN
    assert [rows[1], rows[0], rows[-1], rows[-2]] == [PLAIN[1], PLAIN[0], PLAIN[1], PLAIN[0]]
    assert len(rows) == 2 and rows.keys.tolist() == [7, 2]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf", b"\r\n \n"])
def test_a_list_without_rows_is_empty(content, open_list):
    assert list(open_list(content)) == []


def test_a_row_beyond_the_last_is_an_index_error(open_list):
    with pytest.raises(IndexError):
        open_list(b"7\t3\ta.jpg\n")[1]


@pytest.mark.parametrize("indices", [range(1, 4), range(4), range(0, 4, 2), range(2, 2), [3, 0], (2,), range(3, 0, -1)])
def test_rows_come_in_the_order_of_the_indices(indices, open_list):
    table = [Row(key, (float(key),), "x" * key + ".jpg") for key in range(4)]
    assert open_list(b"\n".join(map(line, table))).rows(indices) == [table[index] for index in indices]


def test_duplicate_keys_are_kept(open_list):
    assert open_list(b"5\t1\ta\n5\t2\tb\n").keys.tolist() == [5, 5]


BAD = b"1\t0\ta.jpg\n\n2\tcat\tb.jpg\n# comment\n-3\t0\tc.jpg\n4\tnan\td.jpg\r\n5\t0\te.jpg\n\x00\xff\n"


def test_the_first_bad_row_is_named_with_file_and_line(open_list, tmp_path):
    with pytest.raises(FormatError) as caught:
        open_list(BAD)
    assert str(caught.value) == f"{tmp_path / 'a.lst'}: line 3: expected a finite number as LABEL, got 'cat'"
    assert (caught.value.path, caught.value.line) == (str(tmp_path / "a.lst"), 3)


def test_a_lenient_list_skips_bad_rows_and_collects_their_errors(open_list):
    rows = open_list(BAD, lenient=True)
    assert [row.path for row in rows] == ["a.jpg", "e.jpg"]
    assert [error.line for error in rows.bad] == [3, 4, 5, 6, 8]
    assert "expected a whole number from 0 to 2**64 - 1 as KEY, got '-3'" in str(rows.bad[2])


def test_a_line_without_an_end_is_not_read_completely(open_list, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 100)
    with pytest.raises(
        FormatError,
        match=r"a\.lst: line 2: expected lines shorter than 100 bytes, got a longer one; is it a \.lst file\?$",
    ):
        open_list(b"1\t0\ta.jpg\n" + b"\0" * 1000, lenient=True)


def test_a_row_of_many_labels_is_read(open_list):
    (row,) = open_list(b"1\t" + b"0.5\t" * 8600 + b"a.jpg\n")
    assert row.labels == (0.5,) * 8600


@given(st.binary(max_size=120))
def test_any_bytes_give_rows_or_a_format_error(tmp_path_factory, content):
    assume(b"\n" in content or b"\r" not in content.strip(b"\r"))  # see the next test
    path = tmp_path_factory.mktemp("lst") / "a.lst"
    path.write_bytes(content)
    with ListFile(path, lenient=True) as rows:
        assert len(list(rows)) + len(rows.bad) == sum(
            bool(text.strip()) for text in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        )


def test_a_list_whose_lines_end_with_carriage_returns_alone_is_refused(open_list):
    with pytest.raises(FormatError, match="line 1: expected lines that end with a line feed, got carriage returns"):
        open_list(b"0\t3\ta.jpg\r1\t4\tb.jpg\r")
    assert len(open_list(b"0\t3\ta.jpg\r")) == 1


def test_threads_share_one_list(open_list):
    table = [Row(key, (float(key),), f"{key}.jpg") for key in range(500)]
    rows, wrong = open_list(b"".join(map(line, table))), []

    def check(step):
        wrong.extend(i for i in range(0, 500 * step, step) if rows[i % 500] != table[i % 500])

    threads = [threading.Thread(target=check, args=(step,)) for step in (1, 3, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# The native im2rec's rules.


@pytest.mark.parametrize(
    ("text", "width", "row"),
    [
        ("7 3 a.jpg", 1, Row(7, (3,), "a.jpg")),
        ("7\t3\t4.5\ta b.jpg", 2, Row(7, (3, 4.5), "a b.jpg")),
        ("  7 \t 3   a b.jpg", 1, Row(7, (3,), "a b.jpg")),
        ("7\t3\t4\ta.jpg", 1, Row(7, (3,), "4\ta.jpg")),
    ],
)
def test_with_a_label_width_any_white_space_separates(text, width, row):
    assert parse(text, label_width=width) == row


@pytest.mark.parametrize(
    ("text", "width", "got", "advice"),
    [
        ("7 3 a.jpg", 2, "1 label", "; give label_width=1"),
        ("7\t3\tmy a.jpg", 2, "1 label", "; give label_width=1"),
        ("7\t3\t4\tmy a.jpg", 3, "2 labels", "; give label_width=2"),
        ("7 3", 2, "2 fields", ""),
        ("7", 1, "1 field", ""),
        ("7,3,a.jpg", 1, "1 field", "; put tabs between the fields"),
        ("", 2, "0 fields", ""),
    ],
)
def test_fewer_labels_than_the_width_are_counted(text, width, got, advice):
    with pytest.raises(FormatError) as caught:
        parse(text, label_width=width)
    assert str(caught.value) == (
        f"expected KEY, {plural(width, 'label')} and PATH, separated by blanks, got {got}: {text!r}{advice}"
    )


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("7\t3\t4.5\ta b.jpg", Row(7, (3, 4.5), "a b.jpg")),
        ("7\t3\ta.jpg", Row(7, (3,), "a.jpg")),
        ("7 3  a b.jpg", Row(7, (3,), "a b.jpg")),
        ("7 3 4.5 a.jpg", Row(7, (3,), "4.5 a.jpg")),
        ("7\t3\ta\tb.jpg", Row(7, (3,), "a\tb.jpg")),
        ("7\t3\t4 5\ta.jpg", Row(7, (3,), "4 5\ta.jpg")),
    ],
)
def test_with_auto_tabs_show_several_labels_and_blanks_one(text, row):
    assert parse(text, label_width="auto") == row


def test_a_list_knows_the_numbers_of_labels_of_its_rows(open_list):
    rows = open_list(b"7\t3\ta.jpg\n8\t4\t5\tb.jpg\nx\t1\t2\t3\tc.jpg\n", lenient=True)
    assert rows.widths == {1, 2}


def test_blanks_between_all_fields_are_named():
    with pytest.raises(
        FormatError, match=r"separated by tabs, got 1 field: '7 3 a\.jpg'; put tabs between the fields$"
    ):
        parse("7 3 a.jpg")


@pytest.mark.parametrize("width", [None, 1, "auto"])
@pytest.mark.parametrize("text", ["7,3,a.jpg", "7, 3, a.jpg", "7;3;a.jpg"])
def test_commas_between_the_fields_are_named(text, width):
    with pytest.raises(FormatError, match="; put tabs between the fields$"):
        parse(text, label_width=width)


@pytest.mark.parametrize("width", [None, 1, "auto"])
@pytest.mark.parametrize("text", ["key,label,path", "Index; label; path"])
def test_a_line_of_headings_is_named(text, width):
    with pytest.raises(FormatError, match="; remove the line of headings, and put tabs between the fields$"):
        parse(text, label_width=width)


def test_the_label_width_applies_to_the_whole_file(open_list):
    assert list(open_list(b"7 3 a.jpg\n8 4 b c.jpg\n", label_width=1)) == [
        Row(7, (3,), "a.jpg"),
        Row(8, (4,), "b c.jpg"),
    ]


# Parts of a list by bytes, as in the native im2rec.


def part_of(begin, size, n_parts):
    """Return the part of a line: the range of bytes that contains the line feed before it."""
    step = -(-size // n_parts)
    return next(k for k in range(n_parts) if begin == 0 or step * k < begin <= step * (k + 1))


@given(st.lists(rows, max_size=12), st.integers(1, 40), st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
def test_parts_are_disjoint_cover_the_list_and_follow_the_byte_rule(tmp_path_factory, table, n_parts, end):
    path = tmp_path_factory.mktemp("lst") / "a.lst"
    lines = [line(row)[:-1] + end for row in table]
    path.write_bytes(b"".join(lines))
    size = path.stat().st_size
    want = [[] for _ in range(n_parts)]
    for i, row in enumerate(table):
        want[part_of(sum(map(len, lines[:i])), size, n_parts)].append((row.key, row.path))
    got = []
    for k in range(n_parts):
        with ListFile(path, part=(k, n_parts)) as rows_of_part:
            got.append([(row.key, row.path) for row in rows_of_part])
    assert got == want


def test_parts_of_a_known_list(open_list):
    content = b"".join(b"%d\t0\t%d.jpg\n" % (i, i) for i in range(10))  # ten rows of 10 bytes
    got = [open_list(content, part=(k, 3)).keys.tolist() for k in range(3)]
    assert got == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_a_bad_row_is_an_error_in_its_own_part_only(open_list):
    content = b"0\t0\ta.jpg\n" * 5 + b"oops\n" + b"1\t0\tb.jpg\n" * 5
    assert open_list(content, part=(0, 3)).keys.tolist() == [0] * 4
    with pytest.raises(FormatError, match="line 6: expected KEY"):
        open_list(content, part=(1, 3))
