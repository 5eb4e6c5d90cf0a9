"""How every program of recordkit ends: an exit code, and one line for an error.

Exit codes: 0 success; 1 the data is at fault; 2 the command line is at fault or needs something that is not installed;
129 SIGHUP; 130 interrupted; 143 SIGTERM. A signal after a set was published finds it written, so the line names it. A
reader of the output that exits early (``| head``) does not change the exit code: the rest of the output is discarded.

The library names its arguments in an error, and `option_name` replaces them by the options of the command that ran.
click's errors about the command line get the form of all others, in `usage_error_text`.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import click

from recordkit.cli.terminal import print_line, print_message
from recordkit.errors import MissingError, PlanError, RecordkitError, enumerate_some, quoted
from recordkit.storage.published_sets import published_sets

_COMMAND_LINE_ERRORS = (PlanError, MissingError)  # exit code 2; every other error of the library has 1

# Undoes the changes that `run` makes to the process.
_settings = contextlib.ExitStack()


def run(program: Callable[[], object], name: str) -> None:
    """Run a program and exit; an error that a user can cause becomes one line and an exit code.

    Parameters
    ----------
    program : callable
        The command, without arguments. It may raise anything that click, recordkit or the system raises.
    name : str
        Name of the program, which begins each error line.
    """
    atexit.unregister(_ignore_interrupts)
    atexit.register(_ignore_interrupts)
    with _settings:
        _unwind_at_signals()
        _open_standard_files()
        _make_output_robust()
        _show_warnings_as_lines(name)
        _run(program, name)


def _ignore_interrupts() -> None:
    """Ignore Ctrl-C while Python ends, because the result is printed and the exit code is chosen."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def restore_process() -> None:
    """Restore the signals, the standard streams and the warnings that Python began with.

    A command calls this before it runs a script of the user, which expects them.
    """
    _settings.close()


def _run(program: Callable[[], object], name: str) -> None:
    with published_sets() as published:
        _run_and_exit(program, name, published)


def _run_and_exit(program: Callable[[], object], name: str, published: list[Path]) -> None:
    try:
        code = program()  # click returns the code of click.exceptions.Exit
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail(name, f"interrupted{_written_text(published)}", 130)
    except click.ClickException as error:
        text = usage_error_text(error) if isinstance(error, click.UsageError) else error.format_message()
        _fail(name, text, error.exit_code)
    except RecordkitError as error:
        _fail(name, error.text(), exit_code(error))
    except TerminationSignal as end:
        _fail(name, f"terminated{_written_text(published)}", 128 + end.number)
    except OSError as error:
        _fail(name, error_text(error), 1)
    except MemoryError:
        _fail(name, "out of memory", 1)
    except Exception:  # noqa: BLE001 (a fault of recordkit; Python would print its traceback as it is)
        import traceback  # few runs need it

        for line in traceback.format_exc().splitlines():
            print_line(line, to_stderr=True)
        sys.exit(1)


def _written_text(published: list[Path]) -> str:
    """Return what an interrupted program has written, because to run it again would fail or write it twice."""
    if not published:
        return ""
    return f"; {enumerate_some([*map(str, published)])} {'was' if len(published) == 1 else 'were'} written before"


class CommandError(click.ClickException):
    """An error of the library in the words of the command line: options instead of arguments.

    Parameters
    ----------
    error : RecordkitError
        The error.
    command : click.Command
        The command that ran.
    """

    def __init__(self, error: RecordkitError, command: click.Command) -> None:
        super().__init__(error.text(functools.partial(option_name, command)))
        self.exit_code = exit_code(error)  # type: ignore[misc]  # click types it as a class variable


class Command(click.Command):
    """A click command whose errors name its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; too many are named."""
        if not ctx.resilient_parsing:
            _parse_and_count(ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RecordkitError as error:
            raise CommandError(error, self) from error


class Group(click.Group):
    """A group of click commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments before the command; without any, print the help and exit with 2.

        ``help COMMAND`` is ``COMMAND --help``.
        """
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        if not args and not ctx.resilient_parsing:
            for line in ctx.get_help().splitlines():
                print_line(line, to_stderr=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown name is an error that names the nearest one."""
        names = self.list_commands(ctx)
        if args[0] not in names and not ctx.resilient_parsing:
            raise click.UsageError(f"unexpected command {args[0]}{_nearest(args[0], names)}", ctx)
        name, command, words = super().resolve_command(ctx, args)
        if command is not None and not isinstance(command, click.Group) and not ctx.resilient_parsing:
            _check_arguments(click.Context(command, ctx, name, **command.context_settings), words)
        return name, command, words


def _check_arguments(ctx: click.Context, words: list[str]) -> None:
    """Refuse too many arguments of a command, and empty ones.

    An empty path would be the current folder. A shell gives one for a variable that is not set.

    Raises
    ------
    click.UsageError
    """
    given = _parse_and_count(ctx, words)
    for argument in _arguments(ctx.command):
        value = given.get(argument.name)
        if argument.nargs == -1 and not ctx.allow_interspersed_args:
            continue  # these are the arguments of another program
        if value == "" or (isinstance(value, tuple | list) and "" in value):
            problem = f"expected a name for {_label(argument)}, got an empty one"
            raise click.UsageError(f"{problem}; is a variable of the shell not set?", ctx)


def _parse_and_count(ctx: click.Context, words: list[str]) -> dict[str, Any]:
    """Return the words of a command by its parameters, none if it will refuse them or is asked for its help.

    Raises
    ------
    click.UsageError
        There are too many arguments.
    """
    try:
        given, rest, _ = ctx.command.make_parser(ctx).parse_args(list(words))
    except click.UsageError:
        return {}  # the command raises it again
    if any(option.is_eager and option.name in given for option in ctx.command.get_params(ctx)):
        return {}  # the help is asked for
    if rest:
        arguments = _arguments(ctx.command)
        taken, too = (" and ".join(map(_label, arguments)), " too") if arguments else ("no argument", "")
        raise click.UsageError(f"expected {taken}, got {enumerate_some(rest, limit=3)}{too}", ctx)
    return dict(given)


def _arguments(command: click.Command) -> list[click.Argument]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Argument)]


def _nearest(word: str, names: Iterable[str]) -> str:
    """Return the end of an error about a word that is none of some names: the nearest of them, or "".

    All suggestions of commands and options come from here, because versions of click differ in theirs.

    Examples
    --------
    >>> _nearest("verfy", ["view", "verify"]), _nearest("--reszie", ["--resize"]), _nearest("--root", ["--color"])
    ("; did you mean 'verify'?", "; did you mean '--resize'?", '')
    """
    from difflib import get_close_matches

    by_word = {name.lstrip("-"): name for name in sorted(names)}  # dashes would make all options similar
    word = word.lstrip("-")
    similar = get_close_matches(word, by_word, n=1) or [name for name in by_word if word and name.startswith(word)]
    return f"; did you mean '{by_word[similar[0]]}'?" if similar else ""


def error_text(error: RecordkitError | OSError) -> str:
    """Return the line for an error of the library or of the system.

    Examples
    --------
    >>> error_text(PermissionError(13, "Permission denied", "a.rec"))
    'a.rec: Permission denied'
    """
    if isinstance(error, RecordkitError):
        return error.text()
    reason = error.strerror or str(error)
    if error.errno == errno.EMFILE:
        reason += "; raise the limit of open files, as 'ulimit -n 4096' does"
    return f"{error.filename}: {reason}" if error.filename else reason


def exit_code(error: RecordkitError) -> int:
    """Return the exit code for an error of the library.

    Examples
    --------
    >>> exit_code(PlanError("expected one REC, got none"))
    2
    """
    return 2 if isinstance(error, _COMMAND_LINE_ERRORS) else 1


def option_name(command: click.Command, argument: str) -> str:
    """Return the option of a command for an argument of the library.

    Parameters
    ----------
    command : click.Command
        The command.
    argument : str
        Name of the argument, alone or with a value: ``threads`` or ``root=photos``.

    Returns
    -------
    text : str
        The longest spelling of the option with its value, quoted for the shell, or the metavar of a click argument. A
        name that is no parameter of the command is returned unchanged.

    Examples
    --------
    >>> command = click.Command("pack", params=[click.Option(["--root"]), click.Option(["--shuffle/--no-shuffle"])])
    >>> option_name(command, "root=photos"), option_name(command, "shuffle=False"), option_name(command, "shards")
    ('--root photos', '--no-shuffle', 'shards')
    >>> print(option_name(command, "root=my photos"))
    --root "my photos"
    """
    name, _, value = argument.partition("=")
    parameters = {parameter.name: parameter for parameter in command.params}
    is_off = value in ("False", "None")
    if is_off and f"no_{name}" in parameters:
        return _label(parameters[f"no_{name}"])
    parameter = parameters.get(name)
    if parameter is None:
        return argument
    label = _label(parameter, is_off=is_off)
    if is_off and not parameter.secondary_opts:
        return f"no {label}"
    takes_value = not getattr(parameter, "is_flag", False)
    value = value.strip('"')
    return f"{label} {quoted(value)}" if value and takes_value else label


def _label(parameter: click.Parameter, *, is_off: bool = False) -> str:
    if isinstance(parameter, click.Argument):
        return parameter.human_readable_name.removesuffix("...")
    return max((is_off and parameter.secondary_opts) or parameter.opts, key=len)


def usage_error_text(error: click.UsageError) -> str:
    """Return the text of an error of the command line: what is wrong, what may have been meant, where the help is.

    Parameters
    ----------
    error : click.UsageError
        An error of click, or one that recordkit raises itself, with a text that begins in lower case.

    Examples
    --------
    >>> command = click.Command("pack", params=[click.Option(["--resize"])])
    >>> pack = click.Context(command, info_name="recordkit pack")
    >>> usage_error_text(click.NoSuchOption("--reszie", ctx=pack))
    "unexpected option --reszie; did you mean '--resize'?; see 'recordkit pack --help'"
    """
    parts = [error.message.rstrip(".")]
    if isinstance(error, click.NoSuchOption):
        parameters = error.ctx.command.get_params(error.ctx) if error.ctx else []
        names = [name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)]
        options = [name for name in names if name.startswith("--")]
        parts = [f"unexpected option {error.option_name}{_nearest(error.option_name, options)}"]
    elif isinstance(error, click.MissingParameter) and error.param is not None:
        parts = [f"{_label(error.param)} is missing"]
    elif isinstance(error, click.BadParameter) and error.param is not None:
        parts = [f"{_label(error.param)}: {_with_number(parts[0], error.param.type.name)}"]
    else:
        parts = [parts[0][:1].lower() + parts[0][1:]]
    if error.ctx is not None:
        parts.append(f"see '{error.ctx.command_path} --help'")
    return "; ".join(parts)


def _with_number(text: str, type_name: str) -> str:
    """Return a text of click about a number in words: "a number" instead of "a valid float range".

    Examples
    --------
    >>> _with_number("'0,1' is not a valid float range", "float range")
    "'0,1' is not a number"
    """
    number = {"float": "a number", "integer": "a whole number"}.get(type_name.removesuffix(" range"))
    return text.replace(f"a valid {type_name}", number) if number else text


class TerminationSignal(BaseException):
    """SIGTERM or SIGHUP arrived. It unwinds the program as Ctrl-C does, so that temporary files are removed.

    Parameters
    ----------
    number : int
        Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _unwind_at_signals() -> None:
    """Let SIGTERM and SIGHUP raise an exception."""
    for number in {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:  # Windows has no SIGHUP
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
            _settings.callback(signal.signal, number, signal.signal(number, _terminate))


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise TerminationSignal(number)


def _open_standard_files() -> None:
    """Open /dev/null for each standard file that the caller closed, so that no other file gets its descriptor."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 (open until the process ends)
            setattr(sys, name, stream)


def _make_output_robust() -> None:
    """Let stdout and stderr accept any text, and survive a closed pipe."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        _settings.callback(setattr, sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            _settings.callback(stream.reconfigure, errors=stream.errors)
            stream.reconfigure(errors="backslashreplace")  # file and class names may hold any character
        tolerant = _PipeTolerantStream(stream)
        setattr(sys, name, tolerant)
        _settings.callback(tolerant.flush)


def _show_warnings_as_lines(name: str) -> None:
    _settings.enter_context(warnings.catch_warnings())
    # recordkit raises its own error for an image over the pixel limit, so Pillow's warning would say it twice.
    warnings.filterwarnings("ignore", message="Image size .* exceeds limit")
    warnings.showwarning = lambda message, *_location, **_output: print_message(name, f"warning: {message}")


class _PipeTolerantStream:
    """A text stream that discards its output after the reader has closed the pipe."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._discarding_after_close():
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._discarding_after_close():
            self._stream.flush()

    @contextlib.contextmanager
    def _discarding_after_close(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
        except OSError as error:
            raise OSError(error.errno, error.strerror, error.filename or self._stream.name.strip("<>")) from error


def _fail(program: str, message: str, code: int) -> None:
    print_message(program, message)
    sys.exit(code)
