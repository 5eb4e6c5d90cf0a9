"""The command ``recordkit list``, which writes .lst files from image folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from recordkit.cli.lists import write_lists
from recordkit.cli.program import examples, print_to_stderr
from recordkit.cli.source_options import classes_option, extensions_option, label_from_option, split_extensions
from recordkit.errors import PlanError
from recordkit.packing.splits import IM2REC_SEED
from recordkit.sources import FlatSource, FolderSource, open_source, read_classes


@click.command(
    "list",
    epilog=examples(
        "recordkit list photos/ data/photos --train-ratio 0.8 --test-ratio 0.1",
        r"recordkit list digits/ data/digits --label-from '_(\d)\.png$'",
    ),
)
@click.argument("root", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@label_from_option
@extensions_option
@classes_option
@click.option("--train-ratio", default=1.0, type=click.FloatRange(0, 1), show_default=True, help="Fraction for _train.")
@click.option("--test-ratio", default=0.0, type=click.FloatRange(0, 1), show_default=True, help="Fraction for _test.")
@click.option("--shards", default=1, type=click.IntRange(1), show_default=True, help="Number of lists per split.")
@click.option("--shuffle/--no-shuffle", default=True, show_default=True, help="Shuffle the rows.")
@click.option("--seed", default=IM2REC_SEED, show_default=True, help="Seed of the shuffle; im2rec uses 100.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(root: Path, prefix: Path, **options: Any) -> None:
    """Write PREFIX.lst from the images in ROOT, as im2rec --list does.

    ROOT has a folder per class, or images with the label in their names (000000_5.jpg). The images in neither
    train nor test go to PREFIX_val.lst. Class names are kept in PREFIX.classes.json.
    """
    source = open_source(
        root,
        label_from=options["label_from"],
        extensions=split_extensions(options["extensions"]),
        classes=read_classes(options["classes"]) if options["classes"] else None,
    )
    if not isinstance(source, (FolderSource, FlatSource)):
        raise PlanError(
            path=str(root), expected="a folder of images", got="ubyte files or a list", advice="use 'recordkit pack'"
        )
    warnings = write_lists(
        source,
        prefix,
        shards=options["shards"],
        train_ratio=options["train_ratio"],
        test_ratio=options["test_ratio"],
        shuffle=options["shuffle"],
        seed=options["seed"],
        write_classes=True,
    )
    for warning in warnings:
        print_to_stderr("recordkit", f"warning: {warning}")
    n_classes = len(source.classes or {})
    if options["as_json"]:
        report = {"images": len(source), "classes": source.classes, "warnings": warnings, "failed": len(source.bad)}
        click.echo(json.dumps(report))
    else:
        click.echo(f"{prefix}: {len(source)} images" + (f" in {n_classes} classes" if n_classes else ""))
    if source.bad:
        raise click.exceptions.Exit(1)
