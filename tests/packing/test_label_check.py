"""The check of all labels before packing: what is refused, and where it is said to be."""

import pytest

from recordkit.errors import SourceError
from recordkit.formats import json_file
from recordkit.packing import label_check
from recordkit.packing.label_check import check_classes, check_labels
from recordkit.packing.plan import PackPlan
from recordkit.sample import Entry


class Rows:
    """A source that has labels only."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def labels(self, indices):
        return [self.rows[index] for index in indices]

    def entries(self, indices):
        return [Entry(100 + index, self.rows[index], f"{index}.png") for index in indices]


def refusal(rows, **options):
    with pytest.raises(SourceError) as caught:
        check_labels(Rows(rows), PackPlan(**options))
    return str(caught.value)


@pytest.mark.parametrize(
    ("label", "advice"),
    [
        (2**24 + 1, "; keep such labels with exact_labels=True"),
        (-(2**63) + 1, "; keep such labels with exact_labels=True"),
        (2**63 - 1, "; keep such labels with exact_labels=True"),
        (2**64 - 1, ""),
        (-(2**63) - 1, ""),
        (1e39, ""),
    ],
)
def test_a_label_that_float32_would_change_is_refused(label, advice):
    assert refusal([(1,), (2, label)]) == f"1.png: key 101: expected a label that float32 can hold, got {label}{advice}"


@pytest.mark.parametrize("label", [0.5, 2**63, -(2**63) - 1, 2.0**63])
def test_an_exact_label_is_a_whole_number_of_64_bits(label):
    expected = f"0.png: key 100: expected a whole label of 64 bits, got {label}"
    assert refusal([(label,)], exact_labels=True) == expected
    check_labels(Rows([(2**63 - 1,), (-(2**63),), (3.0,)]), PackPlan(exact_labels=True))


@pytest.mark.parametrize("n_before", [0, 4, 5, 9])
def test_the_first_bad_label_of_a_long_source_is_named(n_before, monkeypatch):
    monkeypatch.setattr(label_check, "_BLOCK_SIZE", 5)
    rows = [(1,)] * n_before + [(3, 0.25, 2**24 + 1, 2**25 + 1), (2**26 + 1,)]
    assert refusal(rows).startswith(f"{n_before}.png: key {100 + n_before}: ")
    assert "got 16777217;" in refusal(rows)
    check_labels(Rows(rows[:n_before]), PackPlan())


def test_only_the_labels_that_are_packed_are_checked():
    rows = [(1, 2**24 + 1), (2,)]
    check_labels(Rows(rows), PackPlan(labels="first"))
    check_labels(Rows(rows), PackPlan(labels="first", exact_labels=True))
    check_labels(Rows([(1, 2), (2,)]), PackPlan())
    assert refusal(rows, exact_labels=True) == "exact_labels: expected the same number in every row, got 1 to 2"


def test_class_names_that_no_reader_would_read_are_refused(monkeypatch):
    classes = {f"class {number:05}": number for number in range(100)}
    monkeypatch.setattr(json_file, "MAX_BYTES", (1 << 16) + 2_500)
    check_classes(classes)
    check_classes(None)
    monkeypatch.setattr(json_file, "MAX_BYTES", (1 << 16) + 1_500)
    with pytest.raises(SourceError, match="expected class names that take at most 1500 bytes as JSON, got 2"):
        check_classes(classes)
