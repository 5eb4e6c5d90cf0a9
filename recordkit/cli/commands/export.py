"""The command ``recordkit export``, which writes the images of a .rec file, or another source, as files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.options import examples, memory_option, output_options, threads_option
from recordkit.cli.pack_options import allow_outside_option, columns_option, in_words_of_pack, root_option
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError, plural
from recordkit.interop.folder import ExportReport, write_folder
from recordkit.sample import Source
from recordkit.sources import open_source
from recordkit.sources.records import RecordSource


@click.command(
    "export",
    epilog=examples(
        "recordkit export out/photos.rec photos-again/",
        "recordkit export mnist/ digits/ --name '{key:06d}_{label}.png'",
        "recordkit pack digits/train out/digits --label-from '{key:06d}_{label}.png'",
    ),
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--name",
    metavar="TEMPLATE",
    help="Name of an image, made from {key}, {label} and {class}; without a suffix it gets that of its format.  "
    "[default: {class}/{key:06d} with class names, {key:06d}_{label} without]",
)
@root_option
@allow_outside_option
@columns_option
@threads_option
@memory_option
@output_options
def command(  # noqa: PLR0913 (one argument for each option)
    source: Path,
    folder: Path,
    name: str | None,
    root: Path | None,
    allow_outside: bool,
    columns: str | None,
    threads: int,
    memory: int | None,
    console: Console,
) -> None:
    """Write the images of SOURCE as files into FOLDER.

    SOURCE is a .rec file, its prefix, or a pattern in quotes; a folder of ubyte (MNIST) files, whose sets are written
    to FOLDER/train and FOLDER/test; a folder of images; or a list. Encoded images are copied byte for byte.
    FOLDER.lst has the key, all labels and the path of each image, and FOLDER.classes.json the class names. FOLDER must
    be new or empty.
    """
    with _open(source, console, root=root, columns=columns, allow_outside=allow_outside) as opened:
        n_samples = sum(map(len, opened.values())) if isinstance(opened, Mapping) else len(opened)
        with console.progress(n_samples, f"export {source.name}") as progress:
            report = write_folder(opened, folder, name=name, threads=threads, memory=memory, progress=progress)
    for done in report.folders:
        for note in done.notes:
            console.note(f"note: {done.path}: {note}")
    console.report(report.as_json(), *_lines(report))


@contextlib.contextmanager
def _open(
    source: Path, console: Console, *, root: Path | None, columns: str | None, allow_outside: bool
) -> Iterator[Source | Mapping[str, Source]]:
    if source.is_dir() or source.suffix == ".lst" or columns is not None:
        words = in_words_of_pack() if source.is_dir() else contextlib.nullcontext()
        with console.progress(None, f"find images in {source}") as progress, words:
            opened = open_source(source, root=root, columns=columns, allow_outside=allow_outside, progress=progress)
        yield opened
        return
    if root is not None:
        raise PlanError("`root` applies to a list; a .rec file has its images")
    if allow_outside:
        raise PlanError("`allow_outside` applies to a list; a .rec file has its images")
    with RecordDataset(source) as dataset:
        yield RecordSource(dataset)


def _lines(report: ExportReport) -> list[str]:
    lines = [
        f"{done.path}: {plural(done.n_images, 'image')}, {done.n_bytes / 1e6:.1f} MB; keys and labels: {done.list_path}"
        for done in report.folders
    ]
    lines.append(f"{plural(report.n_images, 'image')} in {report.duration_s:.1f} s, {report.rate_img_s:.0f} img/s")
    return lines
