"""One set of files being written: records, index, list, exact labels, failures and description together."""

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
from recordkit.formats.fileset import SUFFIXES
from recordkit.formats.staging import Staging
from recordkit.packing.block import Block
from recordkit.packing.plan import PackPlan
from recordkit.packing.report import Failure, SetReport
from recordkit.version import __version__


@dataclass(frozen=True)
class SetNames:
    """What the files of a set are called.

    Attributes
    ----------
    prefix : Path
    record : str, optional
        Name of the record file, where it is not PREFIX.rec.
    write_list : bool
        Write PREFIX.lst; else a file of that name is left alone, for it may be what is being packed.
    """

    prefix: Path
    record: str | None = None
    write_list: bool = True

    def name(self, suffix: str) -> str:
        """Return the name of one file, without folder."""
        return self.record if suffix == ".rec" and self.record else self.prefix.name + suffix

    def all(self) -> list[Path]:
        """Return the paths a set of that name may have, but for a list to be left alone."""
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
        self._exact = array("q")
        self._width = (2**63, 0)  # fewest and most labels of a record
        self._files: dict[str, _Hashed] = {}
        for suffix in (".rec", ".idx", ".lst") if names.write_list else (".rec", ".idx"):
            self._create(suffix)

    def append(self, block: Block) -> None:
        """Write a block of packed samples, and take note of those that failed.

        Parameters
        ----------
        block : Block

        Raises
        ------
        PublishError
            The disk is full, or the like.
        PackError
            A sample failed and the plan says that this ends the pack.
        """
        for entry, reason in block.failures:
            self._fail(Failure(entry.key, entry.name, reason))
        keys = [entry.key for entry in block.entries]
        ends = list(itertools.accumulate(block.sizes, initial=self.report.bytes_out))
        with self._writing():
            self._files[".rec"].write(block.frames)
            self._files[".idx"].write(idx.lines(keys, ends[:-1]))
            if ".lst" in self._files:
                self._files[".lst"].write(lst.lines(block.entries))
        if self._plan.exact_labels:
            self._exact.extend(int(label) for labels in block.labels for label in labels)
        widths = set(map(len, block.labels))
        self._width = min([self._width[0], *widths]), max([self._width[1], *widths])
        self.report.n_listed += len(keys)
        self.report.n_packed += len(keys)
        self.report.bytes_in += block.bytes_in
        self.report.bytes_out = ends[-1]
        for remark, n in block.remarks.items():
            self.report.note(remark, n)

    def fail_row(self, place: str, reason: str) -> None:
        """Leave one row or file out that never became an entry."""
        self._fail(Failure(None, place, reason))

    def _fail(self, failure: Failure) -> None:
        if self._plan.on_error == "raise":
            raise PackError(f"{failure.name}: {failure.reason}; nothing was packed (`on_error` is 'raise')")
        self.report.fail(failure)
        with self._writing():
            if ".failed.tsv" not in self._files:
                self._create(".failed.tsv")
            self._files[".failed.tsv"].write(_failure_line(failure))

    def finish(self, description: dict[str, Any]) -> None:
        """Write the side files and close all.

        Parameters
        ----------
        description : dict
            What PREFIX.json is to say besides counts and fingerprint.
        """
        with self._writing():
            if self._plan.exact_labels:
                self._create(".labels.npy")
                self._files[".labels.npy"].write(self._exact_file())
            self._create(".json")
            text = json.dumps({**self._facts(), **description}, indent=1) + "\n"
            self._files[".json"].write(text.encode())
            for file in self._files.values():
                file.close()

    def close(self) -> None:
        """Close the files, whatever is in them; for a pack that has failed."""
        for file in self._files.values():
            with contextlib.suppress(OSError):  # what could not be written is of no use any more
                file.close()

    def _create(self, suffix: str) -> None:
        with self._writing():
            self._files[suffix] = _Hashed(self._staging.create(self._names.name(suffix)))

    def _facts(self) -> dict[str, Any]:
        return {
            "format": 1,
            "recordkit": __version__,
            # What the next pack to this prefix replaces; an .lst, which people edit, only if it is still this one.
            "set": self._staging.prefix.name,
            "files": [self._names.name(suffix) for suffix in self._files],
            "records": self.report.n_packed,
            "failed": self.report.n_failed,
            "label_width": list(self._width) if self.report.n_packed else [0, 0],
            **{suffix[1:]: self._files[suffix].facts() for suffix in (".rec", ".lst") if suffix in self._files},
        }

    def _exact_file(self) -> bytes:
        labels = np.array(self._exact, np.int64)
        file = io.BytesIO()
        np.save(file, labels.reshape(-1, self._width[1]) if self._width[1] > 1 else labels)
        return file.getvalue()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = self._names.prefix.parent
            raise PublishError(f"{place}: {error.strerror or error}; nothing was published") from error


# So much at a time goes to the disk.
_WRITE_BACK_BYTES = 1 << 23


class _Hashed:
    """A binary file to be written that hashes and counts what goes through."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._n_bytes = 0
        self._n_begun = 0
        self.close = file.close

    def write(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._n_bytes += len(piece)
        self._file.write(piece)
        if self._n_bytes - self._n_begun >= _WRITE_BACK_BYTES:
            self._begin_write_back()

    def _begin_write_back(self) -> None:
        """Let the disk write what is there while more is made; else publishing would wait for all of it.

        Linux begins to write pages that it is told will not be needed; of these, it drops none that are not written.
        """
        self._file.flush()
        if hasattr(os, "posix_fadvise"):
            n_bytes = self._n_bytes - self._n_begun
            with contextlib.suppress(OSError):  # it is no more than advice
                os.posix_fadvise(self._file.fileno(), self._n_begun, n_bytes, os.POSIX_FADV_DONTNEED)
        self._n_begun = self._n_bytes

    def facts(self) -> dict[str, Any]:
        return {"bytes": self._n_bytes, "sha256": self._digest.hexdigest()}


def _failure_line(failure: Failure) -> bytes:
    fields = ("" if failure.key is None else str(failure.key), failure.name, failure.reason)
    return "\t".join(" ".join(field.split()) for field in fields).encode("utf-8", "surrogateescape") + b"\n"
