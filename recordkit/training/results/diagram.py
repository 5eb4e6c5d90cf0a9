"""A diagram of a network, top down, as text for graphviz: a box for each layer with weights and what follows it.

A row of a box is an operation of the network: its name, what it does, and the shape of its output for one image. A long
network without branches goes on in the next column, so that it fits on a screen.
"""

from __future__ import annotations

import ast
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Rows of a column: with the gaps between boxes about 800 pixels.
_MAX_ROWS = 32
# Rows that the gap between two boxes takes.
_GAP_ROWS = 1
_INPUT, _WEIGHTS, _OTHER = "#e8e8e8", "#d6e6f4", "#f6f6f6"
_GRAPH = (
    'rankdir=TB; ranksep=0.15; nodesep=0.5; pad=0.15; fontname="Helvetica"; fontsize=11; labelloc=t;'
    ' node [shape=box, style=filled, height=0, color="#808080", margin="0.06,0.03", fontname="Helvetica", fontsize=11];'
    " edge [arrowsize=0.6];"
)


@dataclass
class _Box:
    """Operations one after the other, of which only the last one has other operations behind it."""

    color: str
    sources: set[int]
    rows: list[tuple[str, str, str]] = field(default_factory=list)


def draw_network(symbol: Any, shapes: Mapping[str, tuple[int, ...]], title: str) -> str:
    """Return a diagram in the language DOT.

    Parameters
    ----------
    symbol : mxnet.symbol.Symbol
    shapes : mapping of str to tuple of int
        Shapes of the inputs by name, with the number of images first.
    title : str
    """
    boxes = _boxes(json.loads(symbol.tojson())["nodes"], _output_shapes(symbol, shapes))
    columns = _columns(boxes)
    widths = [max(len(row[column]) for box in boxes for row in box.rows) for column in range(3)]
    lines = [f"digraph {{ {_GRAPH} label=<{html.escape(title)}>;"]
    for number, box in enumerate(boxes):
        lines.append(f'{number} [fillcolor="{box.color}", label=<{_table(box.rows, widths)}>];')
        for source in sorted(box.sources):
            is_in_column = columns[source] == columns[number]
            lines.append(f"{source} -> {number}{'' if is_in_column else ' [constraint=false]'};")
    return "\n".join([*lines, "}"])


def _table(rows: list[tuple[str, str, str]], widths: list[int]) -> str:
    # A letter of 11 points is about 6 points wide. Equal widths align the rows of all boxes.
    cells = [
        [
            f'<TD ALIGN="{side}" WIDTH="{6 * width + 12}">{html.escape(text)}</TD>'
            for text, width, side in zip(row, widths, ("LEFT", "LEFT", "RIGHT"), strict=True)
        ]
        for row in rows
    ]
    body = "".join(f"<TR>{''.join(row)}</TR>" for row in cells)
    return f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">{body}</TABLE>'


def _output_shapes(symbol: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Return the shapes of all outputs by name, as text without the number of images."""
    internals = symbol.get_internals()
    _, output_shapes, _ = internals.infer_shape_partial(**shapes)
    pairs = zip(internals.list_outputs(), output_shapes, strict=True)
    return {name: " x ".join(map(str, shape[1:])) for name, shape in pairs if shape}


def _boxes(nodes: list[dict[str, Any]], shapes: dict[str, str]) -> list[_Box]:
    """Return the boxes of a network; each comes after its sources, because MXNet saves the nodes in such an order."""
    uses = [0] * len(nodes)
    for node in nodes:
        for source, *_ in node["inputs"]:
            uses[source] += 1
    data = {node["inputs"][0][0] for node in nodes if node["inputs"]}  # parameters and labels are never the first
    boxes: list[_Box] = []
    box_of: dict[int, int] = {}  # the box of a node; parameters and labels have none
    for number, node in enumerate(nodes):
        inputs = [source for source, *_ in node["inputs"]]
        if node["op"] == "null" and number not in data:
            continue
        sources = [source for source in inputs if source in box_of]
        has_weights = any(nodes[source]["name"].endswith("weight") for source in inputs)
        row = node["name"], _operation(node), _shape(node["name"], shapes)
        if len(sources) == 1 and uses[sources[0]] == 1 and not has_weights:
            box_of[number] = box_of[sources[0]]
        else:
            color = _INPUT if node["op"] == "null" else _WEIGHTS if has_weights else _OTHER
            boxes.append(_Box(color, {box_of[source] for source in sources}))
            box_of[number] = len(boxes) - 1
        boxes[box_of[number]].rows.append(row)
    return boxes


def _shape(name: str, shapes: dict[str, str]) -> str:
    return next((shapes[key] for key in (name, f"{name}_output", f"{name}_output0") if key in shapes), "")


def _operation(node: dict[str, Any]) -> str:
    """Return what an operation does, such as ``Convolution 5x5, 20``."""
    facts = node.get("attrs", {})
    words = [facts.get("pool_type", ""), _by(facts, "kernel") if facts.get("global_pool") != "True" else "global"]
    lists = [
        " ".join(filter(None, words)),
        *(f"{name} {_by(facts, name)}" for name in ("stride", "pad") if set(_numbers(facts, name)) - {_NEUTRAL[name]}),
        *(facts[name] for name in ("num_filter", "num_hidden", "act_type") if name in facts),
        *([f"p {facts['p']}"] if node["op"] == "Dropout" and "p" in facts else []),
    ]
    name = "input" if node["op"] == "null" else facts.get("op_type", node["op"])
    return f"{name} {', '.join(filter(None, lists))}".strip()


_NEUTRAL = {"stride": 1, "pad": 0}


def _numbers(facts: Mapping[str, str], name: str) -> tuple[int, ...]:
    value = ast.literal_eval(facts.get(name, "()"))
    return value if isinstance(value, tuple) else (value,)


def _by(facts: Mapping[str, str], name: str) -> str:
    return "x".join(map(str, _numbers(facts, name)))


def _columns(boxes: list[_Box]) -> list[int]:
    """Return the column of each box. Branches that meet again stay in one column, where graphviz sets them well."""
    n_rows = sum(len(box.rows) + _GAP_ROWS for box in boxes)
    n_columns = 1 if any(len(box.sources) > 1 for box in boxes) else -(-n_rows // _MAX_ROWS)
    columns, n_above = [0], 0
    for number, box in enumerate(boxes):
        n_own = len(box.rows) + _GAP_ROWS
        is_full = n_above + n_own / 2 > n_rows / n_columns
        if is_full and columns[-1] < n_columns - 1:
            columns.append(columns[-1] + 1)
            n_above = 0
        elif number:
            columns.append(columns[-1])
        n_above += n_own
    return columns
