"""The kinds of the records of a file that has no images.

MXNet's RecordIO holds any bytes: programs write text, JSON or arrays, with an image header
(`recordkit.formats.irheader`) or without. Such a file is not damaged, but it has no samples to decode.

A file has images, damaged or not, as soon as one record has a header and behind it an image, or if PREFIX.json says
that recordkit packed it. Otherwise its records have no header if at least half of them cannot have one: they are too
short for it, or for the labels that it would announce.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from dataclasses import dataclass

from recordkit import codec
from recordkit.errors import FormatError, plural
from recordkit.formats import irheader
from recordkit.formats.frame import RecordReader
from recordkit.formats.insightface import faces
from recordkit.formats.signatures import detect
from recordkit.storage.fileset import Fileset

# Numbers of labels, before an image, that a damaged header may have had.
_N_LABELS_TRIED = 9


@dataclass(frozen=True)
class OtherRecords:
    """The records of a file without any image.

    Attributes
    ----------
    n_records : int
    kinds : dict of str to int
        Number of records per kind of content: an image format, or as `recordkit.formats.signatures.detect` names it.
    has_headers : bool
        The contents stand behind image headers.

    Examples
    --------
    >>> str(OtherRecords(5, {"text": 5}, False)), str(OtherRecords(4, {"npy": 4}, True))
    ('5 records of plain bytes (text), without an image header', '4 records of npy behind an image header, no image')
    """

    n_records: int
    kinds: dict[str, int]
    has_headers: bool

    def __str__(self) -> str:
        end = " behind an image header, no image" if self.has_headers else ", without an image header"
        return f"{plural(self.n_records, 'record')} of {self.content}{end}"

    @property
    def content(self) -> str:
        """The kinds as a text, such as "npy" or "plain bytes (3 text, 2 json)"."""
        kinds = ", ".join(self.kinds if len(self.kinds) == 1 else (f"{n} {kind}" for kind, n in self.kinds.items()))
        if self.has_headers:
            return kinds
        return "plain bytes" if kinds == "unknown" else f"plain bytes ({kinds})"


def content_kind(content: bytes | memoryview) -> str:
    """Name the content of a record: an image format, "empty", "unknown", or a kind of `signatures.detect`."""
    image_format = codec.sniff(content)
    if image_format != "unknown":
        return image_format
    kind = detect(content)
    return "unknown" if kind == "bytes" else kind


def find_other_records(files: Fileset, *, limit: int | None = None) -> OtherRecords | None:
    """Look whether a file has no images.

    A file is read up to its first image, or completely if it has none, or up to a damage. A file that PREFIX.json
    describes has images, because recordkit packs nothing else; then one record with a header is enough.

    Parameters
    ----------
    files : Fileset
    limit : int, optional
        Largest number of records to look at, for a caller that reads no more of them.

    Returns
    -------
    records : OtherRecords or None
        None if the file has images, or if its records may be damaged ones.

    Raises
    ------
    NotFoundError, OSError, FormatError
        The file cannot be opened.
    """
    kinds: Counter[str] = Counter()
    n_headerless = n_metadata = 0
    with RecordReader(files.path(".rec")) as reader, contextlib.suppress(FormatError):
        for position, record in enumerate(itertools.islice(reader, limit)):
            try:
                header, payload = irheader.unpack(record)
            except FormatError:
                if _was_image_record(record):
                    return None
                n_headerless += 1
                kinds[content_kind(record)] += 1
                continue
            if codec.sniff(payload) not in ("empty", "unknown"):
                return None
            if position == 0 and _is_described(files):
                return None
            n_metadata += faces.is_metadata(header, payload)
            kinds[content_kind(payload)] += 1
    n_records = kinds.total()
    if n_metadata or not n_records:
        return None
    is_known = not {"empty", "unknown"} & kinds.keys()
    is_other = 2 * n_headerless >= n_records if n_headerless else is_known
    if not is_other or "rec" in files.description():
        return None
    return OtherRecords(n_records, dict(kinds.most_common()), not n_headerless)


def _is_described(files: Fileset) -> bool:
    with contextlib.suppress(FormatError):
        return "rec" in files.description()
    return False


def no_header_error(files: Fileset) -> FormatError | None:
    """Return the error for a reader of image records if the records of a file have no image header, otherwise None."""
    other = find_other_records(files)
    if other is None:
        return None
    return FormatError(
        path=str(files.path(".rec")),
        expected="records with an image header",
        got=other.content,
        advice="recordkit.recordio.MXRecordIO reads them",
    )


def _was_image_record(record: bytes) -> bool:
    """Return whether an image stands where it would behind a header, whose number of labels is wrong."""
    content = memoryview(record)
    starts = (irheader.HEADER_SIZE + 4 * n for n in range(_N_LABELS_TRIED))
    return any(codec.sniff(content[start:]) in ("jpg", "png") for start in starts)
