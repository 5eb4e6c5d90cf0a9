"""A set that an edit writes: which records of the inputs it has, in blocks, with their new keys and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.copied_records import Changes, CopiedRecords, copy_records
from recordkit.errors import FormatError, PlanError, plural, quoted
from recordkit.formats.frame import verify_advice
from recordkit.formats.irheader import MAX_LABELS
from recordkit.storage.names import belongs_to, refuse_file_name
from recordkit.storage.staging import check_prefix
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.edit.lists import InputLists
from recordkit.upkeep.edit.old_files import OldFile
from recordkit.upkeep.labels.arrays import Labels

# Bytes of records per block, and more of them if the records are not in file order, so that those of a block are near
# each other in the file.
_BLOCK_BYTES = 1 << 22
_SCATTERED_BLOCK_BYTES = 1 << 26
# Largest number of records per block, and of records whose places are looked up at a time.
_MAX_BLOCK_RECORDS = 1 << 16
_MAX_SCATTERED_RECORDS = 1 << 19


@dataclass(frozen=True, eq=False)
class NewSet:
    """One set that an edit writes.

    Attributes
    ----------
    prefix : Path
    rows : ndarray of int64, shape (n,)
        Rows of the inputs, in the order of the new set.
    keys : ndarray of uint64, shape (n,), or None
        New keys; None keeps the old ones.
    labels : Labels or None
        New labels, n of them; None keeps the old ones. If they are int64, they are exact labels, and the records have
        them as float32.
    classes : mapping of str to int, or None
        Class map of the set; None if it has none.
    failures : bytes
        Content of PREFIX.failed.tsv, a line for each sample that could not be packed; empty if there is no such file.
    replaces : OldFile or None
        The .rec file in whose place the set comes, which may be an input. None: a file of these names that exists is
        refused, or replaced with `overwrite`.
    """

    prefix: Path
    rows: NDArray[np.int64]
    keys: NDArray[np.uint64] | None = None
    labels: Labels | None = None
    classes: Mapping[str, int] | None = None
    failures: bytes = b""
    replaces: OldFile | None = None


class Block(NamedTuple):
    """Consecutive records of a new set."""

    set_number: int
    begin: int
    end: int


class SetSource:
    """The records of a new set, as they are in the inputs."""

    def __init__(self, inputs: Inputs, new: NewSet) -> None:
        self.inputs = inputs
        self.new = new
        self.exact_labels = _exact_labels(inputs, new)
        self._float_labels = None if new.labels is None else new.labels.as_float32()

    def file_paths(self, *, has_list: bool) -> list[Path]:
        """Return the files that the set will have."""
        optional = {".lst": has_list, ".labels.npy": self.exact_labels is not None, ".failed.tsv": self.new.failures}
        suffixes = (".rec", ".idx", ".crc", ".json", *(suffix for suffix, is_there in optional.items() if is_there))
        return [self.new.prefix.with_name(self.new.prefix.name + suffix) for suffix in suffixes]

    def blocks(self, number: int) -> Iterator[Block]:
        """Yield the blocks of the set, which has this number."""
        rows = self.new.rows
        is_in_order = bool(np.all(rows[1:] > rows[:-1]))
        block_bytes = _BLOCK_BYTES if is_in_order else _SCATTERED_BLOCK_BYTES
        n_at_once = _MAX_BLOCK_RECORDS if is_in_order else _MAX_SCATTERED_RECORDS
        for begin in range(0, len(rows), n_at_once):
            where = self.inputs.locations(rows[begin : begin + n_at_once])
            ends = np.cumsum(where.ends - where.offsets)
            cut = 0
            while cut < len(ends):
                done = ends[cut - 1] if cut else np.uint64(0)
                next_cut = max(cut + 1, int(np.searchsorted(ends, done + np.uint64(block_bytes), "right")))
                yield Block(number, begin + cut, begin + next_cut)
                cut = next_cut

    def keys(self, begin: int, end: int) -> NDArray[np.uint64]:
        """Return the keys of some records of the set."""
        if self.new.keys is not None:
            return self.new.keys[begin:end]
        return self.inputs.keys[self.new.rows[begin:end]]

    def copy(self, begin: int, end: int) -> CopiedRecords:
        """Copy some records of the set.

        Raises
        ------
        FormatError
            One is damaged; the error has its key.
        """
        rows = self.new.rows[begin:end]
        where = self.inputs.locations(rows)
        keys = None if self.new.keys is None else self.new.keys[begin:end]
        labels = None if self._float_labels is None else self._float_labels.between(begin, end)
        changes = Changes(keys)
        if labels is not None:
            changes = Changes(keys, labels.values.astype(np.float32, copy=False), labels.bounds)
        try:
            return copy_records(self.inputs.files, self.inputs.paths, *where, changes)
        except FormatError as error:
            raise _located(error, self.inputs, rows, where.file_numbers, where.offsets) from None

    def list_lines(self, lists: InputLists, begin: int, end: int) -> bytes:
        """Return the lines of some records of the set."""
        rows = self.new.rows[begin:end]
        labels = None if self.new.labels is None else self.new.labels.between(begin, end)
        return lists.lines(rows, self.inputs.keys[rows], self.keys(begin, end), labels)

    def n_bytes(self) -> int:
        """Return the size of the .rec file that the set will have. A new key or label that is the magic adds to it."""
        total = 0
        new_widths = None if self.new.labels is None else self.new.labels.widths
        for block in self.blocks(0):
            rows = self.new.rows[block.begin : block.end]
            where = self.inputs.locations(rows)
            total += int(np.sum(where.ends - where.offsets))
            if new_widths is not None:
                old_widths = self.inputs.labels().at(rows).widths
                total += int(np.sum(_vector_bytes(new_widths[block.begin : block.end]) - _vector_bytes(old_widths)))
        return total


def check_sets(inputs: Inputs, sets: Sequence[NewSet], prefix: Path) -> None:
    """Refuse sets that cannot be: at a prefix that is none, of other names, without records, or of wrong lengths."""
    refuse_file_name(prefix)
    check_prefix(prefix)
    names = [new.prefix.name for new in sets]
    if not sets or len(set(names)) < len(names):
        raise PlanError(path=str(prefix), expected="sets of different names", got=", ".join(names) or "none")
    for new in sets:
        path, n = str(new.prefix), len(new.rows)
        if new.prefix.parent != prefix.parent or not belongs_to(prefix.name, f"{new.prefix.name}.rec"):
            raise PlanError(path=path, expected=f"{prefix}, alone or followed by _ and a name", got=new.prefix.name)
        if not n:
            raise PlanError(path=path, expected="at least one record", got="none")
        if np.min(new.rows) < 0 or np.max(new.rows) >= len(inputs):
            raise PlanError(path=path, expected=f"rows from 0 to {len(inputs) - 1}", got="others")
        for column in (new.keys, new.labels):
            if column is not None and len(column) != n:
                raise PlanError(path=path, expected=f"{plural(n, 'key')} and labels, one for each row", got=len(column))
        if new.labels is not None and not (np.min(new.labels.widths) >= 1 and np.max(new.labels.widths) <= MAX_LABELS):
            raise PlanError(path=path, expected=f"1 to {MAX_LABELS} labels per record", got="none, or more")


def _exact_labels(inputs: Inputs, new: NewSet) -> NDArray[np.int64] | None:
    """Return the exact labels of a set, shape (n,) or (n, w); None if it has none."""
    labels = new.labels
    if labels is None and inputs.have_exact_labels:
        labels = inputs.labels().at(new.rows)
        if not labels.is_exact:
            raise FormatError(
                path=str(new.prefix),
                expected="exact labels, or whole numbers, in all inputs",
                got="labels with a fraction beside exact ones",
                advice="edit the inputs one by one, or relabel one of them",
            )
    if labels is None or not labels.is_exact:
        return None
    widths = labels.widths
    if np.min(widths) != np.max(widths):
        raise FormatError(
            path=str(new.prefix),
            expected="the same number of exact labels for each record",
            got=f"{np.min(widths)} to {np.max(widths)}",
            advice="give all records the same number of labels",
        )
    values = labels.values.astype(np.int64)
    return values if widths[0] == 1 else values.reshape(len(labels), -1)


def _vector_bytes(widths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bytes of the labels behind the header. A label alone is in it."""
    return np.where(widths > 1, 4 * widths, 0)


def _located(
    error: FormatError,
    inputs: Inputs,
    rows: NDArray[np.int64],
    file_numbers: NDArray[np.int64],
    offsets: NDArray[np.uint64],
) -> FormatError:
    """Return the error about a damaged record with its key, and the advice to repair the file."""
    paths = np.array([str(path) == error.path for path in inputs.paths])
    candidates = np.flatnonzero(paths[file_numbers] & (offsets <= np.uint64(error.offset or 0)))
    if len(candidates):
        row = candidates[np.argmax(offsets[candidates])]
        error = error.located(key=int(inputs.keys[rows[row]]))
        error.offset = int(offsets[row])
    if error.path is not None and error.advice == verify_advice(error.path):
        error.advice = f"'recordkit repair {quoted(error.path)} PREFIX' writes the whole records into a new set"
    return error
