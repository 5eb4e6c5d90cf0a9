"""Every error that recordkit raises on purpose.

::

    RecordkitError
    ├── FormatError (ValueError)             a file's bytes are not what its format says
    │   └── TruncatedError                   ... because the file ends too early
    ├── SourceError (ValueError)             the images or labels to be packed are at fault
    │   └── ImageError                       ... because one image cannot be decoded or encoded
    ├── PlanError (ValueError)               the arguments contradict each other or the source
    ├── PublishError (OSError)               the output cannot be written or put in place
    ├── PackError                            a sample failed and the plan says that ends the pack
    ├── FetchError (OSError)                 a download failed, or its bytes are not the published ones
    ├── TrainError (ValueError)              training cannot start or go on
    └── MissingError (ImportError)           an optional library or engine is not installed

An error carries facts as fields, and its text is made from the fields in one place, `RecordkitError.text`: where, what
was expected, what came, and after a semicolon what to do. Programs read the fields and never the text.

A missing file stays ``FileNotFoundError``: callers know it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = [
    "FetchError",
    "FormatError",
    "ImageError",
    "MissingError",
    "PackError",
    "PlanError",
    "PublishError",
    "RecordkitError",
    "SourceError",
    "TrainError",
    "TruncatedError",
]

_Error = TypeVar("_Error", bound="RecordkitError")

# An argument of the library inside a message: `threads` or `root=photos`, between backticks.
_ARGUMENT = re.compile(r"`([a-z_0-9]+(?:=[^`\s]*)?)`")


class RecordkitError(Exception):
    """The root of the tree: catch this to catch all of recordkit's own errors.

    Every field is optional; an error has those that apply.

    Parameters
    ----------
    message : str
        What is wrong, where `expected` and `got` do not say it all.
    path : str
        The file.
    argument : str
        The argument of the library that is at fault, by its Python name.
    offset : int
        Where in the file, in bytes from its beginning.
    line : int
        Where in a text file, counted from 1.
    key : int
        The key of the record or row.
    expected, got : object
        What should have come, and what came.
    advice : str
        What to do. Here, in `message` and in `expected`, an argument of the library stands between backticks, so that
        the command line can name its own option instead.

    Examples
    --------
    >>> error = FormatError(path="train.rec", offset=8, expected="magic 0xced7230a", got="0x00000000")
    >>> str(error)
    'train.rec: byte 8: expected magic 0xced7230a, got 0x00000000'
    >>> error.offset
    8
    >>> str(PlanError(argument="threads", expected="0 to 1024", got=-1, advice="leave out `threads`"))
    'threads: expected 0 to 1024, got -1; leave out threads'
    """

    def __init__(  # noqa: PLR0913 (one keyword for each field)
        self,
        message: str = "",
        *,
        path: str | None = None,
        argument: str | None = None,
        offset: int | None = None,
        line: int | None = None,
        key: int | None = None,
        expected: object = None,
        got: object = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(message)  # args stay (message,) and the fields are in __dict__, so the error pickles
        self.message = message
        self.path = path
        self.argument = argument
        self.offset = offset
        self.line = line
        self.key = key
        self.expected = expected
        self.got = got
        self.advice = advice

    @property
    def where(self) -> str:
        """Where in the file: "byte 8", "line 12", "key 7", or "" if that is not known."""
        known = (("byte", self.offset), ("line", self.line), ("key", self.key))
        return ": ".join(f"{unit} {number}" for unit, number in known if number is not None)

    @property
    def problem(self) -> str:
        """What is wrong, without where it is and what to do about it."""
        return _as_in_python(self._problem())

    def _problem(self) -> str:
        found = "" if self.expected is None and self.got is None else f"expected {self.expected}, got {self.got}"
        return ": ".join(part for part in (self.message, found) if part)

    def text(self, name_argument: Callable[[str], str] = str) -> str:
        """Make the text of the error from its fields.

        Parameters
        ----------
        name_argument : callable
            Turns an argument of the library, such as ``threads`` or ``root=photos``, into the name it has for the
            reader: the command line gives its options.

        Returns
        -------
        text : str
        """

        def named(text: str) -> str:
            return _ARGUMENT.sub(lambda match: name_argument(match[1]), text)

        argument = None if self.argument is None else name_argument(self.argument)
        located = ": ".join(part for part in (self.path, argument, self.where, named(self._problem())) if part)
        return f"{located}; {named(self.advice)}" if self.advice else located

    def __str__(self) -> str:
        return self.text()

    def located(self: _Error, **fields: Any) -> _Error:
        """Return a copy of the error with some more fields; those that it has already stay as they are.

        Examples
        --------
        >>> error = TruncatedError(expected="a 24-byte image header", got="3 bytes")
        >>> str(error.located(path="train.rec", offset=8))
        'train.rec: byte 8: expected a 24-byte image header, got 3 bytes'
        """
        error = copy.copy(self)
        for name, value in fields.items():
            if getattr(error, name) is None:
                setattr(error, name, value)
        return error


def _as_in_python(text: str) -> str:
    return _ARGUMENT.sub(r"\1", text)


class FormatError(RecordkitError, ValueError):
    """A file's bytes are not what its format says."""


class TruncatedError(FormatError):
    """A file, a record or a header ends before it should."""


class SourceError(RecordkitError, ValueError):
    """The images, labels or lists that were to be packed are at fault."""


class ImageError(SourceError):
    """One image cannot be decoded, converted or encoded."""


class PlanError(RecordkitError, ValueError):
    """The arguments contradict each other, or do not fit the source."""


class PublishError(RecordkitError, OSError):
    """The output cannot be written or put in place; what was there before still is."""


class PackError(RecordkitError):
    """A sample failed and the plan says that this ends the pack; nothing was written."""


class FetchError(RecordkitError, OSError):
    """A download failed on every mirror, or its bytes are not the published ones."""


class TrainError(RecordkitError, ValueError):
    """Training or evaluation cannot start or go on."""


class MissingError(RecordkitError, ImportError):
    """An optional library, driver or engine is not installed; `advice` says how to get it."""
