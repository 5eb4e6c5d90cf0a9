"""Tables of reports for notebooks, and the text of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from recordkit.errors import printable

_CELL = "padding:2px 12px 2px 0;text-align:"


def show_table(description: str, columns: Sequence[str], rows: Iterable[Sequence[object]], notes: Iterable[str]) -> str:
    """Return HTML with a table.

    Parameters
    ----------
    description : str
        The line above it.
    columns : sequence of str
        The heads. The first column is text, and the others are numbers.
    rows : iterable of sequence
        Values, as many as columns; whole numbers are shown with commas.
    notes : iterable of str
        Lines below the table.

    Examples
    --------
    >>> "<td" in show_table("1 set", ["set", "packed"], [("train", 60000)], ["<b>"]) and "&lt;b&gt;"
    '&lt;b&gt;'
    """
    head = _row("th", columns)
    body = "".join(
        _row("td", [f"{value:,}" if isinstance(value, int) else str(value) for value in row]) for row in rows
    )
    below = "".join(f"<div>{html_text(note)}</div>" for note in notes)
    return (
        f"<div><div>{html_text(description)}</div><div style='overflow-x:auto'>"
        f"<table style='margin:6px 0;font-variant-numeric:tabular-nums'>{head}{body}</table></div>{below}</div>"
    )


def _row(kind: str, texts: Sequence[str]) -> str:
    sides = ["left", *["right"] * (len(texts) - 1)]
    columns = zip(sides, map(html_text, texts), strict=True)
    cells = (f"<{kind} style='{_CELL}{side}'>{text}</{kind}>" for side, text in columns)
    return f"<tr>{''.join(cells)}</tr>"


def html_text(text: str) -> str:
    """Return a text that a page shows as it is, without control characters."""
    return escape(printable(text))
