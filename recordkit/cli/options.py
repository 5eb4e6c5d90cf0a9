"""Options that several commands share, and the rules for the options of all commands.

Order: what is worked on, and how; then performance (--device, --gpus, --threads, --engine); then output (files,
--json, --quiet); then --help. Words: options of one name have one placeholder, type and help text in all commands. A
help text ends with a full stop, and a default that is no plain value follows it: ``  [default: as the images]``. Every
command has an example. The tests in tests/cli/test_conventions.py check these rules and list the exceptions.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import click

from recordkit.cli.console import Console
from recordkit.memory import parse_size
from recordkit.storage.remote.urls import is_url
from recordkit.threads import MAX_THREADS

threads_option = click.option(
    "--threads",
    type=click.IntRange(0, MAX_THREADS),
    default=0,
    show_default=True,
    help="Number of threads; 0: one for each CPU that this process may use.",
)


class AdvisingCommand(click.Command):
    """A command that says what to give in place of an option of other programs.

    Attributes
    ----------
    advice : mapping of str to str
        What to give, by the option.
    """

    advice: ClassVar[Mapping[str, str]] = {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if advice := self.advice.get(error.option_name):
                raise click.UsageError(f"unexpected option {error.option_name}; {advice}", ctx) from None
            raise


class PrefixType(click.Path):
    """The prefix of a set to write. The end of a URL is checked here, because a `Path` has no slash at its end."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path of a text."""
        if isinstance(value, str) and is_url(value):
            from recordkit.storage.remote.publish import parse_prefix

            parse_prefix(value)
        return super().convert(value, param, ctx)


def parse_bytes(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """Return the number of an option's ``SIZE``, see `recordkit.memory.parse_size`.

    Examples
    --------
    >>> context = click.Context(click.Command("pack"))
    >>> parse_bytes(context, click.Option(["--memory"]), "1.5G")
    1610612736
    """
    if text is None:
        return None
    n_bytes = parse_size(text)
    if n_bytes is None:
        raise click.BadParameter(f"expected a size as 512M or 2G, got {text!r}")
    return n_bytes


_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


def parse_duration(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """Return the seconds of an option's ``TIME``: a number with "s", "m" ("min") or "h", or seconds alone.

    Examples
    --------
    >>> context = click.Context(click.Command("bench"))
    >>> [parse_duration(context, click.Option(["--budget"]), text) for text in ("90s", "1.5m", "2 h", "45")]
    [90.0, 90.0, 7200.0, 45.0]
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+) *([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _SECONDS:
        raise click.BadParameter(f"expected a time as 90s, 3m or 1h, got {text!r}")
    return float(match[1]) * _SECONDS[match[2]]


memory_option = click.option(
    "--memory",
    metavar="SIZE",
    callback=parse_bytes,
    help="Most memory that images may take, as 512M or 2G.  [default: a quarter of the machine's]",
)
device_option = click.option(
    "--device",
    type=click.Choice(["cpu", "gpu"]),
    default="cpu",
    show_default=True,
    help="Processor that computes.",
)


def picture_option(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the option ``--output`` of a command that draws a picture.

    Parameters
    ----------
    default : str
        The default, in words.
    """
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"Picture, as .png, .svg or .pdf.  [default: {default}]",
    )


def writing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--overwrite`` and ``--dry-run``, which every command has that writes a set, lists or an export."""
    overwrite = click.option(
        "--overwrite", is_flag=True, help="Replace all files that are in the way, but never an input."
    )
    dry_run = click.option("--dry-run", is_flag=True, help="Write nothing; report what would be written and removed.")
    return overwrite(dry_run(command))


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--json`` and ``--quiet`` to a command, which gets a `Console` as its argument `console` instead.

    It stands directly above the function, so that these options are the last ones.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print the result on stdout as JSON, and nothing else there.")
    @click.option("--quiet", is_flag=True, help="Print warnings and errors only, and what --json asks for.")
    @functools.wraps(command)
    def with_console(*arguments: Any, as_json: bool, quiet: bool, **options: Any) -> None:
        command(*arguments, console=Console(as_json=as_json, quiet=quiet), **options)

    return with_console


def examples(*lines: str) -> str:
    r"""Return the epilog of a command's help: examples, each on a line of its own.

    Examples
    --------
    >>> examples("recordkit doctor")
    '\x08\nExample:\n  recordkit doctor'
    """
    return "\n  ".join(("\b\nExample:", *lines))  # without the backspace character click would join the lines


def parse_shape(text: str | None) -> tuple[int, int, int] | None:
    """Return channels, height and width from an option's ``C,H,W``, or None if it was not given.

    Examples
    --------
    >>> parse_shape("1,28,28")
    (1, 28, 28)
    """
    if text is None:
        return None
    numbers = text.split(",")
    if len(numbers) != 3 or not all(number.strip().isdecimal() for number in numbers):
        raise click.BadParameter(f"expected C,H,W as in 1,28,28, got {text!r}")
    channels, height, width = map(int, numbers)
    return channels, height, width


def parse_factor(text: str | None) -> float | None:
    """Return the number of an option's ``N`` or ``A/B``, or None if it was not given.

    Examples
    --------
    >>> parse_factor("1/256"), parse_factor("0.5")
    (0.00390625, 0.5)
    """
    if text is None:
        return None
    numerator, slash, denominator = text.partition("/")
    try:
        return float(numerator) / (float(denominator) if slash else 1)
    except (ValueError, ZeroDivisionError):
        raise click.BadParameter(f"expected a number as 0.5 or a fraction as 1/256, got {text!r}") from None


def parse_levels(text: str | None) -> tuple[float, ...] | None:
    """Return the numbers of an option's ``N`` or ``R,G,B``, or None if it was not given.

    Examples
    --------
    >>> parse_levels("123.7,116.8,103.9")
    (123.7, 116.8, 103.9)
    """
    try:
        return None if text is None else tuple(map(float, text.split(",")))
    except ValueError:
        raise click.BadParameter(f"expected numbers as 128 or 123.7,116.8,103.9, got {text!r}") from None
