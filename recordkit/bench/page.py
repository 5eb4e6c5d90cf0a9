"""A report as one self-contained HTML file: table, bars, and the JSON they are made from.

The page is the template ``report.html.j2`` beside this module.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from recordkit.bench.report import Case, Report
from recordkit.bench.statistics import Ratio
from recordkit.bench.table import about, interval_text, remarks, warnings
from recordkit.errors import MissingError

_COLUMNS = ("case", "threads", "images per second", "ratio", "95% interval", "cores", "peak MB", "first batch, ms")


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
    best_img_s = max((case.median_img_s for case in report.cases if case.measured), default=1.0)
    return template.render(
        report=report,
        about=about(report),
        columns=_COLUMNS,
        rows=[_row(case, report.ratio(case), best_img_s) for case in report.by_rate()],
        remarks=remarks(report),
        warnings=warnings(report),
        facts=report.as_json(),
        figures=json.dumps(report.as_json(), indent=1),
    )


def _row(case: Case, to_reference: Ratio | None, best_img_s: float) -> dict[str, Any]:
    """Return a row of the table; each of its cells has the value to sort by and the text to show."""
    row = {"case": case, "bar": "0%", "cells": []}
    if not case.measured:
        return row
    interval = interval_text(to_reference)
    first_batch_s = case.median_first_batch_s
    row["bar"] = f"{case.median_img_s / best_img_s:.1%}"
    row["cells"] = [
        _cell(case.median_img_s, "{:,.0f}"),
        _cell(to_reference.value if to_reference else None, "x{:.2f}"),
        {"value": to_reference.half_width if to_reference and interval else "", "text": interval},
        _cell(case.cores, "{:.1f}"),
        _cell(case.median_peak_rss_mb, "{:,.0f}"),
        _cell(None if first_batch_s is None else first_batch_s * 1000, "{:,.0f}"),
    ]
    return row


def _cell(value: float | None, text: str) -> dict[str, Any]:
    return {"value": "", "text": ""} if value is None else {"value": value, "text": text.format(value)}
