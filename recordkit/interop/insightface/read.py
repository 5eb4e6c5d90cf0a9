"""Face datasets in InsightFace's layout as sources, with notes on what in them is wrong.

The identity of an image is its own first label. The ranges of the identity records are compared with the labels and not
used: those of Glint360K are rounded to float32, so that some name an image of the next person.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.records import open_record_file, read_index
from recordkit.errors import FormatError, NotFoundError, plural
from recordkit.formats.insightface import property_file
from recordkit.interop.insightface.face_files import PREFIX
from recordkit.sources.records import RecordSource
from recordkit.storage.fileset import Fileset


def is_insightface(path: str | Path) -> bool:
    """Tell whether a path is a folder with a train.rec, or a .rec file with InsightFace's header.

    Raises
    ------
    FormatError
        It is a damaged .rec file.
    """
    path = Path(path)
    if path.is_dir():
        return _records_in(path).is_file()
    if path.suffix != ".rec" or not path.is_file():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whoever reads the file next gives them again
        with RecordDataset(path) as dataset:
            return dataset.has_metadata


def read_insightface(path: str | Path) -> RecordSource:
    """Open a face dataset. Its samples are the images, with their keys and all their labels.

    Parameters
    ----------
    path : str or Path
        A folder with train.rec, or a .rec file. A shuffled file, without header and identities, is read as well.

    Returns
    -------
    source : RecordSource
        Its notes say how many ranges of identities are wrong, and what else is unexpected.

    Raises
    ------
    NotFoundError
        There is no such file.
    FormatError
        The file is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key, label in enumerate([7, 7, 8], 1):
    ...         writer.write_idx(key, pack(IRHeader(0, label, key, 0), b"jpeg"))
    ...     for key, keys in [(4, [1, 4]), (5, [3, 4]), (0, [4, 6])]:
    ...         writer.write_idx(key, pack(IRHeader(0, keys, key, 0), b""))
    >>> source = read_insightface(prefix + ".rec")
    >>> source.entries([2])
    [Entry(key=3, labels=(8.0,), name='train.rec: sample 2')]
    >>> source.notes
    ['1 of 2 identity records name other images than all those of one label; the labels of the images are taken']
    """
    path = Path(path)
    path = _records_in(path) if path.is_dir() else path
    dataset = RecordDataset(path)
    source = RecordSource(dataset)
    values, bounds = dataset.ragged_labels()
    if not len(dataset):
        return source
    labels = values[bounds[:-1].astype(np.int64)]
    if int(np.max(np.diff(bounds))) > 1:
        source.notes.append("images have several labels; the first is the identity")
    if dataset.has_metadata:
        source.notes += _range_notes(dataset, labels)
    source.notes += _property_notes(path.with_name(property_file.NAME), float(np.max(labels)))
    return source


def _records_in(folder: Path) -> Path:
    return folder / f"{PREFIX}.rec"


def _property_notes(path: Path, max_label: float) -> list[str]:
    """Say whether the property file has another number of classes than the labels."""
    try:
        found = property_file.read(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except FormatError as error:
        return [f"{error}; the file is not needed"]
    if found.n_classes == max_label + 1:
        return []
    return [f"{path.name} says {plural(found.n_classes, 'class')}, and the largest label is {max_label:g}"]


def _range_notes(dataset: RecordDataset, labels: NDArray[np.float32] | NDArray[np.int64]) -> list[str]:
    """Say how many identity records name other images than all those of one label."""
    firsts, ends = _read_ranges(dataset)
    keys = dataset.keys
    by_key = np.argsort(keys, kind="stable")
    keys, labels = keys[by_key], labels[by_key]
    is_bound = np.concatenate([[True], labels[1:] != labels[:-1], [True]])
    run = np.cumsum(is_bound[:-1])
    begins, stops = np.searchsorted(keys, firsts), np.searchsorted(keys, ends)
    is_right = (begins < stops) & is_bound[begins] & is_bound[stops]
    is_right[is_right] = run[begins[is_right]] == run[stops[is_right] - 1]
    n_wrong = int(np.count_nonzero(~is_right))
    if not n_wrong:
        return []
    return [
        f"{n_wrong} of {plural(len(firsts), 'identity record')} name other images than all those of one label; the "
        "labels of the images are taken"
    ]


def _read_ranges(dataset: RecordDataset) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the first keys and the end keys of the identity records, each of shape (m,)."""
    (path,) = dataset.files
    file = open_record_file(path)
    try:
        offsets = _all_offsets(path, file.size)
        if not np.isin(dataset.offsets, offsets).all():  # of another file, so the dataset was scanned as well
            offsets = file.scan()
        keys, values, bounds = file.headers(np.setdiff1d(offsets, dataset.offsets))
    finally:
        file.close()
    is_range = (np.diff(bounds) == 2) & (keys != 0)
    starts = bounds[:-1][is_range].astype(np.int64)
    # A damaged range may have any number; one that is no key is wrong in any case.
    pairs = np.nan_to_num(np.stack([values[starts], values[starts + 1]]).astype(np.float64), posinf=0, neginf=0)
    firsts, ends = np.clip(pairs, 0, 2.0**63).astype(np.uint64)
    return firsts, ends


def _all_offsets(path: Path, size: int) -> NDArray[np.uint64]:
    try:
        return read_index(Fileset(path).path(".idx"), size)[1]
    except (FileNotFoundError, NotFoundError, FormatError):
        return np.empty(0, np.uint64)
