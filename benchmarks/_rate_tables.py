"""The tables of rates that `_run.compare_commands` measured, made from `results/`."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from _results import read_facts


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


def entropy() -> list[str]:
    """Return the time of a Huffman symbol by each decoder."""
    about, (facts,) = read_facts("entropy")
    lines = [f"| {about['date']} | ns a symbol (lowest to highest) | ticks a symbol |", "| --- | --- | --- |"]
    for case in facts["cases"]:
        low, middle, high = (
            1e9 / rate for rate in (max(case["img_s"]), statistics.median(case["img_s"]), min(case["img_s"]))
        )
        ticks = facts["ticks_a_symbol"][case["title"]]
        lines.append(f"| {case['title']} | {middle:.2f} ({low:.2f} to {high:.2f}) | {ticks:.1f} |")
    return lines


def spread(rates_of_rounds: Sequence[float]) -> str:
    """Return the median of some rates with the lowest and the highest."""
    return f"{statistics.median(rates_of_rounds):,.0f} ({min(rates_of_rounds):,.0f} to {max(rates_of_rounds):,.0f})"
