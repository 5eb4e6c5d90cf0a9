"""The arguments of a loader as one object."""

import inspect

import recordkit as rk
from recordkit.loading.options import LoaderOptions


def test_the_options_are_the_arguments_of_the_loader():
    arguments, options = (
        {name: parameter.default for name, parameter in inspect.signature(kind).parameters.items()}
        for kind in (rk.Loader, LoaderOptions)
    )
    assert arguments == {"path": inspect.Parameter.empty} | options
