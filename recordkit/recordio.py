"""A replacement for ``mxnet.recordio`` with the same names, arguments and results, without MXNet.

To migrate, change ``from mxnet import recordio`` to ``from recordkit import recordio``. Both read and write the
same bytes. The behaviour differs where MXNet loses data or crashes:

- A writer refuses `reset` and pickling, with which MXNet empties the file.
- `seek` and `read_idx` work after the end of the file was reached, without `reset`.
- A record without its last part, or with parts out of order, is an error, not a missing record.
- An index with an offset after the end of the file, or between records, is an error.
- A line of the index is on disk as soon as its record is, so a killed writer leaves readable files.
- A duplicate key in the index, and a label of None or an empty list, cause a warning.
- Forked processes may use a reader; each continues from the position at the fork.

FormatError replaces ``MXNetError``. Images are BGR arrays, as in OpenCV. Pillow is imported by `pack_img` and
`unpack_img` only.
"""

from __future__ import annotations

import numbers
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recordkit import codec
from recordkit.dataset.records import open_record_file
from recordkit.errors import FormatError, ImageError
from recordkit.formats import irheader
from recordkit.formats.files import not_found
from recordkit.formats.fileset import reindex_advice
from recordkit.formats.frame import RecordWriter

__all__ = ["IRHeader", "MXIndexedRecordIO", "MXRecordIO", "pack", "pack_img", "unpack", "unpack_img"]

# OpenCV's flags for reading an image: unchanged, gray, colour.
_CHANNELS_BY_FLAG: dict[int, codec.Channels] = {-1: "keep", 0: 1, 1: 3}


class MXRecordIO:
    """A sequential reader or writer of a .rec file.

    Parameters
    ----------
    uri : str or Path
        Path of the file.
    flag : {"r", "w"}
        "w" truncates an existing file.

    Raises
    ------
    ValueError
        `flag` is neither "r" nor "w".
    NotFoundError
        The file to read does not exist.
    OSError
        The file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "a.rec")
    >>> with MXRecordIO(path, "w") as writer:
    ...     writer.write(b"one"), writer.write(b"")
    (None, None)
    >>> reader = MXRecordIO(path, "r")
    >>> reader.read(), reader.read(), reader.read()
    (b'one', b'', None)
    >>> reader.close()
    """

    def __init__(self, uri: str | Path, flag: str) -> None:
        self.uri = os.fspath(uri)
        self.flag = flag
        self.is_open = False
        self.writable = False
        self.open()

    def open(self) -> None:
        """Open the file. A writer truncates it."""
        if self.flag not in ("r", "w"):
            raise ValueError(f"Invalid flag {self.flag}: expected 'r' or 'w'")
        self.writable = self.flag == "w"
        self.pid: int | None = os.getpid()
        # Records that were read ahead of the position, each with the offset of the next record.
        self._ahead: Iterator[tuple[bytes, int]] = iter(())
        if self.writable:
            self._file = open(self.uri, "wb")  # noqa: SIM115 (`close` closes it)
            self._writer = RecordWriter(self._file)
        else:
            self._reader = open_record_file(self.uri)
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

    def __enter__(self) -> MXRecordIO:
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
            self._reader = open_record_file(self.uri)


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
    >>> path = os.path.join(tempfile.mkdtemp(), "a")
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
        except FileNotFoundError:
            super().close()
            raise not_found(self.idx_path, "an .idx file", advice=self._index_advice()) from None
        except BaseException:
            super().close()
            raise
        if len(self.idx) < len(self.keys):
            n = len(self.keys) - len(self.idx)
            warnings.warn(f"{self.idx_path}: {n} keys come twice; only the last record is found", stacklevel=4)

    def _read_index(self) -> None:
        with open(self.idx_path, encoding="utf-8", errors="surrogateescape") as lines:
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


class HEADER(NamedTuple):
    """The header of an image record, also named `IRHeader`.

    Attributes
    ----------
    flag : int
        Number of labels of a vector, or 0 for a single label. `pack` ignores it and counts the labels.
    label : float, or array-like of float
    id : int
        Key of the record.
    id2 : int
        Reserved, 0.
    """

    flag: int
    label: Any
    id: int
    id2: int


IRHeader = HEADER


def pack(header: IRHeader | tuple[Any, ...], s: bytes) -> bytes:
    """Join a header and an encoded image into a record.

    Parameters
    ----------
    header : IRHeader
        If the label is a number, the flag is 0. Any other label is flattened into a vector of float32.
    s : bytes
        The encoded image.

    Returns
    -------
    record : bytes

    Examples
    --------
    >>> unpack(pack(IRHeader(0, [1, 2.5], 7, 0), b"jpeg"))[0].label
    array([1. , 2.5], dtype=float32)
    """
    header = IRHeader(*header)
    label: float | tuple[float, ...]
    if isinstance(header.label, numbers.Number):
        label = float(header.label)  # type: ignore[arg-type]  # numbers.Number has no __float__ in its stubs
    else:
        vector = np.asarray(header.label, dtype=np.float32).ravel()
        label = tuple(vector.tolist())
        if header.label is None or not label:
            warnings.warn(f"label {header.label!r} of id {header.id} is packed as {label or 0.0}", stacklevel=2)
    return irheader.pack(irheader.IRHeader(label, header.id, header.id2), s)


def unpack(s: bytes) -> tuple[IRHeader, bytes]:
    """Split a record into a header and an encoded image.

    Parameters
    ----------
    s : bytes

    Returns
    -------
    header : IRHeader
        ``label`` is a float if the flag is 0, otherwise a read-only float32 array of shape (flag,).
    image : bytes

    Raises
    ------
    TruncatedError
        `s` is shorter than its header says.
    """
    header, payload = irheader.unpack(s)
    if not isinstance(header.label, tuple):
        return IRHeader(0, header.label, header.id, header.id2), bytes(payload)
    flag = len(header.labels)
    label = np.frombuffer(s, np.float32, flag, irheader.HEADER_SIZE)
    return IRHeader(flag, label, header.id, header.id2), bytes(payload)


def unpack_img(s: bytes, iscolor: int = -1) -> tuple[IRHeader, NDArray[Any] | None]:
    """Split a record into a header and a decoded image.

    Parameters
    ----------
    s : bytes
    iscolor : {-1, 0, 1}, default -1
        -1 as stored, 0 gray, 1 BGR.

    Returns
    -------
    header : IRHeader
    image : ndarray of uint8, shape (H, W), (H, W, 3) BGR or (H, W, 4) BGRA; uint16 for 16-bit gray as stored
        None if the bytes do not decode, as in MXNet.

    Raises
    ------
    ImageError
        The record has no image, or `iscolor` is another flag of OpenCV.
    """
    header, payload = unpack(s)
    if not payload:
        raise ImageError(key=header.id, expected="an image", got="0 bytes", advice="is it a metadata record?")
    if iscolor not in (-1, 0, 1):
        raise ImageError(argument="iscolor", expected="-1 (as stored), 0 (gray) or 1 (BGR)", got=iscolor)
    try:
        if iscolor == -1 and (deep := codec.decode_16_bit(payload)) is not None:
            return header, deep
        image = codec.decode(payload, channels=_CHANNELS_BY_FLAG[iscolor])
    except ImageError:
        return header, None
    return header, _swap_red_and_blue(image) if image.shape[2] > 1 else image[:, :, 0].copy()


def pack_img(header: IRHeader | tuple[Any, ...], img: ArrayLike, quality: int = 95, img_fmt: str = ".jpg") -> bytes:
    """Encode an image and join it with a header into a record.

    Parameters
    ----------
    header : IRHeader
    img : array-like of uint8, shape (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA
    quality : int, default 95
        JPEG quality, 1 to 100, or PNG compression level, 0 to 9; higher levels count as 9.
    img_fmt : {".jpg", ".jpeg", ".png"}, default ".jpg"
        In upper or lower case.

    Returns
    -------
    record : bytes

    Raises
    ------
    ImageError
        `img_fmt` has no encoder, or the encoder does not support the image.
    """
    encoding = {".jpg": "jpg", ".jpeg": "jpg", ".png": "png"}.get(img_fmt.lower())
    if encoding is None:
        raise ImageError(argument="img_fmt", expected="'.jpg' or '.png'", got=repr(img_fmt))
    image = np.asarray(img)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        got = f"{image.dtype} {image.shape}"
        raise ImageError(expected="uint8 of shape (H, W), (H, W, 3) or (H, W, 4)", got=got)
    image = _swap_red_and_blue(image) if image.shape[2] > 1 else image
    return pack(header, codec.encode(image, encoding, quality=quality))


def _swap_red_and_blue(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image[:, :, [2, 1, 0, 3][: image.shape[2]]])
