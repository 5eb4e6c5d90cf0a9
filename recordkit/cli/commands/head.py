"""``recordkit head``: print the first records of a .rec file."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.commands.info import label_text
from recordkit.cli.console import Console
from recordkit.cli.options import examples, output_options
from recordkit.cli.terminal import print_line
from recordkit.upkeep import RecordInfo, head

# Labels of a record that are printed; --json has all.
_N_LABELS_SHOWN = 8


@click.command("head", epilog=examples("recordkit head out/mnist_train.rec -n 3"))
@click.argument("rec", type=click.Path(path_type=Path))
@click.option("-n", "n", default=10, type=click.IntRange(0), show_default=True, help="Number of records.")
@output_options
def command(rec: Path, n: int, console: Console) -> None:
    """Print offset, key, image format, size and labels of the first records of REC."""
    records = head(rec, n)
    if not (console.as_json or console.quiet):
        print_line(f"{'offset':>10}  {'key':>10}  {'format':6}  {'bytes':>8}  {'size':>11}  labels")
    for record in records:
        key = "-" if record.key is None else record.key
        labels = " ".join(map(label_text, record.labels[:_N_LABELS_SHOWN]))
        if n_more := len(record.labels[_N_LABELS_SHOWN:]):
            labels += f" and {n_more} more"
        line = f"{record.offset:10d}  {key:>10}  {record.format:6}  {record.n_bytes:8d}  {_size(record):>11}  {labels}"
        console.report(record.as_json(), line.rstrip())


def _size(record: RecordInfo) -> str:
    """Return width x height x channels of an image, or type and shape of an array."""
    if record.shape is None:
        return "-"
    return f"{record.dtype} {record.shape}" if record.dtype else "{1} x {0} x {2}".format(*record.shape)
