"""The error tree: what callers catch, what the command line exits with, and that errors cross processes."""

import copy
import inspect
import pickle

import pytest

from recordkit import errors

CLASSES = [getattr(errors, name) for name in errors.__all__]
FORMAT_ERRORS = [errors.FormatError, errors.TruncatedError]


def test_every_class_of_the_module_is_public_and_under_one_root():
    defined = {name for name, value in vars(errors).items() if inspect.isclass(value)}
    assert defined == set(errors.__all__)
    assert all(issubclass(each, errors.RecordkitError) for each in CLASSES)


def test_the_tree_drawn_in_the_docstring_is_the_tree():
    drawn = {line.split("── ")[1].split()[0]: line for line in errors.__doc__.splitlines() if "── " in line}
    assert set(drawn) == set(errors.__all__) - {"RecordkitError"}
    for name, line in drawn.items():
        if "(" in line:
            builtin = line[line.index("(") + 1 : line.index(")")]
            assert builtin in [base.__name__ for base in getattr(errors, name).__mro__]


@pytest.mark.parametrize("each", CLASSES)
def test_every_error_survives_pickling_with_its_attributes(each):
    error = each("expected 24 bytes, got 3")
    error.note = "from a worker"
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is each
        assert (again.args, vars(again), str(again)) == (error.args, vars(error), str(error))


@pytest.mark.parametrize("each", FORMAT_ERRORS)
def test_format_errors_survive_pickling_with_path_and_place(each):
    error = each("expected 24 bytes, got 3", path="a.rec", place="byte 8")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(again), again.path, again.place) == (each, "a.rec", "byte 8")
        assert str(again) == "a.rec: byte 8: expected 24 bytes, got 3"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({}, "expected x"),
        ({"path": "a.rec"}, "a.rec: expected x"),
        ({"place": "line 3"}, "line 3: expected x"),
        ({"path": "a.rec", "place": "byte 0"}, "a.rec: byte 0: expected x"),
    ],
)
@pytest.mark.parametrize("each", FORMAT_ERRORS)
def test_a_format_error_says_path_place_and_message(each, where, text):
    assert str(each("expected x", **where)) == text


@pytest.mark.parametrize("each", CLASSES)
def test_the_exit_code_is_two_where_the_command_is_at_fault_and_one_elsewhere(each):
    assert each.exit_code == (2 if each in (errors.PlanError, errors.MissingError) else 1)


@pytest.mark.parametrize(
    ("each", "habit"),
    [
        (errors.FormatError, ValueError),
        (errors.TruncatedError, errors.FormatError),
        (errors.SourceError, ValueError),
        (errors.ImageError, errors.SourceError),
        (errors.PlanError, ValueError),
        (errors.PublishError, OSError),
        (errors.FetchError, OSError),
        (errors.TrainError, ValueError),
        (errors.MissingError, ImportError),
    ],
)
def test_callers_habits_catch_the_new_errors(each, habit):
    assert issubclass(each, habit)
