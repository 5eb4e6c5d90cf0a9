"""Click options for the options of a training run, made from the metadata in `recordkit.training.options`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import click

from recordkit.cli.options import parse_factor, parse_levels, parse_shape
from recordkit.training.augment import Augment
from recordkit.training.data.normalization import Normalization
from recordkit.training.optimizer import Optimizer
from recordkit.training.options import Option, options_of
from recordkit.training.plan import TrainPlan

_Command = TypeVar("_Command", bound=Callable[..., Any])

_NAMES = {
    option.argument: f"--{option.name}"
    for settings in (TrainPlan, Optimizer, Augment, Normalization)
    for option in options_of(settings).values()
}


PERFORMANCE = ("device", "gpu", "threads")
"""Options of `TrainPlan` that change how fast a run is. They follow all others."""


def training_options(
    settings: type, *, only: Collection[str] = (), leave_out: Collection[str] = ()
) -> Callable[[_Command], _Command]:
    """Return a decorator that adds a click option for each option of a dataclass.

    The parameters of the command have the names of the library's arguments, so that an error about an argument can be
    told as one about its option. An option that is not given is None, unless its help shows a default.

    Parameters
    ----------
    settings : type
        `TrainPlan`, `Optimizer`, `Augment` or `Normalization`.
    only, leave_out : collection of str
        Arguments to take or to leave out; by default all are taken.
    """

    def decorate(command: _Command) -> _Command:
        for option in reversed([*options_of(settings).values()]):
            if option.argument not in leave_out and (not only or option.argument in only):
                command = _click_option(option)(command)
        return command

    return decorate


def _click_option(option: Option) -> Callable[[_Command], _Command]:
    name = f"--{option.name}"
    text = re.sub("`([a-z_]+)`", lambda match: _NAMES[match[1]], option.text)
    attributes: dict[str, Any] = {"help": text or None, "metavar": option.metavar, "default": None}
    if option.show_default:
        attributes |= {"default": option.default, "show_default": True}
    if option.kind is bool:
        switch = f"{name}/--no-{option.name}" if option.negatable else name
        return click.option(switch, option.argument, is_flag=True, **attributes)
    return click.option(name, option.argument, type=_type(option), **attributes)


def _type(option: Option) -> Any:
    if option.choices:
        return click.Choice(option.choices)
    if option.argument == "gpu":
        return _parse_gpu
    if option.argument == "scale":
        return parse_factor
    if option.kind in (int, float):
        number_range: Any = click.IntRange if option.kind is int else click.FloatRange
        return number_range(option.low, option.high, max_open=option.below_high)
    types = {
        Path: click.Path(path_type=Path),
        tuple[int, int, int]: parse_shape,
        tuple[int, ...]: _parse_epochs,
        tuple[float, ...]: parse_levels,
    }
    return types.get(option.kind, click.STRING)


def _parse_gpu(text: str) -> int:
    if "," in text:
        raise click.BadParameter(f"expected one GPU, which is what a run uses, got {text}")
    if not text.isdecimal():
        raise click.BadParameter(f"expected the number of a GPU, from 0, got {text!r}")
    return int(text)


def _parse_epochs(text: str) -> tuple[int, ...]:
    numbers = text.split(",")
    if not all(number.strip().isdecimal() for number in numbers):
        raise click.BadParameter(f"expected numbers as in 30,60, got {text!r}")
    return tuple(map(int, numbers))
