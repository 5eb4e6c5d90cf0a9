"""``recordkit predict``: predict the labels of images with a trained model."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from recordkit.cli.console import Console
from recordkit.cli.options import device_option, examples, output_options, threads_option
from recordkit.cli.training.model_options import check_order, model_options
from recordkit.training.data.adaptation import INVERT
from recordkit.training.data.appearance import Difference
from recordkit.training.predict import Predictor
from recordkit.training.results import pictures
from recordkit.training.results.evaluation_pictures import draw_predictions
from recordkit.training.results.prediction import Prediction, class_name

_N_ON_A_SHEET = 64
# Tiles of a sheet for files that cannot be decoded.
_N_BROKEN = 16
# Options that make an image like the training images, by the respect in which it is unlike them.
_OPTIONS = {
    "background": "--invert auto",
    "polarity": "--invert auto",
    "hidden": "--invert auto",
    "extent": "--center",
    "offset": "--center",
    "shrunk": "--center",
}


@click.command(
    epilog=examples(
        "recordkit predict mnist_train-model/mnist seven.png eights/",
        "recordkit predict mnist_train-model/mnist photos/ --invert auto --center --sheet predictions.png",
    )
)
@click.argument("model_prefix", metavar="MODEL_PREFIX", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@model_options
@click.option(
    "--invert",
    type=click.Choice(INVERT),
    default="never",
    show_default=True,
    help="Invert image files; auto: those dark on light if the training images are light on dark, or the reverse.",
)
@click.option(
    "--center",
    is_flag=True,
    help="Cut the object out of image files; give it the size and place of the training images.",
)
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

    IMAGES are image files, folders of them, and sets: .rec files, prefixes, manifests of shards. All are looked at
    before the first prediction. MODEL_PREFIX is the --model-prefix of recordkit train, or the prefix of a model that
    MXNet's Module or Gluon's export wrote; then --data-shape is needed, and --mean, --std and --scale if its images
    were normalized. With --json there is a line for each image.

    The line of an image that is unlike the training images says in what, for example that it is dark on light or that
    its object is small, and which options may help. A transparent file is laid on the background of the training
    images. The exit code is 1 if a file cannot be decoded.
    """
    check_order("predict", model_prefix, images)
    with contextlib.ExitStack() as stack:
        if sheet is not None:
            pictures.check_suffix(sheet)
            pictures.require_matplotlib()
            stack.enter_context(pictures.folder(sheet.parent))
        predictor = Predictor(model_prefix, **options)
        predictions = predictor.predict(images)
        on_sheet: list[Prediction] = []
        # The lines themselves are the progress if they appear on the terminal.
        progress = Console(quiet=console.quiet or (sys.stdout.isatty() and sys.stderr.isatty()))
        try:
            with contextlib.closing(progress.open_bar(predictor.n_images, "predict")) as bar:
                for prediction in predictions:
                    bar.update(1)
                    names = predictor.class_names
                    to_try = _options_to_try(prediction.unlike, options) if prediction.key is None else []
                    console.report(_as_document(prediction, names, to_try), _as_line(prediction, names, to_try))
                    if len(on_sheet) < _N_ON_A_SHEET:
                        on_sheet.append(prediction)
        finally:  # also after an error, which may be about the last of many files
            if sheet is not None:
                _save_sheet(sheet, on_sheet, predictor, f"predictions of {model_prefix}")
                if sheet.exists():
                    console.note(f"look at {sheet}")


def _save_sheet(path: Path, predictions: list[Prediction], predictor: Predictor, title: str) -> None:
    broken = predictor.broken[:_N_BROKEN]
    if predictions or broken:
        shown = predictions[: _N_ON_A_SHEET - len(broken)]
        pictures.save(draw_predictions(shown, predictor.class_names, title, broken=broken), path)


def _options_to_try(unlike: tuple[Difference, ...], given: Mapping[str, Any]) -> list[str]:
    """Return the options that may help and were not given, in the order of the differences."""
    is_given = {"--invert auto": given["invert"] != "never", "--center": given["center"]}
    options = dict.fromkeys(_OPTIONS[difference.what] for difference in unlike if difference.what in _OPTIONS)
    return [option for option in options if not is_given[option]]


def _as_line(prediction: Prediction, class_names: tuple[str, ...], to_try: list[str]) -> str:
    columns = [prediction.name, class_name(prediction.labels)]
    if prediction.class_name(class_names) != columns[1]:
        columns.append(prediction.class_name(class_names))
    if probabilities := [f"{share:.4f}" for share in prediction.probabilities if share is not None]:
        columns.append(" ".join(probabilities))
    if prediction.differing_labels:
        columns.append(f"label {class_name(prediction.differing_labels)}")
    if prediction.unlike:
        differences = ", ".join(map(str, prediction.unlike))
        columns.append(f"unlike the training images: {differences}" + (f"; try {' '.join(to_try)}" if to_try else ""))
    return "\t".join(columns)


def _as_document(prediction: Prediction, class_names: tuple[str, ...], to_try: list[str]) -> dict[str, object]:
    classes = [class_names[label] if isinstance(label, int) else None for label in prediction.labels]
    has_names = sum(name is not None for name in classes) == 1
    facts: dict[str, object] = {
        "image": prediction.name,
        "labels": prediction.labels,
        "classes": classes if has_names else None,
        "probabilities": prediction.probabilities,
        "unlike": [asdict(difference) for difference in prediction.unlike],
        "try": to_try,
    }
    if prediction.key is not None:
        facts["key"] = prediction.key
    if prediction.true_labels is not None:
        facts["true_labels"] = prediction.true_labels
    return facts
