"""Settings of Sphinx. `bin/docs` builds the pages; `docs/_ext/` holds what is generated from the code."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_ext")]

from recordkit.version import __version__  # noqa: E402 (the line above makes this checkout importable)

project = "recordkit"
copyright = "the recordkit developers, Apache-2.0"  # noqa: A001 (the name that Sphinx reads)
release = version = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
    "api",
    "architecture",
    "commands",
    "links",
    "words",
]
exclude_patterns = ["_build", "_ext"]
# Annotations in recordkit.interop.torch stay text without torch, where `Batch` fits two classes; the first is right.
suppress_warnings = ["ref.python"]

# Markdown. A notebook is shown with the outputs that it has; tests/test_examples.py runs it.
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4
nb_execution_mode = "off"

# Docstrings are numpydoc. A name between backticks is a reference if something has that name, otherwise code.
default_role = "py:obj"
numpydoc_show_class_members = False  # autodoc documents the members; numpydoc's tables would need a page for each
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
# The pages are built without PyTorch, Ray and pyarrow. MXNet needs no mock: recordkit imports it in functions only.
autodoc_mock_imports = ["pyarrow", "ray", "torch"]
python_maximum_signature_line_length = 88
nitpick_ignore_regex = [("py:.*", r"(?!recordkit\.).*")]  # every name that begins with recordkit. must lead somewhere

smartquotes = False  # two hyphens begin an option and must stay two

html_theme = "furo"
html_title = "recordkit"
html_static_path = ["_static"]
html_css_files = ["recordkit.css"]
html_copy_source = False
html_show_sphinx = False
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
