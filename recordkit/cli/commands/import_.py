"""The command ``recordkit import``, which packs a dataset of another format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recordkit.cli.console import Console
from recordkit.cli.options import (
    examples,
    memory_option,
    output_options,
    threads_option,
    writing_options,
)
from recordkit.cli.pack_options import engine_option, exact_labels_option, in_words_of_pack, on_error_option
from recordkit.cli.pack_report import pack_lines, preview_lines, print_warnings
from recordkit.errors import SourceError, quoted
from recordkit.interop.conversions import FORMATS, check_options, format_of_input
from recordkit.packing.pack import pack
from recordkit.packing.plan import PackPlan
from recordkit.packing.preview import preview_pack
from recordkit.storage.refusals import reading_refusal


@click.command(
    "import",
    epilog=examples(
        "recordkit export out/photos.rec photos-again/",
        "recordkit import photos-again/ out/again",
        "recordkit import lfw.bin out/lfw",
    ),
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@click.option(
    "--from", "format_name", type=click.Choice(list(FORMATS)), help="Format of SOURCE.  [default: as it looks]"
)
@click.option(
    "--label-column",
    metavar="NAME",
    help="Column of Parquet files, or field of the .json of a WebDataset, that has the label.  [default: label]",
)
@exact_labels_option
@on_error_option
@writing_options
@threads_option
@memory_option
@engine_option
@output_options
def command(source: Path, prefix: Path, format_name: str | None, console: Console, **options: Any) -> None:
    """Pack SOURCE, a dataset of another format, into PREFIX.rec, .idx, .lst, .crc and .json.

    SOURCE is what 'recordkit export' or another program wrote in one of these formats. Images are copied byte for byte;
    keys, labels, order and class names are kept. Splits become PREFIX_train and so on. A set that an earlier pack or
    import wrote at PREFIX is replaced, other files with --overwrite. 'recordkit pack' takes folders with more options.
    """
    given = FORMATS[format_name] if format_name else format_of_input(source)
    read_options = check_options(given, {"label_column": options.pop("label_column")}, is_read=True)
    names = f"{quoted(source)} {quoted(prefix)}"
    with in_words_of_pack(advice_end=f"'recordkit pack {names}' has these options"):
        opened = given.read(source, **read_options)
    sources = opened if isinstance(opened, dict) else {"": opened}
    if any(each.pixels for each in sources.values()):
        raise SourceError(
            path=str(source),
            expected="encoded images to copy",
            got="pixels of MNIST (ubyte) files",
            advice=f"'recordkit pack {names}' encodes them",
        )
    _refuse_source(source, [Path(f"{prefix}{name and f'_{name}'}.rec") for name in sources])
    dry_run, overwrite, memory, engine = (options.pop(name) for name in ("dry_run", "overwrite", "memory", "engine"))
    plan = PackPlan(pass_through=True, shuffle=False, **options)
    if dry_run:
        preview = preview_pack(opened, prefix, plan=plan, overwrite=overwrite)
        for warning in preview.warnings:
            console.warn(warning)
        console.report({"format": given.name, **preview.as_json()}, *preview_lines(preview))
        return
    with console.progress(sum(map(len, sources.values())), f"import {source.name}") as progress:
        report = pack(opened, prefix, plan=plan, engine=engine, memory=memory, overwrite=overwrite, progress=progress)
    print_warnings("recordkit", report)
    console.report(report.as_json(), *pack_lines(report))
    if not report.ok:
        raise click.exceptions.Exit(1)


def _refuse_source(source: Path, outputs: list[Path]) -> None:
    """Refuse to replace the .rec file that is read. InsightFace's header and identities in it would be lost."""
    read = [path for path in (source, source / "train.rec", Path(f"{source}.rec")) if path.is_file()]
    for path in outputs:
        if path.exists() and any(path.samefile(each) for each in read):
            raise reading_refusal(path)
