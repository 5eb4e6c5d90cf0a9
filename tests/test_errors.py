"""The error tree, the fields and the text of errors, and their pickling."""

import copy
import inspect
import pickle

import pytest

from recordkit import errors

CLASSES = [getattr(errors, name) for name in errors.__all__ if "Warning" not in name]
FIELDS = {
    "path": "a.rec",
    "argument": "threads",
    "offset": 8,
    "line": 3,
    "key": 7,
    "expected": "24 bytes",
    "got": 3,
    "advice": "pass `root=x`",
}


def test_every_class_of_the_module_is_public_and_under_one_root():
    defined = {name for name, value in vars(errors).items() if getattr(value, "__module__", "") == errors.__name__}
    defined = {name for name in defined if inspect.isclass(getattr(errors, name))}
    assert defined == set(errors.__all__)
    assert all(issubclass(error_class, errors.RecordkitError) for error_class in CLASSES)


def test_the_tree_drawn_in_the_docstring_is_the_tree():
    drawn = {line.split("── ")[1].split()[0]: line for line in errors.__doc__.splitlines() if "── " in line}
    assert set(drawn) == set(errors.__all__) - {"RecordkitError"}
    for name, line in drawn.items():
        if "(" in line:
            builtin = line[line.index("(") + 1 : line.index(")")]
            assert builtin in [base.__name__ for base in getattr(errors, name).__mro__]


@pytest.mark.parametrize("error_class", CLASSES)
def test_every_error_survives_pickling_with_its_attributes(error_class):
    error = error_class("expected 24 bytes, got 3")
    error.note = "from a worker"
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is error_class
        assert (again.args, vars(again), str(again)) == (error.args, vars(error), str(error))


@pytest.mark.parametrize("error_class", CLASSES)
def test_every_error_survives_pickling_with_its_fields(error_class):
    error = error_class("at the end", **FIELDS)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert {name: getattr(again, name) for name in FIELDS} == FIELDS
        assert (type(again), again.message, str(again)) == (error_class, "at the end", str(error))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "expected x, got y"),
        ({"path": "a.rec"}, "a.rec: expected x, got y"),
        ({"line": 3}, "line 3: expected x, got y"),
        ({"path": "a.rec", "offset": 0}, "a.rec: byte 0: expected x, got y"),
        ({"path": "a.rec", "key": 7, "advice": "pack it again"}, "a.rec: key 7: expected x, got y; pack it again"),
        ({"argument": "threads", "message": "too many"}, "threads: too many: expected x, got y"),
        (
            {"argument": "labels", "advice": "pass `exact_labels=True`"},
            "labels: expected x, got y; pass exact_labels=True",
        ),
    ],
)
@pytest.mark.parametrize("error_class", CLASSES)
def test_the_text_is_made_from_the_fields(error_class, fields, text):
    assert str(error_class(expected="x", got="y", **fields)) == text


def test_a_message_alone_is_the_text():
    assert str(errors.PlanError("raw images have no quality")) == "raw images have no quality"


def test_the_repr_has_the_whole_text():
    error = errors.NotFoundError(path="a.rec", expected="a .rec file", got="none")
    assert repr(error) == "NotFoundError('a.rec: expected a .rec file, got none')"


def test_arguments_may_be_named_for_the_reader():
    error = errors.PlanError(
        argument="threads", expected="`batch_size` or less", got=9, advice="pass `threads=2`; `x y` stays"
    )
    assert error.text(lambda name: f"--{name.replace('=', ' ')}") == (
        "--threads: expected --batch_size or less, got 9; pass --threads 2; `x y` stays"
    )


def test_backticks_of_the_user_are_not_arguments():
    assert str(errors.SourceError(expected="a label", got="`cat`")) == "expected a label, got `cat`"


def test_where_and_problem_are_parts_of_the_text():
    error = errors.FormatError(path="a.rec", offset=8, expected="`x`", got=1, advice="look")
    assert (error.where, error.problem) == ("byte 8", "expected x, got 1")
    assert (errors.FormatError("bad").where, errors.FormatError("bad").problem) == ("", "bad")


def test_located_adds_fields_and_changes_none():
    error = errors.TruncatedError(expected=24, got=3, offset=8)
    located = error.located(path="a.rec", offset=0, key=7)
    assert type(located) is errors.TruncatedError
    assert (located.path, located.offset, located.key, error.path) == ("a.rec", 8, 7, None)


@pytest.mark.parametrize(
    ("error_class", "base"),
    [
        (errors.FormatError, ValueError),
        (errors.TruncatedError, errors.FormatError),
        (errors.SourceError, ValueError),
        (errors.ImageError, errors.SourceError),
        (errors.PlanError, ValueError),
        (errors.PublishError, OSError),
        (errors.InUseError, errors.PublishError),
        (errors.NotFoundError, FileNotFoundError),
        (errors.FetchError, OSError),
        (errors.TrainError, ValueError),
        (errors.MissingError, ImportError),
    ],
)
def test_callers_may_catch_the_builtin_or_broader_error(error_class, base):
    assert issubclass(error_class, base)


def test_a_file_that_does_not_exist_has_the_attributes_of_a_file_not_found_error():
    error = errors.NotFoundError(expected="a .rec file", got="nothing of that name").located(path="a.rec")
    for again in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (again.errno, again.strerror, again.filename) == (2, "No such file or directory", "a.rec")
        assert str(again) == "a.rec: expected a .rec file, got nothing of that name"


def test_an_advised_text_has_quotes_in_python_and_none_for_the_command_line():
    error = errors.PlanError(
        "no", advice="give `keys=renumber`, `classes=lib/cats.json`, `shards=4`, `shard=True` or `root`"
    )
    assert str(error) == 'no; give keys="renumber", classes="lib/cats.json", shards=4, shard=True or root'
    assert error.text() == "no; give keys=renumber, classes=lib/cats.json, shards=4, shard=True or root"
