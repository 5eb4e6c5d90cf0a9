"""``recordkit pack``: a folder tree, a .lst or ubyte files to .rec, .idx, .lst and .json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from recordkit.cli.commands.list import split_extensions
from recordkit.cli.program import examples, print_to_stderr, threads_option
from recordkit.cli.progress import progress_bar
from recordkit.codec import ENCODINGS, Channels
from recordkit.native import ENGINES
from recordkit.packing import PackPlan, PackReport, pack
from recordkit.packing.splits import IM2REC_SEED
from recordkit.sources import EXTENSIONS, open_source, read_classes
from recordkit.transforms import FILTERS

# Number of failures to print; PREFIX.failed.tsv lists all of them.
_N_SHOWN = 10
# A pack that grows by more than this factor has usually re-encoded images that were better copied.
_GROWTH_TO_WARN_OF = 1.1

_CHANNELS: dict[str, Channels] = {"3": 3, "1": 1, "keep": "keep"}

# Options that are fields of PackPlan, under the same name.
_PLAN_OPTIONS = (
    "seed", "val_ratio", "test_ratio", "resize", "filter", "center_crop", "encoding", "quality", "labels",
    "exact_labels", "on_error", "threads", "shuffle",
)  # fmt: skip


@click.command(
    "pack",
    epilog=examples(
        "recordkit pack photos/ out/photos --resize 256 --val-ratio 0.1", "recordkit pack mnist/ out/mnist"
    ),
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@click.option("--root", type=click.Path(path_type=Path), help="Folder that the paths of a .lst start from.")
@click.option("--label-from", metavar="REGEX", help="Take labels from file names: the first group of this expression.")
@click.option(
    "--exts", "extensions", default=",".join(EXTENSIONS), metavar="E,E", show_default=True, help="Suffixes of images."
)
@click.option("--classes", type=click.Path(path_type=Path), help="Class map of another split: PREFIX.json, or names.")
@click.option("--resize", type=click.IntRange(1), help="Length of the short side, in pixels.")
@click.option(
    "--filter", type=click.Choice(FILTERS), default="antialias", show_default=True, help="Filter of --resize."
)
@click.option("--center-crop", is_flag=True, help="Keep the central square.")
@click.option("--channels", type=click.Choice([*_CHANNELS]), help="RGB, gray, or as stored.")
@click.option("--encoding", type=click.Choice(ENCODINGS), help="Re-encode; only recordkit reads raw, not MXNet.")
@click.option("--quality", type=int, help="JPEG 1 to 100 [95], PNG level 0 to 9 [3].")
@click.option("--pass-through", is_flag=True, help="Copy the files; the default unless an option needs pixels.")
@click.option("--shuffle/--no-shuffle", default=None, help="By default folders are shuffled and lists are not.")
@click.option("--seed", default=IM2REC_SEED, show_default=True, help="Seed of the shuffle; im2rec uses 100.")
@click.option("--val-ratio", default=0.0, metavar="F", help="Share to put into PREFIX_val.")
@click.option("--test-ratio", default=0.0, metavar="F", help="Share to put into PREFIX_test.")
@click.option("--shards", default=1, type=click.IntRange(1), help="Number of .rec files to cut into.")
@click.option("--labels", type=click.Choice(["all", "first"]), default="all", show_default=True,
              help="Labels to keep of each row.")  # fmt: skip
@click.option("--exact-labels", is_flag=True, help="Keep labels above 2**24 exactly, in PREFIX.labels.npy.")
@click.option("--on-error", type=click.Choice(["report", "skip", "raise"]), default="report", show_default=True,
              help="Bad images are left out: exit 1, exit 0, or stop at the first and write nothing.")  # fmt: skip
@threads_option
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(source: Path, prefix: Path, **options: Any) -> None:
    """Pack SOURCE into PREFIX.rec, .idx, .lst and .json.

    SOURCE is a folder with a folder per class, a folder of images with labels in their names, a .lst file, or a folder
    of MNIST (ubyte) files, which become PREFIX_train and PREFIX_test. Files are copied as they are unless an option
    needs their pixels. All files of a pack appear together when it is complete.
    """
    classes_path = options["classes"]
    opened = open_source(
        source,
        root=options["root"],
        label_from=options["label_from"],
        extensions=split_extensions(options["extensions"]),
        classes=read_classes(classes_path) if classes_path else None,
    )
    plan = PackPlan(
        shards=options["shards"],
        channels=None if options["channels"] is None else _CHANNELS[options["channels"]],
        pass_through=options["pass_through"] or None,
        **{name: options[name] for name in _PLAN_OPTIONS},
    )
    total = sum(map(len, opened.values())) if isinstance(opened, dict) else len(opened)
    with progress_bar(total, f"pack {prefix.name}", quiet=options["as_json"]) as progress:
        report = pack(opened, prefix, plan=plan, engine=options["engine"], progress=progress)
    if options["as_json"]:
        click.echo(json.dumps(report.as_json()))
    else:
        encodes = plan.encoding != "raw" and not (isinstance(opened, dict) or plan.passes_through(pixels=False))
        _show(report, encodes=encodes)
    if not report.ok:
        raise click.exceptions.Exit(1)


def _show(report: PackReport, *, encodes: bool) -> None:
    for warning in report.warnings:
        print_to_stderr("recordkit", f"warning: {warning}")
    for done in report.sets:
        for failure in done.failures[:_N_SHOWN]:
            print_to_stderr("recordkit", f"{failure.name}: {failure.reason}; left out")
        for note, n in done.notes.items():
            print_to_stderr("recordkit", f"warning: {n} images: {note}")
        if encodes and done.bytes_out > _GROWTH_TO_WARN_OF * done.bytes_in + 100 * done.n_packed:
            print_to_stderr(
                "recordkit", f"warning: {done.prefix}.rec is larger than its images; is re-encoding needed?"
            )
        failed = f", {done.n_failed} failed (see {done.failed_path})" if done.n_failed else ""
        click.echo(
            f"{done.prefix}.rec: {done.n_listed} listed, {done.n_packed} packed{failed}; "
            f"{_megabytes(done.bytes_in)} in, {_megabytes(done.bytes_out)} out"
        )
    click.echo(
        f"{report.n_packed} images in {report.duration_s:.1f} s, {report.rate_img_s:.0f} img/s, "
        f"{report.engine} engine, {report.n_threads} threads"
    )


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"
