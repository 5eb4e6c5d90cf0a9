"""Training logs in the format of MXNet's ``Module.fit`` and Speedometer, which MXNet's tools can read.

    Epoch[0] Batch [0-100]  Speed: 5312.40 samples/sec  accuracy=0.912500
    Epoch[0] Train-accuracy=0.951233
    Epoch[0] Time cost=11.302
    Epoch[0] Validation-accuracy=0.978100

MXNet counts epochs from 0: the checkpoint after Epoch[0] is number 1. `read_curves` also reads the lines of Gluon's
examples, ``[Epoch 0] validation: accuracy=0.97``.

Source: python/mxnet/module/base_module.py and python/mxnet/callback.py of apache/mxnet 1.9.1.
"""

from __future__ import annotations

import re
from pathlib import Path

from recordkit.errors import FormatError
from recordkit.formats.files import read_file
from recordkit.training.results.report import EpochReport
from recordkit.training.results.score import Score

Curves = dict[str, dict[str, dict[int, float]]]
"""Values by quantity, such as "accuracy"; then by "train" or "validation"; then by epoch, counted from 1."""

# A run of a day writes some MB.
_MAX_BYTES = 1 << 28
_NUMBER = r"([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf))"
_PATTERNS = (
    re.compile(rf"Epoch\[(\d+)\] (Train|Validation)-([\w-]+)={_NUMBER}"),
    re.compile(rf"\[Epoch (\d+)\] (train|val)\w*[:-] *([\w-]+)[=:] *{_NUMBER}", re.IGNORECASE),
)


def batch_line(epoch: int, n_batches: int, rate_img_s: float, score: Score) -> str:
    """Return Speedometer's line.

    Parameters
    ----------
    epoch : int
        Number of the epoch, from 1.
    n_batches : int
        Batches of the epoch so far.
    rate_img_s : float
        Images per second.
    score : Score
        Score of the epoch so far.
    """
    begin = f"Epoch[{epoch - 1}] Batch [0-{n_batches}]\tSpeed: {rate_img_s:.2f} samples/sec"
    return "\t".join([begin, *(f"{name}={value:.6f}" for name, value in score.quantities().items())])


def epoch_lines(report: EpochReport) -> list[str]:
    """Return the lines of an epoch."""
    begin = f"Epoch[{report.epoch - 1}]"
    lines = [
        *(f"{begin} Train-{name}={value:.6f}" for name, value in report.train.quantities().items()),
        f"{begin} Learning-rate={report.lr:.8f}",
        f"{begin} Time cost={report.duration_s:.3f}",
    ]
    if report.val is not None:
        lines += [f"{begin} Validation-{name}={value:.6f}" for name, value in report.val.quantities().items()]
    return lines


def read_curves(path: str | Path) -> Curves:
    """Read the values of each epoch from a log. If an epoch appears again, the values of later epochs are dropped.

    Raises
    ------
    FormatError
        The log has no values.
    OSError
        The log cannot be read.
    """
    curves: Curves = {}
    for line in read_file(path, max_bytes=_MAX_BYTES, what="a training log").decode(errors="replace").splitlines():
        for pattern in _PATTERNS:
            if match := pattern.search(line):
                epoch, split, quantity, value = match.groups()
                split = "train" if split.lower().startswith("train") else "validation"
                points = curves.setdefault(quantity, {}).setdefault(split, {})
                while points and next(reversed(points)) > int(epoch):  # the numbers of epochs increase
                    points.popitem()
                points[int(epoch) + 1] = float(value)
    if not curves:
        raise FormatError(
            path=str(path),
            expected="lines as 'Epoch[0] Train-accuracy=0.95'",
            got="none",
            advice="is it a training log?",
        )
    return curves
