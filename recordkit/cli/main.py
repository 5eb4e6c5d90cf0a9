"""The `recordkit` command: the group of its sub-commands.

A command's module is imported only when that command runs, so that ``recordkit --help`` is fast. Error lines and exit
codes are in `recordkit.cli.program`.
"""

from __future__ import annotations

import keyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recordkit.cli.options import examples, parse_bytes
from recordkit.cli.program import CommandError, Group, run
from recordkit.cli.startup import import_module
from recordkit.errors import RecordkitError
from recordkit.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# One line of help for each command. It is here, because --help must not import the command's module.
COMMANDS: dict[str, str] = {
    "list": "Write .lst files from a folder tree or a flat folder of images.",
    "pack": "Pack images into PREFIX.rec, .idx, .lst, .crc and .json.",
    "export": "Write the images of a .rec file as files, or in another format.",
    "import": "Pack a dataset of another format, such as one that export wrote.",
    "fetch": "Download MNIST or Fashion-MNIST and check its bytes.",
    "info": "Describe the contents of a .rec file.",
    "head": "Show the first records of a .rec file.",
    "stats": "Describe the images of a .rec file: encodings, sizes, labels, mean and deviation.",
    "view": "Draw images of a .rec file as a contact sheet, or write a page of them.",
    "verify": "Check a .rec file: structure, index, labels, images.",
    "reindex": "Write the .idx of a .rec file anew.",
    "merge": "Write several datasets as one.",
    "split": "Divide a dataset into parts by ratios or keys, or into shards.",
    "subset": "Write some samples of a dataset: by key, label, class, list or expression.",
    "shuffle": "Write a dataset in random order.",
    "append": "Add samples to a dataset.",
    "relabel": "Write a dataset with other labels or class names.",
    "repair": "Copy the whole records of a damaged .rec file into a new set.",
    "diff": "Compare two datasets: keys, labels and images.",
    "duplicates": "Find equal images within a dataset or in several.",
    "cluster": "Pack images, and check shards, on the machines of a Ray cluster.",
    "bench": "Compare how fast recordkit, MXNet and others load a .rec file.",
    "train": "Train a LeNet or your own network from a .rec file or a folder.",
    "eval": "Measure the accuracy and speed of a trained model on a .rec file.",
    "predict": "Classify images with a trained model.",
    "plot-log": "Plot the curves of a training log.",
    "plot-net": "Draw the network of a trained model.",
    "mxnet": "Run a script for MXNet as it is, on current Python and NumPy.",
    "doctor": "Report what is installed, what is missing and how to install it.",
}

# Commands that multiply matrices, or run programs that may.
_MATRIX_COMMANDS = ("bench", "train", "eval", "predict", "mxnet")


class LazyGroup(Group):
    """A click group that imports a command only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names, in the order of a typical workflow."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, or return None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = f"recordkit.cli.commands.{name}_" if keyword.iskeyword(name) else f"recordkit.cli.commands.{name}"
        command: click.Command = import_module(module, multiplies=cmd_name in _MATRIX_COMMANDS).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown name is an error that names the nearest one."""
        if args[0] == "im2rec" and not ctx.resilient_parsing:
            raise click.UsageError("unexpected command im2rec; im2rec is a program of its own: see 'im2rec --help'")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin with some letters, without importing them, and the options of the group."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; its errors name its options."""
        try:
            return super().invoke(ctx)
        except RecordkitError as error:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            if command is None:  # no command had been chosen yet
                raise
            raise CommandError(error, command) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("recordkit pack photos/ out/photos --resize 256", "recordkit verify out/photos.rec"),
)
@click.version_option(__version__, prog_name="recordkit", message="%(prog)s %(version)s")
@click.option(
    "--cache-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    envvar="RECORDKIT_CACHE_DIR",
    help="Folder of the local cache of what is read from object stores.  [env: RECORDKIT_CACHE_DIR]",
)
@click.option(
    "--cache-bytes",
    metavar="SIZE",
    callback=parse_bytes,
    envvar="RECORDKIT_CACHE_BYTES",
    help="Most bytes of that cache, such as 50G; default 20G.  [env: RECORDKIT_CACHE_BYTES]",
)
def recordkit(cache_dir: Path | None, cache_bytes: int | None) -> None:
    """Pack, check and read MXNet RecordIO image datasets, with or without MXNet."""
    if cache_dir is not None or cache_bytes is not None:
        from recordkit.storage.remote.settings import configure_remote

        configure_remote(cache_dir=cache_dir, cache_bytes=cache_bytes)


def main() -> None:
    """Run the `recordkit` command with the arguments of the process."""
    run(lambda: recordkit.main(standalone_mode=False, prog_name="recordkit"), "recordkit")
