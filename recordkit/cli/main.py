"""The `recordkit` command: its sub-commands, its error lines and its exit codes.

A command's module is imported when that command is asked for, so ``recordkit --help`` stays quick.
Exit codes are those of `recordkit.cli.program`.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from recordkit.cli.program import CommandError, examples, run
from recordkit.errors import RecordkitError
from recordkit.version import __version__

# Name, module and one line of help. The line is here so that --help need not import the module.
COMMANDS: dict[str, str] = {
    "list": "Write .lst files from a folder tree or a flat folder of images.",
    "pack": "Pack images into PREFIX.rec, .idx, .lst and .json.",
    "fetch": "Download MNIST or Fashion-MNIST, checked and resumable.",
    "info": "Say what is in a .rec file.",
    "head": "Show the first records of a .rec file.",
    "verify": "Check a .rec file: structure, index, labels, images.",
    "bench": "Measure how fast a .rec file is loaded, beside MXNet and others.",
    "train": "Train a LeNet, or a network of your own, from a .rec file or a folder.",
    "eval": "Measure a trained model on a .rec file.",
    "predict": "Say what a trained model sees on images.",
    "plot-log": "Draw the curves of a training log.",
    "plot-net": "Draw the network of a trained model.",
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
        command: click.Command = importlib.import_module(_module(cmd_name)).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; its errors name its options."""
        try:
            return super().invoke(ctx)
        except RecordkitError as error:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            if command is None:  # the group itself failed
                raise
            raise CommandError(error, ctx, command) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _module(name: str) -> str:
    return f"recordkit.cli.commands.{name.replace('-', '_')}"


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("recordkit pack photos/ out/photos --resize 256", "recordkit verify out/photos.rec"),
)
@click.version_option(__version__, prog_name="recordkit")
def recordkit() -> None:
    """Pack, check and read MXNet RecordIO image datasets, with or without MXNet."""


def main() -> None:
    """Run the `recordkit` command (the console script)."""
    run(lambda: recordkit.main(standalone_mode=False, prog_name="recordkit"), "recordkit")
