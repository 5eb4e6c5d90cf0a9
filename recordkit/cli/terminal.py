"""The terminal: `print_line` alone writes text to it, so that text from outside cannot control it.

File names, class names, descriptions and answers of servers are data: an escape sequence in them would move the cursor,
change the title or hide a line. Such characters are therefore shown as escapes; see `recordkit.errors.printable`. Only
tqdm writes to the terminal besides, and gets its texts from `recordkit.cli.progress` in this form.

Names of folders in the cache, which stand for folders of a store, become the URLs of these.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from recordkit.errors import printable, with_places


def print_line(line: str, *, to_stderr: bool = False) -> None:
    r"""Print one line, and flush it.

    Parameters
    ----------
    line : str
        The text. A line end in it is a character like others, and is escaped.
    to_stderr : bool, default False
        Print to stderr instead of stdout.

    Examples
    --------
    >>> print_line("caf\u00e9\x1b[31m")
    café\x1b[31m
    """
    stream = sys.stderr if to_stderr else sys.stdout
    stream.write(printable(with_places(line)) + "\n")
    stream.flush()


def print_message(program: str, message: str) -> None:
    """Print one line on stderr that begins with the name of the program.

    Parameters
    ----------
    program : str
        Name of the program.
    message : str
        The message; line ends in it become spaces.
    """
    print_line(f"{program}: {' '.join(message.splitlines())}", to_stderr=True)


def replace_lines(lines: Sequence[str], n_before: int) -> int:
    """Print lines on stderr, which is a terminal, in place of the last ones, and return their number.

    Lines that are wider than the terminal are cut. Lines that leave no place for a bar are left out, because the cursor
    does not move up to lines that have been scrolled away.

    Parameters
    ----------
    lines : sequence of str
        The lines; texts are escaped as by `print_line`.
    n_before : int
        Number of lines that the last call returned. The cursor is at the beginning of the line below them.
    """
    n_columns, n_lines = os.get_terminal_size(sys.stderr.fileno())
    shown = [printable(line) for line in lines[: max(n_lines - 2, 0)]]
    text = "".join((line if len(line) <= n_columns else f"{line[: n_columns - 1]}…") + "\n" for line in shown)
    up = f"\x1b[{n_before}A" if n_before else ""
    if up or text:
        sys.stderr.write(f"{up}\x1b[J\x1b[?7l{text}\x1b[?7h")  # erases what is below; wrapping is off, then on
        sys.stderr.flush()
    return len(shown)
