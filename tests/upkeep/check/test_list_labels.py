"""The labels of lists as arrays: those of `recordkit.formats.lst`, and its errors."""

import itertools

import numpy as np
import pytest

from recordkit.errors import FormatError
from recordkit.formats.lst import ListFile
from recordkit.upkeep import list_labels
from recordkit.upkeep.check.list_labels import ListLabels

LABELS = ["3", "3.000000", "-0.5", "+7", "1e-7", "2.5E3", "16777217", "1e39", "9007199254740993", "4.", "0001"]
ODD_LABELS = [".5", "1_000", " 4", "12345678901234567890123"]
BAD_LABELS = ["nan", "x", "", "1e999", "--1", "1e5e5"]


def write(path, labels, names=("a.jpg",), end="\n"):
    rows = [f"{key}\t{label}\t{name}" for key, (label, name) in enumerate(itertools.product(labels, names), 5)]
    path.write_text(end.join(rows) + end, newline="")
    return path


def all_labels(rows):
    return [rows.labels_at(number) for number in range(len(rows.keys))]


@pytest.mark.parametrize("names", [("a.jpg",), ("a.jpg", "a b\u00e9.jpg"), ("blank ",)])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("labels", [LABELS, [*LABELS, "1\t2.5", "7\t8\t9"], [*LABELS, *ODD_LABELS]])
def test_the_labels_are_those_of_each_row(tmp_path, monkeypatch, labels, names, end):
    monkeypatch.setattr(list_labels, "_BLOCK_LINES", 4)
    path = write(tmp_path / "a.lst", labels, names, end)
    with ListLabels(path) as found, ListFile(path) as rows:
        assert found.keys.tolist() == list(rows.keys)
        assert all_labels(found) == [row.labels for row in rows.rows(range(len(rows)))]
        for number, row in enumerate(rows.rows(range(len(rows)))):
            begin, end = found._bounds[number : number + 2].tolist()
            with np.errstate(over="ignore"):
                expected = np.array([float(label) for label in row.labels]).astype(np.float32)
            np.testing.assert_array_equal(found._labels[begin:end], expected)


@pytest.mark.parametrize("label", BAD_LABELS)
def test_a_bad_row_is_the_error_of_the_list(tmp_path, label):
    path = write(tmp_path / "a.lst", ["1", label, "2"])
    with pytest.raises(FormatError, match=r"line 2: ") as error:
        ListLabels(path)
    with pytest.raises(FormatError, match=r"line 2: ") as expected:
        ListFile(path)
    assert str(error.value) == str(expected.value)


def test_a_list_without_rows_has_no_labels(tmp_path):
    (tmp_path / "a.lst").touch()
    with ListLabels(tmp_path / "a.lst") as rows:
        assert len(rows.keys) == 0
