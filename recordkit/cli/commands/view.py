"""``recordkit view``: a contact sheet, or a page for a browser, of some images of a .rec file."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.options import AdvisingCommand, examples, output_options, threads_option
from recordkit.cli.selection_options import condition_options
from recordkit.cli.terminal import print_message
from recordkit.upkeep.look.destination import check_sheet_path
from recordkit.upkeep.look.opening import open_images
from recordkit.upkeep.look.view import MAX_IMAGES, MAX_SIDE, MIN_SIDE, Choice, ViewReport, write_page, write_sheet
from recordkit.upkeep.selection import Selection

_N_PROBLEMS_SHOWN = 20
_FILE = click.Path(path_type=Path, dir_okay=False)
_N_ON_A_SHEET, _N_ON_A_PAGE = 100, 200
_SHEET_SIDE, _PAGE_SIDE = 128, 256


class _Command(AdvisingCommand):
    advice = dict.fromkeys(("-o", "--output"), "the picture is the argument after REC, as in REC SHEET.png")


@click.command(
    "view",
    cls=_Command,
    epilog=examples(
        "recordkit view out/photos.rec sheet.png",
        "recordkit view out/photos.rec pets.png --class cat --class dog -n 40",
        "recordkit view out/photos.rec --html photos.html",
    ),
)
@click.argument("rec", type=click.Path(path_type=Path))
@click.argument("sheet", required=False, type=_FILE)
@condition_options
@click.option(
    "-n",
    "n",
    type=click.IntRange(1, MAX_IMAGES),
    help=f"Number of records.  [default: {_N_ON_A_SHEET} on a sheet, {_N_ON_A_PAGE} on a page]",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="Seed of the random choice."
)
@click.option(
    "--side",
    metavar="PIXELS",
    type=click.IntRange(MIN_SIDE, MAX_SIDE),
    help=f"Longest side of a picture.  [default: {_SHEET_SIDE} on a sheet, {_PAGE_SIDE} on a page]",
)
@threads_option
@click.option("--html", "page", type=_FILE, help="Page for a browser, in one file; SHEET is then optional.")
@output_options
def command(
    rec: Path,
    sheet: Path | None,
    selection: Selection,
    n: int | None,
    side: int | None,
    threads: int,
    page: Path | None,
    console: Console,
) -> None:
    """Draw images of REC with class, label and key: on a contact sheet, the PNG file SHEET, or on a page.

    If there are more than the number asked for, they are spread over the labels: one of each, then a second one of
    each, and so on, drawn by --seed. Only these images are read. By default SHEET is in the current folder and has the
    name of REC with .png. An existing .png or .html file is replaced, unless it is one of the dataset. The exit code is
    1 if an image does not decode; it is shown as a crossed square.
    """
    reports = []
    if page is None or sheet is not None:
        sheet = sheet or Path(f"{rec.name.removesuffix('.rec')}.png")
    with open_images(rec) as dataset:
        if sheet is not None:  # before the page is written
            check_sheet_path(sheet, dataset)
        if page is not None:
            choice = Choice(n or _N_ON_A_PAGE, selection)
            options = {"side": side or _PAGE_SIDE, "threads": threads}
            with console.progress(min(choice.n, len(dataset)), f"view {rec.name}") as progress:
                reports.append(write_page(dataset, page, choice, **options, progress=progress))
        if sheet is not None:
            choice = Choice(n or _N_ON_A_SHEET, selection)
            options = {"side": side or _SHEET_SIDE, "threads": threads}
            with console.progress(min(choice.n, len(dataset)), f"view {rec.name}") as progress:
                reports.append(write_sheet(dataset, sheet, choice, **options, progress=progress))
    _report(reports, console)


def _report(reports: list[ViewReport], console: Console) -> None:
    problems = {str(problem): problem for report in reports for problem in report.problems}
    if not console.as_json:  # the document has them
        for problem in list(problems)[:_N_PROBLEMS_SHOWN]:
            print_message("recordkit", problem)
        if len(problems) > _N_PROBLEMS_SHOWN:
            print_message("recordkit", f"and {len(problems) - _N_PROBLEMS_SHOWN} more")
    for report in reports:
        broken = f"; {len(report.problems)} do not decode" if report.problems else ""
        console.report(report.as_json(), f"{report.path}: {report.shown}, {report.n_bytes / 1e6:.1f} MB{broken}")
    if problems:
        raise click.exceptions.Exit(1)
