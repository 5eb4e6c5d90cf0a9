"""The entry point of ``im2rec``, which accepts MXNet's two command lines.

Three arguments before any option begin a command line of the native tool (``LIST ROOT OUT key=value ...``).
Everything else is a command line of im2rec.py (``[options] PREFIX ROOT``).
"""

from __future__ import annotations

import sys

from recordkit.cli.program import run
from recordkit.cli.startup import as_program, import_module


def main() -> None:
    """Run ``im2rec`` with the arguments of the process."""
    arguments = sys.argv[1:]
    with as_program():
        run(lambda: _im2rec(arguments), "im2rec")


def _im2rec(arguments: list[str]) -> object:
    script = import_module("recordkit.cli.im2rec.script", multiplies=False)  # with all that `native` needs
    from recordkit.cli.im2rec import native

    native.check_order(arguments)
    if len(arguments) >= 3 and not any(argument.startswith("-") for argument in arguments[:3]):
        words = ["--", *arguments]  # the native tool has no options
        return native.command.main(args=words, prog_name="im2rec", standalone_mode=False)
    return script.im2rec(arguments)


if __name__ == "__main__":
    main()
