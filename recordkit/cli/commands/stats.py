"""``recordkit stats``: encodings, sizes, labels, mean and deviation of the images of a .rec file."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.options import examples, output_options, threads_option
from recordkit.cli.terminal import print_message
from recordkit.errors import plural
from recordkit.upkeep.labels.text import label_text
from recordkit.upkeep.look.distribution import Distribution
from recordkit.upkeep.look.labels import LabelSummary
from recordkit.upkeep.look.opening import open_images
from recordkit.upkeep.look.stats import Stats, stats

# Longest table of labels and most damaged images that are printed; --json has up to 1,000.
_N_LABELS_SHOWN = 20
_N_PROBLEMS_SHOWN = 20
_BAR = 24  # characters


sample_option = click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(1),
    help="Number of images to decode: the random choice of 'recordkit subset --sample N'.  [default: all]",
)


@click.command(
    "stats", epilog=examples("recordkit stats out/photos.rec", "recordkit stats out/photos.rec --sample 10000")
)
@click.argument("rec", type=click.Path(path_type=Path))
@sample_option
@threads_option
@output_options
def command(rec: Path, sample: int | None, threads: int, console: Console) -> None:
    """Decode the images of REC and describe them: encodings, JPEG qualities, sizes, labels, mean and deviation.

    The line with Normalize can be pasted into a program; its numbers are for pixels from 0 to 255, and every image
    counts the same, whatever its size. The exit code is 1 if an image does not decode.
    """
    with open_images(rec) as dataset:
        n = min(len(dataset), sample or len(dataset))
        with console.progress(n, f"stats {rec.name}") as progress:
            result = stats(dataset, sample=sample, threads=threads, progress=progress)
    print_stats(result, console)


def print_stats(result: Stats, console: Console) -> None:
    """Print statistics, and exit with 1 if an image does not decode."""
    if not console.as_json:  # the document has them
        for problem in result.problems[:_N_PROBLEMS_SHOWN]:
            print_message("recordkit", str(problem))
        if result.n_problems > _N_PROBLEMS_SHOWN:
            print_message("recordkit", f"and {result.n_problems - _N_PROBLEMS_SHOWN} more")
    console.report(result.as_json(), *_lines(result))
    if result.n_problems:
        raise click.exceptions.Exit(1)


def _lines(result: Stats) -> list[str]:
    more = f" and {plural(result.n_files - 1, 'more file')}" if result.n_files > 1 else ""
    counts = plural(result.n_images, "image")
    if result.n_measured < result.n_samples:
        counts += f", a sample of {plural(result.n_samples, 'record')}"
    if result.n_problems:
        counts += f"; {result.n_problems} do not decode"
    lines = [f"{result.path}{more}: {counts}"]
    lines += _table("encodings", [(name, n) for name, n in result.formats.items()])
    if result.qualities or result.n_unknown_quality:
        lines.append(f"quality    {_quality_text(result)}")
    for name, values in (
        ("width", result.width), ("height", result.height), ("aspect", result.aspect), ("bytes", result.image_bytes),
    ):  # fmt: skip
        lines += [] if values is None else _distribution_lines(name, values)
    lines += _label_lines(result.labels)
    if result.channels is not None:
        low = ", ".join(f"{value / 255:.4f}" for value in result.channels.mean)
        high = ", ".join(f"{value / 255:.4f}" for value in result.channels.std)
        lines += [f"pixels     {result.channels}", f"           from 0 to 1: mean {low}; std {high}"]
    return lines


def _table(heading: str, rows: list[tuple[str, int]]) -> list[str]:
    """Return lines of counts; the first one begins with the heading."""
    return [f"{heading if number == 0 else '':<11}{n:8d}  {name}".rstrip() for number, (name, n) in enumerate(rows)]


def _quality_text(result: Stats) -> str:
    """Return the range and the most frequent of the estimated JPEG qualities."""
    unknown = f"{result.n_unknown_quality} of unknown tables" if result.n_unknown_quality else ""
    if not result.qualities:
        return unknown
    frequent = max(result.qualities, key=lambda quality: result.qualities[quality])
    low, high = min(result.qualities), max(result.qualities)
    known = str(low) if low == high else f"{low} to {high}, most often {frequent}"
    return f"JPEG, estimated: {known}" + (f"; {unknown}" if unknown else "")


def _distribution_lines(name: str, values: Distribution) -> list[str]:
    """Return the range of a quantity, and a bar for each bin of its histogram."""
    digits = 3 if name == "aspect" else 0
    numbers = [f"{value:.{digits}f}" for value in (values.min, values.median, values.mean, values.max)]
    if values.min == values.max:
        return [f"{name:<11}{numbers[0]} each"]
    lines = [f"{name:<11}{numbers[0]} to {numbers[3]}, median {numbers[1]}, mean {numbers[2]}"]
    most = max(values.counts)
    for number, n in enumerate(values.counts):
        bar = "#" * -(-n * _BAR // most)
        lines.append(f"           {values.edges[number]:>11.{digits}f}  {n:8d}  {bar}".rstrip())
    return lines


def _label_lines(labels: LabelSummary) -> list[str]:
    low, high = labels.width
    text = f"{low if low == high else f'{low} to {high}'} per sample, {labels.n_distinct} distinct"
    if labels.range is not None:
        text += f", {label_text(labels.range[0])} to {label_text(labels.range[1])}"
    if labels.n_not_finite:
        text += f"; {labels.n_not_finite} are not finite"
    lines = [f"labels     {text}"]
    if labels.counts is None or len(labels.counts) > _N_LABELS_SHOWN:
        return lines
    return lines + [f"{label_text(count.label):>11}  {count.n:8d}  {count.name}".rstrip() for count in labels.counts]
