"""Lists of which no image exists: each reason has a text and an advice of its own, and the advice works."""

import pytest

from recordkit.errors import FormatError, SourceError
from recordkit.sources import ListSource


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with photos/cat/0.jpg, photos/2 b.jpg and the folders lists and empty."""
    monkeypatch.chdir(tmp_path)
    for name in ("photos/cat", "lists", "empty"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("photos/cat/0.jpg", "photos/2 b.jpg"):
        (tmp_path / name).touch()
    return tmp_path


def text_of(rows, root, label_width=None, **options):
    with open("lists/a.lst", "w") as file:
        file.write(rows)
    with pytest.raises((SourceError, FormatError)) as caught:
        ListSource("lists/a.lst", root, label_width=label_width, **options)
    return str(caught.value).removeprefix("lists/a.lst: ")


ROW = "0\t0\tcat/0.jpg\n"


@pytest.mark.parametrize(
    ("rows", "root", "text"),
    [
        (
            ROW,
            None,
            "the image 'cat/0.jpg' does not exist in lists; they are in photos: give it as",
        ),
        (
            ROW,
            "empty",
            "the image 'cat/0.jpg' does not exist in empty; they are in photos: give it",
        ),
        (
            ROW,
            "photos/cat",
            "the image 'cat/0.jpg' does not exist in photos/cat; they are in photos",
        ),
        (
            "0\t0\tphotos/cat/0.jpg\n",
            "photos",
            "the image 'photos/cat/0.",
        ),
        (
            2 * "0\t0\tx.jpg\n",
            "photos",
            "none of the first 2 images exists in photos, for example 'x.jpg'; give as root ",
        ),
        (
            "0\t0\tx.jpg\n",
            "none",
            "the image 'x.jpg' does not exist in none; there is no folder non",
        ),
        (
            "0\t0\t/x/a.jpg\n",
            "photos",
            "the image '/x/a.jpg' does not exist; the paths are absolute",
        ),
        (
            "0\t0\tC:\\x\\a.jpg\n",
            "photos",
            r"the image 'C:\\x\\a.jpg' does not exist; the paths are absolute",
        ),
        (
            "0\t0\tcat/0.JPG\n",
            "photos",
            "the image 'cat/0.JPG' does not exist in photos; there is 0.jpg: upper and lower case differ, correct",
        ),
        (
            "0\t0\tcat/0.jpg/\n",
            "photos",
            "the image 'cat/0.jpg/' does not exist in photos; give as",
        ),
        (
            "0\t0\thttps://x.org/a.jpg\n",
            "photos",
            "the image 'https://x.org/a.jpg' does not exist; the paths are URLs; download",
        ),
        (
            "0\t0\t/cat/0.jpg\n",
            "empty",
            "the image '/cat/0.jpg' does not exist in empty; they are in photos: gi",
        ),
        ("0\t0\t1.000000\n", "photos", "expected PATH at the end of a row, got a number, '1.000000'"),
    ],
)
def test_a_wrong_root_is_named_with_the_folder_that_has_the_images(folder, rows, root, text):
    assert text_of(rows, root, lenient=True).startswith(text)


def test_the_folder_of_the_list_is_looked_into(folder):
    (folder / "lists" / "x.jpg").touch()
    assert text_of("0\t0\tx.jpg\n", "photos").endswith("; they are in lists: give it as root")


def test_the_current_folder_is_looked_into(folder):
    assert text_of("0\t0\tx.jpg\n", ".").startswith("the image 'x.jpg' does not exist in the current folder;")
    assert text_of("0\t0\tphotos/cat/0.jpg\n", "photos").endswith("; they are in .: give it as root")


@pytest.mark.parametrize(
    ("rows", "width", "text"),
    [
        (
            "0\t0\t1 cat/0.jpg\n",
            None,
            "rows have 2 labels, and '1 cat/0.jpg' was taken for a path; put tabs between the l",
        ),
        ("0 0 1 cat/0.jpg\n", "auto", "rows have 2 labels, and '1 cat/0.jpg' was taken for a path; give label_width=2"),
        (
            "0 0 1 9 cat/0.jpg\n",
            "auto",
            "rows have 3 labels, and '1 9 cat/0.jpg' was taken for a path; give label_width=3",
        ),
        ("0\t0\t1\tcat/0.jpg\n", 1, "rows have 2 labels, and '1\\tcat/0.jpg' was taken for a path; give label_width=2"),
        ("0\t0\t1\tgone.jpg\n", 1, "rows have 2 labels, and '1\\tgone.jpg' was taken for a path; give label_width=2"),
        (
            "0\t0\t1\t2\tgone.jpg\n",
            2,
            "rows have 3 labels, and '2\\tgone.jpg' was taken for a path; give label_width=3",
        ),
        (
            "0\t0\t1\t2\tx\n1\t0\t1\tx\n",
            1,
            "rows have 2 to 3 labels, and '1\\t2\\tx' was taken for a path; give label_wid",
        ),
        ("0 0 1 2 b.jpg\n", "auto", "rows have 2 labels, and '1 2 b.jpg' was taken for a path; give label_width=2"),
        (
            "0 0 1 gone.jpg\n",
            "auto",
            "the image '1 gone.jpg' does not exist in photos; give as root",
        ),
        ("0\t0\tcat/0.jpg\n", 2, "line 1: expected KEY, 2 labels and PATH, separated by blanks, got 1 label: '0"),
    ],
)
def test_labels_that_were_taken_for_a_path_are_counted(folder, rows, width, text):
    assert text_of(rows, "photos", width, lenient=width is not None).startswith(text)


def test_thousands_of_numbers_before_a_path_are_counted_soon_and_not_all_shown(folder):
    rows = "".join(f"{key} {'0.5 ' * 20000}cat/{key}.jpg\n" for key in range(100))
    text = text_of(rows, "photos", "auto", lenient=True)  # 100 s if each rest of each row was copied
    assert text.startswith("rows have 20000 labels, and '0.5 0.5 ") and len(text) < 200
    rows = rows.replace("cat", "gone")
    assert len(text_of(rows, "photos", "auto", lenient=True)) < 400


def test_the_advice_works(folder):
    for rows, root, width in (
        (ROW, "photos", None),
        ("0\t0\t1\tcat/0.jpg\n", "photos", 2),
        ("0 0 1 2 b.jpg\n", "photos", 2),
        ("0\t0\t1\t2\tcat/0.jpg\n1\t0\tcat/0.jpg\n", "photos", "auto"),
    ):
        (folder / "lists" / "a.lst").write_text(rows)
        assert len(ListSource("lists/a.lst", root, label_width=width)) == rows.count("\n")
