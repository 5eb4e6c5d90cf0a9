"""How every program of recordkit ends: one line for what a user can cause, and an exit code.

0 done, 1 the data is at fault, 2 the command line is at fault, 130 interrupted, 143 terminated (SIGTERM).
"""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Callable
from types import FrameType

import click

from recordkit.errors import RecordkitError


def run(program: Callable[[], object], name: str) -> None:
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
        _fail(name, str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail(name, "interrupted", 130)
    except Terminated:
        _fail(name, "terminated", 143)
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
