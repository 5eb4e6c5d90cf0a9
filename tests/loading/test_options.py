"""The arguments of a loader as one object."""

import inspect

import pytest

import recordkit as rk
from recordkit.loading.options import LoaderOptions


def test_the_options_are_the_arguments_of_the_loader():
    arguments, options = (
        {name: parameter.default for name, parameter in inspect.signature(kind).parameters.items()}
        for kind in (rk.Loader, LoaderOptions)
    )
    assert arguments == {"path": inspect.Parameter.empty, "_others": inspect.Parameter.empty} | options


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("num_workers", r"did you mean threads=\.\.\.\?$"),
        ("drop_last", 'did you mean last_batch="drop"'),
        ("shufle", r"did you mean shuffle=\.\.\.\?"),
        ("zzz", r"help\(recordkit\.Loader\) lists them"),
    ],
)
def test_an_argument_of_another_name_is_answered_with_the_one_that_is_meant(name, advice):
    with pytest.raises(TypeError, match=rf"^Loader\(\) got an unexpected keyword argument '{name}'; {advice}"):
        rk.Loader("a.rec", batch_size=4, **{name: 2})
