"""The part of an image that a sample shows, for peers whose library leaves the choice to their user."""

from __future__ import annotations

import math
from collections.abc import Sequence

from recordkit.bench.workload import Workload


def resized(width: int, height: int, short: int) -> tuple[int, int]:
    """Return width and height after a resize of the short side."""
    low = min(width, height)
    return width * short // low, height * short // low


def draw_window(
    workload: Workload, width: int, height: int, random: Sequence[float], *, check: bool
) -> tuple[int, int, int, int]:
    """Return left, top, width and height of the crop in an image, which preset "train" scales to the workload's size.

    Parameters
    ----------
    workload : Workload
    width, height : int
        Size of the image in pixels.
    random : sequence of float
        At least four numbers in [0, 1).
    check : bool
        Return the centre crop.

    Examples
    --------
    >>> workload = Workload("a", (3, 224, 224), "crop", None, 64)
    >>> draw_window(workload, 341, 256, [0, 0, 0.5, 0.9], check=False)
    (59, 29, 224, 224)
    >>> draw_window(workload, 341, 256, [], check=True)
    (58, 16, 224, 224)
    """
    rows, columns = workload.size
    if check or workload.preset == "none":
        return (width - columns) // 2, (height - rows) // 2, columns, rows
    if workload.preset == "train":
        area = width * height * (0.08 + 0.92 * random[0])
        ratio = math.exp(math.log(4 / 3) * (2 * random[1] - 1))
        columns, rows = min(width, round(math.sqrt(area * ratio))), min(height, round(math.sqrt(area / ratio)))
    return int(random[2] * (width - columns + 1)), int(random[3] * (height - rows + 1)), columns, rows


def is_mirrored(workload: Workload, number: float, *, check: bool) -> bool:
    """Return whether a sample is mirrored; `number` is random, in [0, 1)."""
    return not check and workload.preset != "none" and number < 0.5
