"""The arguments REC... of commands that look at one dataset after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from recordkit.cli.program import error_text
from recordkit.cli.terminal import print_message
from recordkit.errors import RecordkitError
from recordkit.storage.search import find_sets
from recordkit.storage.snapshot import read_manifest

recs_argument = click.argument("recs", metavar="REC...", nargs=-1, required=True, type=click.Path(path_type=Path))


def for_each_dataset(
    recs: Sequence[Path],
    act: Callable[[Path], bool],
    *,
    find: Callable[[Path], Sequence[str | Path]] = find_sets,
) -> None:
    """Call a function with each dataset that the arguments stand for, and exit with 1 if one of the calls failed.

    An error about one of several datasets is printed, and the others follow. An error about the only one is raised.

    Parameters
    ----------
    recs : sequence of Path
        Paths as `recordkit.storage.search.find_sets` takes them.
    act : callable
        Returns False if the dataset is at fault.
    find : callable, default `recordkit.storage.search.find_sets`
        Returns the paths that an argument stands for.
    """
    paths = [Path(path) for rec in recs for path in find(rec)]
    is_good = True
    for path in paths:
        try:
            is_good &= act(path)
        except (RecordkitError, OSError) as error:
            if len(paths) == 1:
                raise
            print_message("recordkit", error_text(error))
            is_good = False
    if not is_good:
        raise click.exceptions.Exit(1)


def total_bytes(path: Path) -> int:
    """Return the size of a .rec file, or of all shards of a manifest, in bytes.

    Raises
    ------
    NotFoundError
        The file does not exist.
    """
    files, manifest = read_manifest(path)
    return files.rec_size() if manifest is None else manifest.n_bytes
