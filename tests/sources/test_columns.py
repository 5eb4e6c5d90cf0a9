"""The columns of a list: their names, delimiters, quotes and blanks."""

import pytest

from recordkit.errors import FormatError, PlanError
from recordkit.sources.columns import Columns


@pytest.mark.parametrize(
    ("names", "delimiter", "text", "row"),
    [
        ("path,label", "\t", "my cats/a.jpg\t3", (None, (3,), None, "my cats/a.jpg")),
        ("path,label", ",", "a.jpg, 0.5 ", (None, (0.5,), None, "a.jpg")),
        ("path,class", ",", '"a, ""b"".jpg",tabby cat', (None, (), "tabby cat", 'a, "b".jpg')),
        ("class,path", ";", "cat;a,b.jpg", (None, (), "cat", "a,b.jpg")),
        ("path,label", " ", "my cats/a  b.jpg \t 3", (None, (3,), None, "my cats/a  b.jpg")),
        ("key,label,path", " ", " 7 3 my cats/a.jpg", (7, (3,), None, "my cats/a.jpg")),
        ("path,class", " ", '"my cat.jpg"  tabby', (None, (), "tabby", "my cat.jpg")),
        ("path,class", " ", "1340192  Boeing 707", (None, (), "Boeing 707", "1340192")),  # FGVC-Aircraft
        ("path,class", " ", "my  cat.JPG tabby cat ", (None, (), "tabby cat", "my  cat.JPG")),
        ("path,label", "\t", '5" disk.jpg\t3', (None, (3,), None, '5" disk.jpg')),
        ("-,path,-,label", ",", "x,a.jpg,y,3", (None, (3,), None, "a.jpg")),
        ("path,label,label", ",", "a.jpg,3,4.5", (None, (3, 4.5), None, "a.jpg")),
        ("path,labels", " ", "a.jpg 1 -1  1", (None, (1, -1, 1), None, "a.jpg")),
        ("key,labels,path", "\t", "7\t1\t2\ta b.jpg", (7, (1, 2), None, "a b.jpg")),
        ("labels,path", "\t", "9007199254740993\ta.jpg", (None, (2**53 + 1,), None, "a.jpg")),
    ],
)
def test_a_row_is_divided_into_its_columns(names, delimiter, text, row):
    columns = Columns(names)
    assert columns.row(columns.split(text, delimiter)) == row


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ("path,lable", "'lable' is not one of path, label, labels, class, key, -"),
        ("", "'' is not one of"),
        ("label", "path is there 0 times"),
        ("path,path,label", "path is there 2 times"),
        ("path", "label, labels or class is missing"),
        ("path,label,class", "label and class exclude each other"),
        ("path,labels,labels", "labels is there 2 times"),
        ("key,path,label,key", "key is there 2 times"),
    ],
)
def test_columns_that_cannot_be_read_are_refused(names, problem):
    with pytest.raises(PlanError, match=f"columns: expected names such as path,label .*: {problem}"):
        Columns(names)


@pytest.mark.parametrize(
    ("names", "text", "problem"),
    [
        ("path,label", "a.jpg", "expected 2 columns, path,label, got 1: 'a.jpg'; name each column, '-' skips one"),
        ("path,label", "a.jpg,3,4", "expected 2 columns, path,label, got 3: 'a.jpg, 3, 4'"),
        ("path,labels", "a.jpg", "expected 2 columns, path,labels, got 1"),
        ("path,label", "a.jpg,cat", "expected a finite number as LABEL, got 'cat'; a class name needs the column 'cl"),
        ("path,label", "a.jpg,1_2", "expected a finite number as LABEL, got '1_2'"),
        ("path,label", "a.jpg,", "expected a finite number as LABEL, got ''; the row has no label: write one or rem"),
        ("path,label", "a.jpg,NaN", "expected a finite number as LABEL, got 'NaN'; the row has no label"),
        ("path,label", ",3", "expected a text as PATH, got an empty field"),
        ("path,class", "a.jpg,", "expected a text as CLASS, got an empty field"),
        ("key,path,label", "x,a.jpg,3", "expected a whole number from 0 to .* as KEY, got 'x'"),
    ],
)
def test_a_row_of_other_columns_is_an_error(names, text, problem):
    columns = Columns(names)
    with pytest.raises(FormatError, match=problem):
        columns.row(columns.split(text, ","))
