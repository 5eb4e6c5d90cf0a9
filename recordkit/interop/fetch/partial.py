"""NAME.part, a file on its way: locked, resumable, and renamed only when it is whole and right.

Beside it stands NAME.part.json with where the bytes came from and the server's validator (ETag or
Last-Modified) of that version, so that two versions are never glued together. The order makes a kill
harmless: the part is emptied, then the origin written, then bytes appended. An origin that is missing, torn
or without a validator means: start over.

The lock is flock on the part itself, so it vanishes with the process, and works on NFS, where a
folder cannot be locked.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from recordkit.errors import FetchError
from recordkit.formats.files import flush_to_disk

__all__ = ["Origin", "Part", "open_part"]


@dataclass(frozen=True)
class Origin:
    """Where the bytes of a part came from.

    Attributes
    ----------
    url : str
        The address that was asked, before any redirect.
    validator : str or None
        What the server calls this version of the file, ready for an If-Range header; None where the server
        gave nothing to go by, so that the part cannot be resumed.
    total_bytes : int or None
        Size of the whole file, None where the server did not say.
    """

    url: str
    validator: str | None = None
    total_bytes: int | None = None


class Part:
    """An open, locked part; made by `open_part`.

    Attributes
    ----------
    path : Path
        NAME.part.
    origin : Origin or None
        Where the bytes so far came from; None: unknown, so they are of no use.
    size_bytes : int
        Bytes so far.
    """

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self.path = path
        self._origin_path = path.with_name(path.name + ".json")
        self.origin = _read_origin(self._origin_path)
        self.size_bytes = os.lseek(descriptor, 0, os.SEEK_END)
        self._published = False

    def resumable_from(self, url: str) -> bool:
        """Say whether the bytes so far can be followed by more from this address."""
        origin = self.origin
        if not self.size_bytes or origin is None or origin.url != url or not origin.validator:
            return False
        return origin.validator.isascii() and origin.validator.isprintable()  # it goes into a header

    def begin(self, origin: Origin | None) -> None:
        """Throw the bytes away and remember where the next ones come from (None: nowhere yet)."""
        try:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            self.size_bytes = 0
            self.origin = origin
            if origin is None:
                self._origin_path.unlink(missing_ok=True)
            else:
                self._origin_path.write_text(json.dumps(asdict(origin)), encoding="utf-8")
        except OSError as error:
            raise self._cannot_write(error) from error

    def write(self, piece: bytes) -> None:
        """Append bytes; an error of the disk is a FetchError, so that nobody takes it for the network's."""
        view = memoryview(piece)
        try:
            while view:
                n_written = os.write(self._descriptor, view)
                self.size_bytes += n_written
                view = view[n_written:]
        except OSError as error:
            raise self._cannot_write(error) from error

    def publish(self, target: Path) -> None:
        """Bring the bytes safely to disk and give the file its final name."""
        try:
            os.fsync(self._descriptor)
            self._origin_path.unlink(missing_ok=True)
            self.path.replace(target)
            self._published = True
            flush_to_disk(target.parent)
        except OSError as error:
            raise self._cannot_write(error) from error

    def close(self) -> None:
        """Unlock; keep the part only if a later fetch can go on from it."""
        try:
            useful = self.size_bytes and self.origin is not None and self.origin.validator
            if not self._published and not useful:
                # The part last: once it is gone, another process may begin one, with an origin of its own.
                self._origin_path.unlink(missing_ok=True)
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)

    def _cannot_write(self, error: OSError) -> FetchError:
        return FetchError(f"{self.path}: cannot write: {error.strerror or error}; make room or choose another folder")


@contextmanager
def open_part(target: Path) -> Iterator[Part]:
    """Open and lock the part of a file that is to be fetched.

    Parameters
    ----------
    target : Path
        The final name; the part is TARGET.part.

    Yields
    ------
    Part
        Positioned at its end. On leaving, a part that can be resumed stays, any other is removed.

    Raises
    ------
    FetchError
        Another process has it, or it cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder, "labels.gz")
    ...     with open_part(target) as part:
    ...         part.begin(Origin("http://localhost/labels.gz", '"version 1"', 5))
    ...         part.write(b"12")
    ...     with open_part(target) as part:
    ...         part.size_bytes, part.resumable_from("http://localhost/labels.gz")
    (2, True)
    """
    path = target.with_name(target.name + ".part")
    try:
        descriptor = _open_locked(path)
    except BlockingIOError as error:
        raise FetchError(
            f"{path}: another fetch is writing this file; wait until it ends or choose another folder"
        ) from error
    except OSError as error:
        raise FetchError(f"{path}: cannot open: {error.strerror or error}; choose another folder") from error
    part = Part(descriptor, path)
    try:
        yield part
    finally:
        part.close()


def _open_locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between open and lock the holder may have renamed or removed what was opened here. Without
            # this look the lock would be on the finished file, and the next write would destroy it.
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _read_origin(path: Path) -> Origin | None:
    """Read the origin; a torn or foreign file is as good as none."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(fields, dict):
        return None
    url, validator, total = (fields.get(name) for name in ("url", "validator", "total_bytes"))
    if not isinstance(url, str) or not isinstance(validator, str) or not (total is None or type(total) is int):
        return None
    return Origin(url, validator, total)
