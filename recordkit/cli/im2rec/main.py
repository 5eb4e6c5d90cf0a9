"""The `im2rec` command: tells which of MXNet's two command lines it was given.

Three or more arguments without any option are the native tool's (``LIST ROOT OUT key=value ...``); everything else
is im2rec.py's (``[options] PREFIX ROOT``).
"""

from __future__ import annotations

import sys

from recordkit.cli.im2rec import native, script
from recordkit.cli.program import run


def main() -> None:
    """Run the `im2rec` command (the console script)."""
    arguments = sys.argv[1:]
    if len(arguments) >= 3 and not any(argument.startswith("-") for argument in arguments):
        run(lambda: native.im2rec(arguments), "im2rec")
    else:
        run(lambda: script.im2rec(arguments), "im2rec")


if __name__ == "__main__":
    main()
