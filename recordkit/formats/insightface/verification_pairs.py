"""InsightFace's verification sets, such as lfw.bin: pairs of face images, and whether each pair is one person.

The file is a pickle of a tuple of two lists: the encoded images, two for each pair, and a bool for each pair. An image
is bytes, or an array of uint8 as OpenCV's encoder returns it; the answers may be an array too. Files of Python 2 have
its strings in place of bytes.

Source: ``lfw2pack.py``, ``build_eval_pack.py`` and ``load_bin`` of InsightFace. The pickle is read by
`recordkit.formats.insightface.data_pickle`, which runs nothing that a file names.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError, plural
from recordkit.formats.files import open_file
from recordkit.formats.insightface.data_pickle import MAX_CONTENT_BYTES, Array, Blob, read_content, read_data
from recordkit.formats.signatures import detect

_EXPECTED = "a verification set of InsightFace, a list of images and a list of answers"


@dataclass(frozen=True)
class VerificationPairs:
    """Summary of a verification set.

    Attributes
    ----------
    path : str
    n_bytes : int
    n_images : int
    n_pairs : int
        Number of answers, half of the number of images.
    n_same : int
        Pairs of one person.
    formats : dict of str to int
        Number of images per format: "jpg", "png", or "unknown".
    """

    path: str
    n_bytes: int
    n_images: int
    n_pairs: int
    n_same: int
    formats: dict[str, int]

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class PairFile:
    """A verification set. Its images stay in the file until they are read.

    Attributes
    ----------
    path : str
    images : sequence of Blob
        The encoded images; pair i is images 2 i and 2 i + 1.
    same : tuple of bool
        For each pair, whether it is one person.
    """

    path: str
    images: Sequence[Blob]
    same: tuple[bool, ...]

    def read(self, indices: Iterable[int]) -> list[bytes]:
        """Return the encoded images at some indices. Threads may call it at the same time.

        Raises
        ------
        FormatError
            The file has changed.
        OSError
            It cannot be read.
        """
        with open_file(self.path, buffering=-1) as file:
            try:
                return [read_content(file, self.images[index]) for index in indices]
            except FormatError as error:
                raise error.located(path=self.path) from None


def is_pickle(path: str | Path) -> bool:
    """Tell whether a file may be a verification set: it begins as a pickle does; False if it does not exist.

    Pickles of the text protocols 0 and 1 have no mark of their own, so they need the suffix ``.bin``.
    """
    try:
        with open_file(path) as file:
            head = file.read(512)
    except OSError:
        return False
    return detect(head) == "pickle" or (os.fspath(path).endswith(".bin") and head[:2] in (b"((", b"(l", b"(]"))


def read_pairs(path: str | Path) -> VerificationPairs:
    """Summarize a verification set. Memory does not grow with the images.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    pairs : VerificationPairs

    Raises
    ------
    FormatError
        The file is another pickle, or none, or has other numbers of images and answers. Nothing in it is run.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import pickle, tempfile
    >>> path = Path(tempfile.mkdtemp(), "lfw.bin")
    >>> _ = path.write_bytes(pickle.dumps(([b"jpeg"] * 4, [True, False])))
    >>> pairs = read_pairs(path)
    >>> pairs.n_images, pairs.n_pairs, pairs.n_same
    (4, 2, 1)
    """
    pairs = open_pairs(path)
    kinds = Counter(detect(image.head) for image in pairs.images)
    formats = Counter({"jpg": kinds["jpg"], "png": kinds["png"]})
    formats["unknown"] = kinds.total() - formats.total()
    return VerificationPairs(
        path=pairs.path,
        n_bytes=Path(path).stat().st_size,
        n_images=len(pairs.images),
        n_pairs=len(pairs.same),
        n_same=sum(pairs.same),
        formats=dict((+formats).most_common()),
    )


def open_pairs(path: str | Path) -> PairFile:
    """Find the images and the answers of a verification set. Memory does not grow with the images.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    pairs : PairFile

    Raises
    ------
    FormatError
        As for `read_pairs`.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import pickle, tempfile
    >>> path = Path(tempfile.mkdtemp(), "lfw.bin")
    >>> _ = path.write_bytes(pickle.dumps(([b"one", b"two"], [True])))
    >>> pairs = open_pairs(path)
    >>> pairs.same, pairs.read([1, 0])
    ((True,), [b'two', b'one'])
    """
    name = os.fspath(path)
    data = read_data(path)
    if not (isinstance(data, list | tuple) and len(data) == 2):
        raise FormatError(path=name, expected=_EXPECTED, got=_describe(data))
    images, answers = data
    if not isinstance(images, list | tuple) or not all(map(_is_image, images)):
        raise FormatError(path=name, expected=_EXPECTED, got=f"{_describe(images)} in place of images")
    same = _read_answers(answers, name)
    if len(images) != 2 * len(same):
        raise FormatError(
            path=name, expected=f"2 images for each of {len(same)} answers", got=plural(len(images), "image")
        )
    return PairFile(name, [image.content if isinstance(image, Array) else image for image in images], same)


def pack_pairs(images: Iterable[bytes], same: Sequence[bool]) -> Iterator[bytes]:
    """Yield the bytes of a verification set, piece by piece, so that memory does not grow with the images.

    They are a pickle of protocol 3, which every Python 3 loads as a tuple of a list of bytes and a list of bool.

    Parameters
    ----------
    images : iterable of bytes
        The encoded images, two for each pair.
    same : sequence of bool

    Raises
    ------
    FormatError
        An image is larger than readers accept.

    Examples
    --------
    >>> import pickle
    >>> pickle.loads(b"".join(pack_pairs([b"one", b"two"], [True])))
    ([b'one', b'two'], [True])
    """
    yield b"\x80\x03]("  # protocol 3, an empty list, and a mark before its items
    for image in images:
        if len(image) > MAX_CONTENT_BYTES:
            raise FormatError(expected=f"an image of at most {MAX_CONTENT_BYTES} bytes", got=f"{len(image)} bytes")
        yield b"B" + struct.pack("<I", len(image)) + image
    answers = b"".join(b"\x88" if answer else b"\x89" for answer in same)
    yield b"e](" + answers + b"e\x86."  # the items into their list, the second list, and a tuple of both


def _is_image(value: Any) -> bool:
    return isinstance(value, Blob) or (isinstance(value, Array) and value.dtype in ("u1", "|u1", "uint8"))


def _read_answers(answers: Any, path: str) -> tuple[bool, ...]:
    if isinstance(answers, Array) and answers.dtype in ("b1", "|b1", "bool"):
        with open_file(path, buffering=-1) as file:
            return tuple(map(bool, read_content(file, answers.content)))
    if isinstance(answers, list | tuple) and all(isinstance(answer, int) and answer in (0, 1) for answer in answers):
        return tuple(map(bool, answers))
    raise FormatError(path=path, expected=_EXPECTED, got=f"{_describe(answers)} in place of answers")


def _describe(data: Any) -> str:
    names = {Blob: "bytes", Array: "an array", list: "a list", tuple: "a tuple", type(None): "nothing"}
    name = names.get(type(data), "a number")
    return f"{name} of {len(data)}" if isinstance(data, list | tuple) else name
