"""The import of pyarrow, and its errors as those of recordkit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from recordkit.errors import FormatError, MissingError
from recordkit.formats.files import not_found, open_file

# Bytes that are read at once from a row group, which may be larger than the memory.
_BUFFER_BYTES = 1 << 20


def import_pyarrow() -> tuple[ModuleType, ModuleType]:
    """Import pyarrow and pyarrow.parquet.

    Raises
    ------
    MissingError
        They are not installed.
    """
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        advice = "pip install 'recordkit[parquet]'"
        raise MissingError("pyarrow", expected="pyarrow for Parquet files", got=error, advice=advice) from None
    return pyarrow, pyarrow.parquet


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a Parquet file for the time of a ``with`` block. Errors of pyarrow about its bytes are FormatErrors.

    Raises
    ------
    NotFoundError
        It does not exist.
    FormatError
        It is no Parquet file, or is damaged.
    """
    _, parquet = import_pyarrow()
    try:
        with open_file(path, what="a Parquet file", buffering=-1) as file, as_format_errors(path):
            yield parquet.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except FileNotFoundError:
        raise not_found(path, "a Parquet file", suffix=".parquet") from None


@contextlib.contextmanager
def as_format_errors(path: Path) -> Iterator[None]:
    """Turn the errors of pyarrow about the bytes of a file into FormatErrors."""
    pyarrow, _ = import_pyarrow()
    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:  # it raises an OSError about damaged metadata and pages
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split())[:200]
        raise FormatError(path=str(path), expected="a Parquet file", got=f"a damaged one: {reason}") from None
