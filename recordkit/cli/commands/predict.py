"""``recordkit predict``: what a trained model says of images."""

from __future__ import annotations

import json
from pathlib import Path

import click

from recordkit.cli.program import examples, threads_option
from recordkit.training.predict import Prediction, Predictor
from recordkit.training.results import pictures

_N_ON_A_SHEET = 64


@click.command(
    epilog=examples(
        "recordkit predict mnist_train-model/mnist seven.png eights/",
        "recordkit predict mnist_train-model/mnist out/mnist_test.rec --sheet predictions.png",
    )
)
@click.argument("model", metavar="MODEL_PREFIX", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--epoch", type=click.IntRange(0, 9999), help="Of the checkpoint.  [the last one]")
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help=f"Draw the first {_N_ON_A_SHEET}; .png.")
@click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True)
@threads_option
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON an image.")
def command(
    model: Path,
    images: tuple[Path, ...],
    epoch: int | None,
    sheet: Path | None,
    device: str,
    threads: int,
    as_json: bool,
) -> None:
    """Say what is on images: label, name of the class, probability.

    IMAGES are files, folders of them, or .rec files. MODEL_PREFIX is the --model-prefix of recordkit train.
    """
    if sheet is not None:
        pictures.check(sheet)
    predictor = Predictor(model, epoch=epoch, device=device, threads=threads)
    shown: list[Prediction] = []
    for one in predictor.predict(images):
        click.echo(json.dumps(_as_json(one, predictor.classes)) if as_json else _line(one, predictor.classes))
        if len(shown) < _N_ON_A_SHEET:
            shown.append(one)
    if sheet is not None:
        titles, wrong = [one.title(predictor.classes) for one in shown], [one.wrong for one in shown]
        pictures.save(pictures.draw_images([one.image for one in shown], titles, wrong, str(model)), sheet)


def _line(one: Prediction, classes: tuple[str, ...]) -> str:
    numbers = " ".join(map(str, one.labels))
    named = "" if one.said(classes) == numbers else f"\t{one.said(classes)}"
    likely = " ".join(f"{value:.4f}" for value in one.probabilities)
    was = f"\tlabel {' '.join(map(str, one.wanted))}" if one.wanted and one.wrong else ""
    return f"{one.name}\t{numbers}{named}\t{likely}{was}"


def _as_json(one: Prediction, classes: tuple[str, ...]) -> dict[str, object]:
    names = [classes[label] for label in one.labels] if len(one.labels) == 1 else None
    facts: dict[str, object] = {
        "image": one.name,
        "labels": one.labels,
        "classes": names,
        "probabilities": one.probabilities,
    }
    return facts if one.wanted is None else facts | {"wanted": one.wanted}
