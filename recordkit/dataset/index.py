"""Where the samples of one .rec file begin, and their keys.

From the .idx file, if it is there and fits. That it fits is seen from the file's ends and from a few records between:
each must begin where a line says, end where the next begins, and have the line's key. Otherwise the .rec file is
scanned, in memory: nothing is written. Where one or two of many records between are none at all, the .rec file is
damaged and not the .idx file another's: then the others can still be read.

Samples are in the order of the file, whatever that of the .idx file is, so that positions do not depend on it. Keys
are those of the .idx file. They may be 0, 1, 2 ... where the records have other keys, as MXNet's rec2idx.py writes
them; without the .idx file keys are the records' own.

Of InsightFace's files (`recordkit.formats.faces`) the header and the identities are no samples.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.records import Records, compact, read_index
from recordkit.errors import FormatError
from recordkit.formats import faces, irheader
from recordkit.formats.fileset import Fileset

_N_SPOTS = 32
# One in so many of them may be damaged, and one in any case.
_SPOTS_PER_DAMAGED = 8


@dataclass(frozen=True, eq=False)
class FileIndex:
    """The samples of one file, in its order.

    Attributes
    ----------
    offsets : ndarray of uint64, shape (n,)
        Of the records' heads, in bytes.
    keys : ndarray of uint64, shape (n,), or None
        None for 0 to n - 1, which need no memory.
    n_records : int
        In the file.
    places : ndarray of int64, shape (n,), or None
        Which of the file's records the samples are; None for all.
    """

    offsets: NDArray[np.uint64]
    keys: NDArray[np.uint64] | None
    n_records: int
    places: NDArray[np.int64] | None = None


def index_file(files: Fileset, records: Records) -> FileIndex:
    """Find the samples of a .rec file.

    Parameters
    ----------
    files : Fileset
        The .rec file with what lies beside it.
    records : Records
        The open .rec file.

    Returns
    -------
    index : FileIndex

    Warns
    -----
    UserWarning
        There is no .idx file, or not that of this .rec file; the .rec file was scanned. Or a record is damaged.

    Raises
    ------
    FormatError
        The .rec file had to be scanned and is damaged.
    """
    path, rec = files.path(".idx"), str(files.path(".rec"))
    n_described = _count_described(files, records)
    try:
        keys, offsets = _in_file_order(*read_index(path))
        _check(_Lines(keys, offsets, rec, records), n_described)
    except FileNotFoundError:
        keys, offsets = _scan(records)
        advice = "to open it quicker, make one with MXNet's rec2idx.py or pack it again"
        _warn(f"{path}: there is none; scanned {rec} instead; {advice}")
    except FormatError as error:
        keys, offsets = _scan(records)
        reason = f"{error.where}: {error.problem}" if error.path == str(path) and error.where else error.problem
        advice = "remove it, or put back the one that was made with the .rec file"
        _warn(f"{path}: {reason}; scanned {rec} instead; {advice}")
    return _without_metadata(_Lines(keys, offsets, rec, records))


def _warn(text: str) -> None:
    """Warn, and name the line that opened the file: the first one outside of recordkit, by whatever door it came."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith("recordkit."):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)


def _count_described(files: Fileset, records: Records) -> int | None:
    """Return how many records PREFIX.json says there are, if it is about this file."""
    description = files.description()
    rec, n = description.get("rec"), description.get("records")
    return n if isinstance(rec, dict) and rec.get("bytes") == records.size and isinstance(n, int) else None


def _in_file_order(
    keys: NDArray[np.uint64] | None, offsets: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64] | None, NDArray[np.uint64]]:
    if bool(np.all(offsets[1:] >= offsets[:-1])):
        return keys, offsets
    order = np.argsort(offsets, kind="stable")
    return compact(order.astype(np.uint64) if keys is None else keys[order]), offsets[order]


def _scan(records: Records) -> tuple[NDArray[np.uint64] | None, NDArray[np.uint64]]:
    offsets = records.scan()
    return compact(records.headers(offsets)[0]), offsets


@dataclass(frozen=True, eq=False)
class _Lines:
    """The lines of an index in file order, and the file."""

    keys: NDArray[np.uint64] | None
    offsets: NDArray[np.uint64]
    path: str
    records: Records

    def key(self, line: int) -> int:
        return line if self.keys is None else int(self.keys[line])

    def is_metadata(self, line: int) -> bool:
        return faces.is_metadata(*self.unpack(line))

    def unpack(self, line: int) -> tuple[irheader.IRHeader, memoryview]:
        offset = int(self.offsets[line])
        return irheader.unpack_at(self.records.read(offset)[0], self.path, offset)


def _check(lines: _Lines, n_described: int | None) -> None:
    """Raise FormatError where the lines are not those of the file."""
    offsets, size = lines.offsets, lines.records.size
    n = len(offsets)
    _expect(n > 0 or size == 0, f"expected the records of a file of {size} bytes, got no line")
    if not n:
        return
    _expect(n_described in (None, n), f"expected {n_described} lines, as many as the pack had records, got {n}")
    _expect(int(offsets[0]) == 0, f"expected the first record at byte 0, got {offsets[0]}")
    _expect(int(offsets[-1]) < size, f"expected offsets below {size}, the file's size, got {offsets[-1]}")
    _expect(bool(np.all(offsets[1:] > offsets[:-1])), "expected each offset once, got one that comes again")
    differing, damaged = 0, []
    ids = set()
    spots = np.unique(np.linspace(0, n - 1, min(n, _N_SPOTS + 2)).astype(np.int64)).tolist()
    for line in spots:
        offset = int(offsets[line])
        try:
            record, end = lines.records.read(offset)
        except FormatError as error:
            damaged.append(error)
            if line in (0, n - 1) or len(damaged) > max(1, len(spots) // _SPOTS_PER_DAMAGED):
                raise FormatError(f"expected a record at byte {offset}, got none") from None
            continue
        following = int(offsets[line + 1]) if line + 1 < n else size
        _expect(end == following, f"expected a record at byte {end}, where another ends, got none before {following}")
        own = irheader.unpack_at(record, lines.path, offset)[0].id
        ids.add(own)
        differing += own != lines.key(line)
    # Records without keys of their own, all 0 say, cannot speak against the index.
    if differing and len(ids) == len(spots) - len(damaged) and (lines.keys is not None or lines.is_metadata(n - 1)):
        raise FormatError(f"expected the keys of the records, got others in {differing} of {len(spots)} looked at")
    for each in damaged:
        _warn(str(each))


def _expect(right: bool, message: str) -> None:  # noqa: FBT001
    if not right:
        raise FormatError(message)


def _without_metadata(lines: _Lines) -> FileIndex:
    """Leave out InsightFace's header and identities."""
    keys, offsets = lines.keys, lines.offsets
    whole = FileIndex(offsets, keys, len(offsets))
    zero = np.flatnonzero(keys == 0) if keys is not None else np.arange(min(1, len(offsets)))
    ranges = faces.ranges(*lines.unpack(int(zero[0]))) if len(zero) else None
    if ranges is None:
        return whole
    if keys is None:
        keys = np.arange(len(offsets), dtype=np.uint64)
    first, end = ranges
    # Up to so far the header's numbers may be rounded.
    slack = max(1, int(np.spacing(np.float32(first))))
    sample = (keys > 0) & (keys < first)
    for line in np.flatnonzero((keys >= max(1, first - slack)) & (keys <= min(first + slack, end))).tolist():
        sample[line] = not lines.is_metadata(line)
    places = np.flatnonzero(sample)
    return FileIndex(offsets[places], compact(keys[places]), len(offsets), places)
