"""Writing the files of sets into a staging folder: each with a description, and a manifest for those that are shards.

The keys of PREFIX.json, the description, and their meaning are in docs/reference/formats.md; what readers compare is in
`recordkit.storage.description`. What the records are is decided above: by packing, and by the edits of existing sets.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from recordkit.side_thread import SideThread
from recordkit.storage import manifest as manifests
from recordkit.storage.description import set_id
from recordkit.storage.names import SUFFIXES
from recordkit.storage.staging import Staging, as_publish_error
from recordkit.version import __version__

# Files whose size and SHA-256 the description has, and its key for them.
_HASHED = {".rec": "rec", ".idx": "idx", ".lst": "lst", ".crc": "crc", ".labels.npy": "labels"}

Piece = bytes | memoryview | NDArray[np.uint8]
"""Bytes that are written to a file."""


@dataclass(frozen=True)
class SetNames:
    """The names of the files of a set.

    Attributes
    ----------
    prefix : Path
    record : str, optional
        Name of the record file if it is not PREFIX.rec.
    write_list : bool
        Write PREFIX.lst. Otherwise a file of that name stays untouched, because it may be the source.
    """

    prefix: Path
    record: str | None = None
    write_list: bool = True

    def name(self, suffix: str) -> str:
        """Return the name of one file, without its folder."""
        return self.record if suffix == ".rec" and self.record else self.prefix.name + suffix

    def all(self) -> list[Path]:
        """Return the paths that the set may have, except a list that stays untouched."""
        suffixes = (suffix for suffix in SUFFIXES if suffix != ".lst" or self.write_list)
        return [self.prefix.with_name(self.name(suffix)) for suffix in suffixes]


class Creator(Protocol):
    """The part of `Staging` that creates files; exports of a folder, which is published as a whole, have another."""

    @property
    def prefix(self) -> Path:
        """The prefix, whose name the description has."""

    def create(self, name: str) -> BinaryIO:
        """Open a new file by its name, without a folder."""


class SetFiles:
    """The new files of a set in a staging folder: created, written and hashed piece by piece, described at the end.

    Parameters
    ----------
    staging : Creator
        A `Staging`.
    names : SetNames

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.storage.staging import Staging
    >>> prefix = Path(tempfile.mkdtemp(), "train")
    >>> with Staging(prefix) as staging:
    ...     files = SetFiles(staging, SetNames(prefix))
    ...     files.create(".rec")
    ...     files.write(".rec", b"records")
    ...     _ = files.finish({"records": 1}, {"classes": None})
    ...     staging.commit()
    >>> json.loads(prefix.with_suffix(".json").read_text())["rec"]["bytes"]
    7
    """

    def __init__(self, staging: Creator, names: SetNames) -> None:
        self._staging = staging
        self._names = names
        self._files: dict[str, _HashingFile] = {}

    def __contains__(self, suffix: str) -> bool:
        return suffix in self._files

    def create(self, *suffixes: str) -> None:
        """Create files of the set, the .rec first.

        Raises
        ------
        PublishError
            A file cannot be created.
        """
        with as_publish_error(self._names.prefix.parent):
            for suffix in suffixes:
                self._files[suffix] = _HashingFile(self._staging.create(self._names.name(suffix)))

    def write(self, suffix: str, piece: Piece, *, is_hashed: bool = False) -> None:
        """Append to a file.

        Parameters
        ----------
        suffix : str
        piece : bytes-like
        is_hashed : bool, default False
            `hash` has had this piece.

        Raises
        ------
        PublishError
            The file cannot be written, for example because the disk is full.
        """
        with as_publish_error(self._names.prefix.parent):
            self._files[suffix].write(piece, is_hashed=is_hashed)

    def hash(self, suffix: str, piece: Piece) -> None:
        """Hash the next piece of a file, in another thread than the one that writes."""
        self._files[suffix].hash(piece)

    def write_exact_labels(self, labels: NDArray[np.int64]) -> None:
        """Create and write PREFIX.labels.npy.

        Parameters
        ----------
        labels : ndarray of int64, shape (n,) or (n, w)

        Raises
        ------
        PublishError
            The file cannot be written.
        """
        self.create(".labels.npy")
        content = io.BytesIO()
        np.save(content, labels)
        self.write(".labels.npy", content.getbuffer())

    def finish(self, counts: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
        """Write the description and close all files.

        Parameters
        ----------
        counts : mapping
            The first keys of PREFIX.json after the list of its files: "records", "failed" and "label_width".
        facts : mapping
            Its last keys, such as "classes" and "list".

        Returns
        -------
        description : dict
            The content of PREFIX.json.

        Raises
        ------
        PublishError
            A file cannot be written.
        """
        self.create(".json")
        described = {
            "recordkit": __version__,
            # The next pack to this prefix replaces these files, and the .lst only if nobody has edited it.
            "set": self._staging.prefix.name,
            "files": [self._names.name(suffix) for suffix in self._files],
            **counts,
            **{key: self._files[suffix].facts() for suffix, key in _HASHED.items() if suffix in self._files},
            **facts,
        }
        description = {"format": 1, "id": set_id(described), **described}
        self.write(".json", (json.dumps(description, indent=1) + "\n").encode())
        with as_publish_error(self._names.prefix.parent):
            for file in self._files.values():
                file.close()
        return description

    def close(self) -> None:
        """Close the files of a set that is given up. A second call does nothing."""
        for file in self._files.values():
            with contextlib.suppress(OSError):  # the files are about to be removed
                file.close()


def write_manifest(
    staging: Staging,
    dataset: Path,
    shards: Sequence[tuple[Mapping[str, Any], tuple[int, int] | None]],
    *,
    earlier: manifests.Manifest | None = None,
) -> Path:
    """Write the manifest of a dataset whose new shards are written.

    Parameters
    ----------
    staging : Staging
    dataset : Path
        The prefix of the dataset, to which the manifest belongs.
    shards : sequence of (mapping, (int, int) or None)
        For each new shard, in their order, its description, and its smallest and largest key if it has records.
    earlier : Manifest, optional
        See `recordkit.storage.manifest.unite`.

    Returns
    -------
    path : Path
        The path of the manifest after the commit.

    Raises
    ------
    PublishError
        Readers would refuse the manifest, or it cannot be written.
    """
    descriptions, keys = zip(*shards, strict=True)
    manifest = manifests.unite(dataset.name, descriptions, keys, earlier=earlier)
    with as_publish_error(staging.parent), staging.create(manifest.file_name) as file:
        file.write(manifests.pack(manifest))
    return dataset.with_name(manifest.file_name)


# A system call writes at most this much. For larger pieces Linux takes larger pages for its cache, which a virtual
# machine may have to fetch from its host first: there, pieces of 1 MiB took two to three times as long.
_WRITE_BYTES = 1 << 16
# Pieces of this size and more are hashed by another thread while this one writes them; to hash them takes about as long
# as to write them. Smaller pieces are hashed and then written by one thread: to wake the other and to wait for it
# takes as long as to hash some kB, so the other would save little.
_SHARED_BYTES = 1 << 17
# Start write-back every 8 MiB, so that the final fsync is short.
_WRITE_BACK_BYTES = 1 << 23


class _HashingFile:
    """A binary file that hashes and counts the bytes written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._n_bytes = 0
        self._write_back_end = 0
        self._side_thread = SideThread()
        self.hash = self._digest.update

    def write(self, piece: Piece, *, is_hashed: bool = False) -> None:
        if is_hashed:
            self._write(piece)
        elif len(piece) < _SHARED_BYTES:
            self.hash(piece)
            self._write(piece)
        else:
            with self._side_thread.calling(self.hash, piece):
                self._write(piece)

    def _write(self, piece: Piece) -> None:
        self._n_bytes += len(piece)
        view = memoryview(piece)
        for begin in range(0, len(view), _WRITE_BYTES):
            self._file.write(view[begin : begin + _WRITE_BYTES])
        if self._n_bytes - self._write_back_end >= _WRITE_BACK_BYTES:
            self._begin_write_back()

    def _begin_write_back(self) -> None:
        """Let the disk write the file while more is written, so that publishing need not wait for all of it.

        Linux starts to write pages that POSIX_FADV_DONTNEED names, and drops only pages that are written.
        """
        self._file.flush()
        if hasattr(os, "posix_fadvise"):
            n_bytes = self._n_bytes - self._write_back_end
            with contextlib.suppress(OSError):  # the advice is optional
                os.posix_fadvise(self._file.fileno(), self._write_back_end, n_bytes, os.POSIX_FADV_DONTNEED)
        self._write_back_end = self._n_bytes

    def close(self) -> None:
        try:
            self._side_thread.close()
        finally:  # Ctrl-C may end the wait for the thread
            self._file.close()

    def facts(self) -> dict[str, Any]:
        return {"bytes": self._n_bytes, "sha256": self._digest.hexdigest()}
