"""The command ``recordkit list``, which writes .lst files from image folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recordkit.cli.console import Console, old_file_lines
from recordkit.cli.lists import write_lists
from recordkit.cli.options import examples, output_options, writing_options
from recordkit.cli.pack_options import (
    class_from_option,
    classes_option,
    extensions_option,
    label_from_option,
    ratio_option,
    seed_option,
    shards_option,
    split_extensions,
    splits_option,
)
from recordkit.errors import PlanError, SourceError, plural
from recordkit.formats.files import not_found
from recordkit.sample import Source
from recordkit.sources import open_source, read_classes
from recordkit.sources.image_tree import Progress
from recordkit.sources.mnist.folders import list_arrays
from recordkit.storage.names import refuse_file_name
from recordkit.storage.remote.urls import is_url
from recordkit.storage.staging import check_prefix


@click.command(
    "list",
    epilog=examples(
        "recordkit list photos/ data/photos --train-ratio 0.8 --test-ratio 0.1",
        "recordkit list s3://bucket/photos data/photos",
        "recordkit list digits/ data/digits --label-from '{key:06d}_{label}.png'",
        r"recordkit list digits/ data/digits --label-from '_(\d)\.png$'",
    ),
)
@click.argument("root", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@label_from_option
@class_from_option
@splits_option
@extensions_option
@classes_option
@click.option("--shuffle/--no-shuffle", default=True, show_default=True, help="Shuffle the samples.")
@seed_option
@ratio_option("train")
@ratio_option("val")
@ratio_option("test")
@shards_option
@writing_options
@output_options
def command(root: Path, prefix: Path, console: Console, **options: Any) -> None:
    """Write PREFIX.lst from the images in ROOT, as im2rec --list does.

    ROOT has a folder per class, or images with the label in their names (000000_5.jpg). With --train-ratio the images
    in neither train nor test go to PREFIX_val.lst, as in im2rec; with --val-ratio those in neither val nor test go to
    PREFIX_train.lst, as in recordkit pack. If ROOT has folders called train, val and test, each has its list. Class
    names are kept in PREFIX.classes.json. ROOT may be the URL of a folder in an object store. A list of another content
    stops it, unless --overwrite is given.
    """
    val_ratio = options["val_ratio"]
    _check(prefix, options["train_ratio"], val_ratio, options["test_ratio"])
    with console.progress(None, f"find images in {root}") as progress:
        source = _open(root, progress, options)
    sources = source if isinstance(source, dict) else {"": source}
    written = write_lists(
        source,
        prefix,
        shards=options["shards"],
        train_ratio=max(1 - val_ratio - options["test_ratio"], 0) if val_ratio else options["train_ratio"],
        test_ratio=options["test_ratio"],
        shuffle=options["shuffle"],
        seed=options["seed"],
        write_classes=True,
        overwrite=options["overwrite"],
        inputs=[options["classes"]] if options["classes"] else [],
        dry_run=options["dry_run"],
    )
    for warning in written.warnings:
        console.warn(warning)
    bad = [entry for each_source in sources.values() for entry in each_source.bad]
    classes = next(iter(sources.values())).classes
    report = {
        "prefix": str(prefix),
        "dry_run": options["dry_run"],
        "n_images": sum(map(len, sources.values())),
        "n_failed": len(bad),
        "classes": classes,
        "files": list(map(str, written.files)),
        "replaced": list(map(str, written.replaced)),
        "removed": list(map(str, written.removed)),
        "warnings": written.warnings,
    }
    in_classes = f" in {plural(len(classes), 'class')}" if classes else ""
    lines = [
        f"{prefix}{'_' * bool(name)}{name}: {plural(len(each_source), 'image')}{in_classes}"
        for name, each_source in sources.items()
    ]
    if options["dry_run"]:
        lines += [f"{path}: would be written" for path in written.files if path not in written.replaced]
        lines += old_file_lines(written.replaced, written.removed)
    console.report(report, *lines)
    if bad:
        raise click.exceptions.Exit(1)


def _open(root: Path, progress: Progress | None, options: dict[str, Any]) -> Source | dict[str, Source]:
    """Open a folder of images, and refuse what only ``recordkit pack`` takes."""
    if not is_url(root):
        _refuse_other_files(root)
    source = open_source(
        root,
        label_from=options["label_from"],
        extensions=split_extensions(options["extensions"]),
        classes=read_classes(options["classes"]) if options["classes"] else None,
        class_from=options["class_from"],
        splits=options["splits"],
        progress=progress,
    )
    sources = source.values() if isinstance(source, dict) else [source]
    if any(each_source.pixels for each_source in sources):
        raise _ubyte_error(root)
    for argument, default in (("train_ratio", 1), ("val_ratio", 0), ("test_ratio", 0), ("shards", 1)):
        if isinstance(source, dict) and options[argument] != default:
            message = "the folder has splits of its own"
            raise PlanError(message, path=str(root), argument=argument, advice="leave it out")
    return source


def _refuse_other_files(root: Path) -> None:
    """Refuse a path of this machine that is no folder of images."""
    if not root.exists():
        raise not_found(root, "a folder of images")
    if not root.is_dir():
        raise SourceError(path=str(root), expected="a folder of images", got="a file")
    if list_arrays(root).arrays:
        raise _ubyte_error(root)


def _ubyte_error(root: Path) -> SourceError:
    advice = "they need no list, 'recordkit pack' reads them"
    return SourceError(path=str(root), expected="a folder of images", got="ubyte files", advice=advice)


def _check(prefix: Path, train_ratio: float, val_ratio: float, test_ratio: float) -> None:
    """Refuse what im2rec accepts, but what nobody can mean."""
    refuse_file_name(prefix)
    check_prefix(prefix)
    if val_ratio and train_ratio < 1:
        raise PlanError("`train_ratio` and `val_ratio`", expected="one of them", got="both")
    for name, ratio in (("train_ratio", train_ratio if train_ratio < 1 else 0), ("val_ratio", val_ratio)):
        if ratio and ratio + test_ratio > 1:
            got = f"{ratio} and {test_ratio}"
            raise PlanError(f"`{name}` and `test_ratio`", expected="a sum of at most 1", got=got)
