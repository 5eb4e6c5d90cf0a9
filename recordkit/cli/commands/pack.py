"""The command ``recordkit pack``, which packs a folder, a list or ubyte files into .rec, .idx, .lst, .crc and .json."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from recordkit import codec
from recordkit.cli.console import Console
from recordkit.cli.options import (
    PrefixType,
    examples,
    memory_option,
    output_options,
    threads_option,
    writing_options,
)
from recordkit.cli.pack_options import engine_option, make_plan, plan_options, source_arguments, source_options
from recordkit.cli.pack_report import pack_lines, preview_lines, print_warnings
from recordkit.formats.images import image_header
from recordkit.packing import PackPlan, PackReport, pack, preview_pack
from recordkit.packing.pack import pack_to_store
from recordkit.sample import Source
from recordkit.sources import open_source
from recordkit.storage.remote.urls import is_url

# A pack that grows by more than this factor has usually re-encoded images that were better copied.
_MAX_EXPECTED_GROWTH = 1.1
# Bytes that a record may need in addition to its image: the frame and headers of few labels.
_RECORD_OVERHEAD_BYTES = 100


@click.command(
    "pack",
    epilog=examples(
        "recordkit pack photos/ out/photos --resize 256 --val-ratio 0.1",
        "recordkit pack mnist/ out/mnist",
        "recordkit pack photos/ s3://bucket/photos --shards 8",
        "recordkit pack s3://bucket/photos out/photos --resize 256",
        "recordkit pack gzip/emnist-letters out/letters",
        "recordkit pack digits/ out/digits --label-from '{key:06d}_{label}.png'",
    ),
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("prefix", type=PrefixType())
@source_options
@plan_options
@writing_options
@threads_option
@memory_option
@engine_option
@output_options
def command(source: Path, prefix: Path, console: Console, **options: Any) -> None:
    """Pack SOURCE into PREFIX.rec, .idx, .lst, .crc and .json, or with --shards into several and PREFIX.manifest.json.

    SOURCE is a folder with a folder per class, or with folders called train, val and test that have them, which become
    PREFIX_train and so on; a folder of images with labels in their names, a .lst file, a list of
    another tool if --columns names its columns, or a folder of MNIST (ubyte) files or the beginning of their names,
    which become PREFIX_train and PREFIX_test. A folder and a list may be URLs of an object store. Files are copied as
    they are unless an option needs their pixels. All files of a pack appear together when it is complete, in place of
    those of an earlier pack to PREFIX; other files there stop it, unless --overwrite is given. PREFIX may be the URL of
    an object store, as s3://bucket/photos: nothing there is replaced, and the manifest comes last.
    """
    plan = make_plan(options)
    with console.progress(None, f"find images in {source}") as progress:
        opened = open_source(source, **source_arguments(options, plan), progress=progress)
    if options["dry_run"]:
        preview = preview_pack(opened, prefix, plan=plan, overwrite=options["overwrite"])
        for warning in preview.warnings:
            console.warn(warning)
        console.report(preview.as_json(), *preview_lines(preview))
        return
    sources = opened.values() if isinstance(opened, dict) else [opened]
    with console.progress(sum(map(len, sources)), f"pack {prefix.name}") as progress:
        settings: dict[str, Any] = {
            "plan": plan,
            "engine": options["engine"],
            "memory": options["memory"],
            "progress": progress,
        }
        if is_url(prefix) and not options["overwrite"]:  # `pack` refuses both
            label = f"upload {prefix.name}"
            settings["show_upload"] = lambda n_bytes: console.progress(n_bytes, label, unit="B")
            report = pack_to_store(opened, prefix, **settings)
        else:
            report = pack(opened, prefix, overwrite=options["overwrite"], **settings)
    print_warnings("recordkit", report)
    if plan.encoding != "raw" and not (any(source.pixels for source in sources) or plan.passes_through(pixels=False)):
        _warn_of_growth(report, plan, sources, console)
    console.report(report.as_json(), *pack_lines(report))
    if not report.ok:
        raise click.exceptions.Exit(1)


def _enlarged_size(sources: Iterable[Source], plan: PackPlan) -> str:
    """Return the size of the first image if the plan enlarges it, otherwise ""."""
    for source in sources:
        if plan.resize is None or source.pixels or not len(source):
            continue
        (content,) = source.contents(source.entries([0]))
        header = image_header.read(content, codec.sniff(content)) if isinstance(content, bytes) else None
        if header is not None and min(header.width, header.height) < plan.resize:
            return f"{header.width} x {header.height} pixels"
    return ""


def _warn_of_growth(report: PackReport, plan: PackPlan, sources: Iterable[Source], console: Console) -> None:
    grown = [
        done.prefix
        for done in report.sets
        if done.output_bytes > _MAX_EXPECTED_GROWTH * done.input_bytes + _RECORD_OVERHEAD_BYTES * done.n_packed
    ]
    reason = "; is re-encoding needed?"
    if grown and (size := _enlarged_size(sources, plan)):
        reason = f": --resize {plan.resize} enlarges smaller ones, such as the first, of {size}; is that needed?"
    for prefix in grown:
        console.warn(f"{prefix}.rec is larger than its images{reason}")
