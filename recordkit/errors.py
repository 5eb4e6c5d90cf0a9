"""Every error that recordkit raises on purpose, and its classes of warnings.

::

    RecordkitError
    ├── FormatError (ValueError)             the bytes of a file do not match its format
    │   └── TruncatedError                   ... because the file ends too early
    ├── SourceError (ValueError)             the images or labels to be packed are at fault
    │   └── ImageError                       ... because one image cannot be decoded or encoded
    ├── PlanError (ValueError)               arguments contradict each other or do not fit the source
    ├── PublishError (OSError)               the output cannot be written or published
    │   └── InUseError                       ... because another process is writing to this prefix
    ├── PackError                            a sample failed and the plan stops at the first failure
    ├── NotFoundError (FileNotFoundError)    a file or folder does not exist
    ├── FetchError (OSError)                 a download failed, or its bytes are not the published ones
    ├── RemoteError (OSError)                an object store or web server does not answer, refuses, or answers wrongly
    │   └── RefusedError                     it does not allow the request, with these credentials or at all
    ├── ClusterError                         a machine of a cluster is lost, cannot be reached, or is unlike the others
    ├── TrainError (ValueError)              training cannot start or continue
    └── MissingError (ImportError)           an optional library or engine is not installed

    UserWarning
    ├── CacheWarning                         remote data is read without storing it on the local disk
    └── SlowEngineWarning                    the native engine is missing

An error carries its facts as fields. `RecordkitError.text` alone makes the text from them: the location, what was
expected, what was there instead, and after a semicolon what to do. Programs read the fields and never the text.
"""

from __future__ import annotations

import copy
import itertools
import os
import re
from collections.abc import Callable, Collection
from errno import ENOENT
from typing import Any, TypeVar

__all__ = [
    "CacheWarning",
    "ClusterError",
    "FetchError",
    "FormatError",
    "ImageError",
    "InUseError",
    "MissingError",
    "NotFoundError",
    "PackError",
    "PlanError",
    "PublishError",
    "RecordkitError",
    "RefusedError",
    "RemoteError",
    "SlowEngineWarning",
    "SourceError",
    "TrainError",
    "TruncatedError",
]

_Error = TypeVar("_Error", bound="RecordkitError")
_Text = TypeVar("_Text")

# Characters that control a terminal or hide text: C0 except the tab, DEL, C1, marks that order or join text invisibly,
# line and paragraph separators, halves of surrogate pairs (bytes of a name that is not UTF-8), and tags. The joiners
# U+200C and U+200D are not among them, because words of several scripts and emojis need them.
_CONTROLS = re.compile(
    "[\0-\x08\n-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)

# An argument of the library inside a message: `threads` or `root=photos`, between backticks.
_ARGUMENT = re.compile(r"`([a-z_0-9]+(?:=[^`]*)?)`")
# A URL with one slash, as `pathlib.Path` leaves it.
_ONE_SLASH = re.compile(r"\b(s3|gs|gcs|az|abfss?|https?):/(?=[^/\s])")

# Folders of this machine with copies of what lies elsewhere, and the names to show in their place: URLs.
_PLACES: dict[str, str] = {}

# Values that stand in a call as they are: constants, numbers, words in capitals, which stand for a value, and literals.
_NO_TEXT = re.compile(r"True|False|None|[0-9., -]+|[A-Z_]+|[\[({\"'].*")


class RecordkitError(Exception):
    """The base class of all errors that recordkit raises on purpose.

    Every field is optional, and an error has those that apply.

    Parameters
    ----------
    message : str
        Description of the problem, if `expected` and `got` are not enough.
    path : str
        The file.
    argument : str
        Python name of the argument at fault.
    offset : int
        Offset in the file, in bytes.
    line : int
        Line of a text file, counted from 1.
    key : int
        Key of the record or row.
    expected, got : object
        The required value and the actual value.
    advice : str
        Remedy. Here and in `message` and `expected`, an argument of the library stands between backticks, so that the
        command line can put its own option there.

    Examples
    --------
    >>> error = FormatError(path="train.rec", offset=8, expected="magic 0xced7230a", got="0x00000000")
    >>> str(error)
    'train.rec: byte 8: expected magic 0xced7230a, got 0x00000000'
    >>> error.offset
    8
    >>> error
    FormatError('train.rec: byte 8: expected magic 0xced7230a, got 0x00000000')
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
        self.message = with_places(message)
        self.path = with_places(path)
        self.argument = argument
        self.offset = offset
        self.line = line
        self.key = key
        self.expected = with_places(expected)
        self.got = with_places(got)
        self.advice = with_places(advice)

    @property
    def where(self) -> str:
        """The location in the file: "byte 8", "line 12", "key 7", or "" if unknown."""
        known = (("byte", self.offset), ("line", self.line), ("key", self.key))
        return ": ".join(f"{unit} {number}" for unit, number in known if number is not None)

    @property
    def problem(self) -> str:
        """The text without location and advice."""
        return self._problem(str)

    def _problem(self, name_argument: Callable[[str], str]) -> str:
        message, difference = _with_names(self.message, name_argument), ""
        if self.expected is not None or self.got is not None:
            difference = f"expected {_with_names(str(self.expected), name_argument)}, got {self.got}"
        return ": ".join(filter(None, (message, difference)))

    def text(self, name_argument: Callable[[str], str] = str) -> str:
        """Make the text of the error from its fields.

        Parameters
        ----------
        name_argument : callable
            Maps an argument of the library, such as ``threads`` or ``root=photos``, to the name to print. The command
            line maps it to an option.

        Returns
        -------
        text : str
        """
        argument = None if self.argument is None else name_argument(self.argument)
        text = ": ".join(filter(None, (self.path, argument, self.where, self._problem(name_argument))))
        return f"{text}; {_with_names(self.advice, name_argument)}" if self.advice else text

    def __str__(self) -> str:
        return self.text(_as_python)

    def __repr__(self) -> str:
        # Logs and notebooks show this, and Python's own would show `message` alone, which is often empty.
        return f"{type(self).__name__}({str(self)!r})"

    def located(self: _Error, **fields: Any) -> _Error:
        """Return a copy of the error with additional fields. Fields that it already has keep their values.

        Examples
        --------
        >>> error = TruncatedError(expected="a 24-byte image header", got="3 bytes")
        >>> str(error.located(path="train.rec", offset=8))
        'train.rec: byte 8: expected a 24-byte image header, got 3 bytes'
        """
        error = copy.copy(self)
        for name, value in fields.items():
            if getattr(error, name) is None:
                setattr(error, name, with_places(value))
        return error


def name_place(folder: str, name: str) -> None:
    """Show a name in place of a folder in all texts about files in it: a URL whose objects the folder has copies of.

    Examples
    --------
    >>> name_place("/tmp/.cache/f81d4f", "s3://bucket/faces")
    >>> str(NotFoundError(path="/tmp/.cache/f81d4f/train.rec", expected="a .rec file", got="none"))
    's3://bucket/faces/train.rec: expected a .rec file, got none'
    """
    _PLACES[folder] = name


def with_places(text: _Text) -> _Text:
    """Return a text with the names of `name_place`, and with both slashes of URLs; another value is unchanged.

    Examples
    --------
    >>> from pathlib import Path
    >>> with_places(f"{Path('s3://bucket/train.rec')} is a URL")
    's3://bucket/train.rec is a URL'
    """
    if not isinstance(text, str):
        return text
    shown: str = text
    for folder, name in _PLACES.items():
        shown = shown.replace(folder, name)
    if ":/" in shown:
        shown = _ONE_SLASH.sub(r"\1://", shown)
    return shown  # type: ignore[return-value]  # it has the type of `text`


def plural(n: int, one: str, several: str | None = None) -> str:
    """Return a number and its noun, for texts.

    Parameters
    ----------
    n : int
    one, several : str
        The words behind 1 and behind other numbers; `several` is `one` with an s or es by default.

    Examples
    --------
    >>> plural(1, "problem"), plural(0, "image"), plural(2, "class"), plural(3, "batch"), plural(3, "epoch")
    ('1 problem', '0 images', '2 classes', '3 batches', '3 epochs')
    >>> plural(1, "row differs", "rows differ"), plural(2, "row differs", "rows differ")
    ('1 row differs', '2 rows differ')
    """
    if n == 1:
        return f"1 {one}"
    return f"{n} {several or one + ('es' if one.endswith(('s', 'tch')) else 's')}"


def enumerate_some(items: Collection[object], limit: int = 5) -> str:
    """Return a list for a text: all items, or the first ones and the number of the others.

    Parameters
    ----------
    items : collection
    limit : int, default 5
        Largest number of items that are written out.

    Examples
    --------
    >>> enumerate_some(["cat", "dog"]), enumerate_some(range(9), limit=3), enumerate_some(range(4), limit=3)
    ('cat, dog', '0, 1, 2 and 6 more', '0, 1, 2, 3')
    """
    if len(items) == limit + 1:  # the last one takes no more room than "and 1 more"
        limit += 1
    text = ", ".join(map(str, itertools.islice(items, limit)))
    return text if len(items) <= limit else f"{text} and {len(items) - limit} more"


def printable(text: str) -> str:
    r"""Return a text whose control characters, line ends included, are escapes as in Python's strings; a tab stays.

    Errors keep their texts as they are, because programs read them. Whoever shows one on a terminal needs this.

    Examples
    --------
    >>> print(printable("cat\x1b[2J\u202egnp.exe"))
    cat\x1b[2J\u202egnp.exe
    """
    return _CONTROLS.sub(lambda match: ascii(match[0])[1:-1], text)


def quoted(path: str | os.PathLike[str]) -> str:
    r"""Return a path as a word of a command in a text, between double quotes if a shell would not take it as it is.

    A text has its commands between single quotes, which those of `shlex.quote` would end. A path with control
    characters has the form ``$'...'``, which bash and zsh read, because no terminal would show it.

    Examples
    --------
    >>> quoted("a.rec"), quoted("my photos/a.rec")
    ('a.rec', '"my photos/a.rec"')
    >>> print(quoted("a\x1b[2J.rec"))
    $'a\x1b[2J.rec'
    """
    text = os.fspath(path)
    if _CONTROLS.search(text):
        name = os.fsencode(text).decode("latin-1")  # a character for each byte
        return "$'" + re.sub(r"[^ -~]|['\\]", lambda match: f"\\x{ord(match[0]):02x}", name) + "'"
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII) else '"' + re.sub(r'([\\"$`])', r"\\\1", text) + '"'


def _as_python(argument: str) -> str:
    """Return an argument as it stands in a call: a text has quotes.

    Examples
    --------
    >>> _as_python("keys=renumber"), _as_python("shards=4"), _as_python("shard=True"), _as_python("threads")
    ('keys="renumber"', 'shards=4', 'shard=True', 'threads')
    """
    name, _, value = argument.partition("=")
    return argument if not value or _NO_TEXT.fullmatch(value) else f'{name}="{value}"'


def _with_names(text: str, name_argument: Callable[[str], str]) -> str:
    """Replace the arguments between backticks by their names for the reader."""
    return _ARGUMENT.sub(lambda match: name_argument(match[1]), text)


class FormatError(RecordkitError, ValueError):
    """The bytes of a file do not match its format."""


class TruncatedError(FormatError):
    """A file, a record or a header ends before it should."""


class SourceError(RecordkitError, ValueError):
    """The images, labels or lists to be packed are at fault."""


class ImageError(SourceError):
    """One image cannot be decoded, converted or encoded."""


class PlanError(RecordkitError, ValueError):
    """Arguments contradict each other or do not fit the source."""


class PublishError(RecordkitError, OSError):
    """The output cannot be written or published."""


class InUseError(PublishError):
    """Another process is writing to this prefix."""


class PackError(RecordkitError):
    """A sample failed and the plan stops at the first failure; nothing was published."""


class NotFoundError(RecordkitError, FileNotFoundError):
    """A file or folder does not exist; `advice` names a similar one if there is one.

    It has the attributes of any FileNotFoundError: `errno`, `strerror` and `filename`, which is `path`.

    Examples
    --------
    >>> error = NotFoundError(path="tain.rec", expected="a .rec file", got="nothing of that name")
    >>> isinstance(error, FileNotFoundError), error.filename
    (True, 'tain.rec')
    """

    # These replace OSError's own fields, which a copy and a pickle of the error would lose.
    errno = ENOENT
    strerror = os.strerror(ENOENT)

    @property
    def filename(self) -> str | None:
        """The path that does not exist."""
        return self.path


class FetchError(RecordkitError, OSError):
    """A download failed on every mirror, or its checksum is wrong."""


class RemoteError(RecordkitError, OSError):
    """An object store or web server does not answer, refuses a request, or answers wrongly.

    `path` is the URL of the object without credentials, `offset` the first byte asked for, and `expected` names the
    range. `got` is the last answer and the number of attempts.

    Examples
    --------
    >>> print(RemoteError(path="s3://photos/train.rec", offset=0, expected="8 bytes", got="HTTP 503 (5 attempts)"))
    s3://photos/train.rec: byte 0: expected 8 bytes, got HTTP 503 (5 attempts)
    """


class RefusedError(RemoteError):
    """An object store or web server does not allow the request: HTTP 401 or 403.

    S3 answers so too if an object does not exist and the reader may not list the bucket.
    """


class ClusterError(RecordkitError):
    """A machine of a cluster is lost, cannot be reached, or would give other results than the others."""


class TrainError(RecordkitError, ValueError):
    """Training or evaluation cannot start or continue."""


class MissingError(RecordkitError, ImportError):
    """An optional library, driver or engine is not installed; `advice` says how to get it."""


class CacheWarning(UserWarning):
    """Remote data is read without storing it in the cache, whose folder cannot be used; the text says why.

    It comes once for each folder. Reading works, but each epoch fetches everything again.

    Examples
    --------
    >>> import warnings
    >>> warnings.filterwarnings("ignore", category=CacheWarning)
    """


class SlowEngineWarning(UserWarning):
    """The native engine would have been used, but is missing; the text says why and what to install.

    It comes once per process, and never if a caller chooses ``engine="python"``.

    Examples
    --------
    >>> import warnings
    >>> warnings.filterwarnings("ignore", category=SlowEngineWarning)
    """
