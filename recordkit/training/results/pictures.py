"""Pictures of a training, drawn with matplotlib: curves, confusion matrices, images with their predictions."""

from __future__ import annotations

import contextlib
import math
import tempfile
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import MissingError, PlanError
from recordkit.storage.replacement import new_folders, write_atomically
from recordkit.storage.staging import as_publish_error, check_folder
from recordkit.training.results.log import Curves

# Colors of Okabe and Ito's palette, which color-blind people can tell apart.
_TRAIN, _VALIDATION, _WRONG = "#0072B2", "#E69F00", "#D55E00"
# Largest numbers of classes whose names, whose counts, and whose large counts are readable in a matrix.
_MAX_NAMED, _MAX_NUMBERED, _MAX_LARGE = 70, 20, 10
# Colour of right predictions in a matrix, and of their counts.
_RIGHT, _RIGHT_COUNT = "#E9ECEF", "#495057"
# Lengths in inches, so that a picture fits a screen of 1600 x 1000 pixels: the side of a matrix, a letter of a count, a
# row with a name; the width of a row of curves.
_MAX_SIDE, _COUNT_INCHES, _ROW_INCHES, _MAX_WIDTH = 7.0, 0.062, 0.125, 12.2
# Epochs of which each has a mark on its curve.
_MAX_MARKED = 30
# Mistakes in the list beside a matrix without counts.
_N_MISTAKES = 25
# Curves in a row.
_MAX_CURVES = 3
# Images in a row, and letters in a line of a title.
_MAX_COLUMNS, _LINE_LETTERS = 8, 20
# Letters of a name beside a matrix. Widths of a letter in inches: of a name, in the list of mistakes, of a title.
_MAX_LETTERS, _LETTER_INCHES, _MISTAKE_INCHES, _TITLE_INCHES = 40, 0.085, 0.078, 0.08
SUFFIXES = (".png", ".svg", ".pdf")


def require_matplotlib() -> None:
    """Fail before the work begins if matplotlib is missing.

    Raises
    ------
    MissingError
        matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401 (only whether it imports matters)
    except ImportError:
        raise MissingError("matplotlib is not installed", advice="pip install 'recordkit[plot]'") from None


def check_suffix(path: Path) -> None:
    """Fail before the work begins if a picture's format is unknown.

    Raises
    ------
    PlanError
        The name does not end in .png, .svg or .pdf.
    """
    if path.suffix not in SUFFIXES:
        expected = f"a name that ends in {', '.join(SUFFIXES)}"
        raise PlanError(path=str(path), expected=expected, got=repr(path.suffix or path.name))


@contextlib.contextmanager
def folder(path: Path) -> Iterator[None]:
    """Make a folder for pictures before the work of a block begins; after an error, a new and empty one is removed.

    Raises
    ------
    PublishError
        The folder cannot be made, or nothing can be written into it.
    """
    with contextlib.ExitStack() as stack:
        check_folder(path)
        with as_publish_error(path, "choose another folder"):
            stack.enter_context(new_folders(path))
            with tempfile.TemporaryFile(dir=path):
                pass
        yield


def save(figure: Any, path: Path) -> None:
    """Write a figure as PNG, SVG or PDF, by the suffix of its name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # matplotlib draws a box for a letter that the font lacks
        write_atomically(path, lambda file: figure.savefig(file, dpi=130, format=path.suffix[1:]))


def draw_curves(curves: Curves, title: str, images: str = "images as the run augments them") -> Any:
    """Return a figure with a plot of each quantity over the epochs.

    Parameters
    ----------
    curves : Curves
    title : str
    images : str
        The images on which the values of the training were measured, for the note below the plots.
    """
    n_columns = min(len(curves), _MAX_CURVES)
    n_rows = math.ceil(len(curves) / n_columns)
    figure = _figure(min(5.2 * n_columns, _MAX_WIDTH), 3.8 * n_rows)
    grid = np.ravel(figure.subplots(n_rows, n_columns, squeeze=False))
    for axes in grid[len(curves) :]:
        axes.set_visible(False)
    for axes, (quantity, splits) in zip(grid, curves.items(), strict=False):
        for split, color, marker in (("train", _TRAIN, "o"), ("validation", _VALIDATION, "s")):
            points = sorted(splits.get(split, {}).items())
            if points:
                size = 3.5 if len(points) <= _MAX_MARKED else 0
                axes.plot(*zip(*points, strict=True), color=color, marker=marker, markersize=size, label=split)
        axes.set_xlabel("epoch")
        axes.set_ylabel(_escape(quantity))
        epochs = [epoch for points in splits.values() for epoch in points]
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)  # no tick for an epoch 0
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(_escape(title), fontsize=10)
    drawn = {split for values in curves.values() for split in values}
    notes = {
        "train": f"train: averaged during the epoch, on {images}",
        "validation": "validation: measured at the end of the epoch",
    }
    figure.supxlabel("\n".join(note for split, note in notes.items() if split in drawn), fontsize=8)
    return figure


def draw_confusion(matrix: NDArray[np.int64], class_names: Sequence[str], title: str) -> Any:
    """Return a figure of a confusion matrix: rows are the true classes, columns the predicted ones.

    The colors are the shares of a row that went wrong, up to the largest of them, so that mistakes of a good model are
    seen; right predictions are gray. A matrix that has no room for counts has a list of the most frequent mistakes.

    Parameters
    ----------
    matrix : ndarray of int64, shape (n, n)
    class_names : sequence of str
    title : str
    """
    n = len(matrix)
    all_names = [_escape(_shorten(name, _MAX_LETTERS)) for name in class_names[:n]]
    names = all_names if n <= _MAX_NAMED else []
    has_counts = n <= _MAX_NUMBERED
    # Long counts and names enlarge the figure, so that they do not overlap and the matrix does not shrink.
    side = min(3.2 + 0.5 * n, _MAX_SIDE)
    if has_counts:
        side = max(side, _COUNT_INCHES * n * len(f"{np.max(matrix):,}"))
    side, margin = max(side, _ROW_INCHES * len(names)), _LETTER_INCHES * max(map(len, names), default=0)
    mistakes = [] if has_counts else _mistakes(matrix, all_names)
    beside = _MISTAKE_INCHES * max(map(len, mistakes), default=0)
    figure = _figure(side + 1 + margin + beside, side + margin * math.sin(math.pi / 4))
    part = figure
    if mistakes:
        part, list_part = figure.subfigures(1, 2, width_ratios=[side + 1 + margin, beside])
        list_part.text(0, 0.97, "\n".join(mistakes), va="top", fontsize=9, linespacing=1.6)
    axes = part.subplots()
    wrong: NDArray[np.float64] = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(wrong, 0)
    highest = float(np.max(wrong))
    image = axes.imshow(np.ma.masked_array(wrong, np.eye(n, dtype=bool)), cmap="Oranges", vmin=0, vmax=highest or 1)
    axes.set_facecolor(_RIGHT)  # seen through the masked diagonal
    if has_counts:
        for (row, column), count in np.ndenumerate(matrix):
            color = "white" if wrong[row, column] > 0.6 * highest else "black"
            color = _RIGHT_COUNT if row == column else color
            text = f"{count:,}" if count else ""
            axes.text(column, row, text, ha="center", va="center", fontsize=9 if n <= _MAX_LARGE else 7, color=color)
    if names:
        size = 7 if n > _MAX_NUMBERED else 9
        turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 2 else {}
        axes.set_xticks(range(n), names, fontsize=size, **turn)
        axes.set_yticks(range(n), names, fontsize=size)
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    axes.set_title(_escape("\n".join(textwrap.wrap(title, max(30, round(9 * side))))), fontsize=10)
    if highest:
        bar = part.colorbar(image, ax=axes, shrink=0.8, aspect=30, format=lambda share, _: f"{100 * share:.3g}%")
        bar.set_label("wrong share of the label's images")
    return figure


def _mistakes(matrix: NDArray[np.int64], names: Sequence[str]) -> list[str]:
    """Return lines of the most frequent mistakes: label, predicted class, number, share of the label's images."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_N_MISTAKES]
    lines = ["The most frequent mistakes:", "label → predicted"]
    for row, column in zip(*np.unravel_index(order, matrix.shape), strict=True):
        if count := int(wrong[row, column]):
            pair = " → ".join(names[number] if names else str(number) for number in (row, column))
            lines.append(f"{pair}  {count:,} ({count / matrix[row].sum():.1%})")
    return lines if wrong.any() else ["No prediction is wrong."]


def draw_images(
    images: Sequence[NDArray[np.uint8] | None], titles: Sequence[str], are_wrong: Sequence[bool], title: str
) -> Any:
    """Return a figure with rows of images, each with a title; wrong ones are framed and marked.

    Parameters
    ----------
    images : sequence of (ndarray of uint8, shape (H, W, C)) or None
        None for a file that cannot be read: an empty tile.
    titles : sequence of str
        Title of each image. A title without a line break is wrapped to at most two lines.
    are_wrong : sequence of bool
    title : str
        Title of the figure.
    """
    n_columns = _MAX_COLUMNS if len(images) > 2 * _MAX_COLUMNS else max(1, math.ceil(math.sqrt(len(images))))
    n_rows = math.ceil(len(images) / n_columns)
    n_lines = max(2, *(text.count("\n") + 1 for text in titles)) if titles else 2
    width = max(3.5, 1.35 * n_columns)
    title_lines = [line for part in title.split("\n") for line in textwrap.wrap(part, round(width / _TITLE_INCHES))]
    figure = _figure(width, (1.35 + 0.13 * n_lines) * n_rows + 0.3 + 0.2 * max(2, len(title_lines)))
    grid = np.ravel(figure.subplots(n_rows, n_columns, squeeze=False))
    for axes in grid:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_frame_on(False)
    for axes, image, text, is_wrong in zip(grid, images, titles, are_wrong, strict=False):
        if image is None:
            axes.imshow(np.full((1, 1), 230, np.uint8), cmap="gray", vmin=0, vmax=255)
            axes.text(0, 0, "?", ha="center", va="center", fontsize=24, color=_WRONG)
        else:
            is_gray = image.shape[2] == 1
            axes.imshow(image[:, :, 0] if is_gray else image, cmap="gray" if is_gray else None, vmin=0, vmax=255)
        text = f"✗ {text}" if is_wrong else text
        lines = text.split("\n") if "\n" in text else _wrap(text)
        axes.set_title(_escape("\n".join(lines)), fontsize=7, color=_WRONG if is_wrong else "black")
        if is_wrong:
            axes.set_frame_on(True)
            for spine in axes.spines.values():
                spine.set(color=_WRONG, linewidth=2)
    figure.suptitle(_escape("\n".join(title_lines)), fontsize=10)
    return figure


def _shorten(text: str, n_letters: int) -> str:
    """Return a text with at most so many letters; an ellipsis replaces the end of a longer one."""
    return text if len(text) <= n_letters else f"{text[: n_letters - 1].rstrip()}…"


def _wrap(text: str) -> list[str]:
    """Return the first two lines of a text; a word that is longer than a line is broken."""
    lines = textwrap.wrap(text, _LINE_LETTERS)
    return lines if len(lines) <= 2 else [lines[0], f"{lines[1][: _LINE_LETTERS - 1]}…"]


def _escape(text: str) -> str:
    """Escape dollars, between which matplotlib would set a formula."""
    return text.replace("$", r"\$")


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
