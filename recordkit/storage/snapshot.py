"""Reading several files as one set while packs replace it.

Readers take no lock, so a pack may replace the set between two of their reads. `read_sets` compares the set before and
after, and reads again if it has changed. This is sufficient:

- The .rec file identifies the set. Each pack makes a new one, whose device and inode no other file has as long as
  `read_sets` keeps it open; `recordkit.storage.staging` lets a set become valid in one step; and a set that was
  replaced never comes back. So if the .rec file of the valid set is the open one before and after the reads, the same
  set was valid all the time.
- While a set is valid, each of its files moves at most once, from the staging folder to its final name. A file that
  has the same path before and after the reads was there all the time, and one that moved makes a difference.
- The paths are found after the .rec file was opened, since those found earlier may be of the set before.
- A staging folder is used again by the next pack, whose files have the names of the set before. Filesets that were made
  while a set was being published would take them for its files. So the paths at which the Filesets look in the staging
  folder must be the ones after the reads too.

Reindexing replaces the .idx file of a set, which readers see whole, the old one or the new one; they may read again.
Programs that do not publish as `recordkit.storage.staging` does, such as ``cp`` onto the files of a set, are outside
of this; against them there are the facts in PREFIX.json.
"""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, TypeVar

from recordkit.errors import FormatError
from recordkit.storage.fileset import Fileset
from recordkit.storage.names import SUFFIXES

_Result = TypeVar("_Result")
_Identity = tuple[int, int]  # device and inode
_File = tuple[str, int, int]  # path, device and inode


class _State(NamedTuple):
    """Files of a set, by which two states of it are compared."""

    staged: list[Path]  # paths in a staging folder at which the Fileset looks
    files: list[_File | None]  # the file of each suffix


# Processes may often open 1,024 files. A pack replaces all its shards together, so some of them are sufficient.
_MAX_HELD = 64
# A set is read again at once, then after pauses that double. Packs in a loop take longer than the reads of an opening.
_FIRST_PAUSE_S = 0.001
_MAX_PAUSE_S = 0.25
_MAX_WAIT_S = 10.0


def read_set(path: str | Path, read: Callable[[Fileset, ExitStack], _Result]) -> _Result:
    """Read several files of one set; see `read_sets`.

    Examples
    --------
    >>> import tempfile
    >>> prefix = Path(tempfile.mkdtemp(), "train")
    >>> _ = prefix.with_suffix(".json").write_text('{"classes": {"cat": 0}}')
    >>> read_set(prefix, lambda files, _: (files.classes(), files.exact_labels()))
    ({'cat': 0}, None)
    """
    return read_sets(lambda: [path], lambda sets, stack: read(sets[0], stack))


def read_sets(find: Callable[[], Sequence[str | Path]], read: Callable[[list[Fileset], ExitStack], _Result]) -> _Result:
    """Read several files of one set or of several sets, such as the shards of a pack, none of them replaced meanwhile.

    Parameters
    ----------
    find : callable
        Returns the paths of the sets, as `Fileset` takes them. They are found again after the reads, because a pack
        with another number of shards changes the files that match a pattern.
    read : callable
        Reads the files that it needs. It may be called several times, so it has no other effect; in particular it does
        not warn. It leaves what has to be closed on the stack: a thrown away result is closed, and so is one that ends
        with an error. The last call's stack belongs to the result.

    Returns
    -------
    result
        The result of `read`.

    Raises
    ------
    FormatError
        The sets were replaced again and again for some seconds.
    Exception
        The error of `read`, if the sets were not replaced while it ran.
    """
    deadline_s = time.monotonic() + _MAX_WAIT_S
    pause_s = 0.0
    while True:
        with ExitStack() as held, ExitStack() as stack:
            open_files = [_hold(files, held) for files in _resolve(find())[:_MAX_HELD]]
            sets = _resolve(find())
            before = _state(sets)
            if [_identity(state.files[0]) for state in before[:_MAX_HELD]] == open_files:
                try:
                    result = read(sets, stack)
                except Exception:
                    if _state(_resolve(find())) == before:
                        raise
                else:
                    if _state(_resolve(find())) == before:
                        stack.pop_all()
                        return result
        if time.monotonic() > deadline_s:
            raise FormatError(
                "a pack is replacing this set",
                path=str(sets[0].prefix),
                advice="open it again when the pack has ended",
            )
        time.sleep(pause_s)
        pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _MAX_PAUSE_S)


def find_record_files(pattern: str) -> list[str]:
    """Return the .rec files of all valid sets that match a pattern, at their final names, sorted.

    Files of a set that is being published, or whose pack was killed, are in a staging folder. These are looked for
    first, since files only move from there to their final names.

    Parameters
    ----------
    pattern : str
        As `glob.glob` takes it, also with ``**``.
    """
    folder, name = os.path.split(pattern)
    staged = glob.glob(os.path.join(folder, ".*.staging", name), recursive=True)  # noqa: PTH118, PTH207 (as below)
    names = {str(Path(path).parent.with_name(Path(path).name)) for path in staged}
    names.update(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob refuses absolute patterns)
    sets = _resolve(sorted(name for name in names if name.endswith(".rec")))
    return [str(files.prefix) + ".rec" for files in sets if files.path(".rec").exists()]


def file_state(path: Path) -> tuple[int, ...]:
    """Return numbers that differ if a file was replaced or written: device, inode, size and time of the last change.

    Raises
    ------
    FileNotFoundError
    """
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _resolve(paths: Iterable[str | Path]) -> list[Fileset]:
    return [Fileset(path) for path in paths]


def _hold(files: Fileset, stack: ExitStack) -> _Identity | None:
    """Open the .rec file of a set until the stack ends, and return its identity; None if there is none."""
    path = files.path(".rec")
    try:
        # O_NONBLOCK, because the path may be a pipe; `read` refuses it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:  # a file that cannot be opened is an error of `read`
        return _identity(_file(path))
    stack.callback(os.close, descriptor)
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _state(sets: list[Fileset]) -> list[_State]:
    return [_State(files.staged_paths(), [_file(files.path(suffix)) for suffix in SUFFIXES]) for files in sets]


def _file(path: Path) -> _File | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_dev, status.st_ino


def _identity(file: _File | None) -> _Identity | None:
    return None if file is None else file[1:]
