"""Files of a dataset that an edit adds to: they must still be those that it has read when it holds the lock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recordkit.errors import PublishError
from recordkit.storage.fileset import Fileset
from recordkit.storage.manifest import Manifest
from recordkit.storage.names import suffix_of
from recordkit.storage.snapshot import file_state


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


def _state(path: Path) -> tuple[int, ...]:
    return file_state(Fileset(path).path(suffix_of(path.name) or ".rec"))
