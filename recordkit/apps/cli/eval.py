"""``recordkit eval``: measure a checkpoint of `recordkit.apps.train` on a packed file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from recordkit.apps.cli.train import as_dict
from recordkit.apps.program import examples, threads_option
from recordkit.apps.train.measure import evaluate, gate


@click.command(epilog=examples("recordkit eval mnist_train-model/lenet out/mnist_test.rec"))
@click.argument("model", metavar="MODEL_PREFIX", type=click.Path(path_type=Path))
@click.argument("rec", type=click.Path(path_type=Path))
@click.option("--epoch", type=click.IntRange(0, 9999), help="Of the checkpoint.  [the last one]")
@click.option("--min-accuracy", type=click.FloatRange(0, 1), help="Exit 1 below this.")
@click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True)
@threads_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path, rec: Path, epoch: int | None, min_accuracy: float | None, device: str, threads: int, as_json: bool
) -> None:
    """Measure a trained model: accuracy, loss and images per second.

    MODEL_PREFIX is the --output of recordkit train, REC a .rec file with one label per image.
    """
    measured, score = evaluate(model, rec, epoch=epoch, device=device, threads=threads)
    checkpoint = f"{model}-{measured:04d}.params"
    if as_json:
        click.echo(json.dumps({"checkpoint": checkpoint, "epoch": measured, **(as_dict(score) or {})}))
    else:
        click.echo(f"{checkpoint} on {rec}: {score}")
    if min_accuracy is not None:
        gate(score, min_accuracy, f"{checkpoint} on {rec}")
