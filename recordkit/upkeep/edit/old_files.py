"""Files that exist before an edit.

Those of a dataset that grows must still be those that were read when the edit holds the lock. Others at the names of
new sets are refused, or replaced with `overwrite`, but never an input.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from recordkit.errors import FormatError, PublishError
from recordkit.storage import manifest as manifests
from recordkit.storage.fileset import Fileset
from recordkit.storage.manifest import Manifest
from recordkit.storage.names import MANIFEST_SUFFIX, SUFFIXES, refuse_file_name, suffix_of
from recordkit.storage.refusals import prefix_of, reading_refusal, refusal, sets_of
from recordkit.storage.snapshot import file_state
from recordkit.storage.staging import check_prefix, complete_interrupted


@dataclass(frozen=True)
class OldFile:
    """The file that identifies a dataset, a .rec file or a manifest, as it was before it was opened.

    Attributes
    ----------
    path : Path
        Its final name.
    state : tuple of int
        See `recordkit.storage.snapshot.file_state`.
    """

    path: Path
    state: tuple[int, ...]

    @classmethod
    def at(cls, path: Path) -> OldFile:
        """Return the file as it is now, also if its publishing was cut short."""
        return cls(path, _state(path))

    def check(self) -> None:
        """Compare the file with what it was.

        Raises
        ------
        PublishError
            Another program has replaced it since, and its records would be lost.
        """
        try:
            is_same = _state(self.path) == self.state
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise PublishError(
                path=str(self.path),
                expected="the file that was read",
                got="another one, which was written meanwhile",
                advice="run this again",
            )


@dataclass(frozen=True)
class EarlierShards:
    """The shards that a dataset has before an edit adds some.

    Attributes
    ----------
    manifest : Manifest
        It may not have been written yet, if the dataset was one file.
    old_file : OldFile
        The manifest, or the file.
    """

    manifest: Manifest
    old_file: OldFile


def check_new_prefix(
    prefix: Path, inputs: Sequence[str | Path], *, overwrite: bool = False, dry_run: bool = False
) -> None:
    """Refuse a prefix at which no new set can be, before anything is read.

    Unless it is a dry run, a set there whose publishing was killed is completed first, so that a refused one is whole.

    Parameters
    ----------
    prefix : Path
    inputs : sequence of str or Path
        The datasets and other files that the edit reads.
    overwrite, dry_run : bool, default False

    Raises
    ------
    PlanError, PublishError
    """
    refuse_file_name(prefix)
    check_prefix(prefix)
    if not dry_run:
        complete_interrupted(prefix)
    check_old_files({prefix}, [Path(path) for path in inputs], overwrite=overwrite)


def check_old_files(prefixes: Collection[Path], inputs: Sequence[Path], *, overwrite: bool) -> list[Path]:
    """Return the files that exist at the names of new sets.

    Parameters
    ----------
    prefixes : collection of Path
        Those of the sets, and others at which no set may be.
    inputs : sequence of Path
        The files that the edit reads.
    overwrite : bool

    Raises
    ------
    PublishError
        There is one, and `overwrite` is false, or the edit reads it.
    """
    old_files = existing_files(prefixes)
    read_sets = sets_of(inputs) if old_files else set()
    for path in old_files:
        if _is_read(path, read_sets):
            raise reading_refusal(path)
        if path.is_dir():
            raise refusal(path, "a folder of that name", way_out="name")
        if not overwrite:
            raise refusal(path)
    return old_files


def existing_files(prefixes: Collection[Path]) -> list[Path]:
    """Return the files that sets of these prefixes may have and that exist."""
    suffixes = ("", *SUFFIXES)  # im2rec's OUT may be a record file without a suffix
    paths = [prefix.with_name(prefix.name + suffix) for prefix in sorted(prefixes) for suffix in suffixes]
    return [path for path in paths if os.path.lexists(path)]


def _is_read(path: Path, read_sets: Collection[Path]) -> bool:
    """Tell whether a file is one of the sets that are read, or a manifest that names one of their files."""
    if prefix_of(path) in read_sets:
        return True
    if path.name.endswith(MANIFEST_SUFFIX):
        with contextlib.suppress(FormatError, OSError):
            return any(prefix_of(path.with_name(shard.name)) in read_sets for shard in manifests.read(path).shards)
    return False


def _state(path: Path) -> tuple[int, ...]:
    return file_state(Fileset(path).path(suffix_of(path.name) or ".rec"))
