"""The names of the files in which MNIST and its relatives are published.

    train-images-idx3-ubyte.gz            MNIST, Fashion-MNIST, Kuzushiji-MNIST; t10k is the test set
    train-images.idx3-ubyte               the same, as some programs unpack it
    emnist-letters-test-images-idx3-ubyte EMNIST, six datasets in one folder
    qmnist-train-labels-idx2-int.gz       QMNIST, int32 with eight columns
    xnist-images-idx3-ubyte.xz            QMNIST, a set that is not divided
    kmnist-train-imgs.npz                 Kuzushiji-MNIST and Kuzushiji-49 for NumPy
    mnist.npz                             Keras, all four arrays in one file

Source: ``torchvision.datasets``, and the download pages of the datasets.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from recordkit.formats import ubyte
from recordkit.formats.numpy_files import npz

SPLITS = {"train": "train", "t10k": "test", "test": "test", "val": "val", "valid": "val", "validation": "val"}
"""Names of sets by the word in the file name."""

_RANK = r"[-_.]idx\d"
_TYPE = r"[-_.]?(?:u?byte|short|u?int|float|double)\d*"
_ARRAY = re.compile(
    rf"(?:(?P<beginning>.+?)[-_.])?(?P<content>images|imgs|labels)(?:{_RANK}(?:{_TYPE})?(?:\.gz|\.xz)?|\.npz)",
    re.IGNORECASE,
)
# Arrays whose names have another beginning or end, as in "train-images-idx3-ubyte (1).gz", and QMNIST's labels as text.
_RELATED = re.compile(rf".*(?:{_RANK}{_TYPE}.*|{_RANK}|labels\.tsv(?:\.[gx]z)?)", re.IGNORECASE)
_BEGINNING = re.compile(rf"(?:(?P<dataset>.+)[-_.])?(?P<split>{'|'.join(SPLITS)})", re.IGNORECASE)


class ArrayFile(NamedTuple):
    """One array of a dataset, and where it is stored.

    Attributes
    ----------
    path : Path
    content : {"images", "labels"}
    dataset : str
        What the file name says before the split: ``emnist-letters``, or "" for MNIST.
    split : {"train", "test", "val", ""}
        "" if the dataset is not divided.
    member : str
        Name of the array in an .npz file.
    """

    path: Path
    content: str = ""
    dataset: str = ""
    split: str = ""
    member: str = "arr_0"

    @property
    def beginning(self) -> str:
        """The name in front of "images" or "labels", such as ``emnist-letters-train``."""
        match = _ARRAY.fullmatch(self.path.name)
        return (match and match["beginning"]) or ""

    @property
    def is_packed(self) -> bool:
        """True if the name says that the file is compressed."""
        return self.path.suffix.lower() in (".gz", ".xz", ".npz")

    def read(self) -> NDArray[Any]:
        """Read the array; see `recordkit.formats.ubyte.read` for the errors."""
        return npz.read(self.path, self.member) if self.path.suffix.lower() == ".npz" else ubyte.read(self.path)

    def read_shape(self) -> tuple[int, ...]:
        """Read the shape; of a ubyte file, only the header is read."""
        return self.read().shape if self.path.suffix.lower() == ".npz" else ubyte.read_shape(self.path)


def parse_name(path: Path) -> ArrayFile | None:
    """Return what the name of a file says about its array, or None if it is no name of such a file.

    Examples
    --------
    >>> parse_name(Path("emnist-letters-test-labels-idx1-ubyte.gz"))[1:]
    ('labels', 'emnist-letters', 'test', 'arr_0')
    >>> parse_name(Path("xnist-images-idx3-ubyte.xz"))[1:]
    ('images', 'xnist', '', 'arr_0')
    """
    match = _ARRAY.fullmatch(path.name)
    if match is None:
        return None
    content = "labels" if match["content"].lower() == "labels" else "images"
    beginning = match["beginning"] or ""
    split = _BEGINNING.fullmatch(beginning)
    if split is None:
        return ArrayFile(path, content, beginning)
    return ArrayFile(path, content, split["dataset"] or "", SPLITS[split["split"].lower()])


def is_array_name(name: str) -> bool:
    """Return whether a name is that of a ubyte file, or of labels beside one, understood or not.

    Examples
    --------
    >>> is_array_name("train-images.idx3-ubyte"), is_array_name("cells-idx4-float.gz"), is_array_name("notes.txt")
    (True, True, False)
    """
    return _RELATED.fullmatch(name) is not None


def missing_name(file: ArrayFile) -> str:
    """Return the name of the file that is expected beside an array, without the suffix of a compressed file.

    Examples
    --------
    >>> missing_name(parse_name(Path("t10k-images.idx3-ubyte.gz")))
    't10k-labels.idx1-ubyte'
    """
    name = file.path.name if file.path.suffix.lower() == ".npz" else re.sub(r"\.(gz|xz)$", "", file.path.name)
    if file.content == "images":
        return re.sub("images|imgs", "labels", name).replace("idx3", "idx1")
    if name.endswith(".npz"):
        return name.replace("labels", "imgs")
    return re.sub(r"idx\d.*", "idx3-ubyte", name.replace("labels", "images"))
