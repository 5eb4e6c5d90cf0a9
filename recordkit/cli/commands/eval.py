"""``recordkit eval``: measure a checkpoint of `recordkit.training` on a packed file."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from recordkit.cli.program import examples, threads_option
from recordkit.training.evaluation import Evaluation, evaluate, gate
from recordkit.training.results.artefacts import as_dict


@click.command(epilog=examples("recordkit eval mnist_train-model/mnist out/mnist_test.rec"))
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
    """Measure a trained model: accuracy and loss, each class, images per second, the time of a batch of 64.

    MODEL_PREFIX is the --model-prefix of recordkit train, REC a .rec file with the labels it was trained for.
    """
    found = evaluate(model, rec, epoch=epoch, device=device, threads=threads)
    score, checkpoint = found.measured.score, f"{model}-{found.epoch:04d}.params"
    if as_json:
        facts = {"checkpoint": checkpoint, "epoch": found.epoch, **(as_dict(score) or {})}
        facts |= {
            "batch_64_ms": round(found.batch_ms, 3),
            "classes": [rows(table) for table in found.measured.confusion],
        }
        click.echo(json.dumps(facts | {"class_names": list(found.classes)}))
    else:
        click.echo(f"{checkpoint} on {rec}: {score}")
        click.echo("\n".join(_lines(found)))
    if min_accuracy is not None:
        gate(score, min_accuracy, f"{checkpoint} on {rec}")


def rows(table: NDArray[np.int64]) -> list[dict[str, float | None]]:
    """Return what a confusion matrix says of each class.

    Examples
    --------
    >>> rows(np.array([[8, 2], [0, 10]]))[0]
    {'label': 0, 'n': 10, 'recall': 0.8, 'precision': 1.0}
    """
    found: list[dict[str, float | None]] = []
    for label, row in enumerate(table):
        right, n, said = int(row[label]), int(row.sum()), int(table[:, label].sum())
        found.append(
            {"label": label, "n": n, "recall": right / n if n else None, "precision": right / said if said else None}
        )
    return found


def _lines(found: Evaluation) -> list[str]:
    several = len(found.measured.confusion) > 1
    lines = [f"a batch of 64, forward only: {found.batch_ms:.2f} ms"]
    for number, table in enumerate(found.measured.confusion, 1):
        names = [str(value) for value in range(len(table))] if several else found.classes
        width = max(5, *map(len, names))
        lines.append(f"{f'label {number}' if several else 'class':{width}}  images  recall  precision")
        for name, row in zip(names, rows(table), strict=True):
            shares = [f"{row[what]:.4f}" if row[what] is not None else "" for what in ("recall", "precision")]
            lines.append(f"{name:{width}}  {row['n']:6,}  {shares[0]:>6}  {shares[1]:>9}")
    return lines
