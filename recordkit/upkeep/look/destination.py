"""The files to which a view may be written: new ones, or old pictures and pages that are no files of the dataset."""

from __future__ import annotations

from pathlib import Path

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError, PublishError
from recordkit.storage.fileset import Fileset
from recordkit.storage.names import SUFFIXES
from recordkit.storage.staging import check_folder

SHEET_SUFFIXES = (".png",)
"""Ends of the name of a contact sheet, in small or capital letters."""

PAGE_SUFFIXES = (".html", ".htm")
"""Ends of the name of a page."""


def check_sheet_path(sheet: str | Path, dataset: RecordDataset) -> None:
    """Refuse a path at which no contact sheet of a dataset is written. An existing picture is replaced later.

    Raises
    ------
    PlanError
        The name does not end in .png.
    PublishError
        The path is a file of the dataset, or a file is in the place of its folder.
    """
    _check("sheet", Path(sheet), SHEET_SUFFIXES, dataset)


def check_page_path(page: str | Path, dataset: RecordDataset) -> None:
    """Refuse a path at which no page of a dataset is written. An existing page is replaced later.

    Raises
    ------
    PlanError
        The name does not end in .html or .htm.
    PublishError
        The path is a file of the dataset, or a file is in the place of its folder.
    """
    _check("page", Path(page), PAGE_SUFFIXES, dataset)


def _check(argument: str, path: Path, suffixes: tuple[str, ...], dataset: RecordDataset) -> None:
    if path.suffix.lower() not in suffixes:
        raise PlanError(argument=argument, expected=f"a name that ends in {' or '.join(suffixes)}", got=path)
    check_folder(path.parent)
    if path.exists() and any(path.samefile(own) for own in _own_files(dataset)):
        advice = "give a name that no file of the dataset has"
        raise PublishError(path=str(path), expected="a new file", got="a file of the dataset", advice=advice)


def _own_files(dataset: RecordDataset) -> list[Path]:
    sets = map(Fileset, dataset.files)
    return [path for files in sets for suffix in SUFFIXES if (path := files.path(suffix)).exists()]
