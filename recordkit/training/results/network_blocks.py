"""Parts of a network for its diagram: boxes of operations, and blocks of boxes, of which repeated ones are shown once.

A residual network of 50 layers has 180 operations. Its diagram fits a screen because the operations of a branch share a
box, and because blocks that are equal but for their names become one block, whose rows have all the names.
"""

from __future__ import annotations

import collections
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

# Most parts that repeat together: two layers of MobileNet, each with two operations after it, are six.
_MAX_PERIOD = 12
# Most names that are listed. Of more, whose numbers are evenly spaced, the first two and the last one are.
_MAX_LISTED = 3

Row = tuple[str, str, str]
"""An operation: its name, what it does, the shape of its output."""


@dataclass(frozen=True, slots=True)
class Box:
    """Operations one after the other, of which only the last one has other operations behind it.

    Attributes
    ----------
    kind : {"input", "weights", "other"}
        "weights" if an operation has some.
    sources : tuple of int
        Numbers, in the list of all boxes, of those whose outputs the first operation takes.
    rows : tuple of Row
    """

    kind: str
    sources: tuple[int, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Boxes that stay together.

    Attributes
    ----------
    boxes : tuple of Box
    times : int
        Number of equal blocks of the network that it stands for.
    """

    boxes: tuple[Box, ...]
    times: int = 1


def join_layers(boxes: Sequence[Box]) -> list[Box]:
    """Join each operation without weights to the box before it, if nothing else follows that box.

    Parameters
    ----------
    boxes : sequence of Box
        Each comes after its sources.
    """
    return _join(boxes, [box.kind != "weights" for box in boxes])[0]


def fold(boxes: Sequence[Box]) -> list[Block]:
    """Return the blocks of a network. Boxes are numbered anew, over all blocks.

    Parameters
    ----------
    boxes : sequence of Box
        Boxes of one operation each; each comes after its sources.
    """
    parts = [_from_zero(boxes[begin:end], begin) for begin, end in _cuts(boxes)]
    shown: list[Box] = []
    can_join: list[bool] = []
    repetitions: list[tuple[int, int]] = []  # of each box: where its repetition begins, and how often it is there
    first = 0
    while first < len(parts):
        period, times = _repetition(parts[first:])
        repetition = (first, times) if times > 1 else (-1, 1)
        end = first + period * times
        for number in range(first, first + period):
            part, begin = _with_all_names(parts[number:end:period]), len(shown)
            shown += [replace(box, sources=tuple(source + begin for source in box.sources)) for box in part]
            # Branches become a box each. Elsewhere a box has a layer, and ends where a repetition begins or ends.
            is_inside = bool(repetitions) and repetitions[-1] == repetition
            can_join += [is_inside and part[0].kind != "weights"] + [True] * (len(part) - 1)
            repetitions += [repetition] * len(part)
        first = end
    joined, numbers = _join(shown, can_join)
    repetition_of = dict(zip(numbers, repetitions, strict=True))
    begins = {begin for begin, _ in _cuts(joined)}
    blocks: list[Block] = []
    for number, box in enumerate(joined):
        begin, times = repetition_of[number]
        if number not in begins or (times > 1 and begin == repetition_of[number - 1][0]):
            blocks[-1] = replace(blocks[-1], boxes=(*blocks[-1].boxes, box))
        else:
            blocks.append(Block((box,), times))
    return blocks


def _join(boxes: Sequence[Box], can_join: Sequence[bool]) -> tuple[list[Box], list[int]]:
    """Join boxes to their sources where they may; return the new boxes, and the new number of each old one."""
    uses = collections.Counter(source for box in boxes for source in box.sources)
    joined: list[Box] = []
    numbers: list[int] = []
    for box, is_free in zip(boxes, can_join, strict=True):
        if is_free and len(box.sources) == 1 and uses[box.sources[0]] == 1:
            number = numbers[box.sources[0]]
            before = joined[number]
            kind = "weights" if box.kind == "weights" else before.kind
            joined[number] = replace(before, kind=kind, rows=before.rows + box.rows)
            numbers.append(number)
        else:
            joined.append(replace(box, sources=tuple(sorted({numbers[source] for source in box.sources}))))
            numbers.append(len(joined) - 1)
    return joined, numbers


def _cuts(boxes: Sequence[Box]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the parts of a network: only the last box of a part has boxes of later parts behind it."""
    begins = [0]
    for number in range(1, len(boxes)):
        if {source for box in boxes[number:] for source in box.sources if source < number} == {number - 1}:
            begins.append(number)
    yield from zip(begins, [*begins[1:], len(boxes)], strict=True)


def _from_zero(boxes: Sequence[Box], begin: int) -> list[Box]:
    """Count the sources of a part from its first box; -1 is the last box before it."""
    return [replace(box, sources=tuple(source - begin for source in box.sources)) for box in boxes]


def _repetition(parts: Sequence[list[Box]]) -> tuple[int, int]:
    """Return how many of the first parts repeat together, and how often they are there; (1, 1) if none does."""
    best, most_saved = (1, 1), 0
    if len(parts[0]) == 1 and parts[0][0].kind != "weights":
        return best  # it ends the layer before
    forms = [[(box.sources, *(row[1:] for row in box.rows)) for box in part] for part in parts]
    for period in range(1, _MAX_PERIOD + 1):
        times = 1
        while forms[:period] == forms[times * period : (times + 1) * period]:
            times += 1
        saved = (times - 1) * sum(map(len, forms[:period]))
        if saved > most_saved:
            best, most_saved = (period, times), saved
    return best


def _with_all_names(parts: Sequence[list[Box]]) -> list[Box]:
    """Return one of some equal parts, whose rows have the names in all of them."""
    boxes = []
    for same in zip(*parts, strict=True):
        rows = []
        for each in zip(*(box.rows for box in same), strict=True):
            _, operation, shape = each[0]
            rows.append((join_names([name for name, *_ in each]), operation, shape))
        boxes.append(replace(same[0], rows=tuple(rows)))
    return boxes


def join_names(names: Sequence[str]) -> str:
    """Return names as one text, with braces around what differs.

    Examples
    --------
    >>> join_names(["unit2_conv", "unit3_conv"]), join_names(["conv8", "conv10", "conv12", "conv14"])
    ('unit{2,3}_conv', 'conv{8,10...14}')
    """
    if len(set(names)) == 1:
        return names[0]
    # A number that differs is shown as a whole.
    start = re.sub(r"\d+$", "", _common_start(names))
    rests = [name[len(start) :] for name in names]
    end = re.sub(r"^\d+", "", _common_start([rest[::-1] for rest in rests])[::-1])
    middles = [rest[: len(rest) - len(end)] for rest in rests]
    if len(middles) > _MAX_LISTED and all(map(str.isdecimal, middles)):
        numbers = [int(middle) for middle in middles]
        if numbers == [*range(numbers[0], numbers[-1] + 1, max(1, numbers[1] - numbers[0]))]:
            return f"{start}{{{numbers[0]},{numbers[1]}...{numbers[-1]}}}{end}"
    return f"{start}{{{','.join(middles)}}}{end}"


def _common_start(texts: Sequence[str]) -> str:
    letters = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False))
    return "".join(column[0] for column in letters)
