"""The new folder of an export, which appears when it is complete or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PublishError
from recordkit.sample import Source
from recordkit.storage.refusals import prefix_of, reading_refusal, refusal, sets_of
from recordkit.storage.remote.urls import is_url, refuse_unwritable
from recordkit.storage.staging import Staging, check_new_folder, complete_interrupted

SHARD_BYTES = 1 << 29
"""Size of a shard that a caller does not choose: that of Hugging Face."""

# Names of images that are compared with an output at a time.
_BLOCK_SIZE = 4096


class NewFolder(NamedTuple):
    """A folder that is being written.

    Attributes
    ----------
    staging : Staging
        Creates files beside the folder, which are published with it.
    staged : Path
        The folder until it is published.
    """

    staging: Staging
    staged: Path


@contextlib.contextmanager
def new_folder(folder: Path, *, overwrite: bool = False, remove: Sequence[Path] = ()) -> Iterator[NewFolder]:
    """Publish a new folder, and files beside it, at the end of the ``with`` block. An error leaves nothing.

    Folders above it are created. With `overwrite` it replaces a folder that has files, and the files `remove` beside it
    are replaced or removed.

    Raises
    ------
    PublishError
        The folder has files and `overwrite` is false, or the system has an error inside the block, for example because
        the disk is full.
    """
    refuse_unwritable(folder)
    with Staging(folder, allow_folder=True) as staging, as_publish_errors(folder):
        yield NewFolder(staging, staging.create_folder(overwrite=overwrite))
        staging.commit(remove=remove if overwrite else ())


def check_outputs(
    path: Path,
    source: Source | RecordDataset | Mapping[str, Source],
    *,
    overwrite: bool,
    dry_run: bool,
    is_file: bool = False,
    beside: Sequence[Path] = (),
) -> tuple[Path, ...]:
    """Refuse an output that cannot be, and return the files and the folder that it would replace.

    Parameters
    ----------
    path : Path
        The folder, or the file.
    source : Source, RecordDataset, or mapping of str to Source
    overwrite : bool
    dry_run : bool
        Otherwise an earlier export whose publishing was killed is completed first, so that a refused one is whole.
    is_file : bool, default False
    beside : sequence of Path
        Files that are written beside a folder.

    Raises
    ------
    PublishError
        Something is there, and `overwrite` is false or the source reads it.
    """
    refuse_unwritable(path)
    if not dry_run:
        complete_interrupted(path)
    files = [each for each in ([path, *beside] if is_file else beside) if os.path.lexists(each)]
    sources = list(source.values()) if isinstance(source, Mapping) else [source]
    read_sets = sets_of(file for each in sources for file in getattr(each, "files", ()))
    for each in [path, *files]:
        _refuse_input(each, sources)
        if each in beside and prefix_of(each) in read_sets:
            raise reading_refusal(each)
        if each in files and each.is_dir():
            raise refusal(each, "a folder of that name", way_out="name")
    if is_file:
        replaced = files
    else:  # a folder is checked as one that is replaced if only the files beside it are in the way
        is_old = check_new_folder(path, overwrite=overwrite or bool(files))
        if is_old and any(_has_image_in(path, each) for each in sources):
            raise reading_refusal(path)
        if is_old and path.resolve() in (here := Path.cwd().resolve(), *here.parents):
            raise refusal(path, "the folder in which this program works, or one above it", way_out="name")
        replaced = [path, *files] if is_old else files
    if files and not overwrite:
        raise refusal(path) if is_file else refusal(path, ", ".join(each.name for each in replaced))
    return tuple(replaced)


def _refuse_input(path: Path, sources: Sequence[Source | RecordDataset]) -> None:
    """Refuse a file that a source reads, or a folder that has one."""
    for each in sources:
        roots = [getattr(each, name, None) for name in ("path", "root")]
        for place in (*getattr(each, "files", ()), *filter(None, roots)):
            if not is_url(place) and path.resolve() in (read := Path(place).resolve(), *read.parents):
                raise reading_refusal(path)


def _has_image_in(folder: Path, source: Source | RecordDataset) -> bool:
    """Tell whether a source of image files reads one in a folder below its root, or by an absolute path."""
    root = getattr(source, "root", None)
    if isinstance(source, RecordDataset) or root is None or is_url(root):
        return False
    base, prefix = os.path.realpath(root), os.path.join(folder.resolve(), "")  # noqa: PTH118 (with a slash at the end)
    for start in range(0, len(source), _BLOCK_SIZE):
        entries = source.entries(range(start, min(start + _BLOCK_SIZE, len(source))))
        if any(os.path.normpath(os.path.join(base, entry.name)).startswith(prefix) for entry in entries):  # noqa: PTH118 (faster)
            return True
    return False


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Staging]:
    """Publish a new file at the end of the ``with`` block, which creates and closes it. An error leaves nothing.

    Folders above it are created. The caller has checked that a file there may be replaced.

    Raises
    ------
    PublishError
        The system has an error inside the block, for example because the disk is full.
    """
    with Staging(path) as staging, as_publish_errors(path):
        yield staging
        staging.commit()


@contextlib.contextmanager
def as_publish_errors(folder: Path) -> Iterator[None]:
    """Turn the system's errors inside the block into PublishErrors."""
    try:
        yield
    except PublishError:
        raise
    except OSError as error:
        path = str(error.filename or folder)
        raise PublishError(error.strerror or str(error), path=path, advice="nothing was written") from error
