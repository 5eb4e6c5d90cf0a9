"""Pictures of a training, drawn with matplotlib: curves, confusion matrix, images with what is said of them."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import MissingError, PlanError
from recordkit.training.results.log import Curves

# Of Okabe and Ito's palette, which people who see fewer colours tell apart.
_TRAIN, _VALIDATION, _WRONG = "#0072B2", "#E69F00", "#D55E00"
# More classes than this, and neither names nor numbers can be read.
_MOST_NAMED, _MOST_NUMBERED = 40, 20
# Images in a row, and letters in a line above one.
_MOST_ACROSS, _LINE = 8, 20
# Letters of a name beside a matrix, and inches for each.
_LONGEST, _LETTER = 40, 0.085
SUFFIXES = (".png", ".svg", ".pdf")


def check(path: Path | None = None) -> None:
    """Say early what would fail late.

    Parameters
    ----------
    path : Path, optional
        Of the picture.

    Raises
    ------
    MissingError
        There is no matplotlib.
    PlanError
        The name ends in something else than .png, .svg or .pdf.
    """
    if path is not None and path.suffix not in SUFFIXES:
        raise PlanError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingError("matplotlib is not installed; pip install 'recordkit[plot]'") from None


def save(figure: Any, path: Path) -> None:
    """Write a figure; PNG, SVG or PDF, by the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a box stands where the font has no letter
        figure.savefig(path, dpi=130)


def draw_curves(curves: Curves, title: str) -> Any:
    """Return a figure with a plot for each quantity, over the epochs."""
    figure = _figure(5.2 * len(curves), 3.8)
    for axes, (what, parts) in zip(np.atleast_1d(figure.subplots(1, len(curves))), curves.items(), strict=True):
        for part, colour, marker in (("train", _TRAIN, "o"), ("validation", _VALIDATION, "s")):
            points = sorted(parts.get(part, {}).items())
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, marker=marker, markersize=3.5, label=part)
        axes.set_xlabel("epoch")
        axes.set_ylabel(what)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
        _open(axes)
    figure.suptitle(_plain(title), fontsize=10)
    return figure


def draw_confusion(table: NDArray[np.int64], classes: Sequence[str], title: str) -> Any:
    """Return a figure of a confusion matrix: rows are the classes of the images, columns what the model says.

    Parameters
    ----------
    table : ndarray of int64, shape (n, n)
    classes : sequence of str
    title : str
    """
    n = len(table)
    names = [_plain(textwrap.shorten(name, _LONGEST, placeholder="…")) for name in classes[:n] if n <= _MOST_NAMED]
    # The names have room of their own, so that long ones do not take it from the matrix.
    side, room = min(3.2 + 0.5 * n, 14), _LETTER * max(map(len, names), default=0)
    figure = _figure(side + 1 + room, side + room * math.sin(math.pi / 4))
    axes = figure.subplots()
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if n <= _MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(table):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count:,}" if count else "", ha="center", va="center", fontsize=7, color=colour)
    if names:
        axes.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(n), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    axes.set_title(title, fontsize=10)
    figure.colorbar(shown, ax=axes, shrink=0.8, label="share of the label's images")
    return figure


def draw_images(images: Sequence[NDArray[np.uint8]], titles: Sequence[str], wrong: Sequence[bool], title: str) -> Any:
    """Return a figure of images in rows, each with a title; those that are wrong are framed and marked.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (H, W, C)
    titles : sequence of str
        In lines, or else wrapped into two.
    wrong : sequence of bool
    title : str
        Above all.
    """
    across = _MOST_ACROSS if len(images) > 2 * _MOST_ACROSS else max(1, math.ceil(math.sqrt(len(images))))
    down = math.ceil(len(images) / across)
    figure = _figure(1.35 * across, 1.6 * down + 0.5)
    places = np.ravel(figure.subplots(down, across, squeeze=False))
    for axes in places:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_frame_on(False)
    for axes, image, text, bad in zip(places, images, titles, wrong, strict=False):
        gray = image.shape[2] == 1
        axes.imshow(image[:, :, 0] if gray else image, cmap="gray" if gray else None, vmin=0, vmax=255)
        text = f"✗ {text}" if bad else text
        lines = text.split("\n") if "\n" in text else textwrap.wrap(text, _LINE, max_lines=2, placeholder="…")
        axes.set_title(_plain("\n".join(lines)), fontsize=7, color=_WRONG if bad else "black")
        if bad:
            axes.set_frame_on(True)
            for spine in axes.spines.values():
                spine.set(color=_WRONG, linewidth=2)
    figure.suptitle(_plain(title), fontsize=10)
    return figure


def _plain(text: str) -> str:
    """Return a text in which a dollar is no beginning of a formula."""
    return text.replace("$", r"\$")


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _open(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
