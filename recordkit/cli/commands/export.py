"""The command ``recordkit export``, which writes the images of a .rec file, or another source, in another format."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from recordkit.cli.console import Console, old_file_lines
from recordkit.cli.options import (
    examples,
    memory_option,
    output_options,
    parse_bytes,
    threads_option,
    writing_options,
)
from recordkit.cli.pack_options import allow_outside_option, columns_option, in_words_of_pack, root_option
from recordkit.cli.selection_options import condition_options
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError, plural
from recordkit.interop.conversions import FORMATS, check_options, foreign_format, format_of_output
from recordkit.interop.export import ExportReport
from recordkit.sample import Source
from recordkit.sources import open_source
from recordkit.sources.records import RecordSource
from recordkit.storage.remote.urls import is_url
from recordkit.upkeep.selection import Selection

shard_bytes_option = click.option(
    "--shard-bytes",
    metavar="SIZE",
    callback=parse_bytes,
    help="Largest size of a file of shards, as 512M or 2G.  [default: 512M]",
)


@click.command(
    "export",
    epilog=examples(
        "recordkit export out/photos.rec photos-again/",
        "recordkit export mnist/ digits/ --name '{key:06d}_{label}.png'",
        "recordkit pack digits/train out/digits --label-from '{key:06d}_{label}.png'",
        "recordkit export people/ faces/ --to insightface",
        "recordkit export out/photos.rec cats/ --class cat",
    ),
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@click.option("--to", "format_name", type=click.Choice(list(FORMATS)), help="Format of DEST.  [default: folder]")
@click.option(
    "--name",
    metavar="TEMPLATE",
    help="Name of an image, made from {key}, {label} and {class}; without a suffix it gets that of its format.  "
    "[default: {class}/{key:06d} with class names, {key:06d}_{label} without]",
)
@click.option(
    "--metadata",
    is_flag=True,
    default=None,
    help="Write metadata.csv into a folder of images, with keys, all labels and class names, for Hugging Face.",
)
@click.option(
    "--shuffle-seed",
    type=click.IntRange(0, 2**64 - 1),
    metavar="SEED",
    help="Write an InsightFace dataset in an order drawn by SEED, without records of identities, as DALI needs it.",
)
@shard_bytes_option
@condition_options
@root_option
@allow_outside_option
@columns_option
@writing_options
@threads_option
@memory_option
@output_options
def command(  # noqa: PLR0913 (one argument for each option)
    source: Path,
    destination: Path,
    format_name: str | None,
    name: str | None,
    metadata: bool | None,
    shuffle_seed: int | None,
    shard_bytes: int | None,
    selection: Selection,
    root: Path | None,
    allow_outside: bool,
    columns: str | None,
    overwrite: bool,
    dry_run: bool,
    threads: int,
    memory: int | None,
    console: Console,
) -> None:
    """Write the images of SOURCE into DEST, as files or in another format.

    SOURCE is a .rec file, its prefix, a manifest, or a pattern in quotes; a folder of ubyte (MNIST) files, whose sets
    are written to DEST/train and DEST/test; a folder of images; a list; or what 'recordkit import' reads. Encoded
    images are copied byte for byte. A folder of images has DEST.lst beside it, with the key, all labels and the path of
    each image, and DEST.classes.json with the class names. DEST must be new or empty, unless --overwrite is given.
    It may be the URL of an object store, as s3://bucket/photos.
    """
    to = FORMATS[format_name] if format_name else format_of_output(destination)
    given = {"name": name, "metadata": metadata, "shard_bytes": shard_bytes, "shuffle_seed": shuffle_seed}
    options: dict[str, Any] = check_options(to, given, is_read=False)
    with _open(source, selection, console, root=root, columns=columns, allow_outside=allow_outside) as opened:
        n_samples = sum(map(len, opened.values())) if isinstance(opened, Mapping) else len(opened)
        with console.progress(n_samples, f"export {source.name}") as progress:
            options.update(threads=threads, memory=memory, overwrite=overwrite, dry_run=dry_run, progress=progress)
            options["on_note"] = lambda note: console.note(f"note: {note}")
            if is_url(destination):
                label = f"upload {destination.name}"
                options["show_upload"] = lambda n_bytes: console.progress(n_bytes, label, unit="B")
                from recordkit.interop.export.store import export_to_store

                report = export_to_store(to.write, opened, destination, **options)
            else:
                report = to.write(opened, destination, **options)
    console.report(report.as_json(), *export_lines(report))


@contextlib.contextmanager
def _open(
    source: Path, selection: Selection, console: Console, *, root: Path | None, columns: str | None, allow_outside: bool
) -> Iterator[Source | Mapping[str, Source]]:
    is_table = source.is_dir() or source.suffix == ".lst" or columns is not None
    foreign = None if columns is not None or root is not None else foreign_format(source)
    if foreign is not None or is_table:
        _refuse_conditions(selection)
    if foreign is not None:
        yield foreign.read(source)
        return
    if is_table:
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
        yield RecordSource(dataset.subset(selection.rows(dataset)) if selection.as_json() else dataset)


def _refuse_conditions(selection: Selection) -> None:
    for name in selection.as_json():
        raise PlanError("applies to a .rec file, and this is another source", argument=name, advice="pack it first")


def export_lines(report: ExportReport) -> list[str]:
    """Return the lines about an export."""
    lines = []
    for done in report.sets:
        size = "" if done.n_bytes is None else f", {done.n_bytes / 1e6:.1f} MB"
        details = f"; {done.details}" if done.details else ""
        lines.append(f"{done.path}: {plural(done.n_images, 'image')}{size}{details}")
    if report.dry_run:
        lines += old_file_lines(report.replaced)
        return [*lines, f"{plural(report.n_images, 'image')} would be written; a dry run writes nothing"]
    return [
        *lines,
        f"{plural(report.n_images, 'image')} in {report.duration_s:.1f} s, {report.rate_img_s:.0f} img/s",
    ]
