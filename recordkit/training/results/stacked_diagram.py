"""A diagram of blocks in columns, as text for graphviz, with all places computed here.

Graphviz' own layout aligns the boxes of all columns in rows, so that a large box leaves gaps in other columns. Here
boxes are below each other. An arrow between two of them is straight, one that passes boxes is a curve beside them, and
one to the next column lies between the columns. The engine ``nop2`` draws the places as given. Lengths are in points.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace

from recordkit.training.results.network_blocks import Block, Box, Row

COLORS = {"input": "#e8e8e8", "weights": "#d6e6f4", "other": "#f6f6f6"}
"""Color of each kind of box."""

# A screen of 1600 x 1000 pixels at 96 dots an inch, without its edge.
_SCREEN = (1180.0, 722.0)
_FONT_SIZES = (11, 10, 9, 8, 7)
# In letters: a row, the gap between boxes, the space beside a column for curves, the edges of a frame and of a box.
_ROW, _GAP, _LANE, _FRAME, _BOX = 1.22, 1.2, 3.5, 0.5, 0.4
_LETTER = 0.56
_ARROW = 5.0


def table(rows: Sequence[Row], widths: Sequence[float], *, padding: int = 1) -> str:
    """Return rows as an HTML label, with cells of these widths."""
    cells = [
        [
            f'<TD ALIGN="{side}" WIDTH="{width:.0f}">{html.escape(text)}</TD>'
            for text, width, side in zip(row, widths, ("LEFT", "LEFT", "RIGHT"), strict=True)
        ]
        for row in rows
    ]
    body = "".join(f"<TR>{''.join(row)}</TR>" for row in cells)
    return f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="{padding}">{body}</TABLE>'


def cell_widths(boxes: Sequence[Box], letter: float) -> list[float]:
    """Return the widths of the cells of a row. Equal widths align the rows of all boxes."""
    return [letter * max(len(row[cell]) for box in boxes for row in box.rows) + 12 for cell in range(3)]


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of a box or a frame; y is 0 at the top of a column and negative below it."""

    column: int
    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top - self.height

    def node(self, name: str, options: str) -> str:
        x, y = self.left + self.width / 2, self.top - self.height / 2
        size = f'width="{self.width / 72:.3f}", height="{self.height / 72:.3f}"'
        return f'{name} [pos="{x:.1f},{y:.1f}", {size}, {options}];'


def draw_stacked(blocks: Sequence[Block], title: str) -> str:
    """Return a diagram in the language DOT, in the largest letters with which it fits on a screen.

    Parameters
    ----------
    blocks : sequence of Block
        A box takes outputs of boxes of its block and of the last box before it.
    title : str
    """
    diagrams = (_Diagram(blocks, size) for size in _FONT_SIZES)
    diagram = next((diagram for diagram in diagrams if diagram.fits), None) or _Diagram(blocks, _FONT_SIZES[-1])
    return diagram.draw(title)


class _Diagram:
    def __init__(self, blocks: Sequence[Block], font_size: int) -> None:
        self._blocks, self._font_size = blocks, font_size
        self._boxes = [box for block in blocks for box in block.boxes]
        self._widths = cell_widths(self._boxes, _LETTER * font_size)
        self._width = sum(self._widths) + 10
        self._places: list[_Place] = []
        self._frames: list[tuple[_Place, int]] = []
        heights = [self._height(block) for block in blocks]
        for n_columns in range(1, len(blocks) + 1):
            self._set_places(split_columns(heights, n_columns))
            if self._is_low:
                break
        self.fits = self._is_low and n_columns * (self._width + 2 * _LANE * font_size) <= _SCREEN[0]

    @property
    def _is_low(self) -> bool:
        return min(place.bottom for place in self._places) >= -_SCREEN[1]

    def _height(self, block: Block) -> float:
        rows = sum(len(box.rows) * _ROW + _BOX + _GAP for box in block.boxes)
        return self._font_size * (rows + (_ROW + 2 * _FRAME if block.times > 1 else 0))

    def _set_places(self, columns: Sequence[int]) -> None:
        size, column, y = self._font_size, -1, 0.0
        self._places, self._frames = [], []
        for block, next_column in zip(self._blocks, columns, strict=True):
            if next_column != column:
                column, y = next_column, 0.0
            left, top = column * (self._width + 2 * _LANE * size), y
            if block.times > 1:
                y -= size * (_ROW + _FRAME)
            for box in block.boxes:
                height = size * (len(box.rows) * _ROW + _BOX)
                self._places.append(_Place(column, left, y, self._width, height))
                y -= height + size * _GAP
            if block.times > 1:
                edge = _FRAME * size
                height = top - y - size * _GAP + edge
                frame = _Place(column, left - edge, top, self._width + 2 * edge, height)
                self._frames.append((frame, block.times))
                y -= edge

    def draw(self, title: str) -> str:
        size, text = self._font_size, "shape=none, margin=0"
        above = _Place(0, 0, 2 * size, size * len(title), 1.8 * size)
        lines = [
            "digraph { layout=nop2; pad=0.08; edge [arrowsize=0.6];",
            f'node [shape=box, fixedsize=true, fontname="Helvetica", fontsize={size}, color="#808080"];',
            above.node("title", f"{text}, label=<{html.escape(title)}>"),
        ]
        for number, (frame, times) in enumerate(self._frames):
            lines.append(frame.node(f"frame{number}", 'label="", style=rounded'))
            corner = replace(frame, left=frame.right - 6 * size, width=6 * size, height=1.8 * size)
            lines.append(corner.node(f"times{number}", f'{text}, label="{times} times"'))
        for number, (box, place) in enumerate(zip(self._boxes, self._places, strict=True)):
            color = COLORS[box.kind]
            label = table(box.rows, self._widths, padding=0)
            lines.append(place.node(str(number), f'style=filled, fillcolor="{color}", label=<{label}>'))
        return "\n".join([*lines, *self._edges(), "}"])

    def _edges(self) -> list[str]:
        lines = []
        curves: dict[bool, float] = {}  # the bottom of the lowest curve on each side, right and left
        column = 0
        for number, box in enumerate(self._boxes):
            target = self._places[number]
            if target.column != column:
                column, curves = target.column, {}
            for source_number in box.sources:
                source = self._places[source_number]
                if source.column != target.column:
                    path = _between(source, target)
                elif source_number == number - 1:
                    path = _down(source, target)
                else:
                    is_left = curves.get(False, 1.0) < source.bottom + 6
                    curves[is_left] = target.top
                    path = _beside(source, target, _LANE * self._font_size * (-1 if is_left else 1))
                tip, *points = (f"{x:.1f},{y:.1f}" for x, y in path)
                lines.append(f'{source_number} -> {number} [pos="e,{tip} {" ".join(points)}"];')
        return lines


# Each function returns the tip of the arrow and the four points of a Bezier curve.
_Path = list[tuple[float, float]]


def _down(source: _Place, target: _Place) -> _Path:
    x, begin, end = source.left + source.width / 2, source.bottom, target.top
    return [(x, end), (x, begin), (x, begin), (x, end + _ARROW), (x, end + _ARROW)]


def _beside(source: _Place, target: _Place, lane: float) -> _Path:
    x = source.right if lane > 0 else source.left
    begin, end = source.bottom + 4, target.top - 5
    near = x + (_ARROW if lane > 0 else -_ARROW)
    return [(x, end), (x, begin), (x + lane, begin), (x + lane, end), (near, end)]


def _between(source: _Place, target: _Place) -> _Path:
    begin, end = source.bottom + 4, target.top - 5
    middle = (source.right + target.left) / 2
    return [(target.left, end), (source.right, begin), (middle, begin), (middle, end), (target.left - _ARROW, end)]


def split_columns(sizes: Sequence[float], n_columns: int) -> list[int]:
    """Return the column of each of some sizes, so that the columns are about equal."""
    columns, n_above = [0], 0.0
    for number, size in enumerate(sizes):
        is_full = n_above + size / 2 > sum(sizes) / n_columns
        if is_full and columns[-1] < n_columns - 1:
            columns.append(columns[-1] + 1)
            n_above = 0
        elif number:
            columns.append(columns[-1])
        n_above += size
    return columns
