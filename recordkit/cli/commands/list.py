"""The command ``recordkit list``, which writes .lst files from image folders."""

from __future__ import annotations

import json
from pathlib import Path

import click

from recordkit.cli.lists import write_lists
from recordkit.cli.program import examples, print_to_stderr
from recordkit.errors import PlanError
from recordkit.packing.splits import IM2REC_SEED
from recordkit.sources import EXTENSIONS, FlatSource, FolderSource, open_source, read_classes


@click.command(
    "list",
    epilog=examples(
        "recordkit list photos/ data/photos --train-ratio 0.8 --test-ratio 0.1",
        r"recordkit list digits/ data/digits --label-from '_(\d)\.png$'",
    ),
)
@click.argument("root", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@click.option("--label-from", metavar="REGEX", help="Take labels from file names: the first group of this expression.")
@click.option(
    "--exts", "extensions", default=",".join(EXTENSIONS), metavar="E,E", show_default=True, help="Suffixes of images."
)
@click.option("--classes", type=click.Path(path_type=Path), help="Class map of another split: PREFIX.json, or names.")
@click.option("--train-ratio", default=1.0, type=click.FloatRange(0, 1), show_default=True, help="Share for _train.")
@click.option("--test-ratio", default=0.0, type=click.FloatRange(0, 1), show_default=True, help="Share for _test.")
@click.option("--shards", default=1, type=click.IntRange(1), show_default=True, help="Number of lists to cut into.")
@click.option("--shuffle/--no-shuffle", default=True, show_default=True, help="Shuffle the rows.")
@click.option("--seed", default=IM2REC_SEED, show_default=True, help="Seed of the shuffle; im2rec uses 100.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(root: Path, prefix: Path, **options: object) -> None:
    """Write PREFIX.lst from the images in ROOT, as im2rec --list does.

    ROOT has a folder per class, or images with the label in their names (000000_5.jpg). The images in neither
    train nor test go to PREFIX_val.lst. Class names are kept in PREFIX.classes.json.
    """
    classes_path = options["classes"]
    source = open_source(
        root,
        label_from=options["label_from"],  # type: ignore[arg-type]
        extensions=split_extensions(str(options["extensions"])),
        classes=read_classes(classes_path) if isinstance(classes_path, Path) else None,
    )
    if not isinstance(source, (FolderSource, FlatSource)):
        raise PlanError("expected a folder of images", path=str(root), advice="pack ubyte files and lists as they are")
    warnings = write_lists(
        source,
        prefix,
        shards=int(str(options["shards"])),
        train_ratio=float(str(options["train_ratio"])),
        test_ratio=float(str(options["test_ratio"])),
        shuffle=bool(options["shuffle"]),
        seed=int(str(options["seed"])),
        write_classes=True,
    )
    for warning in warnings:
        print_to_stderr("recordkit", f"warning: {warning}")
    n_classes = len(source.classes or {})
    if options["as_json"]:
        facts = {"images": len(source), "classes": source.classes, "warnings": warnings, "failed": len(source.bad)}
        click.echo(json.dumps(facts))
    else:
        click.echo(f"{prefix}: {len(source)} images" + (f" in {n_classes} classes" if n_classes else ""))
    if source.bad:
        raise click.exceptions.Exit(1)


def split_extensions(text: str) -> tuple[str, ...]:
    """Return the suffixes in ``.jpg,png``, each with its dot.

    Examples
    --------
    >>> split_extensions(".jpg,PNG")
    ('.jpg', '.png')
    """
    suffixes = tuple("." + part.strip().lower().lstrip(".") for part in text.split(",") if part.strip())
    if not suffixes:
        raise PlanError(argument="extensions", expected="suffixes such as .jpg,.png", got=repr(text))
    return suffixes
