"""Writing one set of files: records, index, list, exact labels, failures and description.

The keys of PREFIX.json, the description, and their meaning are in docs/reference/formats.md; what readers compare is in
`recordkit.storage.description`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from recordkit.errors import PackError, PublishError
from recordkit.formats import idx, lst
from recordkit.packing.packed_block import PackedBlock
from recordkit.packing.plan import PackPlan
from recordkit.packing.report import Failure, SetReport
from recordkit.storage.description import set_id
from recordkit.storage.names import SUFFIXES
from recordkit.storage.staging import Staging
from recordkit.version import __version__

# Files whose size and SHA-256 the description has, and its key for them.
_HASHED = {".rec": "rec", ".idx": "idx", ".lst": "lst", ".crc": "crc", ".labels.npy": "labels"}


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


class SetWriter:
    """Writes one set into a staging folder.

    Parameters
    ----------
    staging : Staging
    names : SetNames
    plan : PackPlan
    """

    def __init__(self, staging: Staging, names: SetNames, plan: PackPlan) -> None:
        self.report = SetReport(names.prefix)
        self._staging = staging
        self._names = names
        self._plan = plan
        self._exact_labels = array("q")
        self._label_width = (2**63, 0)  # smallest and largest number of labels of a record
        self._files: dict[str, _HashingFile] = {}
        is_written = {".lst": names.write_list, ".crc": plan.checksums}
        try:
            for suffix in (".rec", ".idx", ".lst", ".crc"):
                if is_written.get(suffix, True):
                    self._create(suffix)
        except BaseException:
            self.close()
            raise

    def append(self, block: PackedBlock) -> None:
        """Write a block of packed samples, and record its failures.

        Parameters
        ----------
        block : PackedBlock

        Raises
        ------
        PublishError
            A file cannot be written, for example because the disk is full.
        PackError
            A sample failed and ``plan.on_error`` is "raise".
        """
        for entry, reason in block.failures:
            self._fail(Failure(entry.key, entry.name, reason))
        keys = [entry.key for entry in block.entries]
        ends = list(itertools.accumulate(block.sizes, initial=self.report.output_bytes))
        with self._publish_errors():
            self._files[".rec"].write(block.frames)
            self._files[".idx"].write(idx.lines(keys, ends[:-1]))
            if ".lst" in self._files:
                self._files[".lst"].write(lst.lines(block.entries))
            if ".crc" in self._files:
                self._files[".crc"].write(block.checksums)
        if self._plan.exact_labels:
            self._exact_labels.extend(int(label) for labels in block.labels for label in labels)
        widths = set(map(len, block.labels))
        self._label_width = min([self._label_width[0], *widths]), max([self._label_width[1], *widths])
        self.report.n_listed += len(keys)
        self.report.n_packed += len(keys)
        self.report.input_bytes += block.input_bytes
        self.report.output_bytes = ends[-1]
        for remark, n in block.remarks.items():
            self.report.note(remark, n)

    def fail_row(self, location: str, reason: str) -> None:
        """Record a row or file of the source that could not be read, so that it has no entry."""
        self._fail(Failure(None, location, reason))

    def _fail(self, failure: Failure) -> None:
        if self._plan.on_error == "raise":
            raise PackError(
                failure.reason, path=failure.name, advice="nothing was packed, because `on_error` is 'raise'"
            )
        self.report.fail(failure)
        with self._publish_errors():
            if ".failed.tsv" not in self._files:
                self._create(".failed.tsv")
            self._files[".failed.tsv"].write(_failure_line(failure))

    def finish(self, description: dict[str, Any]) -> None:
        """Write the side files and close all files.

        Parameters
        ----------
        description : dict
            Keys of PREFIX.json that the writer does not know: "classes", "list" and "plan".
        """
        with self._publish_errors():
            if self._plan.exact_labels:
                self._create(".labels.npy")
                self._files[".labels.npy"].write(self._exact_labels_file())
            self._create(".json")
            facts = {**self._facts(), **description}
            text = json.dumps({"format": 1, "id": set_id(facts), **facts}, indent=1) + "\n"
            self._files[".json"].write(text.encode())
            for file in self._files.values():
                file.close()

    def close(self) -> None:
        """Close the files of a pack that has failed."""
        for file in self._files.values():
            with contextlib.suppress(OSError):  # the files are about to be removed
                file.close()

    def _create(self, suffix: str) -> None:
        with self._publish_errors():
            self._files[suffix] = _HashingFile(self._staging.create(self._names.name(suffix)))

    def _facts(self) -> dict[str, Any]:
        return {
            "recordkit": __version__,
            # The next pack to this prefix replaces these files, and the .lst only if nobody has edited it.
            "set": self._staging.prefix.name,
            "files": [self._names.name(suffix) for suffix in self._files],
            "records": self.report.n_packed,
            "failed": self.report.n_failed,
            "label_width": list(self._label_width) if self.report.n_packed else [0, 0],
            **{key: self._files[suffix].facts() for suffix, key in _HASHED.items() if suffix in self._files},
        }

    def _exact_labels_file(self) -> bytes:
        labels = np.array(self._exact_labels, np.int64)
        file = io.BytesIO()
        width = self._label_width[1]
        np.save(file, labels.reshape(-1, width) if width > 1 else labels)
        return file.getvalue()

    @contextlib.contextmanager
    def _publish_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            folder = str(self._names.prefix.parent)
            raise PublishError(error.strerror or str(error), path=folder, advice="nothing was published") from error


# Start write-back every 8 MiB, so that the final fsync is short.
_WRITE_BACK_BYTES = 1 << 23


class _HashingFile:
    """A binary file that hashes and counts the bytes written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._n_bytes = 0
        self._write_back_end = 0
        self.close = file.close

    def write(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._n_bytes += len(piece)
        self._file.write(piece)
        if self._n_bytes - self._write_back_end >= _WRITE_BACK_BYTES:
            self._begin_write_back()

    def _begin_write_back(self) -> None:
        """Let the disk write the file while the pack continues, so that publishing need not wait for all of it.

        Linux starts to write pages that POSIX_FADV_DONTNEED names, and drops only pages that are written.
        """
        self._file.flush()
        if hasattr(os, "posix_fadvise"):
            n_bytes = self._n_bytes - self._write_back_end
            with contextlib.suppress(OSError):  # the advice is optional
                os.posix_fadvise(self._file.fileno(), self._write_back_end, n_bytes, os.POSIX_FADV_DONTNEED)
        self._write_back_end = self._n_bytes

    def facts(self) -> dict[str, Any]:
        return {"bytes": self._n_bytes, "sha256": self._digest.hexdigest()}


def _failure_line(failure: Failure) -> bytes:
    fields = ("" if failure.key is None else str(failure.key), failure.name, failure.reason)
    return "\t".join(" ".join(field.split()) for field in fields).encode("utf-8", "surrogateescape") + b"\n"
