"""The command ``recordkit pack``, which packs a folder, a .lst file or ubyte files into .rec, .idx, .lst and .json."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from recordkit.cli.pack_warnings import print_warnings
from recordkit.cli.program import examples, print_to_stderr, threads_option
from recordkit.cli.progress import progress_bar
from recordkit.cli.source_options import classes_option, extensions_option, label_from_option, split_extensions
from recordkit.codec import ENCODINGS, Channels
from recordkit.native import ENGINES
from recordkit.packing import PackPlan, PackReport, pack
from recordkit.packing.splits import IM2REC_SEED
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
        "recordkit pack photos/ out/photos --resize 256 --val-ratio 0.1", "recordkit pack mnist/ out/mnist"
    ),
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@click.option("--root", type=click.Path(path_type=Path), help="Folder that the paths of a .lst file start from.")
@label_from_option
@extensions_option
@classes_option
@click.option("--resize", type=click.IntRange(1), help="Length of the short side, in pixels.")
@click.option(
    "--filter", type=click.Choice(FILTERS), default="antialias", show_default=True, help="Filter of --resize."
)
@click.option("--center-crop", is_flag=True, help="Keep the central square.")
@click.option(
    "--channels",
    type=click.Choice([name for name in _CHANNELS if name]),
    callback=lambda _context, _option, name: _CHANNELS[name],
    help="3 is RGB, 1 is gray, keep is as stored.",
)
@click.option("--encoding", type=click.Choice(ENCODINGS), help="Re-encode; only recordkit reads raw, not MXNet.")
@click.option("--quality", type=int, help="JPEG quality 1 to 100 [95], or PNG level 0 to 9 [3].")
@click.option(
    "--pass-through", is_flag=True, default=None, help="Copy the files; the default unless an option needs pixels."
)
@click.option("--shuffle/--no-shuffle", default=None, help="By default folders are shuffled and lists are not.")
@click.option("--seed", default=IM2REC_SEED, show_default=True, help="Seed of the shuffle; im2rec uses 100.")
@click.option("--val-ratio", default=0.0, metavar="F", help="Fraction of the samples for PREFIX_val.")
@click.option("--test-ratio", default=0.0, metavar="F", help="Fraction of the samples for PREFIX_test.")
@click.option("--shards", default=1, type=click.IntRange(1), show_default=True, help="Number of .rec files per split.")
@click.option(
    "--labels",
    type=click.Choice(["all", "first"]),
    default="all",
    show_default=True,
    help="Labels to keep of each row.",
)
@click.option("--exact-labels", is_flag=True, help="Keep labels above 2**24 exactly, in PREFIX.labels.npy.")
@click.option(
    "--on-error",
    type=click.Choice(["report", "skip", "raise"]),
    default="report",
    show_default=True,
    help="report leaves bad images out and exits with 1; skip leaves them out and exits with 0; raise stops at the "
    "first and writes nothing.",
)
@threads_option
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(source: Path, prefix: Path, **options: Any) -> None:
    """Pack SOURCE into PREFIX.rec, .idx, .lst and .json.

    SOURCE is a folder with a folder per class, a folder of images with labels in their names, a .lst file, or a folder
    of MNIST (ubyte) files, which become PREFIX_train and PREFIX_test. Files are copied as they are unless an option
    needs their pixels. All files of a pack appear together when it is complete.
    """
    plan_fields = {field.name for field in dataclasses.fields(PackPlan)}
    plan = PackPlan(**{name: value for name, value in options.items() if name in plan_fields})
    opened = open_source(
        source,
        root=options["root"],
        label_from=options["label_from"],
        extensions=split_extensions(options["extensions"]),
        classes=read_classes(options["classes"]) if options["classes"] else None,
    )
    n_samples = sum(map(len, opened.values())) if isinstance(opened, dict) else len(opened)
    with progress_bar(n_samples, f"pack {prefix.name}", quiet=options["as_json"]) as progress:
        report = pack(opened, prefix, plan=plan, engine=options["engine"], progress=progress)
    if options["as_json"]:
        click.echo(json.dumps(report.as_json()))
    else:
        encodes = plan.encoding != "raw" and not (isinstance(opened, dict) or plan.passes_through(pixels=False))
        _print_report(report, encodes=encodes)
    if not report.ok:
        raise click.exceptions.Exit(1)


def _print_report(report: PackReport, *, encodes: bool) -> None:
    print_warnings("recordkit", report)
    for set_report in report.sets:
        max_bytes = _MAX_EXPECTED_GROWTH * set_report.bytes_in + _RECORD_OVERHEAD_BYTES * set_report.n_packed
        if encodes and set_report.bytes_out > max_bytes:
            print_to_stderr(
                "recordkit", f"warning: {set_report.prefix}.rec is larger than its images; is re-encoding needed?"
            )
        failed = f", {set_report.n_failed} failed (see {set_report.failed_path})" if set_report.n_failed else ""
        click.echo(
            f"{set_report.prefix}.rec: {set_report.n_listed} listed, {set_report.n_packed} packed{failed}; "
            f"{_megabytes(set_report.bytes_in)} in, {_megabytes(set_report.bytes_out)} out"
        )
    click.echo(
        f"{report.n_packed} images in {report.duration_s:.1f} s, {report.rate_img_s:.0f} img/s, "
        f"{report.engine} engine, {report.n_threads} threads"
    )


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"
