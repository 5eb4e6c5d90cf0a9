"""``recordkit eval``: evaluate a checkpoint of `recordkit.training` on a .rec file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from recordkit.cli.console import Console
from recordkit.cli.options import device_option, examples, output_options, threads_option
from recordkit.cli.training.model_options import check_order, model_options
from recordkit.training.evaluation import Evaluation, evaluate
from recordkit.training.results import pictures
from recordkit.training.results.evaluation_pictures import save_confusion, save_predictions
from recordkit.training.results.run_files import as_dict
from recordkit.training.results.score import require_accuracy


@click.command(
    epilog=examples(
        "recordkit eval mnist_train-model/mnist out/mnist_test.rec",
        "recordkit eval mnist_train-model/mnist out/mnist_test.rec --plots plots/",
        "recordkit eval mxnet/lenet out/mnist_test.rec --load-epoch 3 --data-shape 1,28,28 --scale 1/256",
    )
)
@click.argument("model_prefix", metavar="MODEL_PREFIX", type=click.Path(path_type=Path))
@click.argument("path", metavar="REC", type=click.Path(path_type=Path))
@model_options
@click.option("--min-accuracy", type=click.FloatRange(0, 1), help="Exit 1 if the model is less accurate.")
@click.option(
    "--plots",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for pictures: the confusion, and the worst predictions.",
)
@device_option
@threads_option
@output_options
def command(
    model_prefix: Path,
    path: Path,
    min_accuracy: float | None,
    plots: Path | None,
    console: Console,
    **options: Any,
) -> None:
    """Evaluate a trained model: accuracy and loss, each class, images per second, the time of a batch of 64.

    MODEL_PREFIX is the --model-prefix of recordkit train, REC a .rec file with labels of the same classes. It may also
    be the prefix of a model that MXNet's Module or Gluon's export wrote; then --data-shape is needed, and --mean, --std
    and --scale if its images were normalized. With --plots the pictures are
    DIR/FOLDER-MODEL-EPOCH-REC-confusion.png and -predictions.png, where FOLDER is that of the model.
    """
    check_order("eval", model_prefix, (path,))
    drawn: list[Path] = []
    with contextlib.ExitStack() as stack:
        if plots is not None:
            pictures.require_matplotlib()
            stack.enter_context(pictures.folder(plots))
        evaluation = _evaluate(model_prefix, path, console, options)
        score, checkpoint = evaluation.metrics.score, f"{model_prefix}-{evaluation.epoch:04d}.params"
        if plots is not None:
            subject = f"{Path(checkpoint).name} on {path.name}"
            # Models in several folders often have one name, and an epoch in common.
            folder = model_prefix.absolute().parent.name
            names = (folder, Path(checkpoint).stem, path.name.removesuffix(".rec"))
            prefix = plots / "-".join(filter(None, names))
            drawn = save_confusion(evaluation.metrics, evaluation.target, evaluation.class_names, subject, prefix)
            drawn.append(save_predictions(evaluation.predictions(), evaluation.class_names, subject, prefix))
    facts = {
        "checkpoint": checkpoint,
        "epoch": evaluation.epoch,
        **(as_dict(score) or {}),
        "batch_64_s": round(evaluation.batch_64_s, 6),
        "classes": [class_rows(matrix) for matrix in evaluation.metrics.confusion],
        "class_names": list(evaluation.class_names),
        **({"pictures": list(map(str, drawn))} if drawn else {}),
    }
    look = ["look at", *(f"  {picture}" for picture in drawn)] if drawn else []
    console.report(facts, f"{checkpoint} on {path}: {score}", *_lines(evaluation), *look)
    if min_accuracy is not None:
        require_accuracy(score, min_accuracy, f"{checkpoint} on {path}")


def _evaluate(model_prefix: Path, path: Path, console: Console, options: dict[str, Any]) -> Evaluation:
    with contextlib.closing(console.open_bar(None, f"eval {path.name}")) as bar:

        def progress(n: int, total: int) -> None:
            bar.total = total
            bar.update(n)

        return evaluate(model_prefix, path, progress=progress, **options)


def class_rows(matrix: NDArray[np.int64]) -> list[dict[str, float | None]]:
    """Return recall and precision of each class in a confusion matrix; None if there is no image to divide by.

    Examples
    --------
    >>> class_rows(np.array([[8, 2], [0, 10]]))[0]
    {'label': 0, 'n_images': 10, 'recall': 0.8, 'precision': 1.0}
    """
    rows: list[dict[str, float | None]] = []
    for label, row in enumerate(matrix):
        n_right, n, n_predicted = int(row[label]), int(row.sum()), int(matrix[:, label].sum())
        recall, precision = (n_right / count if count else None for count in (n, n_predicted))
        rows.append({"label": label, "n_images": n, "recall": recall, "precision": precision})
    return rows


def _lines(evaluation: Evaluation) -> list[str]:
    confusion = evaluation.metrics.confusion
    has_several = len(confusion) > 1
    lines = [f"a batch of 64, forward only: {evaluation.batch_64_s * 1000:.2f} ms"]
    for title, matrix in zip(evaluation.target.class_titles, confusion, strict=False):
        names = [str(value) for value in range(len(matrix))] if has_several else evaluation.class_names
        width = max(5, *map(len, [*names, title if has_several else ""]))
        lines.append(f"{title if has_several else 'class':{width}}  images  recall  precision")
        for name, row in zip(names, class_rows(matrix), strict=True):
            shares = [f"{row[share]:.4f}" if row[share] is not None else "" for share in ("recall", "precision")]
            lines.append(f"{name:{width}}  {row['n_images']:6,}  {shares[0]:>6}  {shares[1]:>9}")
    return lines
