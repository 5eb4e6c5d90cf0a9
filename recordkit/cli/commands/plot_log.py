"""``recordkit plot-log``: the curves of a training log, recordkit's or one as MXNet's scripts write it."""

from __future__ import annotations

from pathlib import Path

import click

from recordkit.cli.program import examples
from recordkit.training.results import pictures
from recordkit.training.results.log import read_curves


@click.command(epilog=examples("recordkit plot-log train.log -o curves.png"))
@click.argument("log", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Picture.  [LOG.png]")
def command(log: Path, output: Path | None) -> None:
    """Draw accuracy, and what else LOG has of each epoch, of training and validation.

    LOG is the log of recordkit train, or has lines as MXNet's Module.fit and example scripts write them.
    """
    output = output or log.with_suffix(".png")
    pictures.check(output)
    curves = read_curves(log)
    pictures.save(pictures.draw_curves(curves, log.name), output)
    n_epochs = max(epoch for parts in curves.values() for points in parts.values() for epoch in points)
    click.echo(f"{output}: {', '.join(curves)} of {n_epochs} epochs")
