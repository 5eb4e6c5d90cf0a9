"""A diagram of a network, top down, as text for graphviz: a box for each layer with weights and what follows it.

A row of a box is an operation of the network: its name, what it does, and the shape of its output for one image. A long
network without branches goes on in the next column, so that it fits on a screen of 1600 x 1000 pixels. If it still does
not, or has branches and is long, its branches share boxes and its repeated blocks are drawn once.
"""

from __future__ import annotations

import ast
import html
import json
from collections.abc import Mapping
from typing import Any

from recordkit.training.results.network_blocks import Box, fold, join_layers
from recordkit.training.results.stacked_diagram import COLORS, cell_widths, draw_stacked, split_columns, table

# Rows of a column: with the gaps between boxes about 800 pixels. Rows of a network with branches: 1000 pixels.
_MAX_ROWS, _MAX_ROWS_WITH_BRANCHES = 32, 50
# Columns side by side, in points: 1600 pixels.
_MAX_WIDTH = 1150
# Rows that the gap between two boxes takes.
_GAP_ROWS = 1
# Points of a letter of 11 points.
_LETTER = 6.0
_GRAPH = (
    'rankdir=TB; ranksep=0.15; nodesep=0.5; pad=0.15; fontname="Helvetica"; fontsize=11; labelloc=t;'
    ' node [shape=box, style=filled, height=0, color="#808080", margin="0.06,0.03", fontname="Helvetica", fontsize=11];'
    " edge [arrowsize=0.6];"
)


def draw_network(symbol: Any, shapes: Mapping[str, tuple[int, ...]], title: str) -> str:
    """Return a diagram in the language DOT.

    Parameters
    ----------
    symbol : mxnet.symbol.Symbol
    shapes : mapping of str to tuple of int
        Shapes of the inputs by name, with the number of images first.
    title : str
    """
    operations = _operations(json.loads(symbol.tojson())["nodes"], _output_shapes(symbol, shapes))
    boxes = join_layers(operations)
    widths, sizes = cell_widths(boxes, _LETTER), [len(box.rows) + _GAP_ROWS for box in boxes]
    has_branches = any(len(box.sources) > 1 for box in boxes)
    # Branches that meet again stay in one column, where graphviz sets them well.
    n_columns = 1 if has_branches else -(-sum(sizes) // _MAX_ROWS)
    if n_columns * sum(widths) > _MAX_WIDTH or (has_branches and sum(sizes) > _MAX_ROWS_WITH_BRANCHES):
        return draw_stacked(fold(operations), title)
    columns = split_columns(sizes, n_columns)
    lines = [f"digraph {{ {_GRAPH} label=<{html.escape(title)}>;"]
    for number, box in enumerate(boxes):
        lines.append(f'{number} [fillcolor="{COLORS[box.kind]}", label=<{table(box.rows, widths)}>];')
        for source in box.sources:
            is_in_column = columns[source] == columns[number]
            lines.append(f"{source} -> {number}{'' if is_in_column else ' [constraint=false]'};")
    return "\n".join([*lines, "}"])


def _output_shapes(symbol: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Return the shapes of all outputs by name, as text without the number of images."""
    internals = symbol.get_internals()
    _, output_shapes, _ = internals.infer_shape_partial(**shapes)
    pairs = zip(internals.list_outputs(), output_shapes, strict=True)
    return {name: " x ".join(map(str, shape[1:])) for name, shape in pairs if shape}


def _operations(nodes: list[dict[str, Any]], shapes: dict[str, str]) -> list[Box]:
    """Return a box for each operation; it comes after its sources, because MXNet saves the nodes in such an order."""
    data = {node["inputs"][0][0] for node in nodes if node["inputs"]}  # parameters and labels are never the first
    boxes: list[Box] = []
    box_of: dict[int, int] = {}  # the box of a node; parameters and labels have none
    for number, node in enumerate(nodes):
        inputs = [source for source, *_ in node["inputs"]]
        if node["op"] == "null" and number not in data:
            continue
        has_weights = any(nodes[source]["name"].endswith("weight") for source in inputs)
        kind = "input" if node["op"] == "null" else "weights" if has_weights else "other"
        sources = tuple(box_of[source] for source in inputs if source in box_of)
        box_of[number] = len(boxes)
        boxes.append(Box(kind, sources, ((node["name"], _operation(node), _shape(node["name"], shapes)),)))
    return boxes


def _shape(name: str, shapes: dict[str, str]) -> str:
    return next((shapes[key] for key in (name, f"{name}_output", f"{name}_output0") if key in shapes), "")


def _operation(node: dict[str, Any]) -> str:
    """Return what an operation does, such as ``Convolution 5x5, 20``."""
    facts = node.get("attrs", {})
    words = [facts.get("pool_type", ""), _by(facts, "kernel") if facts.get("global_pool") != "True" else "global"]
    lists = [
        " ".join(filter(None, words)),
        *(f"{name} {_sides(facts, name)}" for name in _NEUTRAL if set(_numbers(facts, name)) - {_NEUTRAL[name]}),
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


def _sides(facts: Mapping[str, str], name: str) -> str:
    """Return one number if it holds for both sides."""
    numbers = _numbers(facts, name)
    return str(numbers[0]) if len(set(numbers)) == 1 else _by(facts, name)
