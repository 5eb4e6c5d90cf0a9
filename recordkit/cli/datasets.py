"""The arguments REC... of commands that look at one dataset after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from recordkit.cli.console import Console
from recordkit.cli.program import error_text
from recordkit.cli.terminal import print_message
from recordkit.errors import RecordkitError, plural
from recordkit.storage.search import find_sets
from recordkit.storage.snapshot import read_manifest

recs_argument = click.argument("recs", metavar="REC...", nargs=-1, required=True, type=click.Path(path_type=Path))


class Result(NamedTuple):
    """The result of a command for one dataset.

    Attributes
    ----------
    documents : sequence
        JSON-compatible values, which --json prints one a line.
    lines : sequence of str
        The same for a reader.
    n_problems : int
    """

    documents: Sequence[object]
    lines: Sequence[str]
    n_problems: int = 0


def for_each_dataset(
    recs: Sequence[Path],
    act: Callable[[Path], Result],
    console: Console,
    *,
    find: Callable[[Path], Sequence[str | Path]] = find_sets,
) -> None:
    """Call a function with each dataset that the arguments stand for and print the results; exit with 1 for a problem.

    An error about one of several datasets is printed, counts as a problem, and the others follow. An error about the
    only one is raised. With --json, the line of a dataset with an error has "path" and "error".

    Parameters
    ----------
    recs : sequence of Path
        Paths as `recordkit.storage.search.find_sets` takes them.
    act : callable
    console : Console
    find : callable, default `recordkit.storage.search.find_sets`
        Returns the paths that an argument stands for.
    """
    paths = [Path(path) for rec in recs for path in find(rec)]
    n_problems = 0
    for path in paths:
        try:
            result = act(path)
        except (RecordkitError, OSError) as error:
            if len(paths) == 1:
                raise
            print_message("recordkit", error_text(error))
            result = Result([{"path": str(path), "error": error_text(error)}], (), 1)
        n_problems += result.n_problems
        _print(result, console)
    if len(paths) > 1:
        _print(Result((), [f"{plural(len(paths), 'dataset')}, {plural(n_problems, 'problem')}"]), console)
    if n_problems:
        raise click.exceptions.Exit(1)


def _print(result: Result, console: Console) -> None:
    if not console.as_json:
        console.report(None, *result.lines)
        return
    for document in result.documents:
        console.report(document)


def total_bytes(path: Path) -> int:
    """Return the size of a .rec file, or of all shards of a manifest, in bytes.

    Raises
    ------
    NotFoundError
        The file does not exist.
    """
    files, manifest = read_manifest(path)
    return files.rec_size() if manifest is None else manifest.n_bytes
