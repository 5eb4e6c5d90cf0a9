"""``recordkit head``: print the first records of .rec files."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.datasets import Result, for_each_dataset, recs_argument
from recordkit.cli.options import examples, output_options
from recordkit.upkeep import RecordInfo, head
from recordkit.upkeep.labels.text import label_text

# Labels of a record that are printed; --json has all.
_N_LABELS_SHOWN = 8


@click.command("head", epilog=examples("recordkit head out/mnist_train.rec -n 3"))
@recs_argument
@click.option("-n", "n", default=10, type=click.IntRange(0), show_default=True, help="Number of records.")
@output_options
def command(recs: tuple[Path, ...], n: int, console: Console) -> None:
    """Print offset, key, image format, size and labels of the first records of each REC.

    REC is a .rec file, a manifest and so its first shards, the prefix of either, a pattern between quotes, or a folder
    with one dataset. --json prints a line for each record, which begins with the path of its dataset.
    """

    def show(path: Path) -> Result:
        records = head(path, n)
        name = [f"{path}:"] if path not in recs or len(recs) > 1 else []  # there may be several
        title = f"{'offset':>10}  {'key':>10}  {'format':6}  {'bytes':>8}  {'size':>11}  labels"
        documents = [{"path": str(path), **record.as_json()} for record in records]
        lines = [*name, title, *map(_line, records)]
        return Result(documents, lines)

    for_each_dataset(recs, show, console)


def _line(record: RecordInfo) -> str:
    key = "-" if record.key is None else record.key
    labels = " ".join(map(label_text, record.labels[:_N_LABELS_SHOWN]))
    if n_more := len(record.labels[_N_LABELS_SHOWN:]):
        labels += f" and {n_more} more"
    line = f"{record.offset:10d}  {key:>10}  {record.format:6}  {record.n_bytes:8d}  {_size(record):>11}  {labels}"
    return line.rstrip()


def _size(record: RecordInfo) -> str:
    """Return width x height x channels of an image, or type and shape of an array."""
    if record.shape is None:
        return "-"
    return f"{record.dtype} {record.shape}" if record.dtype else "{1} x {0} x {2}".format(*record.shape)
