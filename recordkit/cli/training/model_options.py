"""Options of the commands that use a trained model: its checkpoint, and its input if there is no record of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from recordkit.cli.options import parse_factor, parse_levels, parse_shape
from recordkit.errors import PlanError, quoted
from recordkit.storage.remote.urls import is_url
from recordkit.training.data.normalization import Normalization
from recordkit.training.model.trained_model import LEVELS_AS_STORED
from recordkit.training.run.checkpoint import Checkpoints


def model_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a model to a command.

    The command gets `epoch`, `shape` and `normalization` for a `recordkit.training.model.trained_model.TrainedModel`.
    """

    @click.option(
        "--load-epoch", "epoch", type=click.IntRange(0, 9999), help="Epoch of the checkpoint.  [default: the last one]"
    )
    @click.option(
        "--data-shape",
        "shape",
        type=parse_shape,
        metavar="C,H,W",
        help="Channels, height and width of the input.  [default: as recordkit train recorded]",
    )
    @click.option(
        "--mean",
        type=parse_levels,
        metavar="N|R,G,B",
        help="Levels of 0 to 255 that become 0, one or three.  [default: as recorded, or 0]",
    )
    @click.option(
        "--std",
        type=parse_levels,
        metavar="N|R,G,B",
        help="Divisors of the levels, one or three.  [default: as recorded, or 1]",
    )
    @click.option(
        "--scale", type=parse_factor, metavar="N|A/B", help="Factor of the levels.  [default: as recorded, or 1]"
    )
    @functools.wraps(command)
    def with_model(
        *arguments: Any,
        mean: tuple[float, ...] | None,
        std: tuple[float, ...] | None,
        scale: float | None,
        **options: Any,
    ) -> None:
        command(*arguments, normalization=_normalization(mean, std, scale), **options)

    return with_model


def check_order(command: str, model_prefix: Path, data: Sequence[Path]) -> None:
    """Refuse a model that is given after its images.

    Parameters
    ----------
    command : str
        Name of the command, for the advice.
    model_prefix : Path
    data : sequence of Path

    Raises
    ------
    PlanError
    """
    if _is_model(model_prefix):
        return
    for path in data:
        if _is_model(path):
            words = [quoted(word) for word in (path, model_prefix, *(other for other in data if other is not path))]
            raise PlanError(
                path=str(model_prefix),
                expected="the prefix of a model",
                got="none, but there is one after it",
                advice=f"run 'recordkit {command} {' '.join(words)}'",
            )


def _is_model(path: Path) -> bool:
    return bool(path.name) and not is_url(path) and bool(Checkpoints(path).epochs())


def _normalization(
    mean: tuple[float, ...] | None, std: tuple[float, ...] | None, scale: float | None
) -> Normalization | None:
    if mean is None and std is None and scale is None:
        return None
    default = LEVELS_AS_STORED
    return Normalization(mean or default.mean, std or default.std, default.scale if scale is None else scale)
