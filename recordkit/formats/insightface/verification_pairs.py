"""InsightFace's verification sets, such as lfw.bin: pairs of face images, and whether each pair is one person.

The file is a pickle of a tuple of two lists: the encoded images, two for each pair, and a bool for each pair. An image
is bytes, or an array of uint8 as OpenCV's encoder returns it; the answers may be an array too. Files of Python 2 have
its strings in place of bytes.

Source: ``lfw2pack.py`` and ``load_bin`` of InsightFace. The pickle is read by
`recordkit.formats.insightface.data_pickle`, which runs nothing that a file names.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recordkit.errors import FormatError
from recordkit.formats.files import open_file
from recordkit.formats.insightface.data_pickle import Array, Blob, read_data
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
    data = read_data(path)
    if not (isinstance(data, list | tuple) and len(data) == 2):
        raise FormatError(path=os.fspath(path), expected=_EXPECTED, got=_describe(data))
    images, answers = data
    if not isinstance(images, list | tuple) or not all(map(_is_image, images)):
        raise FormatError(path=os.fspath(path), expected=_EXPECTED, got=f"{_describe(images)} in place of images")
    n_pairs, n_same = _count_answers(answers, os.fspath(path))
    if len(images) != 2 * n_pairs:
        raise FormatError(
            path=os.fspath(path), expected=f"2 images for each of {n_pairs} answers", got=f"{len(images)} images"
        )
    kinds = Counter(detect(_content(image).head) for image in images)
    formats = Counter({"jpg": kinds["jpg"], "png": kinds["png"]})
    formats["unknown"] = kinds.total() - formats.total()
    return VerificationPairs(
        path=os.fspath(path),
        n_bytes=Path(path).stat().st_size,
        n_images=len(images),
        n_pairs=n_pairs,
        n_same=n_same,
        formats=dict((+formats).most_common()),
    )


def _is_image(value: Any) -> bool:
    return isinstance(value, Blob) or (isinstance(value, Array) and value.dtype in ("u1", "|u1", "uint8"))


def _content(image: Blob | Array) -> Blob:
    return image.content if isinstance(image, Array) else image


def _count_answers(answers: Any, path: str) -> tuple[int, int]:
    """Return the number of answers, and of those that are true."""
    if isinstance(answers, Array) and answers.dtype in ("b1", "|b1", "bool"):
        return answers.content.size, answers.content.n_nonzero
    if isinstance(answers, list | tuple) and all(isinstance(answer, int) and answer in (0, 1) for answer in answers):
        return len(answers), sum(answers)
    raise FormatError(path=path, expected=_EXPECTED, got=f"{_describe(answers)} in place of answers")


def _describe(data: Any) -> str:
    names = {Blob: "bytes", Array: "an array", list: "a list", tuple: "a tuple", type(None): "nothing"}
    name = names.get(type(data), "a number")
    return f"{name} of {len(data)}" if isinstance(data, list | tuple) else name
