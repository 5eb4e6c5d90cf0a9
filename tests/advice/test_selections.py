"""Following the advices of `recordkit subset`, `split` and `shuffle`."""

from pathlib import Path

import pytest
from advice.walk import advice, commands
from upkeep.edit.numbered import make

import recordkit as rk


@pytest.fixture
def rec(photos):
    rk.pack("photos", "out")
    return "out.rec"


@pytest.fixture
def plain(photos):
    """Five records without class names, of which two have a second label."""
    return make(Path("plain.rec"), [1.0, (1.0, 5.0), 2.0, (2.0, 5.0), 1.0])


def test_a_class_that_is_misspelled(rec, fails, works):
    (name,) = advice(
        "upkeep/selection/selection.py", "did you mean {}?", fails("subset", rec, "new", "--class", "cats")
    )
    works("subset", rec, "new", "--class", name)


def test_classes_between_commas(rec, fails, works):
    error = fails("subset", rec, "new", "--class", "cat,dog")
    (options,) = advice("upkeep/selection/selection.py", "give each name by itself: {}", error)
    assert options.split() == ["--class", "cat", "--class", "dog"]
    works("subset", rec, "new", *options.split())


def test_a_class_where_there_are_only_labels(plain, fails, works):
    advice("upkeep/selection/selection.py", "give `labels`", fails("subset", plain, "new", "--class", "cat"))
    works("subset", plain, "new", "--label", 2)


@pytest.mark.parametrize("condition", ['class == "cat"', "label == 'cat'", "classes == 1"])
def test_a_class_in_an_expression(rec, fails, works, condition):
    error = fails("subset", rec, "new", "--where", condition)
    advice("upkeep/selection/syntax.py", "an expression has no class names: give them as `classes`", error)
    works("subset", rec, "new", "--class", "cat")


def test_a_label_that_some_records_do_not_have(plain, fails, works):
    condition = "label1 == 5"
    error = fails("subset", plain, "new", "--where", condition)
    (n,) = advice("upkeep/selection/expression.py", "write 'n_labels > {} and ...' before it", error)
    n = n.split()[0]
    assert works("subset", plain, "new", "--where", f"n_labels > {n} and {condition}").startswith("new.rec: 2 records")


def test_a_key_of_two_records(photos, fails, works):
    twice = make(Path("twice.rec"), [1.0, 1.0, 2.0], [4, 5, 4])
    error = fails("shuffle", twice, "new")
    advice(
        "upkeep/selection/keys.py",
        "number the records anew with 'recordkit merge {} NEW --renumber', and use NEW",
        error,
    )
    (command,) = commands(error)
    works(*command)
    works("shuffle", "NEW.rec", "new")


def test_strata_of_shards(rec, fails, works):
    error = fails("split", rec, "new", "--shards", 2, "--stratify")
    (option,) = advice("cli/commands/split.py", "{} applies to --ratios", error)
    works("split", rec, "new", "--ratios", "a=0.5,b=0.5", option.split()[-1])


def test_labels_of_which_an_expression_selects_none(rec, fails, works):
    error = fails("subset", rec, "new", "--where", "label == 77")
    (labels,) = advice("upkeep/selection/selection.py", "the first labels are {}", error)
    works("subset", rec, "new", "--where", f"label == {labels.split(', ')[0]}")
