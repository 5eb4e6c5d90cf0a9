"""The examples that help() shows run as they are pasted into a new Python, and show the thing soon."""

import doctest
import importlib
import inspect

import pytest

MODULES = ("recordkit", "recordkit.transforms", "recordkit.recordio", "recordkit.interop.torch")
# Constants, and results whose makers have an example.
WITHOUT = {"__version__", "FILTERS", "IRHeader", "Batch", "pack_img"}


def public_objects():
    for module in MODULES:
        is_torch = module.endswith("torch")  # which may not be installed
        names = ("Loader", "RecordDataset") if is_torch else importlib.import_module(module).__all__
        yield from (pytest.param(module, name, id=f"{module}.{name}") for name in names if name not in WITHOUT)


def examples_of(module, name):
    if module.endswith("torch"):
        pytest.importorskip("torch")
    text = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
    return doctest.DocTestParser().get_doctest(text, {}, name, None, 0)


@pytest.mark.parametrize(("module", "name"), list(public_objects()))
def test_examples_run_in_a_new_python(module, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples, output = examples_of(module, name), []
    assert examples.examples, "no example"
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples, out=output.append)
    assert not output, "".join(output)
    assert not list(tmp_path.iterdir()), "an example leaves files where it is pasted"


@pytest.mark.parametrize(("module", "name"), list(public_objects()))
def test_examples_show_the_thing_soon(module, name):
    sources = [example.source for example in examples_of(module, name).examples]
    text = {"PackReport": "report ="}.get(name, name)
    n_before = next(n for n, source in enumerate(sources) if text in source and " import " not in source)
    assert n_before <= 4, f"{n_before} statements come before {name}"
