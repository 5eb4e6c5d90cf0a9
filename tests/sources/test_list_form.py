"""The advice about lists of other tools: it is there for each of them, it reads the list, and no other file gets it."""

import re

import pytest

from recordkit.errors import FormatError, SourceError
from recordkit.sources import ListSource, open_source
from recordkit.sources.list_form import advise_columns

TITLED = "filename,width,class,split\na.jpg,9,cat,train\nb.jpg,9,dog,val\n"


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.jpg", "my c.jpg", "17.png", "train/x.jpg", "train/y.jpg", "far/away/u.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


LISTS = [
    ("path,label", "a.jpg 3\nb.jpg 4\n"),
    ("path,label", "a.jpg 3\nmy c.jpg 4\n"),
    ("path,label", "my c.jpg 3\nmy c.jpg 4\n"),
    ("path,label", "image,label\r\na.jpg,3\r\nmy c.jpg,4\r\n"),
    ("path,label", "a.jpg;3\nb.jpg;4.5\n"),
    ("path,class", '\ufeffid,breed\na,"cat, tabby"\n17,dog\n'),
    ("path,class", "a.jpg,haze primary\nb.jpg,clear\n"),
    ("label,path", "3\ta.jpg\n4\tmy c.jpg\n"),
    ("-,path,label", "0\ta.jpg\t3\n0\tb.jpg\t4\n"),
    ("key,path,label", "0\ta.jpg\t3\n1\tb.jpg\t4\n"),
    ("key,label,path", "0 3 a.jpg\n1 4 my c.jpg\n"),
    ("key,class,path", "0\tcat\ta.jpg\n1\tdog\tb.jpg\n"),
    ("path,labels", "2\nEyebrows Bald\na.jpg 1 -1\nb.jpg -1  1\n"),
    ("-,path,label", ",image,label\n0,a.jpg,3\n1,b.jpg,4\n"),
    ("key,label,path", "key label path\n7 0 a.jpg\n9 1 b.jpg\n"),
    ("path,-,class,-", TITLED),
    ("path,label", "17\t3\n17\t4\n"),
    ("path,label", "a.jpg,0\nb.jpg,1\n"),
    ("path,class,-,-,-,-", "a.jpg\tn01\t0\t32\t44\t62\nb.jpg\tn02\t0\t55\t57\t59\n"),  # Tiny ImageNet
    ("path,-,class", "a.jpg,0,cat\nb.jpg,1,dog\n"),
    ("key,labels,path", "0\t0 5\ta.jpg\n1\t1 5\tb.jpg\n"),
    ("path,label", "sep=;\nimage;label\na.jpg;3\nb.jpg;4\n"),
    ("path,label,-", "a.jpg,3,\nb.jpg,4,\n"),
    ("path,labels", "a.jpg 0 4 7\nb.jpg 1\n"),
    ("-,label,path", "a\t3\ta.jpg\nb\t4\tb.jpg\n"),
    ("path,label", "/train/x.jpg 3\n/train/y.jpg 4\n"),
    ("path,label", "train\\x.jpg 3\ntrain\\y.jpg 4\n"),
]


@pytest.mark.parametrize("suffix", [".lst", ".txt"])
@pytest.mark.parametrize(("columns", "text"), LISTS)
def test_a_list_of_another_tool_is_refused_and_the_advice_reads_it(folder, columns, text, suffix):
    path = folder / f"list{suffix}"
    path.write_text(text)
    with pytest.raises((FormatError, SourceError), match=r"; the rows look like .*: give columns=\S+$") as caught:
        open_source(path)
    assert caught.value.advice.endswith(f"`columns={columns}`")
    source = open_source(path, columns=columns)
    assert len(source) == 2 and all(isinstance(content, bytes) for content in source.contents(source.entries([0, 1])))


def test_the_advice_names_the_folder_of_the_images(folder):
    (folder / "labels.csv").write_text("id,breed\nx,cat\ny,dog\n")
    with pytest.raises(SourceError, match=r"expected a folder or a \.lst file, got another file; the rows") as caught:
        open_source(folder / "labels.csv")
    columns, root = re.search(r"`columns=(\S+)`, and (\S+) as `root`", caught.value.advice).groups()
    assert len(open_source(folder / "labels.csv", columns=columns, root=root)) == 2


def test_if_no_image_exists_the_advice_goes_by_suffixes(folder):
    (folder / "list.txt").write_text("x/1.jpg 3\nx/2.jpg 4\n")
    with pytest.raises(SourceError, match="give columns=.path,label., and the folder of the images as root"):
        open_source(folder / "list.txt")
    with pytest.raises(SourceError, match="none of the first 2 images exists"):
        open_source(folder / "list.txt", columns="path,label")
    (folder / "list.txt").write_text("9\nEyebrows Bald\n" + 9 * "x/1.jpg 1 -1\n")
    with pytest.raises(SourceError, match="give columns=.path,labels., and the folder of the images as root"):
        open_source(folder / "list.txt")


@pytest.mark.parametrize(
    "content",
    [
        b"hello world\nit is 3\n",
        b"a.jpg\nb.jpg\n",
        b"\x89PNG\r\n\x1a\n\0\0 1\n",
        b"",
        b"3\n",
    ],
)
def test_a_file_that_is_no_list_of_images_gets_no_advice(folder, content):
    (folder / "other.txt").write_bytes(content)
    with pytest.raises(SourceError, match=r"other\.txt: expected a folder or a \.lst file, got another file$"):
        open_source(folder / "other.txt")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("1 a.jpg\n2 b.jpg\n3 17.png\n", "label,path"),  # keys, as in CUB-200
        ("0\ta.jpg\n1\tb.jpg\n", "label,path"),
        ("a.jpg\t0\t# good\nb.jpg\t1\t# good\n", "path,label,-"),
        ("a.jpg,male,5\nb.jpg,male,6\n", "path,class,-"),  # which column is the label?
        ("a.jpg,0,train\nb.jpg,1,train\n17.png,1,val\n", "path,label,-"),  # a split is no class
        ("1,0,a.jpg\n0,1,b.jpg\n1,0,17.png\n", "labels,path"),  # one column for each class
        ("cat,dog,file\n1,0,a.jpg\n1,0,b.jpg\n", "labels,path"),
        ("0.5,0.25,a.jpg\n0.75,0.5,b.jpg\n", "labels,path"),
        ("a.jpg\t3\nb.jpg\t4\nb.jpg\tcat\n", "path,class"),  # which row is the mistake?
        ("a.jpg,red,big\nb.jpg,blue,small\n", "path,-,class"),  # which column is the label?
        ("u -1\nv  1\n", "path,label"),  # where are the images?
    ],
)
def test_a_table_that_may_be_a_list_gets_advice_without_a_guess(folder, text, columns):
    (folder / "other.txt").write_text(text)
    with pytest.raises(
        SourceError, match="if it is a list of images, name its columns, for example columns=.path,label."
    ):
        open_source(folder / "other.txt")
    root = folder / "far" / "away" if text.startswith("u") else folder
    assert len(open_source(folder / "other.txt", columns=columns, root=root)) > 1


def test_the_error_about_wrong_columns_names_those_of_the_list(folder):
    (folder / "some.csv").write_text("image,x,y,label\na.jpg,1,2,cat\nb.jpg,1,2,dog\n")
    with pytest.raises(
        FormatError, match=r"got 4: 'a.jpg, 1, 2, cat'; the rows look .*: give columns=.path,-,-,class.$"
    ):
        open_source(folder / "some.csv", columns="path,label")
    (folder / "some.csv").write_text("a.jpg,1\nb.jpg,nan\n")
    with pytest.raises(FormatError, match="line 2: .* got 'nan'; the row has no label: write one or remove the row$"):
        open_source(folder / "some.csv", columns="path,label")


def test_class_names_with_blanks_are_advised(folder):
    (folder / "some.txt").write_text("a Spitfire\nb Boeing 707\na Boeing 727-200\n")  # FGVC-Aircraft
    with pytest.raises(SourceError, match="rows look like PATH CLASS, separated by blanks: give columns=.path,class.$"):
        open_source(folder / "some.txt")
    source = open_source(folder / "some.txt", columns="path,class")
    assert source.classes == {"Boeing 707": 0, "Boeing 727-200": 1, "Spitfire": 2}


def test_a_json_text_is_named(folder):
    (folder / "some.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(SourceError, match=r"expected a folder or a \.lst file, got a JSON text; write a list with"):
        open_source(folder / "some.json")


def test_an_image_is_looked_for_with_every_suffix_in_other_folders(folder):
    (folder / "far" / "c18f.tif").touch()
    (folder / "some.csv").write_text("id,label\nc18f,0\n")
    with pytest.raises(SourceError, match=r"give columns=.path,label., and \S+far as root$"):
        open_source(folder / "some.csv")


def test_keys_all_alike_are_not_named_as_keys_if_no_image_exists(folder):
    (folder / "some.lst").write_text("1\t/x/a.jpg\t0\n1\t/x/b.jpg\t1\n")
    with pytest.raises(FormatError, match="give columns=.-,path,label., and the folder of the images as root"):
        open_source(folder / "some.lst")


def test_a_mistake_in_one_row_of_a_list_is_not_taken_for_other_columns(folder):
    (folder / "some.lst").write_text("0\t3\ta.jpg\n1\tcat\tb.jpg\n2\t4\tb.jpg\n")
    with pytest.raises(FormatError, match=r"line 2: expected a finite number as LABEL, got 'cat'$"):
        open_source(folder / "some.lst")


@pytest.mark.parametrize(
    ("text", "columns", "labels"),
    [
        ("0\t3\ta.jpg\n0\t3\tb.jpg\n", "-,label,path", [(3,), (3,)]),
        ("0\t3\t5\ta.jpg\n0\t3\t5\tb.jpg\n", "-,labels,path", [(3, 5), (3, 5)]),
        ("3\t0\ta.jpg\n3\t1\tb.jpg\n4\t2\tb.jpg\n", "label,key,path", [(3,), (3,)]),
    ],
)
def test_keys_all_alike_are_refused_and_the_advice_reads_the_list(folder, text, columns, labels):
    (folder / "some.lst").write_text(text)
    with pytest.raises(SourceError, match=f"expected each KEY once.*; columns=.{columns}. numbers the rows"):
        open_source(folder / "some.lst")
    assert open_source(folder / "some.lst", columns=columns).labels([0, 1]) == labels


def test_im2rec_advises_the_command_that_reads_the_list(folder):
    (folder / "some list.lst").write_text("0\ta.jpg\t3\n0\tb.jpg\t4\n")
    with pytest.raises(
        FormatError, match=r"'recordkit pack \S+ list.lst. PREFIX --root \S+ --columns -,path,label' rea"
    ):
        ListSource(folder / "some list.lst", folder, lenient=True)


def test_a_list_whose_paths_are_numbers_may_have_other_columns(folder):
    (folder / "some.lst").write_text("0\t17\t3\n1\t17\t4\n")
    with pytest.raises(SourceError, match="expected PATH at the end of a row, .*: give columns=.key,path,label."):
        open_source(folder / "some.lst")


def test_names_with_suffixes_go_before_keys_that_name_images_too(folder):
    for number in range(3):
        (folder / "images").mkdir(exist_ok=True)
        (folder / "images" / f"{number}.png").touch()
    rows = "".join(f"{2 - number},images/{number}.png,{name}\n" for number, name in enumerate(("cat", "dog", "cat")))
    path = folder / "pandas.csv"
    path.write_text(f",filename,label\n{rows}")
    assert "columns=-,path,class" in advise_columns(path, folder / "images")


def test_of_two_columns_that_name_images_neither_is_advised(folder):
    for number in range(3):
        (folder / f"{number}.png").touch()
    path = folder / "two.csv"
    path.write_text("row,file_id,label\n0,2,cat\n1,1,dog\n2,0,cat\n")
    assert advise_columns(path, folder).startswith("if it is a list of images, name its columns")
