"""The drop-in face of ``mxnet.recordio``: the same names, arguments and results, without MXNet.

Changing ``from mxnet import recordio`` into ``from recordkit import recordio`` is the whole migration. The bytes
are the same in both directions. What differs, because MXNet loses data or crashes there:

- a writer refuses `reset` and to be pickled, where MXNet empties the file;
- reads after the end of the file work: `seek` and `read_idx` need no `reset` first;
- a record without its last part, or parts out of order, is an error and not a missing record;
- an index that points past the end, or between records, is an error that says so;
- the index is on disk as soon as its record is, so a killed writer leaves files that can be read;
- a key that comes twice in the index, and a label of None or an empty list, give a warning;
- a reader may be used by forked processes; each reads on from where it stood at the fork.

Errors are `recordkit.errors.FormatError` where MXNet raises ``MXNetError``. Images are arrays as OpenCV has them,
BGR; Pillow is loaded when `pack_img` or `unpack_img` is called.
"""

from __future__ import annotations

import numbers
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recordkit import codec, native
from recordkit.errors import FormatError, ImageError
from recordkit.formats import irheader
from recordkit.formats.frame import RecordReader, RecordWriter

__all__ = ["IRHeader", "MXIndexedRecordIO", "MXRecordIO", "pack", "pack_img", "unpack", "unpack_img"]

# OpenCV's flags: as stored, gray, colour.
_CHANNELS_BY_FLAG: dict[int, codec.Channels] = {-1: "keep", 0: 1, 1: 3}


class MXRecordIO:
    """Reads or writes a .rec file in order.

    Parameters
    ----------
    uri : str or Path
        The file.
    flag : {"r", "w"}
        "w" begins the file anew.

    Raises
    ------
    ValueError
        `flag` is something else.
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
        """Open the file; a writer empties it."""
        if self.flag not in ("r", "w"):
            raise ValueError(f"Invalid flag {self.flag}: expected 'r' or 'w'")
        self.writable = self.flag == "w"
        self.pid: int | None = os.getpid()
        # Records behind the position that have been read along, each with the offset behind it.
        self._ahead: Iterator[tuple[bytes, int]] = iter(())
        if self.writable:
            self._file = open(self.uri, "wb")  # noqa: SIM115 (closed by close)
            self._writer = RecordWriter(self._file)
        else:
            self._reader = _open_reader(self.uri)
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
            The file is being written: MXNet would empty it here.
        """
        if self.writable:
            raise ValueError(f"{self.uri}: reset would empty a file that is being written; close it and open it anew")
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
        # Nothing stays in a buffer: a forked process would write its copy of it again when it ends.
        self._file.flush()

    def read(self) -> bytes | None:
        """Return the next record, or None at the end. An empty record is ``b""``: test for None.

        Raises
        ------
        FormatError
            The file is damaged here.
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
        """Return where the next record begins, in bytes."""
        return self._writer.offset if self.writable else self._position

    def _check(self, *, writable: bool) -> None:
        if not self.is_open:
            raise RuntimeError(f"{self.uri}: the file is closed")
        if self.writable != writable:
            # AssertionError is what MXNet raises, and callers may expect
            raise AssertionError(f"{self.uri}: opened for {'writing' if self.writable else 'reading'}")
        if writable and self.pid != os.getpid():
            raise RuntimeError(f"{self.uri}: Forbidden operation in multiple processes: another one is writing it")

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
            self._reader = _open_reader(self.uri)


class _Reader(Protocol):
    @property
    def size(self) -> int: ...
    def read(self, offset: int) -> tuple[bytes, int]: ...
    def read_ahead(self, offset: int) -> list[tuple[bytes, int]]: ...
    def close(self) -> None: ...


class _PlainReader(RecordReader):
    def read_ahead(self, offset: int) -> list[tuple[bytes, int]]:
        return [self.read(offset)]


def _open_reader(path: str) -> _Reader:
    """Open a file for reading, by the compiled core where it is built: the same records and errors, quicker."""
    return native.load().RecordFile(path) if native.available() else _PlainReader(path)


class MXIndexedRecordIO(MXRecordIO):
    """Reads or writes a .rec file by key, with its .idx file.

    Parameters
    ----------
    idx_path : str or Path
        The .idx file; read whole when opened for reading.
    uri : str or Path
        The .rec file.
    flag : {"r", "w"}
    key_type : callable, default int
        Makes a key of its text.

    Attributes
    ----------
    keys : list
        In the order of the index.
    idx : dict
        Key to offset, in bytes; of a key that comes twice, the last offset.

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
        """Open both files; a writer empties them."""
        super().open()
        self.idx, self.keys = {}, []
        if self.writable:
            # Line-buffered: a record's line is on disk as soon as the record is.
            self.fidx = open(  # noqa: SIM115
                self.idx_path, "w", buffering=1, encoding="utf-8", errors="surrogateescape", newline="\n"
            )
            return
        try:
            self._read_index()
        except BaseException:
            super().close()
            raise
        if len(self.idx) < len(self.keys):
            n = len(self.keys) - len(self.idx)
            warnings.warn(f"{self.idx_path}: {n} keys come twice; only the last is found", stacklevel=4)

    def _read_index(self) -> None:
        with open(self.idx_path, encoding="utf-8", errors="surrogateescape") as lines:
            for number, line in enumerate(lines, 1):
                fields = line.strip().split("\t")
                try:
                    key, offset = self.key_type(fields[0]), int(fields[1])
                except (ValueError, IndexError):
                    raise FormatError(
                        path=self.idx_path,
                        line=number,
                        expected="KEY and OFFSET with a tab between",
                        got=repr(line.strip()[:60]),
                    ) from None
                self.idx[key] = offset
                self.keys.append(key)

    def close(self) -> None:
        """Close both files. A second call does nothing."""
        if not self.is_open:
            return
        mine = self.writable and self.pid == os.getpid()
        super().close()
        if mine:
            self.fidx.close()

    def seek(self, idx: Any) -> None:
        """Go to the record of a key; `read` then reads it.

        Raises
        ------
        KeyError
            There is no such key.
        FormatError
            The index points past the end of the file.
        """
        self._check(writable=False)
        offset = self.idx[idx]
        if not 0 <= offset < self._size:
            raise FormatError(
                path=self.uri,
                offset=offset,
                expected="a record",
                got=f"the end of the file at byte {self._size}",
                advice=f"is {self.idx_path} the index of this file?",
            )
        self._position = offset
        self._ahead = iter(())

    def read_idx(self, idx: Any) -> bytes:
        """Return the record of a key.

        Raises
        ------
        KeyError
            There is no such key.
        FormatError
            There is no record where the index says; it may be the index of another file.
        """
        self.seek(idx)
        try:
            record, self._position = self._reader.read(self._position)
        except FormatError as error:
            advice = f"{error.advice}; is {self.idx_path} the index of this file?"
            error.advice = advice if error.advice else advice.removeprefix("None; ")
            raise
        return record

    def write_idx(self, idx: Any, buf: bytes) -> None:
        """Append a record under a key."""
        key = self.key_type(idx)
        offset = self.tell()
        self.write(buf)  # before the index line, so that no line points past the records
        self.fidx.write(f"{key}\t{offset}\n")
        self.idx[key] = offset
        self.keys.append(key)


class HEADER(NamedTuple):
    """The header of an image record; also called `IRHeader`.

    Attributes
    ----------
    flag : int
        How many labels the record has as a vector; 0 for a single one. `pack` works it out itself.
    label : float, or array-like of float
    id : int
        The record's key.
    id2 : int
        Reserved, 0.
    """

    flag: int
    label: Any
    id: int
    id2: int


IRHeader = HEADER


def pack(header: IRHeader | tuple[Any, ...], s: bytes) -> bytes:
    """Join a header and encoded image into a record.

    Parameters
    ----------
    header : IRHeader
        A number as label gives flag 0, anything else is flattened into a vector of float32.
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
        label = float(header.label)  # type: ignore[arg-type]
    else:
        vector = np.asarray(header.label, dtype=np.float32).ravel()
        label = tuple(vector.tolist())
        if header.label is None or not label:
            warnings.warn(f"label {header.label!r} of id {header.id} is packed as {label or 0.0}", stacklevel=2)
    return irheader.pack(irheader.IRHeader(label, header.id, header.id2), s)


def unpack(s: bytes) -> tuple[IRHeader, bytes]:
    """Split a record into header and encoded image.

    Parameters
    ----------
    s : bytes

    Returns
    -------
    header : IRHeader
        ``label`` is a float where flag is 0, otherwise a read-only float32 array of shape (flag,).
    image : bytes

    Raises
    ------
    TruncatedError
        `s` is shorter than its header says.
    """
    header, payload = irheader.unpack(s)
    if not isinstance(header.label, tuple):
        return IRHeader(0, header.label, header.id, header.id2), bytes(payload)
    flag = len(header.label)
    label = np.frombuffer(s, np.float32, flag, irheader.HEADER_SIZE)
    return IRHeader(flag, label, header.id, header.id2), bytes(payload)


def unpack_img(s: bytes, iscolor: int = -1) -> tuple[IRHeader, NDArray[Any] | None]:
    """Split a record into header and decoded image.

    Parameters
    ----------
    s : bytes
    iscolor : {-1, 0, 1}, default -1
        As stored, gray, or BGR.

    Returns
    -------
    header : IRHeader
    image : ndarray of uint8, shape (H, W), (H, W, 3) BGR or (H, W, 4) BGRA; uint16 for 16-bit gray as stored
        None if the bytes do not decode, as with MXNet.

    Raises
    ------
    ImageError
        The record holds no image at all, or `iscolor` is another flag of OpenCV.
    """
    header, payload = unpack(s)
    if not payload:
        raise ImageError(f"record {header.id}: expected an image, got 0 bytes; is it a metadata record?")
    if iscolor not in (-1, 0, 1):
        raise ImageError(f"expected -1 (as stored), 0 (gray) or 1 (BGR) as iscolor, got {iscolor}")
    try:
        if iscolor == -1 and (deep := codec.decode_deep(payload)) is not None:
            return header, deep
        image = codec.decode(payload, channels=_CHANNELS_BY_FLAG[iscolor])
    except ImageError:
        return header, None
    return header, _swap_red_and_blue(image) if image.shape[2] > 1 else image[:, :, 0].copy()


def pack_img(header: IRHeader | tuple[Any, ...], img: ArrayLike, quality: int = 95, img_fmt: str = ".jpg") -> bytes:
    """Encode an image and join it with its header into a record.

    Parameters
    ----------
    header : IRHeader
    img : array-like of uint8, shape (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA
    quality : int, default 95
        JPEG quality 1 to 100, or PNG level 0 to 9 (higher counts as 9).
    img_fmt : {".jpg", ".jpeg", ".png"}, default ".jpg"
        In any case.

    Returns
    -------
    record : bytes

    Raises
    ------
    ImageError
        There is no encoder of that name, or it cannot take the image.
    """
    encoding = {".jpg": "jpg", ".jpeg": "jpg", ".png": "png"}.get(img_fmt.lower())
    if encoding is None:
        raise ImageError(f"expected '.jpg' or '.png' as img_fmt, got {img_fmt!r}")
    image = np.asarray(img)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise ImageError(f"expected uint8 of shape (H, W), (H, W, 3) or (H, W, 4), got {image.dtype} {image.shape}")
    image = _swap_red_and_blue(image) if image.shape[2] > 1 else image
    return pack(header, codec.encode(image, encoding, quality=quality))


def _swap_red_and_blue(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image[:, :, [2, 1, 0, 3][: image.shape[2]]])
