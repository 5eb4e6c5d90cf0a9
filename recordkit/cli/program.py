"""How every program of recordkit ends: one line for what a user can cause, and an exit code.

0 done, 1 the data is at fault, 2 the command line is at fault, 130 interrupted, 143 terminated (SIGTERM), 129 hung up
(SIGHUP). A reader of the output that goes early (``| head``) changes none of it: what is left to say is not said.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import IO, Any, TextIO

import click

from recordkit.errors import MissingError, PlanError, RecordkitError
from recordkit.threads import MAX_THREADS

# The command line asks for something that contradicts itself or is not installed.
_COMMAND_LINE_ERRORS = (PlanError, MissingError)


def run(program: Callable[[], object], name: str) -> None:
    """Run a program; turn what a user can cause into one line and an exit code.

    Parameters
    ----------
    program : callable
        The command, without arguments. It may raise anything click, recordkit or the system raises.
    name : str
        What the error lines start with.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, _terminate)
    _open_standard_files()
    with _streams_that_last():
        _run(program, name)


def examples(*lines: str) -> str:
    r"""Return the end of a command's help: examples, each on a line of its own.

    Examples
    --------
    >>> examples("recordkit doctor")
    '\x08\nExample:\n  recordkit doctor'
    """
    return "\n  ".join(("\b\nExample:", *lines))  # without the backspace character click would fill the lines


def _run(program: Callable[[], object], name: str) -> None:
    # An image over the pixel limit is refused with an error of our own; Pillow's warning would come on top.
    warnings.filterwarnings("ignore", message="Image size .* exceeds limit")
    warnings.showwarning = lambda message, *_about, **_more: click.echo(f"{name}: warning: {message}", err=True)
    try:
        code = program()  # click hands back the code of an exit it was asked for
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.Abort:
        _fail(name, "interrupted", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except RecordkitError as error:
        _fail(name, error.text(), exit_code(error))
    except KeyboardInterrupt:
        _fail(name, "interrupted", 130)
    except Terminated as end:
        _fail(name, "terminated", 128 + end.args[0])
    except OSError as error:
        reason = error.strerror or str(error)
        _fail(name, f"{error.filename}: {reason}" if error.filename else reason, 1)
    except MemoryError:
        _fail(name, "out of memory", 1)


class CommandError(click.ClickException):
    """An error of the library, in the words of the command that ran: options instead of arguments.

    Parameters
    ----------
    error : RecordkitError
        The error.
    context : click.Context
        The context of the program, whose name begins the line.
    command : click.Command
        The command that ran.
    """

    def __init__(self, error: RecordkitError, context: click.Context, command: click.Command) -> None:
        super().__init__(error.text(functools.partial(option_name, command)))
        self.exit_code = exit_code(error)  # type: ignore[misc]  # click types it as a class variable
        self._program = context.find_root().info_name or "recordkit"

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the error as one line on stderr."""
        tell(self._program, self.message)


class Command(click.Command):
    """A click command whose errors name its options."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RecordkitError as error:
            raise CommandError(error, ctx, self) from error


def exit_code(error: RecordkitError) -> int:
    """Return the exit code for an error of the library.

    Examples
    --------
    >>> exit_code(PlanError("expected one REC, got none"))
    2
    """
    return 2 if isinstance(error, _COMMAND_LINE_ERRORS) else 1


def option_name(command: click.Command, argument: str) -> str:
    """Return what a user of a command types for an argument of the library.

    Parameters
    ----------
    command : click.Command
        The command.
    argument : str
        Name of the argument, alone or with a value: ``threads`` or ``root=photos``.

    Returns
    -------
    text : str
        The option or the metavar. An argument that is no parameter of the command is returned unchanged.

    Examples
    --------
    >>> command = click.Command("pack", params=[click.Option(["--root"]), click.Option(["--shuffle/--no-shuffle"])])
    >>> option_name(command, "root=photos"), option_name(command, "shuffle=False"), option_name(command, "shards")
    ('--root photos', '--no-shuffle', 'shards')
    """
    name, _, value = argument.partition("=")
    parameter = next((parameter for parameter in command.params if parameter.name == name), None)
    if parameter is None:
        return argument
    if isinstance(parameter, click.Argument):
        label = parameter.human_readable_name
    elif value == "False" and parameter.secondary_opts:
        label = max(parameter.secondary_opts, key=len)
    else:
        label = max(parameter.opts, key=len)
    if value in ("False", "None") and not parameter.secondary_opts:
        return f"no {label}"
    if not value or getattr(parameter, "is_flag", False):
        return label
    return f"{label} {value}"


class Terminated(BaseException):
    """SIGTERM or SIGHUP came (its number): unwind as for Ctrl-C, so that temporary files are removed."""


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise Terminated(number)


def _open_standard_files() -> None:
    """Put /dev/null where the caller closed a standard file, so that none of ours takes its place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            silence = os.open(os.devnull, os.O_RDWR)
            if silence != number:
                os.dup2(silence, number)
                os.close(silence)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 (for good)


@contextlib.contextmanager
def _streams_that_last() -> Iterator[None]:
    """Let stdout and stderr take any text, and outlive their readers, while the block runs."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files and classes may hold any character
    sys.stdout, sys.stderr = map(_Lasting, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Lasting:
    """A text stream that goes on in silence when its reader has gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._going_on():
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._going_on():
            self._stream.flush()

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, self._stream.fileno())
            os.close(silence)


threads_option = click.option(
    "--threads",
    type=click.IntRange(0, MAX_THREADS),
    default=0,
    show_default=True,
    help="0: as many as CPUs this process may use.",
)


def parse_shape(text: str | None) -> tuple[int, int, int] | None:
    """Return C, H and W of an option."""
    if text is None:
        return None
    numbers = text.split(",")
    if len(numbers) != 3 or not all(number.strip().isdecimal() for number in numbers):
        raise click.BadParameter(f"expected C,H,W as in 1,28,28, got {text!r}")
    channels, height, width = map(int, numbers)
    return channels, height, width


def tell(name: str, message: str) -> None:
    """Say one thing on stderr, in one line, whatever is in it."""
    one_line = " ".join(message.splitlines())
    click.echo(f"{name}: {one_line}", err=True)


def _fail(name: str, message: str, code: int) -> None:
    tell(name, message)
    sys.exit(code)
