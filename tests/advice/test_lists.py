"""Following the advices about lists of other tools."""

import re
from pathlib import Path

import pytest
from advice.walk import advice, commands, text_of

import recordkit as rk


@pytest.fixture
def pack(photos):
    """Return the arguments that pack a list of some content."""

    def write(text, *options, root="photos"):
        Path("some.lst").write_text(text)
        return "pack", "some.lst", "out", "--root", root, *options

    return write


def labels():
    return rk.RecordDataset("out").labels.tolist()


def test_columns(pack, fails, works):
    arguments = pack("cat/0.jpg 3\ndog/1.jpg 4\n")
    _, columns = advice("sources/list_form.py", "{}: give `columns={}`", fails(*arguments))
    works(*arguments, "--columns", columns)
    assert labels() == [3, 4]


def test_paths_that_lead_out(pack, fails, works):
    arguments = pack("0\t3\tcat/0.jpg\n1\t4\t../photos/dog/1.jpg\n", root="photos/cat/..")
    works(*arguments)  # it comes back to the root
    arguments = pack("0\t3\t0.jpg\n1\t4\t../dog/1.jpg\n", root="photos/cat")
    error = fails(*arguments)
    advice("sources/outside.py", "correct the list, or give `allow_outside=True` if you trust it", error)
    works(*arguments, re.search(r"give (--\S+) if", error)[1])
    assert labels() == [3, 4]


def test_columns_and_root(pack, fails, works):
    arguments = pack("cat/0.jpg 3\ndog/1.jpg 4\n", root=".")
    error = fails(*arguments)
    (root,) = advice("sources/list_form.py", ", and {} as `root`", error)
    _, columns = advice("sources/list_form.py", "{}: give `columns={}`", error)
    works(*arguments, "--columns", columns.split(", and")[0], "--root", root)
    assert labels() == [3, 4]


def test_columns_that_only_the_user_knows(photos, fails, works):
    Path("some.csv").write_text("0,red,big\n1,blue,small\n")
    advice(
        "sources/list_form.py",
        "if it is a list of images, name its columns, for example `columns=path,label`, and their folder as `root`",
        fails("pack", "some.csv", "out"),
    )
    works("pack", "some.csv", "out", "--columns", "path,-,class", "--root", "photos/cat")
    assert labels() == [0, 1]


def test_the_command_that_packs_a_list_in_place_of_im2rec(pack, im2rec, works):
    pack("0\tcat/0.jpg\t3\n0\tdog/1.jpg\t4\n")
    _, _, error = im2rec("some", "photos")
    advice("sources/list_form.py", "{}: '{} --root {} --columns {}' reads them", error)
    (command,) = commands(error)
    works(*["out" if word == "PREFIX" else word for word in command])
    assert labels() == [3, 4]


def test_keys_all_alike(pack, fails, works):
    arguments = pack("0\t3\tcat/0.jpg\n0\t4\tdog/1.jpg\n")
    (option,) = advice(
        "sources/repeated_keys.py",
        "readers would find only the last of them; {} numbers the rows instead",
        fails(*arguments),
    )
    works(*arguments, *option.split())
    assert labels() == [3, 4]


def test_keys_all_alike_in_im2rec(pack, im2rec, works):
    pack("0\t3\tcat/0.jpg\n0\t4\tdog/1.jpg\n")
    code, _, error = im2rec("some", "photos")
    assert code == 0
    advice("sources/repeated_keys.py", "readers would find only the last of them; {} numbers the rows instead", error)
    (command,) = commands(error)
    works(*["out" if word == "PREFIX" else word for word in command])
    assert labels() == [3, 4]


def test_a_class_name_is_no_label(pack, fails, works):
    arguments = pack("cat/0.jpg,cat,big\ndog/1.jpg,dog,small\n")
    error = fails(*arguments, "--columns", "path,label,-")
    advice("sources/columns.py", "a class name needs the column 'class' in place of 'label'", error)
    works(*arguments, "--columns", "path,class,-")
    assert labels() == [0, 1]


def test_a_row_without_a_label(pack, fails, works):
    error = fails(*pack("cat/0.jpg,3\ndog/1.jpg,\n"), "--columns", "path,label")
    advice("sources/columns.py", "the row has no label: write one or remove the row", error)
    works(*pack("cat/0.jpg,3\n"), "--columns", "path,label")
    assert labels() == [3]


def test_a_comma_in_a_label(pack, fails, works):
    error = fails(*pack("cat/0.jpg;3,5;x\ndog/1.jpg;4,5;y\n"), "--columns", "path,label,-")
    advice("sources/columns.py", "write a point in place of the comma", error)
    works(*pack("cat/0.jpg;3.5;x\ndog/1.jpg;4.5;y\n"), "--columns", "path,label,-")
    assert labels() == [3.5, 4.5]


def test_lines_that_end_with_carriage_returns(pack, fails, works):
    error = fails(*pack("0\t3\tcat/0.jpg\r1\t4\tdog/1.jpg\r"))
    advice("formats/lines.py", "save the list with the line ends of Unix or Windows", error)
    works(*pack("0\t3\tcat/0.jpg\r\n1\t4\tdog/1.jpg\r\n"))
    assert labels() == [3, 4]


def test_upper_and_lower_case(pack, fails, works):
    error = fails(*pack("0\t3\tcat/0.JPG\n"))
    (name,) = advice(
        "sources/missing_images.py",
        "there is {}: upper and lower case differ, correct them in the list",
        error,
    )
    works(*pack(f"0\t3\tcat/{name.split(':')[0]}\n"))


def test_a_list_in_place_of_a_record_file(photos, fails, works):
    Path("some.csv").write_text("photos/cat/0.jpg,3\nphotos/dog/1.jpg,4\n")
    error = fails("info", "some.csv")
    advice("formats/signatures.py", "if it is a list of images, run 'recordkit pack {} PREFIX'", error)
    (command,) = commands(error)
    works(*["out" if word == "PREFIX" else word for word in command], "--columns", "path,label")
    assert labels() == [3, 4]


def test_columns_in_the_library(photos):
    Path("some.csv").write_text("cat/0.jpg,cat\ndog/1.jpg,dog\n")
    error = text_of(lambda: rk.pack("some.csv", "out"))
    advice("packing/steps.py", "; recordkit.open_source takes it", error)
    rk.pack(rk.open_source("some.csv", columns="path,class", root="photos"), "out")
    assert labels() == [0, 1]


def test_urls(pack, fails, works):
    error = fails(*pack("0\t3\thttps://x.org/cat/0.jpg\n"))
    advice(
        "sources/missing_images.py",
        "the paths are URLs; download the images, and write the paths of their files",
        error,
    )
    works(*pack("0\t3\tcat/0.jpg\n"))


def test_a_json_text(photos, fails, works):
    Path("some.json").write_text('{"images": [], "annotations": []}')
    error = fails("pack", "some.json", "out")
    advice(
        "sources/__init__.py",
        "write a list with a row PATH,LABEL for each image, and give `columns=path,label`",
        error,
    )
    Path("some.csv").write_text("cat/0.jpg,3\ndog/1.jpg,4\n")
    works("pack", "some.csv", "out", "--root", "photos", "--columns", "path,label")
    assert labels() == [3, 4]


def test_each_column_has_a_name(pack, fails, works):
    arguments = pack("cat/0.jpg,3,x\ndog/1.jpg,4,x\n")
    advice(
        "sources/columns.py",
        "name each column, '-' skips one, and put quotes around a field that has blanks",
        fails(*arguments, "--columns", "path,label"),
    )
    works(*arguments, "--columns", "path,label,-")
    assert labels() == [3, 4]
    works(*pack('cat/0.jpg "tabby cat"\ndog/1.jpg dog\n', "--columns", "path,class"))
    assert rk.RecordDataset("out").classes == {"dog": 0, "tabby cat": 1}


def test_a_class_that_the_map_lacks(pack, fails, works):
    Path("classes.txt").write_text("cat\n")
    arguments = pack("cat/0.jpg,cat\ndog/1.jpg,dog\n", "--columns", "path,class", "--classes", "classes.txt")
    advice("sources/table.py", "add it to them or remove the row", fails(*arguments))
    Path("classes.txt").write_text("cat\ndog\n")
    works(*arguments)
    assert labels() == [0, 1]


def test_a_path_without_a_suffix_that_two_images_have(pack, fails, works):
    Path("photos/cat/0.png").write_bytes(Path("photos/cat/0.jpg").read_bytes())
    columns = ("--columns", "path,label")
    advice("sources/table.py", "write the suffix in the list", fails(*pack("cat/0 3\ndog/1 4\n", *columns)))
    works(*pack("cat/0.jpg 3\ndog/1 4\n", *columns))
    assert labels() == [3, 4]


def test_utf_16(photos, fails, works):
    for name, columns in (("a.csv", ()), ("a.lst", ()), ("a.csv", ("--columns", "path,label"))):
        Path(name).write_text("cat/0.jpg,3\n", encoding="utf-16")
        error = fails("pack", name, "out", "--root", "photos", *columns)
        if name == "a.csv" and not columns:
            advice("sources/list_form.py", "if it is a list of images, save it as UTF-8; it is UTF-16", error)
        else:
            advice("formats/lines.py", "save the list as UTF-8", error)
    Path("a.csv").write_text("cat/0.jpg,3\n", encoding="utf-8-sig")
    works("pack", "a.csv", "out", "--root", "photos", "--columns", "path,label")
    assert labels() == [3]
