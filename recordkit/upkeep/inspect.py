"""What is in a .rec file: how many records, which labels, which image formats; and its first records."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from recordkit import codec
from recordkit.errors import ImageError
from recordkit.formats import faces, irheader
from recordkit.formats.fileset import Fileset
from recordkit.formats.frame import RecordReader

# Labels are counted one by one up to this many different ones: beyond, a table of them tells nobody anything.
MAX_COUNTED_LABELS = 1000

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class RecordInfo:
    """One record.

    Attributes
    ----------
    offset : int
        In bytes.
    key : int
    labels : tuple of float or int
        Exact ones where the set has them.
    format : str
        See `recordkit.codec.sniff`.
    n_bytes : int
        Of the image.
    shape : tuple of int, or None
        (H, W, C) as stored; None if it does not decode.
    """

    offset: int
    key: int
    labels: tuple[float, ...]
    format: str
    n_bytes: int
    shape: tuple[int, ...] | None

    def as_json(self) -> dict[str, object]:
        """Return the facts as values that JSON can hold; a label that is not finite as the text "nan" or "inf"."""
        labels = [label if math.isfinite(label) else str(label) for label in self.labels]
        return {**asdict(self), "labels": labels}


@dataclass(frozen=True)
class FacesInfo:
    """What InsightFace's files have beside their header, see `recordkit.formats.faces`.

    Attributes
    ----------
    n_images : int
        The samples that a reader gets.
    n_identities : int
        Records without an image, which are no samples.
    """

    n_images: int
    n_identities: int


@dataclass(frozen=True)
class FileInfo:
    """A whole .rec file.

    Attributes
    ----------
    path : str
    n_bytes : int
    n_records : int
    key_range : (int, int) or None
        Smallest and largest key.
    label_width : (int, int)
        Fewest and most labels of a record, here and below of those that are no metadata.
    labels : dict of float to int, or None
        How often each finite first label comes; None if there are more than 1,000 different ones.
    label_range : (float, float) or None
        Smallest and largest finite first label.
    n_not_finite : int
        Records whose first label is infinite or NaN.
    formats : dict of str to int
        Image format to number of records; "empty" ones are metadata.
    mean_image_bytes : float
    first_shape : tuple of int, or None
        (H, W, C) of the first image that decodes.
    exact_labels : bool
    classes : dict of str to int, or None
    companions : dict of str to bool
        Which of .idx, .lst and .json are there.
    made_by : str
        What PREFIX.json says, else "".
    faces : FacesInfo or None
        Of a file in InsightFace's layout; the labels above are then those of its images.
    """

    path: str
    n_bytes: int
    n_records: int
    key_range: tuple[int, int] | None
    label_width: tuple[int, int]
    labels: dict[float, int] | None
    label_range: tuple[float, float] | None
    n_not_finite: int
    formats: dict[str, int]
    mean_image_bytes: float
    first_shape: tuple[int, ...] | None
    exact_labels: bool
    classes: dict[str, int] | None
    companions: dict[str, bool]
    made_by: str
    faces: FacesInfo | None

    def as_json(self) -> dict[str, object]:
        """Return the facts as values that JSON can hold."""
        return asdict(self)


class _Tally:
    """Counts while the file goes by."""

    def __init__(self) -> None:
        self.n = 0
        self.formats: Counter[str] = Counter()
        self.labels: Counter[float] = Counter()
        self.keys: tuple[int, int] | None = None
        self.width = (1 << 32, 0)
        self.label_range: tuple[float, float] | None = None
        self.n_not_finite = 0
        self.n_metadata = 0
        self.has_face_header = False
        self.image_bytes = 0
        self.first_shape: tuple[int, ...] | None = None

    def add(self, header: irheader.IRHeader, payload: memoryview) -> None:
        labels = header.labels
        kind = codec.sniff(payload)
        self.n += 1
        self.formats[kind] += 1
        self.image_bytes += len(payload)
        self.keys = _widen(self.keys, header.id)
        if faces.is_metadata(header, payload):
            self.n_metadata += 1
            self.has_face_header |= header.id == 0 and faces.ranges(header, payload) is not None
            return
        self.width = min(self.width[0], len(labels)), max(self.width[1], len(labels))
        if math.isfinite(labels[0]):
            self.label_range = _widen(self.label_range, labels[0])
            if len(self.labels) <= MAX_COUNTED_LABELS:
                self.labels[labels[0]] += 1
        else:
            self.n_not_finite += 1
        if self.first_shape is None and kind != "empty":
            self.first_shape = _shape(payload)


def _widen(span: tuple[_Number, _Number] | None, value: _Number) -> tuple[_Number, _Number]:
    return (value, value) if span is None else (min(span[0], value), max(span[1], value))


def _shape(payload: memoryview) -> tuple[int, ...] | None:
    try:
        return tuple(codec.decode(payload, channels="keep").shape)
    except ImageError:
        return None


def inspect(path: str | Path, *, progress: Callable[[int], None] | None = None) -> FileInfo:
    """Read a .rec file once and say what is in it.

    Parameters
    ----------
    path : str or Path
        The .rec file, or its prefix.
    progress : callable, optional
        Called with the number of bytes read since the last call.

    Returns
    -------
    info : FileInfo

    Raises
    ------
    FormatError
        The file is damaged; `recordkit.upkeep.verify` says where and how much.
    """
    files = Fileset(path)
    tally = _Tally()
    with RecordReader(files.path(".rec")) as reader:
        last = 0
        for offset, record in reader.scan():
            tally.add(*irheader.unpack_at(record, reader.path, offset))
            if progress:
                progress(offset - last)
                last = offset
        size = reader.size
        if progress:
            progress(size - last)
    version = files.description().get("recordkit")
    return FileInfo(
        path=str(files.path(".rec")),
        n_bytes=size,
        n_records=tally.n,
        key_range=tally.keys,
        label_width=tally.width if tally.n > tally.n_metadata else (0, 0),
        labels=dict(sorted(tally.labels.items())) if len(tally.labels) <= MAX_COUNTED_LABELS else None,
        label_range=tally.label_range,
        n_not_finite=tally.n_not_finite,
        formats=dict(tally.formats.most_common()),
        mean_image_bytes=tally.image_bytes / tally.n if tally.n else 0.0,
        first_shape=tally.first_shape,
        exact_labels=files.path(".labels.npy").exists(),
        classes=files.classes(),
        companions={suffix: files.path(suffix).exists() for suffix in (".idx", ".lst", ".json")},
        made_by=f"recordkit {version}" if version else "",
        faces=FacesInfo(tally.n - tally.n_metadata, tally.n_metadata - 1) if tally.has_face_header else None,
    )


def head(path: str | Path, n: int = 10) -> list[RecordInfo]:
    """Read the first records of a .rec file.

    Parameters
    ----------
    path : str or Path
    n : int, default 10

    Returns
    -------
    records : list of RecordInfo
        Up to `n`.

    Raises
    ------
    FormatError
        The file is damaged before that.
    """
    files = Fileset(path)
    exact = files.exact_labels()
    records = []
    with RecordReader(files.path(".rec")) as reader:
        for position, (offset, record) in enumerate(itertools.islice(reader.scan(), n)):
            header, payload = irheader.unpack_at(record, reader.path, offset)
            labels = header.labels
            if exact is not None and position < len(exact):
                labels = tuple(int(label) for label in exact[position].ravel())
            kind = codec.sniff(payload)
            records.append(RecordInfo(offset, header.id, labels, kind, len(payload), _shape(payload)))
    return records
