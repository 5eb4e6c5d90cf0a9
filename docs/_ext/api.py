"""The API reference, made from the code: one page for each room, written to docs/reference/api/ before the build.

A package with `__all__` is documented by these names; a package without is documented module by module. A name between
backticks, in a docstring or on a page, becomes a link if it is the name of exactly one documented thing.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import pydoc
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.ext.autodoc.mock import mock
from sphinx.util.nodes import make_refnode

import recordkit

ROOMS = (
    "recordkit",
    "recordkit.recordio",
    "recordkit.dataset",
    "recordkit.sampling",
    "recordkit.loading",
    "recordkit.transforms",
    "recordkit.codec",
    "recordkit.sample",
    "recordkit.sources",
    "recordkit.packing",
    "recordkit.formats",
    "recordkit.storage",
    "recordkit.record_iter",
    "recordkit.interop.torch",
    "recordkit.interop.mxnet",
    "recordkit.interop.fetch",
    "recordkit.interop.conversions",
    "recordkit.interop.entries",
    "recordkit.interop.export",
    "recordkit.interop.folder",
    "recordkit.interop.insightface",
    "recordkit.interop.parquet",
    "recordkit.interop.split_files",
    "recordkit.interop.webdataset",
    "recordkit.upkeep",
    "recordkit.bench",
    "recordkit.training",
    "recordkit.cluster",
    "recordkit.native",
    "recordkit.memory",
    "recordkit.open_files",
    "recordkit.threads",
    "recordkit.side_thread",
    "recordkit.public_names",
    "recordkit.arguments",
    "recordkit.errors",
)
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference" / "api"
# A full name, or the name of a class and perhaps of its member: recordkit.pack(), Loader, RecordDataset.subset.
NAME = re.compile(r"(recordkit(\.[a-zA-Z]\w*)+|[A-Z][a-z]\w*(\.[a-z_]\w*)?)(\(\))?")


def public_modules(package: types.ModuleType) -> Iterator[types.ModuleType]:
    """Yield a room's public modules: the package alone if it has `__all__`, otherwise all without an underscore.

    Modules with names that `recordkit` itself has come first, because most readers look for these.
    """
    yield package
    if hasattr(package, "__all__") or not hasattr(package, "__path__"):
        return
    names = [info.name for info in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    first = {getattr(recordkit, name).__module__ for name in public_names(recordkit)}
    for name in sorted(names, key=lambda name: (name not in first, name)):
        if not any(part.startswith("_") for part in name.split(".")):
            yield importlib.import_module(name)


def public_names(module: types.ModuleType) -> list[str]:
    """Return the public names of a module: `__all__`, or the classes, functions and constants that it defines."""
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if not name.startswith("__")]
    text = inspect.getsource(module)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and is_defined(name, value, module, text)
    ]


def is_defined(name: str, value: object, module: types.ModuleType, text: str) -> bool:
    """Return whether a module defines this name itself, instead of importing it."""
    if inspect.isclass(value) or inspect.isroutine(value):
        return getattr(value, "__module__", None) == module.__name__
    return name.isupper() and (f"\n{name} =" in text or f"\n{name}:" in text)


def room_page(name: str) -> str:
    """Return the page of a room in reStructuredText."""
    room = importlib.import_module(name)
    if name == "recordkit":
        return front_page(room)
    modules = list(public_modules(room))
    lines = heading(name, "=") + [f".. automodule:: {name}", "   :no-members:", ""]
    for module in modules:
        if module is not room:
            lines += heading(module.__name__, "-") + [f".. automodule:: {module.__name__}", "   :no-members:", ""]
        for public in public_names(module):
            lines += entry(module.__name__, public, getattr(module, public))
    return "\n".join(lines)


def front_page(package: types.ModuleType) -> str:
    """Return the page of the package: a table of its names, each described on the page of its room."""
    lines = heading(package.__name__, "=") + [".. automodule:: recordkit", "   :no-members:", ""]
    lines += [".. list-table::", "   :header-rows: 1", "", "   * - name", "     - purpose"]
    for name in public_names(package):
        summary = (inspect.getdoc(getattr(package, name)) or "").split("\n\n")[0].replace("\n", " ")
        lines += [f"   * - `recordkit.{name}`", f"     - {summary}"]
    return "\n".join([*lines, ""])


def heading(text: str, line: str) -> list[str]:
    """Return the lines of a heading."""
    return [text, line * len(text), ""]


def entry(module: str, name: str, value: object) -> list[str]:
    """Return the directive that documents one name of a module."""
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
    else:
        kind = "autofunction" if inspect.isroutine(value) else "autodata"
    lines = [f".. {kind}:: {module}.{name}"]
    if kind == "autodata" and len(repr(value)) > 120:
        lines.append("   :no-value:")
    return [*lines, ""]


def write_pages(app: Sphinx) -> None:
    """Write the pages that have changed, and remove those of rooms that are gone."""
    FOLDER.mkdir(exist_ok=True)
    with mock(app.config.autodoc_mock_imports):
        pages = {f"{name}.rst": room_page(name) for name in ROOMS}
    for path in FOLDER.iterdir():
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def add_short_names(_app: Sphinx, env: BuildEnvironment) -> None:
    """Make recordkit.Loader another name of the class that is documented as recordkit.loading.loader.Loader."""
    python: Any = env.get_domain("py")
    for name in public_names(recordkit):
        value = getattr(recordkit, name)
        targets = [f"{value.__module__}.{name}", f"{value.__module__.rpartition('.')[0]}.{name}"]
        (target,) = [target for target in targets if target in python.objects and not python.objects[target].aliased]
        python.objects[f"recordkit.{name}"] = python.objects[target]._replace(aliased=True)


def link_code(app: Sphinx, document: nodes.document) -> None:
    """Make code on a page, such as `recordkit.Loader` or `rk.Loader`, a reference to the thing with this name."""
    for code in list(document.findall(nodes.literal)):
        name = re.sub(r"^rk\.", "recordkit.", code.astext())
        outer = (code.parent, code.parent.parent)
        if not NAME.fullmatch(name) or any(
            isinstance(node, nodes.reference | pending_xref | nodes.title) for node in outer
        ):
            continue
        reference = pending_xref("", refdomain="py", reftype="obj", reftarget=name.removesuffix("()"))
        reference.attributes.update(refexplicit=True, refwarn=True, refdoc=app.env.current_document.docname)
        code.replace_self(reference)
        reference += code


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve a reference that Sphinx could not resolve, such as `Loader` in the docstring of another room."""
    target = node["reftarget"].removesuffix("()")
    if node.get("refdomain") != "py" or not (target[:1].isupper() or "." in target):
        return None
    python: Any = env.get_domain("py")
    documented = find_thing(python, target)
    if documented:
        thing = python.objects[documented]
        return make_refnode(app.builder, node.get("refdoc", ""), thing.docname, thing.node_id, content)
    room = max((room for room in ROOMS if target.startswith(room + ".")), key=len, default=None)
    with mock(app.config.autodoc_mock_imports):
        if not room or pydoc.locate(target) is None:  # nothing has this name, so the reference is a mistake
            return None
    return make_refnode(app.builder, node.get("refdoc", ""), f"reference/api/{room}", "", content)


def find_thing(python: PythonDomain, target: str) -> str | None:
    """Return the full name of the only documented thing that a short name means."""
    for name in (target, f"recordkit.{target}"):
        if name in python.objects:
            return name
    names = [name for name, thing in python.objects.items() if name.endswith(f".{target}") and not thing.aliased]
    return names[0] if len(names) == 1 else None


def skip_fields(_app: Sphinx, _what: str, _name: str, value: object, skip: bool, _options: object) -> bool | None:  # noqa: FBT001 (Sphinx calls it so)
    """Skip the fields of a named tuple, which its own docstring describes."""
    return True if type(value).__name__ == "_tuplegetter" else None


def drop_type_docs(_app: Sphinx, what: str, _name: str, value: object, _options: object, lines: list[str]) -> None:
    """Drop the description of a constant if it is the one of its type, such as that of every tuple."""
    if what == "data" and lines and lines[0] in (inspect.getdoc(type(value)) or ""):
        lines.clear()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the functions of this module to the build."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", drop_type_docs)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("doctree-read", link_code)
    app.connect("env-updated", add_short_names)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
