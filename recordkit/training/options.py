"""Options of a training run: help text, range and name, kept in the metadata of dataclass fields.

`TrainPlan`, `Optimizer` and `Augment` describe each of their fields once, with `option`. `check` enforces the ranges
for users of the library, and the command line makes its options from `options_of`. This module knows no command line.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from numbers import Integral, Real
from typing import Any

from recordkit.errors import PlanError


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a training run.

    Attributes
    ----------
    text : str
        Help text, with other arguments between backticks. A default that is no plain value stands at its end, in
        brackets.
    argument : str
        Name of the option in errors and in `TrainPlan.from_options`; the name of the field by default.
    name : str
        Name on the command line, without dashes before it; made from `argument` by default.
    low, high : float, optional
        Smallest and largest value.
    below_high : bool
        `high` itself is not allowed.
    choices : tuple of str
        Allowed values; empty if there is no such list.
    show_default : bool
        The default is a plain value, which the help shows.
    negatable : bool
        The command line can switch the option off as well; for booleans only.
    metavar : str, optional
        Placeholder for the value in the help.
    kind : type
        Type of the value, without None; taken from the field's annotation.
    default : object
        Default of the field; None if it has none.
    """

    text: str
    argument: str = ""
    name: str = ""
    low: float | None = None
    high: float | None = None
    below_high: bool = False
    choices: tuple[str, ...] = ()
    show_default: bool = False
    negatable: bool = True
    metavar: str | None = None
    kind: Any = str
    default: Any = None

    def check(self, value: object) -> None:
        """Refuse a value that is not allowed.

        Raises
        ------
        PlanError
            The value is none of the choices, of another type, or out of range.

        Examples
        --------
        >>> Option("Weight decay.", argument="wd", low=0, kind=float).check(-1.0)
        Traceback (most recent call last):
            ...
        recordkit.errors.PlanError: wd: expected a number from 0 on, got -1.0
        """
        if not self._allows(value):
            raise PlanError(argument=self.argument, expected=self.expected, got=repr(value))

    def _allows(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if self.low is None:
            return True
        if not isinstance(value, Integral if self.kind is int else Real) or not math.isfinite(float(value)):
            return False
        high = math.inf if self.high is None else self.high
        return self.low <= float(value) < high if self.below_high else self.low <= float(value) <= high

    @property
    def expected(self) -> str:
        """The allowed values, as errors name them."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        number = "a whole number" if self.kind is int else "a number"
        if self.high is None:
            return f"{number} from {self.low} on"
        return f"{number} from {self.low} to {'below ' if self.below_high else ''}{self.high}"


def option(text: str, **facts: Any) -> Mapping[str, Option]:
    """Return the metadata of a dataclass field.

    Parameters
    ----------
    text : str
        Help text.
    **facts
        Other attributes of `Option`.
    """
    return {"option": Option(text, **facts)}


def options_of(settings: type) -> Mapping[str, Option]:
    """Return the options of a dataclass by the names of their fields.

    Parameters
    ----------
    settings : type
        A dataclass some of whose fields have the metadata that `option` returns.

    Examples
    --------
    >>> from recordkit.training.optimizer import Optimizer
    >>> options_of(Optimizer)["factor"].name
    'lr-factor'
    """
    hints = typing.get_type_hints(settings)
    options = {}
    for field in fields(settings):
        if template := field.metadata.get("option"):
            argument = template.argument or field.name
            options[field.name] = replace(
                template,
                argument=argument,
                name=template.name or argument.replace("_", "-"),
                kind=_without_none(hints[field.name]),
                default=None if field.default is MISSING else field.default,
            )
    return options


def _without_none(hint: Any) -> Any:
    kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    return kinds[0] if type(None) in typing.get_args(hint) else hint


def check(settings: Any) -> None:
    """Check every option of a dataclass instance; None is allowed where it is the default.

    Raises
    ------
    PlanError
        A value is not allowed.
    """
    for name, field_option in options_of(type(settings)).items():
        value = getattr(settings, name)
        if value is not None or field_option.default is not None:
            field_option.check(value)
