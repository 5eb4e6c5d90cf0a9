"""Marks words of code that may be longer than a line on a phone, so that the style lets these alone break."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# A phone has 45 letters of code in a line of text, and about 30 in the parameters of a function.
_LONG = re.compile(r'<span class="pre">(?=(?:&[#\w]+;|[^<&]){31})')  # &quot; is one letter


def mark(app: Sphinx, page: str, template: str, context: dict[str, Any], document: nodes.document | None) -> None:
    """Give long words of a page the class ``long``."""
    del app, page, template, document
    if "body" in context:
        context["body"] = _LONG.sub('<span class="pre long">', context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the function of this module to the build."""
    app.connect("html-page-context", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
