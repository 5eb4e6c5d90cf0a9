"""The table that a dataset and its subsets share: the open files, and file, offset and key of each sample."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recordkit.arguments import one_or_more
from recordkit.dataset.index import FileIndex, index_file, index_whole_records
from recordkit.dataset.records import RecordFile, compact_keys, open_record_file
from recordkit.dataset.whole_records import known_positions
from recordkit.errors import FormatError, PlanError, plural
from recordkit.formats.byte_source import open_source
from recordkit.formats.signatures import open_records
from recordkit.open_files import allow_open_files
from recordkit.storage.checksums import check_record
from recordkit.storage.fileset import Fileset
from recordkit.storage.remote.lookup import forget_lists
from recordkit.storage.remote.settings import current, using
from recordkit.storage.search import find_sets
from recordkit.storage.snapshot import file_state, read_sets, refuse_missing_shards

if TYPE_CHECKING:
    from recordkit.storage.remote.remote_file import RemoteFile

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_N_FINGERPRINTED = 64

# Attributes of a table with an item for each file, and with an item for each row.
_PER_FILE = ("_names", "_identities", "_classes", "paths", "sizes", "files", "sources")
_PER_ROW = ("offsets", "keys", "exact_labels", "checksums")


@dataclass(frozen=True)
class _SetIdentity:
    """Facts by which an unpickled table knows the set that was pickled.

    Attributes
    ----------
    size : int
        Size of the .rec file, in bytes.
    id : str or None
        The id in PREFIX.json, which stays the same if the set is copied.
    etag : str or None
        ETag of the .rec file, if it is in a store and the set has no id.
    inode, time_ns : int or None
        Inode and time of the last change of a local .rec file, if the set has no id.
    """

    size: int
    id: str | None = None
    etag: str | None = None
    inode: int | None = None
    time_ns: int | None = None


class Table:
    """One row per sample, file after file. An unpickled table opens its files again, and only those of the same sets.

    Attributes
    ----------
    paths : list of Path
        The .rec files.
    stops : list of int
        Offset in each file at which its rows end, in bytes: the size of the file, or less in a table of a part.
    sizes : list of int
        Sizes of the files, in bytes.
    files : list of RecordFile
        The open files.
    sources : list of RemoteFile or None
        The objects of the files that are in a store.
    row_starts : list of int
        The rows of file i are ``row_starts[i]`` to ``row_starts[i + 1] - 1``.
    path_sizes : list of int
        Number of samples of each path that was opened: of all files that match a pattern, or of a manifest.
    offsets : ndarray of uint64, shape (n,)
        Offsets of the records' heads, in bytes.
    keys : ndarray of uint64, shape (n,), or None
        None if they are 0 to n - 1.
    exact_labels : ndarray of int64, shape (n,) or (n, w), or None
        Exact labels; None if the files have none.
    checksums : ndarray of uint32, shape (n,), or None
        Expected CRC-32 of each record; None if records are not checked.
    lost : list of LostBytes
        Parts of damaged files that hold no whole record.
    has_metadata : bool
        A file has records that are not samples, as InsightFace's.
    """

    def __init__(self, filesets: list[Fileset], files: _OpenFiles, indexes: list[FileIndex], n_sets: list[int]) -> None:
        self._names = [_absolute_name(fileset) for fileset in filesets]
        self._settings = current()
        self._identities = [_identify(fileset) for fileset in filesets]
        self.paths = [fileset.path(".rec") for fileset in filesets]
        self.files, self.sources = files
        self.sizes = [file.size for file in self.files]
        self._set_bounds(self.sizes, [0, *itertools.accumulate(len(index.offsets) for index in indexes)])
        path_bounds = self._start_rows[[0, *itertools.accumulate(_count_files(filesets, n_sets))]]
        self.path_sizes: list[int] = np.diff(path_bounds).tolist()
        self.offsets = _concatenate([index.offsets for index in indexes])
        self.keys = _concatenate_keys(indexes)
        self.exact_labels = _concatenate_exact_labels(filesets, indexes)
        self.checksums = _concatenate_checksums(indexes)
        self.has_metadata = any(index.has_metadata for index in indexes)
        self.lost = [lost for index in indexes for lost in index.lost]
        self._classes = [
            (_facts_path(fileset), _classes_or_error(fileset, is_damaged=bool(index.lost)))
            for fileset, index in zip(filesets, indexes, strict=True)
        ]
        for array in (self.offsets, self.keys, self.checksums):
            if array is not None:
                array.flags.writeable = False

    def _set_bounds(self, stops: list[int], row_starts: list[int]) -> None:
        """Set where the files end, and their rows begin, also as arrays, because a batch has no time to make them."""
        self.stops, self.row_starts = stops, row_starts
        self._stop_offsets, self._start_rows = np.array(stops, np.uint64), np.array(row_starts)

    def close(self) -> None:
        """Close the files. A second call does nothing."""
        for file in self.files:
            file.close()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("files", "sources")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with using(self._settings):
            self.files, self.sources = read_sets(lambda: self._names, self._open_same)

    def _open_same(self, filesets: list[Fileset], stack: ExitStack) -> _OpenFiles:
        files = _open_all(filesets, stack)
        if len(filesets) != len(self._identities):  # a prefix has got a manifest meanwhile, and stands for its shards
            raise FormatError(
                path=self._names[0],
                expected=f"the {plural(len(self._identities), 'file')} that were pickled",
                got=len(filesets),
                advice="open it again",
            )
        for fileset, identity in zip(filesets, self._identities, strict=True):
            _refuse_other_set(fileset, identity, "pickled")
        return files

    def check_files(self) -> None:
        """Raise FormatError if a set at the paths of the files is another one than was opened."""
        forget_lists()
        with using(self._settings):
            for name, identity in zip(self._names, self._identities, strict=True):
                _refuse_other_set(Fileset(name), identity, "opened")

    def file_indices(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index of each row's file."""
        return np.searchsorted(self._start_rows, rows, "right") - 1

    def ends(self, rows: NDArray[np.int64], file_indices: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the offset of the next row in the same file, or its stop; `file_indices`: the rows' files."""
        next_rows = np.minimum(rows + 1, len(self.offsets) - 1)
        stops = self._stop_offsets[file_indices]
        row_ends = self._start_rows[file_indices + 1]
        return np.where(rows + 1 < row_ends, self.offsets[next_rows], stops)

    def part(self, begin: int, end: int) -> Table:
        """Return a table of the rows `begin` to `end - 1`, which are in one file, on the same open file.

        It has no other rows and no other file, so it is small when it is pickled.
        """
        file_index = int(self.file_indices(np.array([begin]))[0])
        if not begin < end <= self.row_starts[file_index + 1]:
            raise PlanError(argument="end", expected="rows of one file", got=f"{begin} to {end}")
        last = np.array([end - 1])
        one_file = {name: [self.__dict__[name][file_index]] for name in _PER_FILE}
        rows = {name: None if (rows := self.__dict__[name]) is None else rows[begin:end] for name in _PER_ROW}
        part = Table.__new__(Table)
        part.__dict__.update(self.__dict__ | one_file | rows)
        if self.keys is None and begin:
            part.keys = np.arange(begin, end, dtype=np.uint64)
        part._set_bounds([int(self.ends(last, np.array([file_index]))[0])], [0, end - begin])
        part.path_sizes, part.lost = [end - begin], []
        return part

    def key(self, row: int) -> int:
        """Return the key of a row."""
        return row if self.keys is None else int(self.keys[row])

    def check(self, record: bytes | memoryview, row: int, file_index: int) -> None:
        """Raise FormatError if there are checksums and the record of a row has another one."""
        if self.checksums is not None:
            expected, offset = int(self.checksums[row]), int(self.offsets[row])
            check_record(record, expected, self.paths[file_index], offset=offset, key=self.key(row))

    def _check_rows(self, rows: NDArray[np.int64], file_index: int) -> None:
        for row in rows.tolist() if self.checksums is not None else ():
            self.check(self.files[file_index].read(int(self.offsets[row]))[0], row, file_index)

    def classes(self) -> dict[str, int] | None:
        """Return the class names, which must be the same in all files that have some.

        Raises
        ------
        FormatError
            Two files have different class names, or PREFIX.json is damaged or that of another file.
        """
        with_classes: list[tuple[Path, dict[str, int]]] = []
        for path, classes in self._classes:
            if isinstance(classes, FormatError):
                raise classes
            if classes is not None:
                with_classes.append((path, classes))
        for path, classes in with_classes:
            if classes != with_classes[0][1]:
                raise FormatError(
                    path=str(path),
                    expected=f"the classes of {with_classes[0][0]}",
                    got="others",
                    advice="'recordkit merge' unites them by the names of their classes, or open the files one by one",
                )
        return with_classes[0][1] if with_classes else None

    def unnamed_paths(self) -> list[Path]:
        """Return the files without class names, if others have some."""
        unnamed = [path for path, (_, classes) in zip(self.paths, self._classes, strict=True) if classes is None]
        return unnamed if len(unnamed) < len(self.paths) else []

    def labels(self, rows: NDArray[np.int64], *, check: bool = True) -> tuple[NDArray[Any], NDArray[np.uint64]]:
        """Return the labels of rows, concatenated, and the bounds between them.

        `check` compares the records with their checksums if there are any.
        """
        if self.exact_labels is not None:
            labels = self.exact_labels[rows]
            width = 1 if labels.ndim == 1 else labels.shape[1]
            return labels.ravel(), np.arange(len(rows) + 1, dtype=np.uint64) * np.uint64(width)
        file_indices = self.file_indices(rows)
        # Consecutive rows of one file are read together, so that the labels keep the order of the rows.
        cuts = [0, *(np.flatnonzero(np.diff(file_indices)) + 1).tolist(), len(rows)]
        values, widths = [np.empty(0, np.float32)], [np.empty(0, np.uint64)]
        for begin, end in itertools.pairwise(cuts):
            if begin < end:
                file_index = int(file_indices[begin])
                if check:
                    self._check_rows(rows[begin:end], file_index)
                _, file_labels, file_bounds = self.files[file_index].headers(self.offsets[rows[begin:end]])
                values.append(file_labels)
                widths.append(np.diff(file_bounds))
        bounds = np.zeros(len(rows) + 1, np.uint64)
        np.cumsum(np.concatenate(widths), out=bounds[1:])
        return np.concatenate(values), bounds

    def fingerprint(self, rows: NDArray[np.int64] | None) -> str:
        """Return 32 hexadecimal digits that identify these rows; None means all rows. No record is read."""
        facts: list[int | str] = [*self.sizes, *self.row_starts]
        facts += [identity.id for identity in self._identities if identity.id is not None]
        for row in np.linspace(0, len(self.offsets) - 1, _N_FINGERPRINTED).astype(np.int64).tolist():
            facts += [self.key(row), int(self.offsets[row])] if len(self.offsets) else []
        digest = hashlib.sha256(str(facts).encode())
        if rows is not None:
            digest.update(rows.astype("<i8").tobytes())
        return digest.hexdigest()[:32]


def _paths(path: str | Path | Sequence[str | Path]) -> list[str | Path]:
    """Return the paths that are to be opened, at least one."""
    paths = one_or_more(path)
    if not paths:
        raise PlanError(argument="path", expected="a .rec file or more", got="an empty list")
    if not all(isinstance(each, str | os.PathLike) for each in paths):
        raise PlanError(argument="path", expected="the path of a .rec file, or several", got=repr(path))
    return paths


def open_table(
    path: str | Path | Sequence[str | Path],
    *,
    check: bool = False,
    skip_damage: bool = False,
    read_all: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Table:
    """Open .rec files; see `recordkit.dataset.dataset.RecordDataset`."""
    patterns = _paths(path)
    n_sets: list[int] = []  # of each pattern

    def find() -> list[str]:
        names = [find_sets(pattern) for pattern in patterns]
        if not n_sets:  # the first time
            for name in itertools.chain.from_iterable(names):
                refuse_missing_shards(name)
        n_sets[:] = map(len, names)
        return list(itertools.chain.from_iterable(names))

    def read(filesets: list[Fileset], stack: ExitStack) -> tuple[Table, list[FileIndex]]:
        _fetch_companions(filesets)
        for fileset in filesets:
            fileset.check_listing()
        files = _open_all(filesets, stack)
        if read_all:
            indexes = [
                index_whole_records(fileset, file, check=check, progress=progress)
                for fileset, file in zip(filesets, files[0], strict=True)
            ]
        else:
            open_sets = list(zip(filesets, *files, strict=True))
            indexes = _for_each(
                lambda each: index_file(*each, check=check, skip_damage=skip_damage), open_sets, filesets
            )
        return Table(filesets, files, indexes, n_sets), indexes

    table, indexes = read_sets(find, read)
    for index in indexes:
        index.warn()
    return table


def _count_files(filesets: list[Fileset], n_sets: list[int]) -> list[int]:
    """Return the number of files of each pattern, which has `n_sets` sets; a manifest is one of them."""
    counts, row = [], 0
    for n in n_sets:
        begin = row
        for _ in range(n):
            listing = filesets[row].listing
            row += 1 if listing is None else len(listing.manifest.shards)
        counts.append(row - begin)
    return counts


_OpenFiles = tuple[list[RecordFile], "list[RemoteFile | None]"]


def _open_all(filesets: list[Fileset], stack: ExitStack) -> _OpenFiles:
    allow_open_files(len(filesets))
    files: list[RecordFile] = []
    sources = _for_each(_open_remote, filesets, filesets)
    for fileset, source in zip(filesets, sources, strict=True):
        files.append(open_record_file(fileset.path(".rec"), source))
        stack.callback(files[-1].close)
    return files, sources


def _open_remote(fileset: Fileset) -> Any:
    """Open the object of a set in a store; None for a set of this machine."""
    if fileset.mirror is None:
        return None
    path = fileset.path(".rec")
    # A set with an id is known to be one without a read of its first bytes, which takes long for each of many.
    return open_source(path) if fileset.id() is not None else open_records(path)


def _for_each(function: Callable[[_Item], _Result], items: Sequence[_Item], filesets: list[Fileset]) -> list[_Result]:
    """Return the results of a function for each set; many at once if they are in a store, whose delays would add up.

    Sets with an id need no request here, and threads would only wait for each other.
    """
    mirrors = [fileset.mirror for fileset in filesets if fileset.mirror is not None and fileset.id() is None]
    if len(mirrors) < 2:
        return list(map(function, items))
    from recordkit.storage.remote.request_pool import call_at_once

    return call_at_once(function, items, mirrors[0].settings.n_requests)


def _fetch_companions(filesets: list[Fileset]) -> None:
    """Copy the companions of shards in a store, many at once: one after the other, the delays would add up."""
    suffixes = (".json", ".idx", ".labels.npy")
    remote = [(each.mirror, f"{each.prefix.name}{suffix}") for each in filesets if each.mirror for suffix in suffixes]
    if len(remote) > len(suffixes):
        from recordkit.storage.remote.mirror import fetch_ahead

        fetch_ahead(remote)


def _absolute_name(fileset: Fileset) -> str:
    """Return the path for other processes, which may have another working directory, or the URL."""
    return fileset.name if fileset.mirror is not None else os.path.abspath(fileset.name)  # noqa: PTH100 (Path.resolve would follow links)


def _identify(fileset: Fileset) -> _SetIdentity:
    size, set_id = fileset.rec_size(), fileset.id()
    if set_id is not None:
        return _SetIdentity(size, set_id)
    if fileset.mirror is not None:
        return _SetIdentity(size, etag=fileset.etag())
    _, inode, size, time_ns = file_state(fileset.path(".rec"))
    return _SetIdentity(size, inode=inode, time_ns=time_ns)


def _refuse_other_set(fileset: Fileset, identity: _SetIdentity, verb: str) -> None:
    """Raise FormatError if a set is another one than the one that was pickled or opened."""
    other = _identify(fileset)
    if other != identity:
        has_other_size = other.size != identity.size
        expected = f"the {plural(identity.size, 'byte')} of the file" if has_other_size else "the set"
        raise FormatError(
            path=str(fileset.path(".rec")),
            expected=f"{expected} that was {verb}",
            got=other.size if has_other_size else "another of the same size",
            advice="open it again",
        )


def _facts_path(fileset: Fileset) -> Path:
    """Return the file that has the classes of a set."""
    return fileset.path(".json") if fileset.listing is None else fileset.listing.path


def _classes_or_error(fileset: Fileset, *, is_damaged: bool) -> dict[str, int] | FormatError | None:
    """Return the classes of a set, or the error about them for those who ask for classes. Images need none."""
    try:
        return fileset.classes(is_damaged=is_damaged)
    except FormatError as error:
        return error


def _concatenate(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _concatenate_keys(indexes: list[FileIndex]) -> NDArray[np.uint64] | None:
    if len(indexes) == 1:
        return indexes[0].keys
    arrays = [np.arange(len(index.offsets), dtype=np.uint64) if index.keys is None else index.keys for index in indexes]
    return compact_keys(np.concatenate(arrays))


def _concatenate_checksums(indexes: list[FileIndex]) -> NDArray[np.uint32] | None:
    arrays = [index.checksums for index in indexes if index.checksums is not None]
    return _concatenate(arrays) if arrays else None


def _concatenate_exact_labels(filesets: list[Fileset], indexes: list[FileIndex]) -> NDArray[np.int64] | None:
    arrays: list[NDArray[np.int64]] = []
    for fileset, index in zip(filesets, indexes, strict=True):
        labels = fileset.exact_labels(is_damaged=bool(index.lost))
        if labels is None:
            continue
        path = str(fileset.path(".labels.npy"))
        rows = index.record_indices
        n_records = index.n_records
        if n_records is None:  # the file is damaged
            rows = known_positions(fileset, rows, index.lost, ".labels.npy")
            n_records = max(len(labels), int(rows[-1]) + 1 if len(rows) else 0)
        if len(labels) != n_records:
            raise FormatError(
                path=path,
                expected=f"{plural(n_records, 'row')}, one per record",
                got=len(labels),
                advice="remove it or pack again",
            )
        labels = labels[:, 0] if labels.shape[1:] == (1,) else labels
        if arrays and labels.shape[1:] != arrays[0].shape[1:]:
            raise FormatError(path=path, expected="as many labels per record as the first file has", got="others")
        arrays.append(labels if rows is None else labels[rows])
    if arrays and len(arrays) < len(filesets):
        without = next(fileset for fileset in filesets if not fileset.exists(".labels.npy"))
        raise FormatError(
            path=str(without.path(".labels.npy")),
            expected="exact labels, which other files of this dataset have",
            got="none",
            advice="pack it again with `exact_labels=True`, or open the files one by one",
        )
    return _concatenate(arrays) if arrays else None
