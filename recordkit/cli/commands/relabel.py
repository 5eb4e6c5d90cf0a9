"""``recordkit relabel``: write a dataset with other labels or class names."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.edit_options import print_report
from recordkit.cli.options import examples, output_options, threads_option, writing_options
from recordkit.cli.pack_options import classes_option, exact_labels_option
from recordkit.errors import FormatError, PlanError
from recordkit.formats.lst import parse_label
from recordkit.upkeep import relabel
from recordkit.upkeep.labels.pairs import read_pairs


def _pairs_option(name: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(name, metavar="OLD=NEW", multiple=True, help=text)


# New class names by the old ones, in an advice of the library.
_NEW_NAMES = re.compile(r"`labels=(\{.*\})`")
_file = click.Path(path_type=Path, dir_okay=False)


@click.command(
    "relabel",
    epilog=examples(
        "recordkit relabel out/photos.rec out/pets --rename cat=pet --rename dog=pet",
        "recordkit relabel out/photos.rec out/shifted --map 0=10 --map 1=11",
        "recordkit relabel out/photos.rec out/corrected --list corrected.lst --classes out/photos.json",
    ),
)
@click.argument("rec", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@click.option("--list", "list_path", type=_file, help="A .lst file with the labels of each key.")
@_pairs_option("--map", "Another label in place of one; may be repeated.")
@click.option("--map-file", type=_file, help="A file with OLD and NEW labels, a tab between them, in each line.")
@_pairs_option("--rename", "Another name of a class; classes with one name become one. May be repeated.")
@click.option("--rename-file", type=_file, help="A file with OLD and NEW names, a tab between them, in each line.")
@classes_option
@click.option("--no-classes", is_flag=True, help="Drop the class names.")
@exact_labels_option
@writing_options
@threads_option
@output_options
def command(  # noqa: PLR0913 (one argument for each option)
    rec: Path,
    prefix: Path,
    list_path: Path | None,
    map: tuple[str, ...],  # noqa: A002 (the name of the option)
    map_file: Path | None,
    rename: tuple[str, ...],
    rename_file: Path | None,
    classes: Path | None,
    no_classes: bool,
    exact_labels: bool,
    overwrite: bool,
    dry_run: bool,
    threads: int,
    console: Console,
) -> None:
    """Write the samples of REC with other labels into the new set PREFIX.

    REC stays as it is, and no image is decoded. The labels come from a list, from a map of labels or from new names of
    classes; labels and names that are not mentioned stay. A class name stays with its records, and takes their new
    label. Labels of a list may mean anything, so a set with class names needs --classes with it, or --no-classes.
    """
    labels = _one_rule(
        list_path,
        _label_pairs(map, map_file),
        _name_pairs(rename, rename_file),
    )
    if not (labels or classes or no_classes or exact_labels):
        raise click.UsageError("expected --list, --map, --rename, --classes, --no-classes or --exact-labels, got none")
    if classes is not None and no_classes:
        raise click.UsageError("--classes and --no-classes exclude each other")
    rules = {"rename": rename, "rename_file": rename_file, "map": map}
    with (
        _naming_option(next((option for option, rule in rules.items() if rule), "map_file")),
        console.progress(None, f"relabel {rec.name}", unit="rec") as progress,
    ):
        report = relabel(
            rec,
            prefix,
            labels,
            classes=None if no_classes else classes or "follow",
            exact_labels=exact_labels,
            overwrite=overwrite,
            dry_run=dry_run,
            threads=threads,
            progress=progress,
        )
    print_report(console, report)


@contextlib.contextmanager
def _naming_option(option: str) -> Iterator[None]:
    """Name the options in an error about the rule, which the library calls `labels`."""
    try:
        yield
    except PlanError as error:
        if error.argument == "labels":
            error.argument = option
        if error.advice is not None:
            error.advice = _NEW_NAMES.sub(_rename_options, error.advice).replace("`labels`", "`list_path`")
        raise


def _rename_options(match: re.Match[str]) -> str:
    return " ".join(f"`rename={old}={new}`" for old, new in ast.literal_eval(match[1]).items())


def _one_rule(
    list_path: Path | None, labels: Mapping[float, float], names: Mapping[str, str]
) -> Path | Mapping[float, float] | Mapping[str, str] | None:
    rules = {"--list": list_path, "--map": labels, "--rename": names}
    given = [option for option, rule in rules.items() if rule]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other")
    return list_path or labels or names or None


def _label_pairs(items: tuple[str, ...], path: Path | None) -> dict[float, float]:
    pairs: dict[float, float] = {}
    for old, new in _name_pairs(items, path).items():
        try:
            pairs[_number(old)] = _number(new)
        except FormatError as error:
            where = f"--map {old}={new}" if path is None else f"{path}"
            raise click.UsageError(f"{where}: {error.problem}; --rename changes class names") from None
    return pairs


def _number(text: str) -> float:
    label = parse_label(text)
    return int(label) if label == int(label) else label


def _name_pairs(items: tuple[str, ...], path: Path | None) -> dict[str, str]:
    pairs = {} if path is None else read_pairs(path)
    for item in items:
        old, sign, new = item.partition("=")
        if not (old and sign and new):
            raise click.UsageError(f"expected OLD=NEW, got {item!r}")
        if pairs.setdefault(old, new) != new:
            raise click.UsageError(f"expected one new value for {old}, got {pairs[old]} and {new}")
    return pairs
