"""The names of a run's files, PREFIX-ENDING. Its first checkpoint replaces and removes files of these names alone.

    PREFIX-symbol.json       the network
    PREFIX-NNNN.params       the parameters after epoch NNNN, from 0001
    PREFIX-NNNN.states       the state of the optimizer after that epoch (its momentum)
    PREFIX-run.json          the facts about the run, see `recordkit.training.run.record`
    PREFIX-metrics.jsonl     a line of JSON for each epoch, including those before a resume
    PREFIX-summary.json      the options, the SHA-256 of the data, the results
    PREFIX-samples.png       the first training images, augmented
    PREFIX-curves.png        accuracy and loss over the epochs
    PREFIX-confusion.png     the last checkpoint on the validation file; -confusion-1.png and so on with several labels
    PREFIX-predictions.png   predictions of the last checkpoint for images of the validation file, the worst first

The first three are MXNet's names. `recordkit.storage.names.has_ending` allows endings of this form in a set.
"""

from __future__ import annotations

import re

MODEL_FOLDER = "-model"
"""End of the name of the folder in which a model is by default, which begins with the name of its data."""

SYMBOL = "symbol.json"
RECORD = "run.json"
METRICS = "metrics.jsonl"
SUMMARY = "summary.json"

PICTURES = {
    "curves": "accuracy and loss over the epochs",
    "samples": "training images, augmented",
    "confusion": "which classes are taken for which",
    "predictions": "predictions, wrong ones first",
}
"""Names of the pictures, and a line on each for the end of a training."""

RESULTS = (METRICS, SUMMARY, *(f"{name}.png" for name in PICTURES))
"""Endings of the files that describe a run and are not needed to use its model, except those of several labels."""

PARAMS_FILE = re.compile(r"(?P<prefix>.+)-(?P<epoch>\d{4})\.params", re.DOTALL)
"""Regular expression of the names of parameters, with the groups "prefix" and "epoch"."""

_PICTURE = rf"(?P<picture>{'|'.join(PICTURES)})(?:-\d+)?\.png"
_ENDINGS = (r"\d{4}\.(?:params|states)", *map(re.escape, (SYMBOL, RECORD, METRICS, SUMMARY)), _PICTURE)

FILE = re.compile(rf"(?P<prefix>.+)-(?:{'|'.join(_ENDINGS)})", re.DOTALL)
"""Regular expression of the names of all files, with the groups "prefix" and, for pictures, "picture"."""
