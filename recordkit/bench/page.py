"""A report as one self-contained HTML file: table, bars, and the JSON they are made from.

The page is the template ``report.html.j2`` beside this module.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from recordkit.bench.report import WIDE, Case, Report
from recordkit.bench.table import about, interval_text, remarks, warnings
from recordkit.errors import MissingError

_COLUMNS = (
    *("case", "threads", "images per second", "lowest", "highest", "ratio", "95% interval", "cores", "peak MB"),
    "first batch, ms",
)
# The bars have a colour for each kind, the same as in the picture.
_KINDS = ("recordkit", "reference", "others")


def check_page() -> None:
    """Check before a measurement that a page can be made after it.

    Raises
    ------
    MissingError
        jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: F401 (only whether it can be imported matters)
    except ImportError:
        raise MissingError("jinja2 is not installed", advice="pip install 'recordkit[plot]'") from None


def render_page(report: Report) -> str:
    """Return the HTML.

    Raises
    ------
    MissingError
        jinja2 is not installed.
    """
    check_page()
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    template = environment.from_string(files("recordkit.bench").joinpath("report.html.j2").read_text("utf-8"))
    cases = report.by_rate()
    best_img_s = max((max(case.img_s) for case in cases if case.measured), default=1.0)
    rows = [_row(case, report, best_img_s) for case in cases]
    return template.render(
        report=report,
        about=about(report),
        columns=_COLUMNS,
        rows=rows,
        kinds=[kind for kind in _KINDS if any(row["cells"] and row["kind"] == kind for row in rows)],
        wide=f"{WIDE:.0%}",
        has_wide=any(cell["is_wide"] for row in rows for cell in row["cells"]),
        remarks=remarks(report),
        warnings=warnings(report),
        facts=report.as_json(),
        figures=json.dumps(report.as_json(), indent=1),
    )


def _kind(case: Case, report: Report) -> str:
    return "reference" if case is report.reference_case() else "recordkit" if case.is_recordkit else "others"


def _row(case: Case, report: Report, best_img_s: float) -> dict[str, Any]:
    """Return a row of the table; each of its cells has the value to sort by and the text to show."""
    row = {"case": case, "kind": _kind(case, report), "bar": {}, "cells": []}
    if not case.measured:
        return row
    to_reference = report.ratio(case)
    interval = interval_text(to_reference)
    first_batch_s = case.median_first_batch_s
    lowest, highest = min(case.img_s), max(case.img_s)
    row["bar"] = {
        "width": f"{case.median_img_s / best_img_s:.1%}",
        "begin": f"{lowest / best_img_s:.1%}",
        "length": f"{(highest - lowest) / best_img_s:.1%}",
    }
    shown = to_reference if to_reference is not None and to_reference.is_bounded else None
    is_wide = shown is not None and report.is_uncertain(case)
    row["cells"] = [
        _cell(case.median_img_s, "{:,.0f}"),
        _cell(lowest, "{:,.0f}"),
        _cell(highest, "{:,.0f}"),
        _cell(shown.value if shown else None, "x{:.2f}") | {"is_wide": is_wide},
        {"value": shown.half_width if shown and interval else "", "text": interval, "is_wide": is_wide},
        _cell(case.cores, "{:.1f}"),
        _cell(case.median_peak_rss_mb, "{:,.0f}"),
        _cell(None if first_batch_s is None else first_batch_s * 1000, "{:,.0f}"),
    ]
    return row


def _cell(value: float | None, text: str) -> dict[str, Any]:
    return {
        "value": "" if value is None else value,
        "text": "" if value is None else text.format(value),
        "is_wide": False,
    }
