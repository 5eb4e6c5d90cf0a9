"""The images in row groups, decoded a few rows at a time in their order.

Threads that pack ask for rows almost in order. So the rows that were decoded last stay in memory for those who come a
little later, and only a request for earlier rows starts a row group again.
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from recordkit.errors import FormatError, ImageError, plural
from recordkit.formats.files import read_file
from recordkit.formats.frame import MAX_RECORD_BYTES
from recordkit.interop.parquet.library import opened

# Bytes that a batch of rows should have, and that the batches in memory may have.
_BATCH_BYTES = 1 << 20
_KEPT_BYTES = 1 << 26
_MAX_BATCH_ROWS = 256
# Encodings that store each value in full; RLE and BIT_PACKED are those of nulls.
_FULL_ENCODINGS = frozenset(("PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "RLE", "BIT_PACKED"))


class RowGroup(NamedTuple):
    """A row group of a file.

    Attributes
    ----------
    path : Path
    number : int
    n_rows : int
    """

    path: Path
    number: int
    n_rows: int


class ImageColumn:
    """A column of images in the row groups of some files.

    Parameters
    ----------
    groups : sequence of RowGroup
    column : str
    """

    def __init__(self, groups: Sequence[RowGroup], column: str) -> None:
        self._groups = list(groups)
        self._starts = [0, *itertools.accumulate(group.n_rows for group in groups)]
        self._column = column
        self._identities = {path: _identity(path) for path in {group.path for group in groups}}
        self._lock = Lock()
        self._group = -1
        self._batches: Iterator[list[Any]] = iter(())
        # The first row of each batch in memory, its rows and their size.
        self._kept: deque[tuple[int, list[Any], int]] = deque()
        self._next_row = 0

    def __getstate__(self) -> dict[str, Any]:
        return {"groups": self._groups, "column": self._column}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # an unpickled column opens its files again

    def read(self, rows: Sequence[int]) -> list[bytes | ImageError]:
        """Return the images of some rows, counted through all groups.

        Raises
        ------
        FormatError
            A file is damaged, or has changed.
        """
        with self._lock:
            return [self._image(row) for row in rows]

    def _image(self, row: int) -> bytes | ImageError:
        group = bisect.bisect_right(self._starts, row) - 1
        if group != self._group or not self._kept or row < self._kept[0][0]:
            self._begin(group)
        while row >= self._next_row:
            self._decode()
        begin, values, _ = next(batch for batch in reversed(self._kept) if batch[0] <= row)
        return _content(values[row - begin], self._groups[group].path)

    def _begin(self, group: int) -> None:
        self._kept.clear()
        self._batches = self._decode_group(self._groups[group])
        self._group, self._next_row = group, self._starts[group]

    def _decode(self) -> None:
        values = next(self._batches, [])
        if not values:
            group = self._groups[self._group]
            raise FormatError(
                path=str(group.path),
                expected=f"{plural(group.n_rows, 'image')} in row group {group.number}",
                got=self._next_row - self._starts[self._group],
            )
        self._kept.append((self._next_row, values, sum(map(_size, values))))
        self._next_row += len(values)
        while len(self._kept) > 1 and sum(size for _, _, size in self._kept) > _KEPT_BYTES:
            self._kept.popleft()

    def _decode_group(self, group: RowGroup) -> Iterator[list[Any]]:
        if _identity(group.path) != self._identities[group.path]:
            path = str(group.path)
            raise FormatError(path=path, expected="the file that was opened", got="one that has changed since")
        with opened(group.path) as file:
            batch_rows = _batch_rows(file.metadata.row_group(group.number), self._column)
            for batch in file.iter_batches(
                batch_size=batch_rows, row_groups=[group.number], columns=[self._column], use_threads=False
            ):
                yield batch.column(0).to_pylist()


def _batch_rows(group: Any, column: str) -> int:
    """Return the number of rows to decode together.

    It is 1 if the encoding stores equal content once, because then many rows may have one large image.
    """
    columns = [group.column(number) for number in range(group.num_columns)]
    columns = [each for each in columns if each.path_in_schema.partition(".")[0] == column]
    if any(each.has_dictionary_page or not _FULL_ENCODINGS.issuperset(each.encodings) for each in columns):
        return 1
    n_rows: int = group.num_rows
    n_bytes: int = sum(each.total_uncompressed_size for each in columns)
    return max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES * n_rows // max(1, n_bytes)))


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_size, status.st_mtime_ns
    return None


def _size(value: Any) -> int:
    content = value.get("bytes") if isinstance(value, dict) else value
    return len(content) if content else 0


def _content(value: Any, path: Path) -> bytes | ImageError:
    """Return the bytes of an image, which may be in a file beside the Parquet file."""
    content, name = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
    if content is not None:
        return bytes(content)
    if not isinstance(name, str) or not name:
        return ImageError(expected="an image", got="none")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return ImageError(expected="a path below the folder of the Parquet file", got=repr(name))
    try:
        return read_file(path.parent / name, max_bytes=MAX_RECORD_BYTES, what="an image")
    except OSError as error:
        return ImageError(f"{name}: {error.strerror or error}")
    except FormatError as error:
        return ImageError(str(error))
