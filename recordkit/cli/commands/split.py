"""``recordkit split``: divide a dataset into several sets, or into shards."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.edit_options import print_report
from recordkit.cli.options import examples, output_options, parse_bytes, threads_option, writing_options
from recordkit.errors import enumerate_some
from recordkit.upkeep import KeyParts, Ratios, Shards, SplitReport, split
from recordkit.upkeep.labels.class_maps import names_by_label, names_of
from recordkit.upkeep.labels.text import named_label_text

# A decimal number or a fraction. An exponent is refused, because a Fraction has all of its digits.
_RATIO = re.compile(r"[-+\d./]{1,20}", re.ASCII)


def parse_ratios(_context: click.Context, _parameter: click.Parameter, text: str | None) -> dict[str, Fraction] | None:
    """Return the parts of an option's ``NAME=RATIO,...``.

    Examples
    --------
    >>> context = click.Context(click.Command("split"))
    >>> parse_ratios(context, click.Option(["--ratios"]), "train=0.75,test=1/4")
    {'train': Fraction(3, 4), 'test': Fraction(1, 4)}
    """
    if text is None:
        return None
    parts: dict[str, Fraction] = {}
    for item in text.split(","):
        name, sign, ratio = item.strip().partition("=")
        try:
            value = Fraction(ratio if _RATIO.fullmatch(ratio) else "")
        except (ValueError, ZeroDivisionError):
            sign = ""
        if not sign or name in parts:
            raise click.BadParameter(f"expected NAME=RATIO of each part, as train=80,val=10,test=10, got {text!r}")
        parts[name] = value
    return parts


def parse_parts(_context: click.Context, _parameter: click.Parameter, text: str | None) -> dict[str, str] | None:
    """Return the parts of an option's ``NAME=KEYS,...``; a part may have several keys and ranges.

    Examples
    --------
    >>> context = click.Context(click.Command("split"))
    >>> parse_parts(context, click.Option(["--keys"]), "train=0:10,20,val=10:20")
    {'train': '0:10,20', 'val': '10:20'}
    """
    if text is None:
        return None
    parts: dict[str, str] = {}
    name = ""
    for item in text.split(","):
        if "=" in item:
            name, _, item = item.partition("=")
            name = name.strip()
        if not name:
            raise click.BadParameter(f"expected NAME=KEYS of each part, as train=0:900,test=900:1000, got {text!r}")
        parts[name] = f"{parts[name]},{item}" if name in parts else item
    return parts


@click.command(
    "split",
    epilog=examples(
        "recordkit split out/photos.rec out/pets --ratios train=0.7,test=0.3 --stratify",
        "recordkit split out/photos.rec out/parts --keys train=:8,test=8:",
        "recordkit split out/photos.rec out/shards --shards 4",
    ),
)
@click.argument("rec", type=click.Path(path_type=Path))
@click.argument("prefix", type=click.Path(path_type=Path))
@click.option(
    "--ratios",
    metavar="NAME=RATIO,...",
    callback=parse_ratios,
    help="Parts at random, as train=80,val=10,test=10 or train=0.8,test=0.2; the numbers are divided by their sum.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="Seed of the random choice."
)
@click.option("--stratify", is_flag=True, help="Divide the records of each first label in the same ratios.")
@click.option(
    "--group-by",
    metavar="GROUP",
    help="Keep records together that have the same label, as label:1; that have near keys, as key//100; or in the path "
    r"of whose images a regular expression finds the same text, as 'name:^(\w+)_'.",
)
@click.option(
    "--keys",
    metavar="NAME=KEYS,...",
    callback=parse_parts,
    help="Parts by keys, as train=0:50000,val=50000:60000; the end of a range is not in it.",
)
@click.option(
    "--shards", type=click.IntRange(1), metavar="N", help="Number of shards, as even in bytes as records allow."
)
@click.option(
    "--shard-bytes", metavar="SIZE", callback=parse_bytes, help="Largest size of a file of shards, as 512M or 2G."
)
@writing_options
@threads_option
@output_options
def command(  # noqa: PLR0913 (one argument for each option)
    rec: Path,
    prefix: Path,
    ratios: dict[str, Fraction] | None,
    seed: int,
    stratify: bool,
    group_by: str | None,
    keys: dict[str, str] | None,
    shards: int | None,
    shard_bytes: int | None,
    overwrite: bool,
    dry_run: bool,
    threads: int,
    console: Console,
) -> None:
    """Divide the samples of REC into new sets, in one of four ways.

    --ratios and --keys name the parts, and write PREFIX_NAME for each. --shards and --shard-bytes write consecutive
    records into PREFIX_0, PREFIX_1 and so on, which PREFIX.manifest.json names as one dataset. Records keep their order
    and their keys. REC stays as it is, and no image is decoded.
    """
    ways = {"--ratios": ratios, "--keys": keys, "--shards": shards, "--shard-bytes": shard_bytes}
    given = [option for option, value in ways.items() if value]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        raise click.UsageError(f"expected one of {', '.join(ways)}, got {got}")
    if not ratios and (stratify or group_by):
        raise click.UsageError(f"{'--stratify' if stratify else '--group-by'} applies to --ratios")
    rule: Ratios | KeyParts | Shards
    if ratios:
        rule = Ratios(ratios, seed=seed, stratify=stratify, group_by=group_by)
    elif keys:
        rule = KeyParts(keys)
    else:
        rule = Shards(max_bytes=shard_bytes) if shard_bytes else Shards(count=shards)
    with console.progress(None, f"split {rec.name}", unit="rec") as progress:
        report = split(rec, prefix, rule, threads=threads, overwrite=overwrite, dry_run=dry_run, progress=progress)
    print_report(console, report, *(_label_lines(report) if dry_run else ()))


def _label_lines(report: SplitReport) -> list[str]:
    lines, names = [], names_by_label(report.classes or {})
    for written, counts in zip(report.sets, report.labels, strict=True):
        if counts:
            texts = [f"{n} of {named_label_text(label, names_of(label, names))}" for label, n in counts.items()]
            lines.append(f"labels of {written.prefix.name}: {enumerate_some(texts, limit=20)}")
    return lines
