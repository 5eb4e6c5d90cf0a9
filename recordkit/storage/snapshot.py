"""Reading several files as one set while packs replace it.

Readers take no lock, so a pack may replace the set between two of their reads. `read_sets` compares the set before and
after, and reads again if it has changed. This is sufficient:

- The .rec file identifies the set. Each pack makes a new one, whose device and inode no other file has as long as
  `read_sets` keeps it open; `recordkit.storage.staging` lets a set become valid in one step; and a set that was
  replaced never comes back. So if the .rec file of the valid set is the open one before and after the reads, the same
  set was valid all the time.
- While a set is valid, each of its files moves at most once, from the staging folder to its final name. A file that
  has the same path before and after the reads was there all the time, and one that moved makes a difference.
- If no pack was publishing the set (`Fileset.is_settled`), before the reads and after, all its files were at their
  final names all the time: those names were found after the .rec file was opened, and a commit is removed after the
  last file has moved. So only the .rec file is compared then, which is one call of the system for each of many shards.
- The paths are found after the .rec file was opened, since those found earlier may be of the set before.
- A staging folder is used again by the next pack, whose files have the names of the set before. Filesets that were made
  while a set was being published would take them for its files. So the paths at which the Filesets look in the staging
  folder must be the ones after the reads too.

Reindexing replaces the .idx file of a set, which readers see whole, the old one or the new one.
Programs that do not publish as `recordkit.storage.staging` does, such as ``cp`` onto the files of a set, are outside
of this; against them there are the facts in PREFIX.json.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, TypeVar

from recordkit.errors import FormatError, NotFoundError, enumerate_some, plural
from recordkit.formats.files import not_found
from recordkit.storage import manifest as manifests
from recordkit.storage.fileset import Fileset
from recordkit.storage.manifest import Listing, Manifest
from recordkit.storage.names import MANIFEST_SUFFIX, SUFFIXES, natural_order, suffix_of
from recordkit.storage.remote.lookup import find_mirror, forget_lists

_Result = TypeVar("_Result")
_Identity = tuple[int, int]  # device and inode
_File = tuple[str, int, int]  # path, device and inode


class _Found(NamedTuple):
    """A set, or a manifest, and the suffix of the file that identifies it."""

    files: Fileset
    anchor: str


class _State(NamedTuple):
    """Files of a set, by which two states of it are compared."""

    staged: list[Path]  # paths in a staging folder at which the Fileset looks
    files: dict[str, _File | None]  # the file of each suffix; empty if the set has an anchor and is settled
    anchor: _File | None  # the file that identifies the set


# Processes may often open 1,024 files. A pack replaces all its shards together, so some of them are sufficient.
_MAX_HELD = 64
# A set is read again at once, then after pauses that double. Packs in a loop take longer than the reads of an opening.
_FIRST_PAUSE_S = 0.001
_MAX_PAUSE_S = 0.25
_MAX_WAIT_S = 10.0
# Each attempt to read a manifest fails only if a pack moves it meanwhile.
_MAX_MOVES = 10


def read_set(path: str | Path, read: Callable[[Fileset, ExitStack], _Result]) -> _Result:
    """Read several files of one set, not of a sharded dataset; see `read_sets`.

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
        Returns the paths of the sets, as `Fileset` takes them. A manifest, or a prefix that has one, stands for its
        shards in their order. The paths are found again after the reads, because a pack with another number of shards
        changes the files that match a pattern.
    read : callable
        Reads the files that it needs. A shard of a manifest has its `Fileset.listing`, and `Fileset.check_listing`
        compares both. It may be called several times, so it has no other effect; in particular it does
        not warn. It leaves what has to be closed on the stack: a thrown away result is closed, and so is one that ends
        with an error. The last call's stack belongs to the result.

    Returns
    -------
    result
        The result of `read`.

    Raises
    ------
    FormatError
        The sets were replaced again and again for some seconds, or a manifest is damaged.
    NotFoundError
        A manifest does not exist.
    Exception
        The error of `read`, if the sets were not replaced while it ran.
    """
    deadline_s = time.monotonic() + _MAX_WAIT_S
    pause_s = 0.0
    forget_lists()
    while True:
        with ExitStack() as held, ExitStack() as stack:
            open_files = [_hold(found, held) for found in _resolve(find(), limit=_MAX_HELD)]
            resolved = _resolve(find())
            before = _state(resolved)
            if [_identity(state.anchor) for state in before[:_MAX_HELD]] == open_files:
                sets = [found.files for found in resolved if found.anchor != MANIFEST_SUFFIX]
                try:
                    result = read(sets, stack)
                except Exception:
                    forget_lists(is_retry=True)
                    if _state(_resolve(find())) == before and all(each.has_same_copies() for each in sets):
                        raise
                else:
                    if _state(_resolve(find())) == before and all(each.has_same_copies() for each in sets):
                        stack.pop_all()
                        return result
        if time.monotonic() > deadline_s:
            raise FormatError(
                "a pack is replacing this set",
                path=str(resolved[0].files.prefix),
                advice="open it again when the pack has ended",
            )
        time.sleep(pause_s)
        pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _MAX_PAUSE_S)


def find_files(pattern: str, suffix: str = ".rec") -> list[str]:
    """Return the files of all valid sets that match a pattern, at their final names, in natural order.

    Files of a set that is being published, or whose pack was killed, are in a staging folder. These are looked for
    first, since files only move from there to their final names.

    Parameters
    ----------
    pattern : str
        As `glob.glob` takes it, also with ``**``.
    suffix : {".rec", ".manifest.json"}, default ".rec"
        The files of another suffix are left out.
    """
    if found := find_mirror(pattern):
        mirror, name = found
        names = [each for each in mirror.names() if fnmatch.fnmatchcase(each, name) and each.endswith(suffix)]
        return [str(mirror.url.join(each)) for each in sorted(names, key=natural_order)]
    folder, name = os.path.split(pattern)
    staged = glob.glob(os.path.join(folder, ".*.staging", name), recursive=True)  # noqa: PTH118, PTH207 (as below)
    found_names = {str(Path(path).parent.with_name(Path(path).name)) for path in staged}
    found_names.update(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob refuses absolute patterns)
    sets = [Fileset(name) for name in sorted(found_names, key=natural_order) if name.endswith(suffix)]
    return [str(files.prefix) + suffix for files in sets if files.exists(suffix)]


def read_manifest(path: str | Path) -> tuple[Fileset, Manifest | None]:
    """Return the files at a path and the manifest among them; None if the path is that of a single set.

    A prefix that has a manifest stands for it, whatever other files have that prefix.

    Raises
    ------
    NotFoundError
        The path is that of a manifest, which does not exist.
    FormatError
        The manifest is damaged.
    """
    suffix = suffix_of(os.fspath(path))
    files = Fileset(path)
    if suffix not in ("", MANIFEST_SUFFIX):
        return files, None
    for _ in range(_MAX_MOVES):
        if not suffix and not files.exists(MANIFEST_SUFFIX):
            return files, None
        try:
            return files, manifests.read(files.path(MANIFEST_SUFFIX))
        except FileNotFoundError:
            files = Fileset(path)  # a pack moved or replaced it
            if files.mirror is not None:
                raise files.mirror.not_found(files.path(MANIFEST_SUFFIX).name) from None
    raise not_found(path, "a manifest of shards", suffix=MANIFEST_SUFFIX)


def refuse_missing_shards(path: str | Path) -> None:
    """Look for all shards of a manifest, before one of them is opened; nothing for the path of a single set.

    The manifest is published last, so if it is the same before and after, all its shards were at their final names.

    Raises
    ------
    NotFoundError
        Some do not exist.
    FormatError
        The manifest is damaged.
    """
    files, manifest = read_manifest(path)
    if manifest is None or not files.is_settled:
        return
    with ExitStack() as held:
        identity = _hold(_Found(files, MANIFEST_SUFFIX), held)
        folder = str(files.prefix.parent)
        names = [shard.name for shard in manifest.shards]
        if files.mirror is not None:
            missing = files.mirror.missing(names)
        else:
            missing = [name for name in names if not os.path.exists(os.path.join(folder, name))]  # noqa: PTH110, PTH118 (Path takes five times as long)
        if not missing:
            return
        again, manifest_again = read_manifest(path)
        manifest_path = again.path(MANIFEST_SUFFIX)
        if not again.is_settled or manifest_again != manifest or _identity(_file(manifest_path)) != identity:
            return  # a pack is replacing it, which `read_sets` waits for
    raise NotFoundError(
        path=str(manifest_path),
        expected=f"the {plural(len(names), 'shard')} that it names in {folder}",
        got=f"no {enumerate_some(missing, limit=3)}",
        advice=f"copy all files that {manifest_path.name} names together with it, or pack again",
    )


def file_state(path: Path) -> tuple[int, ...]:
    """Return numbers that differ if a file was replaced or written: device, inode, size and time of the last change.

    Raises
    ------
    FileNotFoundError
    """
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _resolve(paths: Iterable[str | Path], *, limit: int | None = None) -> list[_Found]:
    """Return the sets at some paths, in their order, but the manifests first, so that these are held open."""
    resolved: list[_Found] = []
    found_manifests: list[_Found] = []
    for path in paths:
        files, manifest = read_manifest(path)
        if manifest is None:
            resolved.append(_Found(files, ".rec"))
            continue
        manifest_path = files.prefix.with_name(files.prefix.name + MANIFEST_SUFFIX)
        found_manifests.append(_Found(files, MANIFEST_SUFFIX))
        for number, shard in enumerate(manifest.shards[:limit]):
            listing = Listing(manifest_path, manifest, number)
            resolved.append(_Found(Fileset(manifest_path.with_name(shard.name), listing=listing), ".rec"))
    return (found_manifests + resolved)[:limit]


def _hold(found: _Found, stack: ExitStack) -> _Identity | None:
    """Open the anchor of a set until the stack ends, and return its identity; None if there is none."""
    path = found.files.path(found.anchor)
    try:
        # O_NONBLOCK, because the path may be a pipe; `read` refuses it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:  # a file that cannot be opened is an error of `read`
        return _identity(_file(path))
    stack.callback(os.close, descriptor)
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _state(resolved: list[_Found]) -> list[_State]:
    states = []
    for files, anchor in resolved:
        anchor_file = _file(files.path(anchor))
        compared = () if files.is_settled and anchor_file else SUFFIXES
        others = {suffix: _file(files.path(suffix)) for suffix in compared}
        states.append(_State(files.staged_paths(), others, anchor_file))
    return states


def _file(path: Path) -> _File | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_dev, status.st_ino


def _identity(file: _File | None) -> _Identity | None:
    return None if file is None else file[1:]
