"""Lists of other tools as sources: delimiters, headings, class names, suffixes and keys."""

import pytest
from conftest import content

from recordkit.errors import FormatError, ImageError, NotFoundError, PlanError, SourceError
from recordkit.sources import TableSource


@pytest.fixture
def open_table(tmp_path):
    """Return a function that opens a list beside a.jpg, b.jpg, "my c.jpg" and "d,e.jpg"."""
    for name in ("a.jpg", "b.jpg", "my c.jpg", "d,e.jpg"):
        (tmp_path / name).write_bytes(name.encode())

    def make(text, columns, root=None, **options):
        (tmp_path / "list.txt").write_bytes(text.encode() if isinstance(text, str) else text)
        return TableSource(tmp_path / "list.txt", root, columns=columns, **options)

    return make


def rows(source):
    return [tuple(entry) for entry in source.entries(range(len(source)))]


@pytest.mark.parametrize(
    ("columns", "text", "expected"),
    [
        ("path,label", "a.jpg 3\nmy c.jpg 4\n", [(0, (3,), "a.jpg"), (1, (4,), "my c.jpg")]),  # Caffe
        ("path,label", "a.jpg,3\r\nmy c.jpg,4\r\n", [(0, (3,), "a.jpg"), (1, (4,), "my c.jpg")]),
        ("path,label", "a.jpg;3\n\nmy c.jpg;0.5", [(0, (3,), "a.jpg"), (1, (0.5,), "my c.jpg")]),
        ("label,path", "\ufeff3\ta.jpg\n4\tmy c.jpg\n", [(0, (3,), "a.jpg"), (1, (4,), "my c.jpg")]),
        ("-,path,label", "0\ta.jpg\t3\n0\tb.jpg\t4\n", [(0, (3,), "a.jpg"), (1, (4,), "b.jpg")]),  # InsightFace
        ("key,path,label", "9 a.jpg 3\n8 b.jpg 4\n", [(9, (3,), "a.jpg"), (8, (4,), "b.jpg")]),
        ("path,label", '"d,e.jpg",3\nb.jpg,4\n', [(0, (3,), "d,e.jpg"), (1, (4,), "b.jpg")]),
        ("path,label", "d,e.jpg 3\nb.jpg 4\n", [(0, (3,), "d,e.jpg"), (1, (4,), "b.jpg")]),
        ("path,labels", "a.jpg -1  1\nb.jpg  1 -1\n", [(0, (-1, 1), "a.jpg"), (1, (1, -1), "b.jpg")]),
    ],
)
def test_the_delimiter_is_found_and_rows_keep_their_order(open_table, columns, text, expected):
    source = open_table(text, columns)
    assert rows(source) == expected and source.labels(range(2)) == [row[1] for row in expected]
    assert content(source, 1) == expected[1][2].encode()
    assert (source.order, source.pixels, source.bad, source.notes, source.classes) == ("listed", False, [], [], None)


def test_the_delimiter_under_which_the_images_exist_is_chosen(open_table):
    assert rows(open_table("d,e.jpg cat\nd,e.jpg dog\n", "path,class")) == [(0, (0,), "d,e.jpg"), (1, (1,), "d,e.jpg")]


@pytest.mark.parametrize(
    ("columns", "text", "n_headings"),
    [
        ("path,label", "image_id,label\na.jpg,3\n", 1),
        ("-,path,label", ",image,label\n0,a.jpg,3\n", 1),  # pandas
        ("path,labels", "1\n5_o_Clock_Shadow Arched_Eyebrows\na.jpg -1  1\n", 2),  # CelebA
        ("path,label,-", "#Image CLASS-ID SPECIES\n#ID: 1:37 Class ids\na 3 1\n", 2),  # Oxford-IIIT pets
        ("path,class", "id,breed\na,3\n", 1),
        ("path,class", "id,cat\na,3\n", 1),
        ("path,class", "image,label\na.jpg,3\nb.jpg,3\n", 1),
    ],
)
def test_headings_are_not_read_and_named_in_a_note(open_table, tmp_path, columns, text, n_headings):
    (tmp_path / "image").mkdir()
    source = open_table(text, columns)
    assert source.entries([0])[0].name == "a.jpg" and len(source) == text.count("\n") - n_headings
    notes = [note for note in source.notes if "is a heading" in note]
    first = text.splitlines()[0]
    assert len(notes) == n_headings and notes[0].endswith(f"list.txt: line 1 is a heading and is not read: {first!r}")


@pytest.mark.parametrize("text", ["gone.jpg,cat\na.jpg,dog\n", "gone,cat\na,cat\n", "gone.jpg,cat\na.jpg,cat\n"])
def test_a_first_row_whose_image_is_missing_is_no_heading(open_table, text):
    assert len(open_table(text, "path,class")) == 2


def test_a_first_row_with_a_class_name_as_label_is_no_heading(open_table):
    with pytest.raises(FormatError, match="line 1: expected a finite number as LABEL, got 'cat'; a class name needs"):
        open_table("a.jpg,cat\nb.jpg,3\n", "path,label")


def test_class_names_are_numbered_by_name(open_table):
    source = open_table("a.jpg,tabby cat\nb.jpg,Dog\nmy c.jpg,tabby cat\n", "path,class")
    assert source.classes == {"Dog": 0, "tabby cat": 1} and source.labels([0, 1, 2]) == [(1,), (0,), (1,)]


def test_a_class_map_numbers_the_classes_and_has_each(open_table):
    source = open_table("a.jpg,cat\n", "path,class", classes={"dog": 0, "cat": 7})
    assert source.labels([0]) == [(7,)] and source.classes == {"dog": 0, "cat": 7}
    with pytest.raises(SourceError, match=r"list\.txt: line 2: expected one of the 1 names in classes, got 'owl'"):
        open_table("a.jpg,cat\nb.jpg,owl\n", "path,class", classes={"cat": 7})


def test_a_note_says_that_class_names_are_numbers(open_table):
    source = open_table("a.jpg,1\nb.jpg,10\n", "path,class")
    assert source.classes == {"1": 0, "10": 1}
    assert "the names of the classes are numbers, and their labels are 0 to 1; a column 'label'" in source.notes[0]


@pytest.mark.parametrize(
    ("names", "note"),
    [
        (["1,5", "2,5"], "the names of the classes are numbers with a comma, and their labels are 0 to 1; with points"),
        (["[0, 1]", "[1, 0]"], "class names such as '[0, 1]' are lists, and each combination is a class"),
        (["cat", "cat|dog", "dog"], "class names such as 'cat|dog' are several names"),
        (["haze", "clear", "clear haze"], "class names such as 'clear haze' are several names"),
        ([f"{size} {pet}" for size in ("big", "red") for pet in ("cat", "dog", "fox")], "names such as 'big cat'"),
        (["cat", "nan"], "'nan' is the name of a class; do its rows have no label?"),
        (["cat", "Cat"], "'Cat' and 'cat' are two classes"),
        (["tench, Tinca tinca", "missile", "projectile, missile"], None),
        (["tabby cat", "cat"], None),
    ],
)
def test_a_note_says_that_class_names_are_lists_or_numbers(open_table, names, note):
    source = open_table(
        "".join(f'a.jpg;"{name}"\n' for name in names[:1]) + "".join(f'b.jpg;"{name}"\n' for name in names[1:]),
        "path,class",
    )
    doubts = [text for text in source.notes if "unlike" not in text]
    assert source.classes == {name: number for number, name in enumerate(sorted(names))}
    assert len(doubts) == (note is not None) and all(note in text for text in doubts)


def test_a_note_says_that_class_names_are_not_utf_8(open_table):
    source = open_table("a.jpg,caf\u00e9\nb.jpg,bar\n".encode("latin-1"), "path,class")
    assert source.notes[0].endswith(r"list.txt: the class name 'caf\udce9' is not UTF-8; save the list as UTF-8")


def test_a_row_of_another_delimiter_is_no_heading(open_table):
    with pytest.raises(FormatError, match="line 1: expected 2 columns, path,label, got 1: 'a.jpg;0'"):
        open_table("a.jpg;0\nb.jpg,3\na.jpg,3\n", "path,label")


def test_a_note_names_an_image_with_unlike_labels(open_table):
    source = open_table("a.jpg,3\nb.jpg,3\na.jpg,3\na.jpg,4\n", "path,label")
    assert source.notes[0].endswith(
        "list.txt: rows 3 and 4 give one image unlike labels, and each row becomes a sample"
    )
    assert open_table("a.jpg,3\nb.jpg,4\na.jpg,3\n", "path,label").notes == []


def test_a_note_says_that_labels_count_the_rows(open_table):
    source = open_table("1 a.jpg\n2 b.jpg\n3 my c.jpg\n", "label,path")
    assert "list.txt: the labels are successive numbers from 1, as keys are; are the labels in" in source.notes[0]
    assert open_table("1 a.jpg\n2 b.jpg\n2 my c.jpg\n", "label,path").notes == []
    assert open_table("a.jpg 1\nb.jpg 2\nmy c.jpg 3\n", "path,label").notes == []


def test_paths_without_a_suffix_get_the_one_of_their_image(open_table, tmp_path):
    (tmp_path / "000bec18.JPG").write_bytes(b"upper case")
    source = open_table("id,breed\nb,dog\na.jpg,dog\n000bec18,cat\n", "path,class")
    assert [row[2] for row in rows(source)] == ["b.jpg", "a.jpg", "000bec18.JPG"] and content(
        source, 2
    ) == b"upper case"
    assert source.notes[1].endswith("list.txt: paths without a suffix get the one of their image, as in b.jpg")


def test_a_path_with_two_images_is_a_bad_image(open_table, tmp_path):
    (tmp_path / "a.png").touch()
    source = open_table("a,3\nb,4\n", "path,label")
    with pytest.raises(ImageError, match=r"expected one image of that name, got a\.jpg, a\.png; write the suffix in"):
        content(source, 0)
    assert content(source, 1) == b"b.jpg"


def test_suffixes_of_images_are_those_that_count(open_table, tmp_path):
    (tmp_path / "x.tif").touch()
    assert rows(open_table("x,3\n", "path,label", extensions=(".tif",))) == [(0, (3,), "x.tif")]


def test_an_absolute_path_needs_no_root(open_table, tmp_path):
    assert (
        content(open_table(f"{tmp_path}/a.jpg 3\n", "path,label", tmp_path / "elsewhere", allow_outside=True), 0)
        == b"a.jpg"
    )


def test_a_wrong_root_is_refused_and_the_right_one_is_named(open_table, tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "x.png").touch()
    with pytest.raises(SourceError, match=r"none of the first 2 images exists in .*'x'; they are in .*/train: give it"):
        open_table("id,label\nx,3\ny,4\n", "path,label")


def test_repeated_keys_are_refused_and_the_advice_reads_the_list(open_table):
    text = "0\ta.jpg\t3\n0\tb.jpg\t4\n"
    with pytest.raises(
        SourceError, match="expected each KEY once, got 0 in rows 1 and 2; .*; columns=.-,path,label. num"
    ):
        open_table(text, "key,path,label")
    assert len(open_table(text, "-,path,label")) == 2


def test_a_bad_row_is_refused_with_its_line(open_table):
    with pytest.raises(FormatError, match=r"list\.txt: line 4: expected 2 columns, path,label, got 1: 'b\.jpg'"):
        open_table("image,label\n\na.jpg,3\nb.jpg\n", "path,label")


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_list_without_rows_is_refused(open_table, text):
    with pytest.raises(SourceError, match="expected rows of path,label, got none"):
        open_table(text, "path,label")


def test_a_list_that_does_not_exist_is_a_missing_file(tmp_path):
    with pytest.raises(NotFoundError, match=r"none\.csv: expected a list, got nothing of that name"):
        TableSource(tmp_path / "none.csv", columns="path,label")
    with pytest.raises(PlanError, match="columns: expected names"):
        TableSource(tmp_path / "none.csv", columns="path")
