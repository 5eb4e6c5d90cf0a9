"""Readers and writers of .rec files, with and without an .idx file."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from recordkit.dataset.records import open_record_file
from recordkit.errors import FormatError, PublishError, plural
from recordkit.formats.files import not_found, open_file
from recordkit.formats.frame import RecordWriter
from recordkit.formats.idx import WHAT, limit_bytes
from recordkit.storage.fileset import reindex_advice
from recordkit.storage.remote.lookup import local_path
from recordkit.storage.remote.urls import is_url
from recordkit.storage.snapshot import file_state

_Self = TypeVar("_Self", bound="MXRecordIO")


class MXRecordIO:
    """A sequential reader or writer of a .rec file.

    Parameters
    ----------
    uri : str or Path
        Path of the file, which may begin with ``file://``; or, to read it, its URL in a store.
    flag : {"r", "w"}
        "w" truncates an existing file.

    Raises
    ------
    ValueError
        `flag` is neither "r" nor "w".
    PublishError
        A URL is to be written.
    NotFoundError
        The file to read does not exist.
    OSError
        The file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import MXRecordIO
    >>> path = tempfile.mkdtemp() + "/a.rec"
    >>> with MXRecordIO(path, "w") as writer:
    ...     writer.write(b"one"), writer.write(b"")
    (None, None)
    >>> reader = MXRecordIO(path, "r")
    >>> reader.read(), reader.read(), reader.read()
    (b'one', b'', None)
    >>> reader.close()
    """

    def __init__(self, uri: str | Path, flag: str) -> None:
        self.uri = os.fspath(uri).removeprefix("file://")  # as MXNet allows
        self.flag = flag
        self.is_open = False
        self.writable = False
        self.open()

    def open(self) -> None:
        """Open the file. A writer truncates it."""
        if self.flag not in ("r", "w"):
            raise ValueError(f"Invalid flag {self.flag}: expected 'r' or 'w'")
        self.writable = self.flag == "w"
        if self.writable and is_url(self.uri):
            raise PublishError(path=self.uri, expected="a path of this machine", got="a URL")
        self.pid: int | None = os.getpid()
        # Records that were read ahead of the position, each with the offset of the next record.
        self._ahead: Iterator[tuple[bytes, int]] = iter(())
        if self.writable:
            self._file = open(self.uri, "wb")  # noqa: SIM115 (`close` closes it)
            self._writer = RecordWriter(self._file)
        else:
            self._reader = open_record_file(local_path(self.uri, is_records=True))
            self._size = self._reader.size
            self._position = 0
        self.is_open = True

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        if not self.is_open:
            return
        self.is_open = False
        self._ahead = iter(())
        if not self.writable:
            self._reader.close()
        elif self.pid == os.getpid():
            self._file.close()
        self.pid = None

    def reset(self) -> None:
        """Go back to the first record.

        Raises
        ------
        ValueError
            The file is open for writing; MXNet would empty it.
        """
        if self.writable:
            raise ValueError(f"{self.uri}: reset would empty a file that is being written; close and reopen it")
        self.close()
        self.open()

    def write(self, buf: bytes) -> None:
        """Append a record.

        Parameters
        ----------
        buf : bytes, shorter than 2**29

        Raises
        ------
        TypeError
            `buf` is not bytes.
        FormatError
            `buf` is too long.
        RuntimeError
            The file is closed, or was opened by another process.
        """
        self._check(writable=True)
        if not isinstance(buf, bytes):
            raise TypeError(f"expected bytes, got {type(buf).__name__}")
        self._writer.write(buf)
        # The buffer stays empty, because a forked process would write its copy of the buffer when it ends.
        self._file.flush()

    def read(self) -> bytes | None:
        """Return the next record, or None at the end of the file. An empty record is ``b""``.

        Raises
        ------
        FormatError
            The next record is damaged.
        RuntimeError
            The file is closed.
        """
        try:
            record, self._position = next(self._ahead)
        except StopIteration:
            self._check(writable=False)
            if self._position >= self._size:
                return None
            self._ahead = iter(self._reader.read_ahead(self._position))
            record, self._position = next(self._ahead)
        return record

    def tell(self) -> int:
        """Return the offset of the next record, in bytes."""
        return self._writer.offset if self.writable else self._position

    def _check(self, *, writable: bool) -> None:
        if not self.is_open:
            raise RuntimeError(f"{self.uri}: the file is closed")
        if self.writable != writable:
            # AssertionError as in MXNet, because callers may catch it.
            raise AssertionError(f"{self.uri}: opened for {'writing' if self.writable else 'reading'}")
        if writable and self.pid != os.getpid():
            raise RuntimeError(f"{self.uri}: Forbidden operation in multiple processes: another process is writing it")

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "is_open", False):
            self.close()

    def __getstate__(self) -> dict[str, Any]:
        if self.writable:
            raise TypeError(f"{self.uri}: a file that is being written cannot be pickled: the copy would empty it")
        return {name: value for name, value in self.__dict__.items() if name not in ("_reader", "_ahead", "fidx")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._ahead = iter(())
        if self.is_open:
            self._reader = open_record_file(local_path(self.uri, is_records=True))


class MXIndexedRecordIO(MXRecordIO):
    """A reader or writer of a .rec file with an .idx file, for access by key.

    Parameters
    ----------
    idx_path : str or Path
        Path of the .idx file. A reader loads it completely.
    uri : str or Path
        Path of the .rec file.
    flag : {"r", "w"}
        "w" truncates existing files.
    key_type : callable, default int
        Converts the text of a key.

    Attributes
    ----------
    keys : list
        Keys in the order of the index.
    idx : dict
        Key to offset in bytes; the last offset of a duplicate key.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import MXIndexedRecordIO
    >>> path = tempfile.mkdtemp() + "/a"
    >>> with MXIndexedRecordIO(path + ".idx", path + ".rec", "w") as writer:
    ...     writer.write_idx(7, b"seven")
    >>> MXIndexedRecordIO(path + ".idx", path + ".rec", "r").read_idx(7)
    b'seven'
    """

    def __init__(self, idx_path: str | Path, uri: str | Path, flag: str, key_type: Callable[[Any], Any] = int) -> None:
        self.idx_path = os.fspath(idx_path)
        self.key_type = key_type
        self.idx: dict[Any, int] = {}
        self.keys: list[Any] = []
        super().__init__(uri, flag)

    def open(self) -> None:
        """Open both files. A writer truncates them."""
        state = self._rec_state() if self.flag == "r" else None
        super().open()
        self.idx, self.keys = {}, []
        if self.writable:
            # Line-buffered, so that the line of a record is written as soon as the record is.
            self.fidx = open(  # noqa: SIM115 (`close` closes it)
                self.idx_path, "w", buffering=1, encoding="utf-8", errors="surrogateescape", newline="\n"
            )
            return
        try:
            self._read_index()
            if self._rec_state() != state:  # the index may be that of the new file
                raise FormatError(
                    path=self.uri,
                    expected="one file while its index was read",
                    got="another in its place",
                    advice="open it again",
                )
        except FileNotFoundError:
            super().close()
            raise not_found(self.idx_path, "an .idx file", advice=self._index_advice()) from None
        except BaseException:
            super().close()
            raise
        if len(self.idx) < len(self.keys):
            n = len(self.keys) - len(self.idx)
            warnings.warn(
                f"{self.idx_path}: {plural(n, 'key comes', 'keys come')} twice; only the last record is found",
                stacklevel=4,
            )

    def _rec_state(self) -> tuple[int, ...] | None:
        path = Path(local_path(self.uri, is_records=True))
        return file_state(path) if path.exists() else None

    def _read_index(self) -> None:
        with io.TextIOWrapper(
            open_file(local_path(self.idx_path), max_bytes=limit_bytes(self._size), what=WHAT, buffering=-1),
            encoding="utf-8",
            errors="surrogateescape",
        ) as lines:
            for number, line in enumerate(lines, 1):
                fields = line.strip().split("\t")
                try:
                    key, offset = self.key_type(fields[0]), int(fields[1])
                except (ValueError, IndexError):
                    got, expected = repr(line.strip()[:60]), "KEY and OFFSET with a tab between"
                    raise FormatError(
                        path=self.idx_path, line=number, expected=expected, got=got, advice=self._index_advice()
                    ) from None
                self.idx[key] = offset
                self.keys.append(key)

    def close(self) -> None:
        """Close both files. A second call does nothing."""
        if not self.is_open:
            return
        is_writer = self.writable and self.pid == os.getpid()
        super().close()
        if is_writer:
            self.fidx.close()

    def seek(self, idx: Any) -> None:
        """Set the position to the record of a key, which `read` then returns.

        Raises
        ------
        KeyError
            The index does not have the key.
        FormatError
            The offset in the index is after the end of the file.
        """
        self._check(writable=False)
        offset = self.idx[idx]
        if not 0 <= offset < self._size:
            raise FormatError(
                path=self.uri,
                offset=offset,
                expected="a record",
                got=f"the end of the file at byte {self._size}",
                advice=self._other_index_advice(),
            )
        self._position = offset
        self._ahead = iter(())

    def read_idx(self, idx: Any) -> bytes:
        """Return the record of a key.

        Raises
        ------
        KeyError
            The index does not have the key.
        FormatError
            No record begins at the offset in the index, which may belong to another file.
        """
        self.seek(idx)
        try:
            record, self._position = self._reader.read(self._position)
        except FormatError as error:
            error.advice = "; ".join(filter(None, (error.advice, self._other_index_advice())))
            raise
        return record

    def _index_advice(self) -> str:
        # `reindex` writes the ids of the records, which are numbers.
        return reindex_advice(self.uri, self.idx_path) if self.key_type is int else ""

    def _other_index_advice(self) -> str:
        return f"is {self.idx_path} the index of this file? If not, {self._index_advice() or 'open its own'}"

    def write_idx(self, idx: Any, buf: bytes) -> None:
        """Append a record and its line of the index; `key_type` converts the key."""
        key = self.key_type(idx)
        offset = self.tell()
        self.write(buf)  # before the line of the index, so that no line points after the records
        self.fidx.write(f"{key}\t{offset}\n")
        self.idx[key] = offset
        self.keys.append(key)
