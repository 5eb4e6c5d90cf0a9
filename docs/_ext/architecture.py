"""The picture of the rooms, drawn from the code: layers from setup.cfg, arrows from the imports.

An arrow leads from a room to one that it imports. An arrow is left out if other arrows lead the same way, so that the
picture stays readable. The picture is an SVG inside of the page, in the colours of the page.
"""

from __future__ import annotations

import configparser
import itertools
from pathlib import Path
from typing import Any

import grimp
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
ROW, HEIGHT, MARGIN, GAP, CHARACTER = 68, 32, 14, 34, 8.2  # pixels
# The program that starts cli, and the file with the version number.
LEFT_OUT = {"__main__", "version"}

Edge = tuple[str, str]


def read_layers() -> list[list[str]]:
    """Return the rooms of each layer, top to bottom, as the contract in setup.cfg has them."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["importlinter:contract:flow"]["layers"].strip().splitlines()
    layers = [[room.strip() for room in line.split("|")] for line in lines]
    return [[room for room in layer if room not in LEFT_OUT] for layer in layers if not set(layer) <= LEFT_OUT]


def read_imports() -> set[Edge]:
    """Return the pairs of rooms of which the first imports the second."""
    graph = grimp.build_graph("recordkit", cache_dir=None)
    pairs = {(a, b) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)}
    rooms = {(a.split(".")[1], b.split(".")[1]) for a, b in pairs if "." in a and "." in b}
    return {(a, b) for a, b in rooms if a != b and not {a, b} & LEFT_OUT}


def without_detours(edges: set[Edge]) -> set[Edge]:
    """Return the edges that no path of other edges replaces (the transitive reduction)."""
    followers: dict[str, set[str]] = {}
    for a, b in edges:
        followers.setdefault(a, set()).add(b)

    def reachable(room: str) -> set[str]:
        return set().union(*({after} | reachable(after) for after in followers.get(room, ())))

    return {(a, b) for a, b in edges if not any(b in reachable(other) for other in followers[a])}


class Drawing:
    """Positions of all rooms, and of the points where arrows pass the layers between their ends.

    Parameters
    ----------
    layers : list of list of str
        Rooms of each layer, top to bottom.
    edges : set of (str, str)
        Arrows, which lead downwards.
    """

    def __init__(self, layers: list[list[str]], edges: set[Edge]) -> None:
        self.level = {room: number for number, layer in enumerate(layers) for room in layer}
        self.rows: list[list[str]] = [list(layer) for layer in layers]
        self.paths = [self._path(a, b) for a, b in sorted(edges)]
        self.steps = [step for path in self.paths for step in itertools.pairwise(path)]
        self.x: dict[str, float] = {}
        for row in self.rows:
            self._spread(row)
        for _ in range(24):  # more rounds do not change the picture
            for row in [*self.rows, *reversed(self.rows)]:
                self._attract(row)

    def _path(self, a: str, b: str) -> list[str]:
        path = [a]
        for number in range(self.level[a] + 1, self.level[b]):
            point = f"{a}>{b}@{number}"
            self.rows[number].append(point)
            path.append(point)
        return [*path, b]

    def _width(self, name: str) -> float:
        return 6 if ">" in name else len(name) * CHARACTER + 24

    def _spread(self, row: list[str]) -> None:
        """Place a row side by side, with its middle at 0."""
        right = 0.0
        for name in row:
            self.x[name] = right + self._width(name) / 2
            right += self._width(name) + GAP
        for name in row:
            self.x[name] -= (right - GAP) / 2

    def _attract(self, row: list[str]) -> None:
        """Move each name of a row to the middle of its neighbours in other rows, in their order and without overlap."""
        wanted = {}
        for name in row:
            ends = [b if a == name else a for a, b in self.steps if name in (a, b)]
            wanted[name] = sum(self.x[end] for end in ends) / len(ends) if ends else self.x[name]
        row.sort(key=lambda name: wanted[name])
        for _ in range(8):  # push neighbours apart by equal parts until they fit
            for a, b in itertools.pairwise(row):
                overlap = (self._width(a) + self._width(b)) / 2 + GAP - (wanted[b] - wanted[a])
                if overlap > 0:
                    wanted[a] -= overlap / 2
                    wanted[b] += overlap / 2
        for a, b in itertools.pairwise(row):
            wanted[b] = max(wanted[b], wanted[a] + (self._width(a) + self._width(b)) / 2 + GAP)
        self.x.update(wanted)

    def svg(self) -> str:
        """Return the picture."""
        left = min(self.x[name] - self._width(name) / 2 for name in self.x) - MARGIN
        right = max(self.x[name] + self._width(name) / 2 for name in self.x) + MARGIN
        height = ROW * len(self.rows) - ROW + HEIGHT + 2 * MARGIN
        boxes = [self._box(room) for room in self.level]
        arrows = [self._arrow(path) for path in self.paths]
        return "\n".join(
            [
                f'<svg class="architecture" role="img" viewBox="{left:.0f} 0 {right - left:.0f} {height}"',
                f'  style="max-width: {right - left:.0f}px" aria-label="The rooms of recordkit and what they import">',
                '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7"',
                '  orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
                *arrows,
                *boxes,
                "</svg>",
            ]
        )

    def _y(self, name: str) -> float:
        number = int(name.partition("@")[2]) if "@" in name else self.level[name]
        return MARGIN + HEIGHT / 2 + ROW * number

    def _box(self, room: str) -> str:
        width, x, y = self._width(room), self.x[room], self._y(room)
        return (
            f'<g data-room="{room}"><rect x="{x - width / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{width:.0f}" '
            f'height="{HEIGHT}" rx="6"/><text x="{x:.0f}" y="{y + 5:.0f}">{room}</text></g>'
        )

    def _arrow(self, path: list[str]) -> str:
        points = [(self.x[name], self._y(name)) for name in path]
        (x, y), (last_x, last_y) = points[0], points[-1]
        points[0], points[-1] = (x, y + HEIGHT / 2), (last_x, last_y - HEIGHT / 2 - 1)
        line = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
        around = [(x, points[0][1] - ROW), *points, (last_x, last_y + ROW)]  # the ends of an arrow are nearly vertical
        for before, (ax, ay), (bx, by), after in zip(around, around[1:], around[2:], around[3:], strict=False):
            line += f"C{ax + (bx - before[0]) / 5:.0f} {ay + (by - before[1]) / 5:.0f} "
            line += f"{bx - (after[0] - ax) / 5:.0f} {by - (after[1] - ay) / 5:.0f} {bx:.0f} {by:.0f}"
        return f'<path class="arrow" data-from="{path[0]}" data-to="{path[-1]}" d="{line}"/>'


class Architecture(SphinxDirective):
    """The directive ``architecture``: the picture."""

    def run(self) -> list[nodes.Node]:
        """Return the picture as HTML; a change of setup.cfg or of the code draws it again."""
        layers = read_layers()
        for path in [Path(__file__), ROOT / "setup.cfg", *sorted((ROOT / "recordkit").rglob("*.py"))]:
            self.env.note_dependency(str(path))
        return [nodes.raw("", Drawing(layers, without_detours(read_imports())).svg(), format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("architecture", Architecture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
