"""Lists as sources: roots, keys, bad rows and unusual paths."""

import os

import pytest
from conftest import content

from recordkit.errors import FormatError, ImageError, NotFoundError, SourceError
from recordkit.sources import ListSource


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (root / name).write_bytes(name.encode())
    return root


def write(folder, content):
    path = folder.parent / "some.lst"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_rows_keep_the_order_of_the_list(folder):
    source = ListSource(write(folder, "7\t1.000000\tb.jpg\n3\t0.5\t2\ta.jpg\n"), folder)
    assert [entry.key for entry in source.entries(range(len(source)))] == [7, 3]
    assert source.entries([1])[0].labels == (0.5, 2) and source.entries([1])[0].name == "a.jpg"
    assert content(source, 0) == b"b.jpg"
    assert (source.order, source.pixels, source.bad, source.classes) == ("listed", False, [], None)


def test_the_default_root_is_the_folder_of_the_list(folder):
    (folder / "own.lst").write_text("0\t0\ta.jpg\n")
    assert content(ListSource(folder / "own.lst"), 0) == b"a.jpg"


def test_an_absolute_path_needs_no_root(folder, tmp_path):
    source = ListSource(write(folder, f"0\t0\t{folder}/a.jpg\n"), tmp_path / "elsewhere", allow_outside=True)
    assert content(source, 0) == b"a.jpg"


def test_a_root_without_any_of_the_first_images_is_refused(folder):
    path = write(folder, "".join(f"{key}\t0\tx{key}.jpg\n" for key in range(150)))
    with pytest.raises(SourceError, match=r"none of the first 100 images exists in .*, for example 'x0\.jpg'; give as"):
        ListSource(path, folder)
    with pytest.raises(SourceError, match="none of the first 100 images exists"):
        ListSource(path, folder, lenient=True)


def test_a_root_with_one_of_the_first_images_is_accepted(folder):
    source = ListSource(write(folder, "0\t0\tmissing.jpg\n1\t0\ta.jpg\n"), folder)
    with pytest.raises(ImageError, match="No such file or directory"):
        content(source, 0)
    assert content(source, 1) == b"a.jpg"


def test_a_key_that_comes_twice_is_refused_unless_lenient(folder):
    path = write(folder, "5\t0\ta.jpg\n6\t0\tb.jpg\n5\t1\tc.jpg\n")
    with pytest.raises(SourceError, match="expected each KEY once, got 5 in rows 1 and 3; readers would"):
        ListSource(path, folder)
    source = ListSource(path, folder, lenient=True)
    assert len(source) == 3 and "expected each KEY once, got 5 in rows 1 and 3" in source.notes[0]


def test_a_list_without_rows_is_refused_unless_lenient(folder):
    with pytest.raises(SourceError, match="expected rows of KEY, LABEL and PATH, got none"):
        ListSource(write(folder, "\n"), folder)
    assert len(ListSource(write(folder, ""), folder, lenient=True)) == 0


def test_a_bad_row_is_refused_with_its_line_unless_lenient(folder):
    path = write(folder, "0\t0\ta.jpg\nnonsense\n-1\t0\tb.jpg\n1\tnan\tb.jpg\n2\t0\tc.jpg\n")
    with pytest.raises(FormatError, match=r"some\.lst: line 2: expected KEY, LABEL and PATH, separated by tabs, got 1"):
        ListSource(path, folder)
    source = ListSource(path, folder, lenient=True)
    assert [entry.key for entry in source.entries(range(len(source)))] == [0, 2]
    assert [(bad.name, bad.line) for bad in source.bad] == [(str(path), line) for line in (2, 3, 4)]
    assert source.bad[0].location == f"{path}: line 2"


def test_a_lenient_list_without_a_good_row_is_the_error_of_its_first(folder):
    with pytest.raises(FormatError, match=r"some\.lst: line 1: expected KEY.* got 1 field: .*; put tabs between"):
        ListSource(write(folder, "0 0 a.jpg\nnonsense\n"), folder, lenient=True)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_a_path_that_is_not_a_regular_file_is_an_error_and_does_not_block(folder, kind):
    name = {"folder": "sub.jpg", "pipe": "pipe.jpg", "device": "/dev/zero"}[kind]
    (folder / "sub.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    source = ListSource(write(folder, f"0\t0\t{name}\n"), folder, allow_outside=True)
    with pytest.raises(ImageError, match="expected a regular file, got a folder, pipe or device"):
        content(source, 0)


def test_a_path_through_a_file_is_a_bad_image(folder):
    source = ListSource(write(folder, "0\t0\ta.jpg/b.jpg\n1\t0\ta.jpg\n"), folder)
    with pytest.raises(ImageError, match="Not a directory"):
        content(source, 0)


def test_a_path_with_a_zero_byte_is_a_bad_image(folder):
    source = ListSource(write(folder, "0\t0\ta\0.jpg\n1\t0\ta.jpg\n"), folder)
    with pytest.raises(ImageError, match="expected a path without zero bytes"):
        content(source, 0)


def test_blanks_around_a_path_are_dropped_unless_the_file_has_them(folder):
    (folder / " b.jpg ").write_bytes(b"with blanks")
    source = ListSource(write(folder, "0\t0\t a.jpg \n1\t0\t b.jpg \n"), folder)
    assert content(source, 0) == b"a.jpg" and content(source, 1) == b"with blanks"


@pytest.mark.parametrize("name", ["/cat/tom.jpg", "cat\\tom.jpg", "\\cat\\tom.jpg "])
def test_a_slash_at_the_beginning_and_backslashes_find_the_image(tmp_path, name):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "tom.jpg").write_bytes(b"tom")
    (tmp_path / "some.lst").write_text(f"0\t3\t{name}\n")
    source = ListSource(tmp_path / "some.lst")
    assert source.contents(source.entries([0])) == [b"tom"] and source.entries([0])[0].name == name
    (tmp_path / name).parent.mkdir(exist_ok=True)
    if "\\" in name:
        (tmp_path / name).write_bytes(b"with backslashes")
        assert source.contents(source.entries([0])) == [b"with backslashes"]


def test_a_path_that_is_not_utf_8_finds_its_file(folder):
    with open(os.fsencode(folder) + b"/caf\xe9.jpg", "wb") as file:
        file.write(b"latin")
    source = ListSource(write(folder, b"0\t0\tcaf\xe9.jpg\n"), folder)
    assert content(source, 0) == b"latin"


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf1\t2\ta.jpg\n3\t4\tb.jpg\n",
        b"1\t2\ta.jpg\r\n3\t4\tb.jpg\r\n",
        b"1\t2\ta.jpg\n\n\r\n3\t4\tb.jpg",
        b"\xef\xbb\xbf\r\n1\t2\ta.jpg\r\n3\t4\tb.jpg\r\n",
    ],
)
def test_byte_order_marks_crlf_and_blank_lines_change_nothing(folder, text):
    source = ListSource(write(folder, text), folder)
    entries = source.entries(range(len(source)))
    assert [(entry.key, entry.labels, entry.name) for entry in entries] == [(1, (2,), "a.jpg"), (3, (4,), "b.jpg")]
    assert content(source, 1) == b"b.jpg"


def test_the_parts_of_a_list_have_every_row_once(folder):
    path = write(folder, "".join(f"{key}\t{key % 3}\ta.jpg\n" for key in range(50)))
    keys = []
    for number in range(7):
        source = ListSource(path, folder, part=(number, 7))
        keys += [entry.key for entry in source.entries(range(len(source)))]
    assert keys == list(range(50))


def test_a_list_that_does_not_exist_is_a_missing_file(tmp_path):
    with pytest.raises(NotFoundError, match=r"none\.lst: expected a \.lst file, got nothing of that name"):
        ListSource(tmp_path / "none.lst")


def test_a_closed_list_can_be_closed_again(folder):
    source = ListSource(write(folder, "0\t0\ta.jpg\n"), folder)
    source.close()
    source.close()
