"""JSON files that anybody may have written: of limited size and depth, with each key once.

Python's parser takes up to 25 bytes of memory per byte of text (one ``[],`` is a list of 56 bytes), so the limit of a
file's size is also the limit of what reading it takes: `MAX_BYTES` are at most 0.5 GB and some seconds.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError
from recordkit.formats.files import read_file

MAX_BYTES = 1 << 24
"""Limit for a file with class names, such as PREFIX.json: 700,000 names of 12 characters."""

# Python 3.10 converts longer numbers, in time that grows with the square of their length.
_MAX_DIGITS = 1000


def read(path: str | Path, what: str, *, max_bytes: int = MAX_BYTES, advice: str | None = None) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : str or Path
    what : str
        Description of the file for errors, for example "a JSON object".
    max_bytes : int, default `MAX_BYTES`
        Limit for the size of the file, which is checked before it is read.
    advice : str, optional
        What to do with a file that cannot be read.

    Returns
    -------
    value : dict, list, str, int, float, bool or None

    Raises
    ------
    FormatError
        The file is larger, no JSON, nested too deeply, has a key twice in an object, or is a pipe or a device.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "classes.json")
    >>> _ = path.write_text('{"cat": 0}')
    >>> read(path, "class names")
    {'cat': 0}
    """
    content = read_file(path, max_bytes=max_bytes, what=what, advice=advice)
    try:
        return parse(content)
    except ValueError as error:
        raise FormatError(path=str(path), expected=what, got=error, advice=advice) from None


def read_object(
    path: str | Path, what: str, *, max_bytes: int = MAX_BYTES, advice: str | None = None
) -> dict[str, Any]:
    """Read a JSON file that holds an object; see `read`."""
    value = read(path, what, max_bytes=max_bytes, advice=advice)
    if not isinstance(value, dict):
        raise FormatError(path=str(path), expected=what, got=f"a JSON {type(value).__name__}", advice=advice)
    return value


def parse(text: str | bytes) -> Any:
    """Parse JSON.

    Raises
    ------
    ValueError
        The text is no JSON, nested too deeply, or an object has a key twice.

    Examples
    --------
    >>> parse('{"cat": 0, "cat": 1}')
    Traceback (most recent call last):
    ...
    ValueError: the key 'cat' twice
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_int=_whole_number)
    except RecursionError:
        raise ValueError("one nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    items = dict(pairs)
    if len(items) < len(pairs):
        key, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {key!r:.100} twice")
    return items


def _whole_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)
