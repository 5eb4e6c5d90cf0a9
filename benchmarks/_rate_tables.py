"""The tables of rates of loaders and programs, made from `results/`."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from _results import read_facts

from recordkit.bench.equivalence import OTHER_WORK


def rates(name: str) -> Callable[[], list[str]]:
    """Return a table of the results of that name: the rate of each case, and its ratio to the first of its question."""

    def table() -> list[str]:
        about, facts = read_facts(name)
        lines = [f"| {about['date']} | rate (lowest to highest) | ratio |", "| --- | --- | --- |"]
        return lines + [line for question in facts for line in _question(question)]

    table.__name__ = name
    return table


def _question(question: dict[str, Any]) -> list[str]:
    first = statistics.median(question["cases"][0]["img_s"])
    lines = [f"| **{question['title']}, {question['unit']}** | | |"]
    for case in question["cases"]:
        each = case["img_s"]
        lines.append(f"| {case['title']} | {spread(each)} | x{statistics.median(each) / first:.2f} |")
    return lines


def loading_rows() -> list[str]:
    """Return the rates of all loaders on each kind of file, and how many times as fast recordkit is."""
    about, questions = read_facts("loading")
    lines = [f"| {about['date']} | img/s (lowest to highest) | recordkit native beside it |", "| --- | --- | --- |"]
    for question in questions:
        lines.append(f"| **{question['question']}** | | |")
        measured = [case for case in question["cases"] if case["status"] == "measured"]
        native = next(statistics.median(case["img_s"]) for case in measured if case["title"] == "recordkit native")
        for case in sorted(measured, key=lambda case: -statistics.median(case["img_s"])):
            note = ", other work" if case["name"] in OTHER_WORK and case["note"] else ""
            ratio = native / statistics.median(case["img_s"])
            lines.append(f"| {case['title']}{note} | {spread(case['img_s'])} | x{ratio:.2f} |")
    return lines


def colors() -> list[str]:
    """Return the rates of loaders that change colours, and their ratios to MXNet's iterator."""
    about, questions = read_facts("colors")
    titles = " | ".join(each["question"] for each in questions)
    lines = [f"| {about['date']}, img/s | {titles} |", f"| --- |{' --- |' * len(questions)}"]
    for name in (case["title"] for case in questions[0]["cases"]):
        cases = [next(case for case in each["cases"] if case["title"] == name) for each in questions]
        lines.append(f"| {name} | {' | '.join(map(_color_cell, cases))} |")
    return lines


def _color_cell(case: dict[str, Any]) -> str:
    if case["median_img_s"] is None:
        return str(case["note"])
    note = f", {case['note']}" if case["note"] else ""
    return f"{case['median_img_s']:,.0f} (x{case['ratio']:.2f}){note}"


def spread(rates_of_rounds: Sequence[float]) -> str:
    """Return the median of some rates with the lowest and the highest."""
    return f"{statistics.median(rates_of_rounds):,.0f} ({min(rates_of_rounds):,.0f} to {max(rates_of_rounds):,.0f})"
