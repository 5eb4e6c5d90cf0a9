"""Opening files that are to be read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, cast

from recordkit.errors import FormatError


def open_file(path: str | Path) -> BinaryIO:
    """Open a file for reading, without a buffer.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    file : binary file

    Raises
    ------
    OSError
        It cannot be opened, or is a folder.
    FormatError
        It is a pipe or a device, which would be waited for.
    """
    mode = os.stat(path).st_mode  # noqa: PTH116
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # of a folder `open` says so
        raise FormatError("expected a file, got a pipe or device", path=os.fspath(path))
    return cast("BinaryIO", open(path, "rb", buffering=0))
