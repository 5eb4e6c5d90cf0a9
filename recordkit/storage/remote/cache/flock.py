"""Files with a lock by `flock`, which the system releases when the process ends, however it ends."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from weakref import WeakSet

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # Windows

CAN_LOCK = fcntl is not None
"""True if this system has `flock`."""

_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0)


class LockFile:
    """An open file that can be locked. Each one excludes all others, also those of the same process.

    A lock belongs to the open file, which a forked process shares. So the child closes its copies at once: otherwise
    the lock of a parent that was killed would stay until its children end.

    Parameters
    ----------
    path : Path
    flags : int, default 0
        Additional flags of `os.open`, such as ``os.O_CREAT``.
    """

    def __init__(self, path: Path, flags: int = 0) -> None:
        self.descriptor = -1
        self.descriptor = os.open(path, _FLAGS | flags, 0o666)
        _open_files.add(self)

    def try_lock(self, *, shared: bool = False) -> bool:
        """Lock the file, unless another open file has a lock that excludes this one. It never waits."""
        try:
            fcntl.flock(self.descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Release the lock, also if a forked process has a copy, and close the file. A second call does nothing."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):  # closing releases it too
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


_open_files: WeakSet[LockFile] = WeakSet()


def _close_copies() -> None:
    """Close the files of the parent in a forked process, without releasing their locks."""
    for file in list(_open_files):
        descriptor, file.descriptor = file.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
    _open_files.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_copies)
