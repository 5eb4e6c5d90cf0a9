"""The `recordkit` command: its sub-commands, its error lines and its exit codes.

A command's module is imported when that command is asked for, so ``recordkit --help`` stays quick.
Exit codes: 0 done, 1 the data is at fault, 2 the command line is at fault, 130 interrupted (143 by SIGTERM).
"""

from __future__ import annotations

import importlib
import signal
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from types import FrameType

import click

from recordkit.errors import RecordkitError

# Name, module and one line of help. The line is here so that --help need not import the module.
COMMANDS: dict[str, str] = {
    "list": "Write .lst files from a folder tree or a flat folder of images.",
    "pack": "Pack images into PREFIX.rec, .idx, .lst and .json.",
    "fetch": "Download MNIST or Fashion-MNIST, checked and resumable.",
    "info": "Say what is in a .rec file.",
    "head": "Show the first records of a .rec file.",
    "verify": "Check a .rec file: structure, index, labels, images.",
    "train": "Train the LeNet from a .rec file, with an accuracy gate.",
    "eval": "Measure a trained model on a .rec file.",
    "doctor": "Say what is installed, what is missing and how to get it.",
}


class LazyGroup(click.Group):
    """A click group that imports a command only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names, in the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"recordkit.apps.cli.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("recordkit"), prog_name="recordkit")
def recordkit() -> None:
    """Pack, check and read MXNet RecordIO image datasets, with or without MXNet.

    \b
    Example:
      recordkit pack photos/ out/photos --resize 256
      recordkit verify out/photos.rec
    """


def run(program: Callable[[], None], name: str) -> None:
    """Run a program; turn what a user can cause into one line and an exit code.

    Parameters
    ----------
    program : callable
        The command, without arguments. It may raise anything click, recordkit or the system raises.
    name : str
        What the error lines start with.
    """
    signal.signal(signal.SIGTERM, _terminate)
    # An image over the pixel limit is refused with an error of our own; Pillow's warning would come on top.
    warnings.filterwarnings("ignore", message="Image size .* exceeds limit")
    try:
        program()
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.Abort:
        _fail(name, "interrupted", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except RecordkitError as error:
        _fail(name, str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail(name, "interrupted; nothing was published", 130)
    except Terminated:
        _fail(name, "terminated; nothing was published", 143)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: not an error, but stdout cannot be flushed.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        reason = error.strerror or str(error)
        _fail(name, f"{error.filename}: {reason}" if error.filename else reason, 1)
    except MemoryError:
        _fail(name, "out of memory", 1)


class Terminated(BaseException):
    """SIGTERM came: unwind as for Ctrl-C, so that temporary files are removed."""


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated


def _fail(name: str, message: str, code: int) -> None:
    one_line = " ".join(message.splitlines())
    click.echo(f"{name}: {one_line}", err=True)
    sys.exit(code)


def main() -> None:
    """Run the `recordkit` command (the console script)."""
    run(lambda: recordkit.main(standalone_mode=False, prog_name="recordkit"), "recordkit")
