"""Every error recordkit raises on purpose.

::

    RecordkitError
    ├── FormatError (ValueError)             a file's bytes are not what its format says
    │   └── TruncatedError                   ... because the file ends too early
    ├── SourceError (ValueError)             the images or labels to be packed are at fault
    │   └── ImageError                       ... because one image cannot be decoded or encoded
    ├── PlanError (ValueError)               the options contradict each other or the source
    ├── PublishError (OSError)               the output cannot be written or put in place
    ├── PackError                            a sample failed and the plan says that ends the pack
    ├── FetchError (OSError)                 a download failed, or its bytes are not the published ones
    ├── TrainError (ValueError)              training cannot start or go on
    └── MissingError (ImportError)           an optional library or engine is not installed

A message says where, what was expected, what came, and after a semicolon what to do. The command line
prints it as one line and exits with `exit_code`: 1 when the data is at fault, 2 when the command is, or asks for
what is not installed.
A missing file stays ``FileNotFoundError``: callers know it.
"""

from __future__ import annotations

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


class RecordkitError(Exception):
    """The root of the tree: catch this to catch all of recordkit's own errors."""

    exit_code = 1


class FormatError(RecordkitError, ValueError):
    """A file's bytes are not what its format says.

    Parameters
    ----------
    message : str
        What was expected and what came.
    path : str, optional
        The file.
    place : str, optional
        Where in the file: ``"byte 1048576"`` or ``"line 12"``.
    """

    def __init__(self, message: str, *, path: str | None = None, place: str | None = None) -> None:
        super().__init__(message)  # args stay (message,), so the error pickles
        self.path = path
        self.place = place

    def __str__(self) -> str:
        return ": ".join(part for part in (self.path, self.place, self.args[0]) if part)


class TruncatedError(FormatError):
    """A file, a record or a header ends before it should."""


class SourceError(RecordkitError, ValueError):
    """The images, labels or lists that were to be packed are at fault."""


class ImageError(SourceError):
    """One image cannot be decoded, converted or encoded."""


class PlanError(RecordkitError, ValueError):
    """The options contradict each other, or do not fit the source."""

    exit_code = 2


class PublishError(RecordkitError, OSError):
    """The output cannot be written or put in place; what was there before still is."""


class PackError(RecordkitError):
    """A sample failed and the plan says that this ends the pack; nothing was written."""


class FetchError(RecordkitError, OSError):
    """A download failed on every mirror, or its bytes are not the published ones."""


class TrainError(RecordkitError, ValueError):
    """Training or evaluation cannot start or go on."""


class MissingError(RecordkitError, ImportError):
    """An optional library, driver or engine is not installed; the message says how to get it."""

    exit_code = 2
