"""Links from a page to files of the repository that are outside of docs/.

A page may be read on a code host too, so its links are relative paths. A link to a file that a page of docs/ includes
leads to that page; a link to any other Markdown file becomes plain text, because the pages have no copy of it. Files
that are not Markdown, such as scripts, are copied by Sphinx and can be downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

# Files of the repository that a page of docs/ includes, or is a link to.
INCLUDED = {
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "README.md": "index",
    "examples/pack_and_train.ipynb": "pack_and_train",
}


def redirect(app: Sphinx, document: nodes.document) -> None:
    """Redirect the links of a page that lead to Markdown files outside of docs/."""
    docs = Path(app.srcdir)
    for link in list(document.findall(pending_xref)):
        if link["reftype"] != "myst":
            continue
        target = link["reftarget"]
        # MyST gives the path without its suffix if the page is not an included one.
        suffix = ".md" if Path(target + ".md").is_file() else ".ipynb"
        path = Path(target + suffix) if link["refdomain"] == "doc" else docs.parent / target
        if (link["refdomain"] == "doc" and not path.is_absolute()) or not path.is_file():
            continue
        page = page_of(path, docs)
        if page:
            link.attributes.update(refdomain="doc", reftarget=page, reftargetid=link.get("reftargetid"))
        else:
            link.replace_self(link.children)


def page_of(path: Path, docs: Path) -> str | None:
    """Return the page that shows a file, or None."""
    if path.is_relative_to(docs):
        return path.relative_to(docs).with_suffix("").as_posix()
    return INCLUDED.get(path.relative_to(docs.parent).as_posix())


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the function of this module to the build."""
    app.connect("doctree-read", redirect)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
