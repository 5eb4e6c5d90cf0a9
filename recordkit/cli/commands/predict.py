"""``recordkit predict``: predict the labels of images with a trained model."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import click

from recordkit.cli.console import Console
from recordkit.cli.options import device_option, examples, output_options, threads_option
from recordkit.cli.training.model_options import model_options
from recordkit.training.predict import Prediction, Predictor, class_name
from recordkit.training.results import pictures
from recordkit.training.results.run_files import draw_predictions

_N_ON_A_SHEET = 64


@click.command(
    epilog=examples(
        "recordkit predict mnist_train-model/mnist seven.png eights/",
        "recordkit predict mnist_train-model/mnist out/mnist_test.rec --sheet predictions.png",
    )
)
@click.argument("model_prefix", metavar="MODEL_PREFIX", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@model_options
@device_option
@threads_option
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Picture of the first {_N_ON_A_SHEET} images, as .png, .svg or .pdf.",
)
@output_options
def command(
    model_prefix: Path,
    images: tuple[Path, ...],
    sheet: Path | None,
    console: Console,
    **options: Any,
) -> None:
    """Predict the labels of images: label, name of the class, probability.

    IMAGES are files, folders of them, or .rec files. MODEL_PREFIX is the --model-prefix of recordkit train, or the
    prefix of a model that MXNet's Module or Gluon's export wrote; then --data-shape is needed, and --mean, --std and
    --scale if its images were normalized. With --json there is a line for each image.
    """
    if sheet is not None:
        pictures.check_suffix(sheet)
        pictures.require_matplotlib()
    predictor = Predictor(model_prefix, **options)
    on_sheet: list[Prediction] = []
    # The lines themselves are the progress if they appear on the terminal.
    progress = Console(quiet=console.quiet or (sys.stdout.isatty() and sys.stderr.isatty()))
    with contextlib.closing(progress.open_bar(None, "predict")) as bar:
        for prediction in predictor.predict(images):
            bar.total = predictor.n_images
            bar.update(1)
            names = predictor.class_names
            console.report(_as_document(prediction, names), _as_line(prediction, names))
            if len(on_sheet) < _N_ON_A_SHEET:
                on_sheet.append(prediction)
    if sheet is not None:
        pictures.save(draw_predictions(on_sheet, predictor.class_names, str(model_prefix)), sheet)


def _as_line(prediction: Prediction, class_names: tuple[str, ...]) -> str:
    columns = [prediction.name, class_name(prediction.labels)]
    if prediction.class_name(class_names) != columns[1]:
        columns.append(prediction.class_name(class_names))
    if probabilities := [f"{share:.4f}" for share in prediction.probabilities if share is not None]:
        columns.append(" ".join(probabilities))
    if prediction.differing_labels:
        columns.append(f"label {class_name(prediction.differing_labels)}")
    return "\t".join(columns)


def _as_document(prediction: Prediction, class_names: tuple[str, ...]) -> dict[str, object]:
    classes = [class_names[label] if isinstance(label, int) else None for label in prediction.labels]
    has_names = sum(name is not None for name in classes) == 1
    facts: dict[str, object] = {
        "image": prediction.name,
        "labels": prediction.labels,
        "classes": classes if has_names else None,
        "probabilities": prediction.probabilities,
    }
    if prediction.true_labels is not None:
        facts["true_labels"] = prediction.true_labels
    return facts
