"""Training logs as MXNet's ``Module.fit`` and Speedometer write them, so that tools for those read them too.

    Epoch[0] Batch [0-100]  Speed: 5312.40 samples/sec  accuracy=0.912500
    Epoch[0] Train-accuracy=0.951233
    Epoch[0] Time cost=11.302
    Epoch[0] Validation-accuracy=0.978100

Epochs are counted from 0 there, as MXNet does; the checkpoint behind Epoch[0] is number 1. Lines of Gluon's examples,
``[Epoch 0] validation: accuracy=0.97``, are read as well.

Source: python/mxnet/module/base_module.py and python/mxnet/callback.py of apache/mxnet 1.9.1.
"""

from __future__ import annotations

import re
from pathlib import Path

from recordkit.errors import FormatError
from recordkit.training.evaluation import Score
from recordkit.training.plan import EpochReport

Curves = dict[str, dict[str, dict[int, float]]]
"""By quantity, as "accuracy"; then "train" or "validation"; then by epoch, counted from 1."""

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
        From 1 on.
    n_batches : int
        So far.
    rate_img_s : float
    score : Score
        Of the epoch so far.
    """
    return (
        f"Epoch[{epoch - 1}] Batch [0-{n_batches}]\tSpeed: {rate_img_s:.2f} samples/sec\t"
        f"accuracy={score.accuracy:.6f}\tcross-entropy={score.loss:.6f}"
    )


def epoch_lines(report: EpochReport) -> list[str]:
    """Return the lines of an epoch."""
    begin = f"Epoch[{report.epoch - 1}]"
    lines = [
        f"{begin} Train-accuracy={report.train.accuracy:.6f}",
        f"{begin} Train-cross-entropy={report.train.loss:.6f}",
        f"{begin} Learning-rate={report.lr:.8f}",
        f"{begin} Time cost={report.seconds:.3f}",
    ]
    if report.val is not None:
        lines.append(f"{begin} Validation-accuracy={report.val.accuracy:.6f}")
        lines.append(f"{begin} Validation-cross-entropy={report.val.loss:.6f}")
    return lines


def read_curves(path: str | Path) -> Curves:
    """Read what a log says of its epochs. Where they begin again, what was said of later ones is forgotten.

    Raises
    ------
    FormatError
        It says nothing of any.
    OSError
        It cannot be read.
    """
    curves: Curves = {}
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        for pattern in _PATTERNS:
            if found := pattern.search(line):
                epoch, part, what, value = found.groups()
                part = "train" if part.lower().startswith("train") else "validation"
                points = curves.setdefault(what, {}).setdefault(part, {})
                for later in [number for number in points if number > int(epoch)]:
                    del points[later]
                points[int(epoch) + 1] = float(value)
    if not curves:
        raise FormatError(
            "expected lines as 'Epoch[0] Train-accuracy=0.95', got none; is it a training log?", path=str(path)
        )
    return curves
