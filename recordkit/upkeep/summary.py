"""Summaries of .rec files and sharded datasets: number of records, labels and image formats.

The pass over the records is in `recordkit.upkeep.scan`, the first ones are in `recordkit.upkeep.look.head`, and checks
are in `recordkit.upkeep.verify`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.dataset.contents import OtherRecords, content_kind, find_other_records
from recordkit.errors import FormatError, ImageError, with_places
from recordkit.formats import irheader
from recordkit.formats.frame import RecordReader
from recordkit.formats.images import stored_shape
from recordkit.formats.insightface import faces
from recordkit.storage.fileset import Fileset
from recordkit.storage.search import find_manifest_of
from recordkit.storage.snapshot import read_sets
from recordkit.upkeep.labels.text import MAX_COUNTED
from recordkit.upkeep.scan import scan, scan_records

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class FacesInfo:
    """Numbers of records in a file of InsightFace's layout; see `recordkit.formats.insightface.faces`.

    Attributes
    ----------
    n_images : int
        Records with an image. Only these are samples.
    n_identities : int
        Records without an image, not counting the header.
    """

    n_images: int
    n_identities: int


@dataclass(frozen=True)
class FileInfo:
    """Summary of a .rec file, or of all shards of a manifest.

    Attributes
    ----------
    path : str
        The .rec file or the manifest.
    n_bytes : int
        Size of the .rec files.
    n_records : int
    key_range : (int, int) or None
        Smallest and largest key; None if the file has no records.
    label_width : (int, int)
        Smallest and largest number of labels per record. This field and the next three leave out metadata records.
    labels : dict of float or int to int, or None
        Number of records per finite first label, the exact one (int) if the set has exact labels; None if there are
        more than 1,000 distinct labels.
    label_ranges : list of ((float, float) or None)
        Smallest and largest finite value of each label of a record, up to 1,000 labels; None if no value is finite.
    n_not_finite : int
        Number of records whose first label is infinite or NaN.
    formats : dict of str to int
        Number of records per image format, or kind of another content; "empty" counts the records without an image.
    mean_image_bytes : float
    first_shape : tuple of int, or None
        (H, W, C) of the first image whose shape can be found: in the header of a JPEG and of most PNGs, otherwise by
        decoding the image. None if there is none.
    exact_labels : bool
    classes : dict of str to int, or None
    companions : dict of str to bool
        Existence of the files with the suffixes .idx, .lst, .crc and .json.
    made_by : str
        Program and version in PREFIX.json; "" if unknown.
    faces : FacesInfo or None
        Numbers of images and identities if the file has InsightFace's layout.
    other_records : str or None
        What the records are if the file has no images. If they have no image header, the file has no keys and labels.
    shards : tuple of str
        The .rec files of a manifest; empty for a single file.
    edit : dict or None
        The key "edit" of PREFIX.json or the manifest: the command that made the set from others, and its inputs.
    shard_of : str or None
        The manifest that names this file among its shards.
    """

    path: str
    n_bytes: int
    n_records: int
    key_range: tuple[int, int] | None
    label_width: tuple[int, int]
    labels: dict[float, int] | None
    label_ranges: list[tuple[float, float] | None]
    n_not_finite: int
    formats: dict[str, int]
    mean_image_bytes: float
    first_shape: tuple[int, ...] | None
    exact_labels: bool
    classes: dict[str, int] | None
    companions: dict[str, bool]
    made_by: str
    faces: FacesInfo | None
    other_records: str | None = None
    shards: tuple[str, ...] = ()
    edit: dict[str, Any] | None = None
    shard_of: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return asdict(self)


class _Tally:
    """Counts that are updated record by record."""

    def __init__(self) -> None:
        self.n_records = 0
        self.formats: Counter[str] = Counter()
        self.labels: Counter[float] = Counter()
        self.key_range: tuple[int, int] | None = None
        self.label_width = (1 << 32, 0)
        self.label_ranges: list[tuple[float, float] | None] = []
        self.n_not_finite = 0
        self.n_metadata = 0
        self.has_face_header = False
        self.n_payload_bytes = 0
        self.first_shape: tuple[int, ...] | None = None

    def add_content(self, content: bytes | memoryview) -> str:
        kind = content_kind(content)
        self.n_records += 1
        self.formats[kind] += 1
        self.n_payload_bytes += len(content)
        return kind

    def add(self, header: irheader.IRHeader, labels: tuple[float, ...], payload: memoryview) -> None:
        image_format = self.add_content(payload)
        self.key_range = _widen(self.key_range, header.id)
        if faces.is_metadata(header, payload):
            self.n_metadata += 1
            self.has_face_header |= faces.is_file_header(header, payload)
            return
        self.label_width = min(self.label_width[0], len(labels)), max(self.label_width[1], len(labels))
        self._widen_label_ranges(labels)
        if math.isfinite(labels[0]):
            if len(self.labels) <= MAX_COUNTED:
                self.labels[labels[0]] += 1
        else:
            self.n_not_finite += 1
        if self.first_shape is None and image_format != "empty":
            self.first_shape = shape_of(payload)

    def _widen_label_ranges(self, labels: tuple[float, ...]) -> None:
        n_ranges = min(len(labels), MAX_COUNTED)
        self.label_ranges += [None] * (n_ranges - len(self.label_ranges))
        for number, label in enumerate(labels[:n_ranges]):
            if math.isfinite(label):
                self.label_ranges[number] = _widen(self.label_ranges[number], label)


def _widen(span: tuple[_Number, _Number] | None, value: _Number) -> tuple[_Number, _Number]:
    return (value, value) if span is None else (min(span[0], value), max(span[1], value))


def shape_of(payload: bytes | memoryview) -> tuple[int, ...] | None:
    """Return (H, W, C) of an image as stored; None if neither its header nor its pixels tell it."""
    if shape := stored_shape.read(payload, codec.sniff(payload)):
        return shape
    try:
        return tuple(codec.decode(payload, channels="keep").shape)
    except ImageError:
        return None


def inspect(path: str | Path, *, progress: Callable[[int], None] | None = None) -> FileInfo:
    """Read a .rec file, or all shards of a manifest, once and summarize them.

    Parameters
    ----------
    path : str or Path
        The .rec file, the manifest, or the prefix of either.
    progress : callable, optional
        Called with the number of bytes read since the last call.

    Returns
    -------
    info : FileInfo

    Raises
    ------
    NotFoundError
        The file does not exist.
    FormatError
        The file is damaged; `recordkit.upkeep.verify` reports all damage.
    """
    return read_sets(lambda: [path], lambda sets, _: _inspect(sets, progress))


def _inspect(sets: list[Fileset], progress: Callable[[int], None] | None) -> FileInfo:
    tally = _Tally()
    others = [_add_records(tally, files, progress) for files in sets]
    first, listing = sets[0], sets[0].listing
    if listing is None:
        description = first.description()
        version, edit = description.get("recordkit"), description.get("edit")
    else:
        version, edit = listing.manifest.recordkit, listing.manifest.edit
    return FileInfo(
        path=with_places(str(first.path(".rec") if listing is None else listing.path)),
        n_bytes=sum(files.rec_size() for files in sets),
        n_records=tally.n_records,
        key_range=tally.key_range,
        label_width=tally.label_width if tally.label_width[1] else (0, 0),
        labels=dict(sorted(tally.labels.items())) if len(tally.labels) <= MAX_COUNTED else None,
        label_ranges=tally.label_ranges,
        n_not_finite=tally.n_not_finite,
        formats=dict(tally.formats.most_common()),
        mean_image_bytes=tally.n_payload_bytes / tally.n_records if tally.n_records else 0.0,
        first_shape=tally.first_shape,
        exact_labels=all(files.exists(".labels.npy") for files in sets),
        classes=first.classes(),
        companions={
            suffix: all(files.exists(suffix) for files in sets) for suffix in (".idx", ".lst", ".crc", ".json")
        },
        made_by=f"recordkit {version}" if version else "",
        faces=FacesInfo(tally.n_records - tally.n_metadata, tally.n_metadata - 1) if tally.has_face_header else None,
        other_records=None if others[0] is None else str(others[0]),
        shards=() if listing is None else tuple(with_places(str(files.path(".rec"))) for files in sets),
        edit=dict(edit) if isinstance(edit, Mapping) else None,
        shard_of=_manifest_of(first) if listing is None else None,
    )


def _manifest_of(files: Fileset) -> str | None:
    try:
        found = find_manifest_of(files)
    except FormatError:  # the file is no less whole with a damaged manifest beside it
        return None
    return None if found is None else with_places(str(found[0]))


def _add_records(tally: _Tally, files: Fileset, progress: Callable[[int], None] | None) -> OtherRecords | None:
    """Count the records of one file; return what they are if they are no images."""
    files.check_listing()
    other = find_other_records(files)
    exact_labels = files.exact_labels()
    with RecordReader(files.path(".rec")) as reader:
        if other is not None and not other.has_headers:
            for _, record in scan_records(reader, progress=progress):
                tally.add_content(record)
        else:
            for index, (_, header, payload) in enumerate(scan(reader, progress=progress)):
                tally.add(header, labels_of(header, exact_labels, index), payload)
    return other


def labels_of(header: irheader.IRHeader, exact_labels: NDArray[np.int64] | None, index: int) -> tuple[float, ...]:
    """Return the exact labels of the record at `index` if the set has them, otherwise those of its header."""
    if exact_labels is None or index >= len(exact_labels):
        return header.labels
    return tuple(exact_labels[index].ravel().tolist())
