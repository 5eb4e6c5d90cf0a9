"""``recordkit plot-log``: draw the curves of a training log, of recordkit or of MXNet's scripts."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.console import Console
from recordkit.cli.options import examples, output_options, picture_option
from recordkit.errors import plural
from recordkit.training.results import pictures
from recordkit.training.results.log import read_curves


@click.command(epilog=examples("recordkit plot-log train.log -o curves.png"))
@click.argument("path", metavar="LOG", type=click.Path(path_type=Path))
@picture_option("LOG.png")
@output_options
def command(path: Path, output: Path | None, console: Console) -> None:
    """Draw accuracy, and any other quantity that LOG has for each epoch, of training and validation.

    LOG is the log of recordkit train, or has lines as MXNet's Module.fit and example scripts write them.
    """
    output = output or path.with_suffix(".png")
    pictures.check_suffix(output)
    pictures.require_matplotlib()
    curves = read_curves(path)
    pictures.save(pictures.draw_curves(curves, path.name), output)
    n_epochs = max(epoch for splits in curves.values() for points in splits.values() for epoch in points)
    console.report(
        {"picture": str(output), "quantities": [*curves], "n_epochs": n_epochs},
        f"{output}: {', '.join(curves)} of {plural(n_epochs, 'epoch')}",
    )
