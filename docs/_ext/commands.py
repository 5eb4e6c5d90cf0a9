"""The reference of commands, made by sphinx-click from the definitions that the commands themselves use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx_click.ext import NESTED_NONE, ClickDirective

from recordkit.cli.main import COMMANDS, recordkit

ROOT = Path(__file__).parents[2]


class Commands(ClickDirective):
    """The directive ``commands``: a section for each sub-command of recordkit, in the order of its help."""

    required_arguments = 0

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        self.env = self.state.document.settings.env
        for path in [Path(__file__), *sorted((ROOT / "recordkit" / "cli").rglob("*.py"))]:
            self.env.note_dependency(str(path))  # an option that changes changes the page
        sections: list[nodes.Node] = []
        for name in COMMANDS:
            command = recordkit.get_command(click.Context(recordkit), name)
            nested = command.commands.items() if isinstance(command, click.Group) else [("", command)]
            for subname, subcommand in nested:
                title = f"recordkit {name} {subname}".rstrip()
                sections += self._generate_nodes(title, subcommand, None, NESTED_NONE)
        return sections


def escape_stars(_app: Sphinx, _context: click.Context, lines: list[str]) -> None:
    """Escape stars in the help of a command, such as that of PREFIX*.lst, which would mean bold text."""
    lines[:] = [line.replace("*", r"\*") for line in lines]


def show_epilog(_app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """Show the examples of a command's help as lines to copy, and a list below them as it is."""
    lines.clear()
    for paragraph in (context.command.epilog or "").split("\n\n"):
        heading, *rows = paragraph.strip("\b\n").splitlines() or ["Example:"]
        is_example = heading == "Example:"
        lines += [f".. rubric:: {'Examples' if is_example else heading.rstrip(':')}", ""]
        lines += [f".. code-block:: {'console' if is_example else 'text'}", ""]
        lines += [f"    {'$ ' if is_example else ''}{row.strip()}" for row in rows] + [""]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive, and the functions that sphinx-click calls."""
    app.add_directive("commands", Commands)
    for event in ("description", "options"):
        app.connect(f"sphinx-click-process-{event}", escape_stars)
    app.connect("sphinx-click-process-epilog", show_epilog)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
