"""CIFAR-10 and CIFAR-100 in their binary versions, as one source per set.

A file is a sequence of images without a header. Each has its labels, one byte, in CIFAR-100 the coarse class and the
fine class, and then 3,072 bytes: the red, the green and the blue plane of 32 x 32 pixels, row by row.

    cifar-10-batches-bin/data_batch_1.bin to data_batch_5.bin, test_batch.bin, batches.meta.txt with the class names
    cifar-100-binary/train.bin, test.bin, fine_label_names.txt; the label is the fine class

Source: https://www.cs.toronto.edu/~kriz/cifar.html, section "Binary version".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recordkit.errors import FormatError, SourceError
from recordkit.formats.files import read_file
from recordkit.sources.arrays.memory import ArrayInMemory
from recordkit.sources.arrays.source import ArraySource
from recordkit.sources.classes import read_classes

_SHAPE = (3, 32, 32)
# A file of CIFAR-100 has 50,000 images.
_MAX_BYTES = 1 << 28


class _Form(NamedTuple):
    """Files of one of the two datasets.

    Attributes
    ----------
    folder : str
        Folder that the archive unpacks to.
    sets : dict of str to tuple of str
        Files of each set.
    names : str
        File with the names of the classes.
    n_labels : int
        Bytes in front of an image; the last one is the class.
    n_classes : int
    """

    folder: str
    sets: dict[str, tuple[str, ...]]
    names: str
    n_labels: int
    n_classes: int


_FORMS = (
    _Form(
        "cifar-10-batches-bin",
        {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)},
        "batches.meta.txt",
        1,
        10,
    ),
    _Form("cifar-100-binary", {"train": ("train.bin",), "test": ("test.bin",)}, "fine_label_names.txt", 2, 100),
)


def open_cifar(path: str | Path, classes: Mapping[str, int] | None = None) -> dict[str, ArraySource]:
    """Open the sets of CIFAR-10 or CIFAR-100 in a folder, or in the folder below it that the archive unpacks to.

    Parameters
    ----------
    path : str or Path
    classes : mapping of str to int, optional
        Names of the labels; by default those of the file beside the images.

    Returns
    -------
    sets : dict of str to ArraySource
        ``train`` and ``test``; empty if there are no such files.

    Raises
    ------
    SourceError
        A file of the training set is missing, or there are both datasets.
    FormatError
        A file is truncated, has a label that is no class, or the names of the classes are damaged.
    """
    found = [
        (form, folder)
        for form in _FORMS
        for folder in (Path(path), Path(path, form.folder))
        # Other programs write a train.bin too.
        if all((folder / name).is_file() for name in (form.names, form.sets["train"][0], form.sets["test"][0]))
    ]
    if len(found) > 1:
        raise SourceError(
            path=str(path),
            expected="the files of one dataset",
            got=f"those of {' and '.join(form.folder for form, _ in found)}",
            advice="move each to a folder of its own",
        )
    for form, folder in found:
        names = classes or read_classes(folder / form.names)
        return {name: _read_set(folder, files, form, names) for name, files in form.sets.items()}
    return {}


def _read_set(folder: Path, names: tuple[str, ...], form: _Form, classes: Mapping[str, int]) -> ArraySource:
    images, labels = [], []
    for name in names:
        if not (folder / name).is_file():
            raise SourceError(path=str(folder), expected=f"{name} beside {names[0]}", got="no such file")
        records = _read_records(folder / name, form)
        labels.append(records[:, form.n_labels - 1 : form.n_labels])
        images.append(records[:, form.n_labels :].reshape(-1, *_SHAPE).transpose(0, 2, 3, 1))
    return ArraySource(
        *(ArrayInMemory(folder / names[0], np.concatenate(arrays)) for arrays in (images, labels)), classes=classes
    )


def _read_records(path: Path, form: _Form) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Return labels and pixels of each image, shape (n, bytes of a record)."""
    content = read_file(path, max_bytes=_MAX_BYTES, what="images of CIFAR")
    record_bytes = form.n_labels + int(np.prod(_SHAPE))
    if not content or len(content) % record_bytes:
        raise FormatError(
            path=str(path), expected=f"images of {record_bytes} bytes each", got=f"{len(content)} bytes in all"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, record_bytes)
    highest = int(np.max(records[:, form.n_labels - 1]))
    if highest >= form.n_classes:
        raise FormatError(path=str(path), expected=f"labels from 0 to {form.n_classes - 1}", got=highest)
    return records
