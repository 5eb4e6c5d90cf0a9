"""Views of a dataset: a contact sheet as PNG, and a page as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError, plural
from recordkit.storage.replacement import write_atomically
from recordkit.upkeep.check.report import Problem
from recordkit.upkeep.look.choice import choose_samples
from recordkit.upkeep.look.destination import check_page_path, check_sheet_path
from recordkit.upkeep.look.labels import count_labels
from recordkit.upkeep.look.opening import Samples, open_images
from recordkit.upkeep.look.page import render_page
from recordkit.upkeep.look.picture import Picture, make_pictures
from recordkit.upkeep.look.sheet import check_sheet, choose_columns, draw_sheet
from recordkit.upkeep.selection import Selection

MAX_IMAGES = 2000
"""Most images of a view."""

# Pixels of all pictures of a page: 2,000 of the default side. Such a page has up to about 40 MB.
_MAX_PAGE_PIXELS = MAX_IMAGES * 256**2
MIN_SIDE, MAX_SIDE = 16, 1024
"""Range of the side of a thumbnail, in pixels."""


@dataclass(frozen=True, eq=False)
class Choice:
    """The samples to look at.

    If more than `n` samples are selected, they are spread over the labels; see `recordkit.upkeep.look.choice`.

    Attributes
    ----------
    n : int, 1 to 2,000
        Most samples.
    selection : Selection
        By default all samples. Its seed also draws those that are spread.
    """

    n: int = 100
    selection: Selection = field(default_factory=Selection)

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MAX_IMAGES:
            advice = "select by `keys`, `labels` or `classes` to see others"
            raise PlanError(argument="n", expected=f"1 to {MAX_IMAGES}", got=self.n, advice=advice)

    def choose(self, dataset: RecordDataset) -> tuple[NDArray[np.int64], int]:
        """Return indices of samples of a dataset, shape (at most n,), and the number of samples that are selected."""
        rows = self.selection.rows(dataset)
        return choose_samples(dataset, rows, self.n, seed=self.selection.seed), len(rows)


@dataclass(frozen=True)
class ViewReport:
    """The result of a view.

    Attributes
    ----------
    path : str
        The file that was written.
    n_samples : int
        Samples of the dataset.
    n_selected : int
        Samples that fit the selection.
    n_shown : int
    n_bytes : int
        Size of the file.
    problems : list of Problem
        The images shown that do not decode.
    """

    path: str
    n_samples: int
    n_selected: int
    n_shown: int
    n_bytes: int
    problems: list[Problem] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """The numbers of samples as a text."""
        return count_text(self.n_shown, self.n_selected, self.n_samples)

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return {**vars(self), "problems": [vars(problem) for problem in self.problems]}


def count_text(n_shown: int, n_selected: int, n_samples: int) -> str:
    """Return how many samples of how many are shown.

    Examples
    --------
    >>> count_text(100, 8000, 8000), count_text(100, 809, 8000)
    ('100 of 8000 samples', '100 of 809 selected samples, of 8000')
    """
    if n_selected == n_samples:
        return f"{n_shown} of {plural(n_samples, 'sample')}"
    return f"{n_shown} of {plural(n_selected, 'selected sample')}, of {n_samples}"


def write_sheet(
    samples: Samples,
    sheet: str | Path,
    choice: Choice | None = None,
    *,
    side: int = 128,
    columns: int | None = None,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
) -> ViewReport:
    """Write a contact sheet as PNG. Only the images shown are read.

    Parameters
    ----------
    samples : RecordDataset, str, Path, or sequence of str or Path
        A dataset, or what `recordkit.RecordDataset` opens.
    sheet : str or Path
        The file to write, whose name ends in .png; an existing one is replaced.
    choice : Choice, optional
        By default 100 samples, spread over the labels.
    side : int, 16 to 1024, default 128
        Width and height of a cell, in pixels.
    columns : int, at least 1, optional
        By default about as many as rows, and at most 10.
    threads : int, default 0
        See `recordkit.threads.count_threads`.
    progress : callable, optional
        Called with the number of images read since the last call.

    Raises
    ------
    NotFoundError
        A file does not exist.
    FormatError
        A file is damaged or has no images. An image that does not decode is drawn as such and reported.
    PlanError
        The dataset has no such key, label or class, the sheet would be too large, or its name does not end in .png.
    PublishError, OSError
        `sheet` cannot be written, is a file of the dataset, or is in a folder that does not exist.
    """
    _check_side(side)
    if columns is not None and columns < 1:
        raise PlanError(argument="columns", expected="at least 1", got=columns)
    choice = choice or Choice()
    with open_images(samples) as dataset:
        check_sheet_path(sheet, dataset)
        indices, n_selected = choice.choose(dataset)
        columns = min(columns or choose_columns(len(indices)), max(len(indices), 1))
        check_sheet(len(indices), side, columns)
        title = f"{_title(dataset)}: {count_text(len(indices), n_selected, len(dataset))}"
        shown: list[Picture] = []
        pictures = _noting(make_pictures(dataset, indices, side, threads=threads, progress=progress), shown)
        image = draw_sheet(pictures, len(indices), title, side=side, columns=columns)
        write_atomically(Path(sheet), lambda file: image.save(file, "PNG"))
        return _report(sheet, dataset, n_selected, shown)


def write_page(
    samples: Samples,
    page: str | Path,
    choice: Choice | None = None,
    *,
    side: int = 256,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
) -> ViewReport:
    """Write a self-contained HTML page. Only the images shown are read, and the labels of all.

    Parameters
    ----------
    samples : RecordDataset, str, Path, or sequence of str or Path
        A dataset, or what `recordkit.RecordDataset` opens.
    page : str or Path
        The file to write, whose name ends in .html or .htm; an existing one is replaced.
    choice : Choice, optional
        By default 200 samples, spread over the labels.
    side : int, 16 to 1024, default 256
        Longest side of the pictures in the page, in pixels.
    threads : int, default 0
        See `recordkit.threads.count_threads`.
    progress : callable, optional
        Called with the number of images read since the last call.

    Raises
    ------
    NotFoundError
        A file does not exist.
    FormatError
        A file is damaged or has no images. An image that does not decode is shown as such and reported.
    PlanError
        The dataset has no such key, label or class, or the name of the page does not end in .html or .htm.
    PublishError, OSError
        `page` cannot be written, is a file of the dataset, or is in a folder that does not exist.
    """
    _check_side(side)
    choice = choice or Choice(n=200)
    with open_images(samples) as dataset:
        check_page_path(page, dataset)
        indices, n_selected = choice.choose(dataset)
        labels = count_labels(dataset)
        _check_page(len(indices), side)
        summary = f"{plural(len(dataset), 'sample')}, {plural(labels.n_distinct, 'label')}, {_megabytes(dataset)}"
        summary += f"; {count_text(len(indices), n_selected, len(dataset))} shown"
        shown: list[Picture] = []
        pictures = _noting(make_pictures(dataset, indices, side, threads=threads, progress=progress), shown)
        html = render_page(pictures, labels, _title(dataset), summary)
        write_atomically(Path(page), lambda file: file.write(html.encode("utf-8")))
        return _report(page, dataset, n_selected, shown)


def _noting(pictures: Iterator[Picture], shown: list[Picture]) -> Iterator[Picture]:
    """Yield the pictures, and keep the facts of each in a list."""
    for picture in pictures:
        shown.append(picture.without_pixels())
        yield picture


def _check_page(n: int, side: int) -> None:
    if n * side**2 > _MAX_PAGE_PIXELS:
        most = _MAX_PAGE_PIXELS // side**2
        advice = "show fewer images, or give a smaller `side`"
        raise PlanError(argument="n", expected=f"at most {most} images of {side} pixels", got=n, advice=advice)


def _check_side(side: int) -> None:
    if not MIN_SIDE <= side <= MAX_SIDE:
        raise PlanError(argument="side", expected=f"{MIN_SIDE} to {MAX_SIDE}", got=side)


def _title(dataset: RecordDataset) -> str:
    more = len(dataset.files) - 1
    return dataset.files[0].name + (f" and {more} more" if more else "")


def _megabytes(dataset: RecordDataset) -> str:
    return f"{sum(path.stat().st_size for path in dataset.files) / 1e6:.1f} MB"


def _report(path: str | Path, dataset: RecordDataset, n_selected: int, pictures: Sequence[Picture]) -> ViewReport:
    problems = [
        Problem(picture.path, picture.thumbnail.problem, key=picture.key)
        for picture in pictures
        if picture.thumbnail.problem
    ]
    return ViewReport(str(path), len(dataset), n_selected, len(pictures), Path(path).stat().st_size, problems)
