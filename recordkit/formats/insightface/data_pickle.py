"""Pickles of lists, numbers, bytes and small arrays, read without running anything in them.

A pickle is a program: `pickle.load` imports and calls what it names. This reader interprets the few instructions that
such data needs, of all protocols except the text protocol of Python 2, and refuses the others. A name such as NumPy's
``_reconstruct`` selects a rule of this module; nothing is imported or called, and an unknown name is refused.

Bytes and texts become `Blob`, their beginning, two counts and their place in the file, so memory does not grow with
the images; `read_content` reads one of them. Lengths that the pickle announces are compared with the file before
anything is allocated.

Source: the descriptions of the instructions in the standard module `pickletools`, and the ``__reduce__`` of NumPy's
arrays, dtypes and scalars, checked with NumPy 1.26 and 2.
"""

from __future__ import annotations

import os
import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from recordkit.errors import FormatError, plural
from recordkit.formats.files import open_file

MAX_INSTRUCTIONS = 4_000_000
"""Limit for the instructions of a pickle, and so for the objects it makes. A set of 12,000 images has about 60,000."""

MAX_CONTENT_BYTES = 1 << 26
"""Limit for one image, text or line of a pickle, in bytes."""

_HEAD_BYTES = 64


class Blob(NamedTuple):
    """Bytes or a text of a pickle.

    Attributes
    ----------
    size : int
    head : bytes
        The first bytes, up to 64; those of a text as Latin-1.
    n_nonzero : int
        Number of bytes that are not 0.
    offset : int
        Offset of its instruction in the file; -1 for no bytes, which need none.
    """

    size: int
    head: bytes
    n_nonzero: int
    offset: int


_EMPTY = Blob(0, b"", 0, -1)


@dataclass
class Array:
    """An array of NumPy.

    Attributes
    ----------
    dtype : str
        As NumPy writes it, such as "u1" or "b1"; "" until the array has content.
    content : Blob
    """

    dtype: str = ""
    content: Blob = _EMPTY


class _Dtype(NamedTuple):
    name: str


class _Name(NamedTuple):
    """A function or a class that the pickle names."""

    name: str


def read_data(path: str | Path) -> Any:
    """Read a pickle of lists, tuples, numbers, bytes, texts and arrays.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    data : list, tuple, int, float, bool, None, Blob or Array

    Raises
    ------
    FormatError
        The file is no such pickle: it is damaged, too long, or has other instructions or names. The error has the
        offset of the instruction.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import pickle, tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.bin")
    >>> _ = path.write_bytes(pickle.dumps(([b"jpeg"], [True])))
    >>> read_data(path)
    ([Blob(size=4, head=b'jpeg', n_nonzero=4, offset=13)], [True])
    """
    offset = 0
    machine = _Machine()
    with open_file(path, buffering=-1) as file:
        instructions = pickletools.genops(cast("BinaryIO", _Bounded(file)))
        try:
            for number, (instruction, argument, position) in enumerate(instructions):
                offset = position or 0
                if number == MAX_INSTRUCTIONS:
                    raise _Refused(f"more than {MAX_INSTRUCTIONS} instructions")
                machine.step(instruction.name, argument, offset)
            return machine.stack.pop()
        except _Refused as error:
            got: object = error
        except (ValueError, LookupError, TypeError, struct.error, OverflowError, Warning):
            got = "a damaged one"  # pickletools warns of unknown escapes, and a filter may make that an error
    raise FormatError(path=os.fspath(path), offset=offset, expected="a pickle of lists, bytes and numbers", got=got)


def read_content(file: BinaryIO, blob: Blob) -> bytes:
    """Read the bytes of a blob again.

    Parameters
    ----------
    file : binary file
        The pickle from which `read_data` got the blob, open for reading. Its position changes.
    blob : Blob

    Returns
    -------
    content : bytes
        Those of a text as Latin-1, as Python 2 writes bytes.

    Raises
    ------
    FormatError
        The file has other content by now.

    Examples
    --------
    >>> import io, pickle, tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.bin")
    >>> _ = path.write_bytes(pickle.dumps([b"jpeg"]))
    >>> with open(path, "rb") as file:
    ...     read_content(file, read_data(path)[0])
    b'jpeg'
    """
    if blob.offset < 0:
        return b""
    file.seek(blob.offset)
    try:
        instruction, argument, _ = next(pickletools.genops(cast("BinaryIO", _Bounded(file))))
        content = _bytes_in(cast("bytes", argument)) if instruction.name in _CONTENTS else b""
    except (ValueError, struct.error, Warning):
        content = b""
    if len(content) != blob.size or content[:_HEAD_BYTES] != blob.head:
        raise FormatError(offset=blob.offset, expected=f"the {plural(blob.size, 'byte')} that were there", got="others")
    return content


class _Refused(Exception):  # noqa: N818 (it never leaves this module)
    """An instruction or a name that such data does not need."""


class _Bounded:
    """A file from which no more than `MAX_CONTENT_BYTES` and its rest are read, whatever length is asked for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, MAX_CONTENT_BYTES, self._size - self._file.tell()))

    def readline(self) -> bytes:
        return self._file.readline(MAX_CONTENT_BYTES)


def _bytes_in(content: bytes | bytearray | str) -> bytes:
    return content.encode("latin-1") if isinstance(content, str) else bytes(content)


def _blob(content: bytes, offset: int) -> Blob:
    return Blob(len(content), content[:_HEAD_BYTES], len(content) - content.count(0), offset)


class _Machine:
    """The stack, the marks and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._below_marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any, offset: int) -> None:
        """Run the instruction at an offset of the file."""
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _NUMBERS:
            self.stack.append(argument)
        elif name in _CONTENTS:
            self.stack.append(_blob(_bytes_in(argument), offset))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise _Refused(f"the instruction {name}")

    def memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def mark(self, _: Any) -> None:
        self._below_marks.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self._below_marks.pop()
        return items

    def empty_list(self, _: Any) -> None:
        self.stack.append([])

    def make_list(self, _: Any) -> None:
        items = self.pop_mark()
        self.stack.append(items)

    def make_tuple(self, _: Any) -> None:
        items = self.pop_mark()
        self.stack.append(tuple(items))

    def tuple_of(self, n: int) -> None:
        items = tuple(self.stack[-n:])
        if len(items) < n:
            raise _Refused("a tuple without its items")
        self.stack[-n:] = [items]

    def append(self, _: Any) -> None:
        item = self.stack.pop()
        self._extend([item])

    def appends(self, _: Any) -> None:
        self._extend(self.pop_mark())

    def _extend(self, items: Any) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise _Refused("items for something else than a list")
        target.extend(items)

    def name(self, argument: str) -> None:
        self.stack.append(_known_name(argument))

    def stack_name(self, _: Any) -> None:
        module, name = self.stack.pop(-2), self.stack.pop()
        self.stack.append(_known_name(f"{_text(module)} {_text(name)}"))

    def reduce(self, _: Any) -> None:
        arguments = self.stack.pop()
        function = self.stack.pop()
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise _Refused("a call of something else than a function")
        self.stack.append(_NAMES[function.name](*arguments))

    def build(self, _: Any) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Array):
            _, _, dtype, _, content = state
            target.dtype, target.content = _checked(dtype, _Dtype).name, _checked(content, Blob)
        elif not isinstance(target, _Dtype):  # its state is the byte order of numbers
            raise _Refused("a state for something else than an array")


def _known_name(name: str) -> _Name:
    name = name.replace("numpy._core.", "numpy.core.").replace("__builtin__ ", "builtins ")
    if name not in _NAMES:
        raise _Refused(f"the name {name.replace(' ', '.')}, which nothing imports or calls here")
    return _Name(name)


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise _Refused(f"an array with {type(value).__name__} in place of {kind.__name__.strip('_')}")
    return value


def _text(value: Any) -> str:
    return str(_checked(value, Blob).head.decode("latin-1"))


def _bytes_of(content: Any = None, encoding: Any = None) -> Blob:
    del encoding  # a text stands for the bytes that it has as Latin-1
    return _EMPTY if content is None else _checked(content, Blob)


def _no_instance(*_: Any) -> Any:
    raise _Refused("an array that numpy.ndarray makes")


# The results of the names, from their arguments.
_NAMES: dict[str, Callable[..., Any]] = {
    "_codecs encode": _bytes_of,
    "builtins bytes": _bytes_of,
    "builtins bytearray": _bytes_of,
    "numpy ndarray": _no_instance,  # an argument of _reconstruct only
    "numpy dtype": lambda name, *_: _Dtype(_text(name)),
    "numpy.core.multiarray _reconstruct": lambda *_: Array(),
    "numpy.core.multiarray scalar": lambda _, content: bool(_checked(content, Blob).n_nonzero),
    "numpy.core.numeric _frombuffer": lambda content, dtype, *_: Array(
        _checked(dtype, _Dtype).name, _checked(content, Blob)
    ),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_NUMBERS = frozenset(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"))
_CONTENTS = frozenset(
    (
        "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
        "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    )
)  # fmt: skip
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MEMOIZE": _Machine.memoize,
    "MARK": _Machine.mark,
    "EMPTY_LIST": _Machine.empty_list,
    "LIST": _Machine.make_list,
    "TUPLE": _Machine.make_tuple,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.stack_name,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
}
