"""The command ``recordkit pack``, which packs a folder, a list or ubyte files into .rec, .idx, .lst, .crc and .json."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from recordkit.cli.console import Console
from recordkit.cli.options import examples, memory_option, output_options, threads_option
from recordkit.cli.pack_options import (
    allow_outside_option,
    class_from_option,
    classes_option,
    columns_option,
    engine_option,
    exact_labels_option,
    extensions_option,
    label_from_option,
    on_error_option,
    quality_option,
    ratio_option,
    root_option,
    seed_option,
    shards_option,
    split_extensions,
    splits_option,
    transpose_option,
)
from recordkit.cli.pack_report import pack_lines, print_warnings
from recordkit.codec import ENCODINGS, OTHER_DECODERS, Channels
from recordkit.packing import PackPlan, PackReport, pack
from recordkit.sources import open_source, read_classes
from recordkit.transforms import FILTERS

# A pack that grows by more than this factor has usually re-encoded images that were better copied.
_MAX_EXPECTED_GROWTH = 1.1
# Bytes that a record may need in addition to its image: the frame and headers of few labels.
_RECORD_OVERHEAD_BYTES = 100

_CHANNELS: dict[str | None, Channels | None] = {"3": 3, "1": 1, "keep": "keep", None: None}


@click.command(
    "pack",
    epilog=examples(
        "recordkit pack photos/ out/photos --resize 256 --val-ratio 0.1",
        "recordkit pack mnist/ out/mnist",
        "recordkit pack gzip/emnist-letters out/letters --transpose",
        "recordkit pack digits/ out/digits --label-from '{key:06d}_{label}.png'",
    ),
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@root_option
@allow_outside_option
@columns_option
@label_from_option
@class_from_option
@splits_option
@extensions_option
@classes_option
@transpose_option
@click.option("--resize", type=click.IntRange(1), help="Length of the short side, in pixels.")
@click.option(
    "--filter", type=click.Choice(FILTERS), default="antialias", show_default=True, help="Filter of --resize."
)
@click.option("--center-crop", is_flag=True, help="Keep the central square.")
@click.option(
    "--channels",
    type=click.Choice([name for name in _CHANNELS if name]),
    callback=lambda _context, _option, name: _CHANNELS[name],
    help="3 is RGB, 1 is gray, keep is as stored.  [default: keep]",
)
@click.option(
    "--encoding",
    type=click.Choice(ENCODINGS),
    help="Format of the images; only recordkit reads raw, not MXNet.  [default: as the files]",
)
@quality_option
@click.option(
    "--decoder",
    "decoders",
    type=click.Choice(list(OTHER_DECODERS)),
    multiple=True,
    help="A further format to decode, if images are re-encoded; may be given several times.",
)
@click.option(
    "--pass-through",
    is_flag=True,
    default=None,
    help="Copy the files without re-encoding.  [default: unless an option needs pixels]",
)
@click.option(
    "--shuffle/--no-shuffle",
    default=None,
    help="Shuffle the samples.  [default: folders are shuffled, lists are not]",
)
@seed_option
@ratio_option("val")
@ratio_option("test")
@shards_option
@click.option(
    "--labels",
    type=click.Choice(["all", "first"]),
    default="all",
    show_default=True,
    help="Labels to keep of each row.",
)
@exact_labels_option
@click.option(
    "--no-checksums",
    "checksums",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Leave out PREFIX.crc, the CRC-32 of each record, by which damaged records are found.",
)
@on_error_option
@threads_option
@memory_option
@engine_option
@output_options
def command(source: Path, prefix: Path, console: Console, **options: Any) -> None:
    """Pack SOURCE into PREFIX.rec, .idx, .lst, .crc and .json, or with --shards into several and PREFIX.manifest.json.

    SOURCE is a folder with a folder per class, or with folders called train, val and test that have them, which become
    PREFIX_train and so on; a folder of images with labels in their names, a .lst file, a list of
    another tool if --columns names its columns, or a folder of MNIST (ubyte) files or the beginning of their names,
    which become PREFIX_train and PREFIX_test. Files are copied as they are unless an option needs their pixels. All
    files of a pack appear together when it is complete, in place of those of an earlier pack to PREFIX.
    """
    plan_fields = {field.name for field in dataclasses.fields(PackPlan)}
    plan = PackPlan(**{name: value for name, value in options.items() if name in plan_fields})
    with console.progress(None, f"find images in {source}") as progress:
        opened = open_source(
            source,
            root=options["root"],
            label_from=options["label_from"],
            extensions=split_extensions(options["extensions"]),
            decoders=plan.decoders,
            classes=read_classes(options["classes"]) if options["classes"] else None,
            class_from=options["class_from"],
            splits=options["splits"],
            columns=options["columns"],
            transpose=options["transpose"],
            allow_outside=options["allow_outside"],
            progress=progress,
        )
    sources = opened.values() if isinstance(opened, dict) else [opened]
    with console.progress(sum(map(len, sources)), f"pack {prefix.name}") as progress:
        report = pack(opened, prefix, plan=plan, engine=options["engine"], memory=options["memory"], progress=progress)
    print_warnings("recordkit", report)
    if plan.encoding != "raw" and not (any(source.pixels for source in sources) or plan.passes_through(pixels=False)):
        _warn_of_growth(report, console)
    console.report(report.as_json(), *pack_lines(report))
    if not report.ok:
        raise click.exceptions.Exit(1)


def _warn_of_growth(report: PackReport, console: Console) -> None:
    for done in report.sets:
        if done.output_bytes > _MAX_EXPECTED_GROWTH * done.input_bytes + _RECORD_OVERHEAD_BYTES * done.n_packed:
            console.warn(f"{done.prefix}.rec is larger than its images; is re-encoding needed?")
