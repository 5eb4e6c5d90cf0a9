"""Names of files and of contents that are neither a .rec file nor an image, by their first bytes.

A .rec file begins with the magic of `recordkit.formats.frame`. A damaged one may begin with anything else, so only
contents that are recognized are refused as another format. Images are recognized by `recordkit.codec.sniff`.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import NamedTuple

from recordkit.errors import FormatError, RecordkitError, quoted
from recordkit.formats.byte_source import ByteSource, open_source
from recordkit.formats.files import not_found

# Bytes that the detection looks at: a tar archive has its signature at byte 257.
_N_LOOKED_AT = 512
_SIGNATURES = (
    (b"\x93NUMPY", "npy"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
)
# Images of formats that recordkit does not decode.
_IMAGE_SIGNATURES = (
    (b"%!PS", "EPS or PostScript"),
    (b"\xc5\xd0\xd3\xc6", "EPS or PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "PSD"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"icns", "ICNS"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"P4", "Netpbm of one bit per pixel (P4)"),
    (b"Pf", "a float image (PFM)"),
    (b"PF", "a float image (PFM)"),
)
_ISO_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"hevc": "HEIC"}
_PLAIN_NETPBM = re.compile(rb"P[123][\s#]")
# PROTO with the version, then a frame or the first object of the protocols 2 to 5.
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95\](}\x8c\x8e\x96XUTBCcKMNG\x88\x89)]")
_TEXT = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")
_N_QUOTED = 30
_UNPACK = "unpack it; if it has images, pack them with 'recordkit pack'"
_PACK = "'recordkit pack' packs folders and lists of images"
# Kinds of files that are refused: a name, and what to do.
_NAMES = {
    "npy": ("a NumPy array (npy)", ""),
    "npz": ("NumPy arrays (npz)", ""),
    "zip": ("a zip archive", _UNPACK),
    "tar": ("a tar archive", _UNPACK),
    "gzip": ("a gzip file", "decompress it with 'gzip -dc FILE > NEW.rec'"),
    "hdf5": ("an HDF5 file", ""),
    "tfrecord": ("a TFRecord file of TensorFlow", ""),
    "jpg": ("a JPEG image", _PACK),
    "png": ("a PNG image", _PACK),
    "pickle": (
        "a pickle",
        "if it is a verification set of InsightFace, 'recordkit info' describes it, and 'recordkit import' packs it",
    ),
    "git-lfs pointer": ("a pointer of Git LFS to the file", "get the file itself with 'git lfs pull'"),
    "json": ("a JSON text", ""),
    "text": ("a text", "was it downloaded completely?"),
}
_MIN_TEXT_BYTES = 4
# A shorter file is rather the rest of a .rec file.
_MIN_BYTES = 16
# Length, its checksum, and the checksum of the data.
_TFRECORD_FRAME_BYTES = 8 + 4 + 4


def detect(content: bytes | memoryview) -> str:
    """Name a content that is no image.

    Parameters
    ----------
    content : bytes-like
        A file or the bytes of a record, or their beginning: 512 bytes are looked at.

    Returns
    -------
    kind : str
        "npy", "npz", "zip", "tar", "gzip", "hdf5", "pickle", "json", "text", "git-lfs pointer", "jpg", "png", or
        "bytes" if nothing is recognized.

    Examples
    --------
    >>> detect(b'{"id": 1}'), detect(b"record_0"), detect(bytes(8))
    ('json', 'text', 'bytes')
    """
    head = bytes(content[:_N_LOOKED_AT])
    kind = next((name for magic, name in _SIGNATURES if head.startswith(magic)), "")
    if kind == "zip" and head[30 : 30 + int.from_bytes(head[26:28], "little")].endswith(b".npy"):
        return "npz"
    if kind:
        return kind
    if head[257:262] == b"ustar":
        return "tar"
    if _PICKLE.match(head):
        return "pickle"
    # A character may be cut at the end of the bytes that are looked at.
    text = head.decode("utf-8", "ignore")
    if len(head) < _MIN_TEXT_BYTES or len(text.encode()) < len(head) - 3 or not _TEXT.fullmatch(text):
        return "bytes"
    if text.startswith("version https://git-lfs"):
        return "git-lfs pointer"
    return "json" if text.lstrip()[:1] in ("{", "[") else "text"


def image_format(content: bytes | memoryview) -> str | None:
    """Name the format of an image that recordkit does not decode; None if it is not recognized.

    Examples
    --------
    >>> image_format(b"%!PS-Adobe-3.0 EPSF-3.0"), image_format(b"P3 1 1 255 0 0 0"), image_format(b"hello")
    ('EPS or PostScript', 'plain-text Netpbm (P3)', None)
    """
    head = bytes(content[:_N_LOOKED_AT])
    if _PLAIN_NETPBM.match(head):
        return f"plain-text Netpbm ({head[:2].decode()})"
    if head[4:8] == b"ftyp" and (name := _ISO_BRANDS.get(head[8:12])):
        return name
    name = next((name for magic, name in _IMAGE_SIGNATURES if head.startswith(magic)), None)
    return "SVG" if name is None and b"<svg" in head else name


class OtherFormat(NamedTuple):
    """A recognized format of a file that is no .rec file.

    Attributes
    ----------
    kind : str
        See `detect`; also "tfrecord".
    name : str
        For an error, such as "a tar archive".
    advice : str or None
        What to do with the file.
    """

    kind: str
    name: str
    advice: str | None


def find_other_format(path: str | Path) -> OtherFormat | None:
    """Recognize a file that is no .rec file; None if it may be one, damaged or not.

    Raises
    ------
    OSError
        The file cannot be read.
    FormatError
        `path` is a pipe or a device.
    """
    with contextlib.closing(open_source(path)) as source:
        return _other_format_of(source)


def _other_format_of(source: ByteSource) -> OtherFormat | None:
    head = source.pread(_N_LOOKED_AT, 0)
    if len(head) < _MIN_BYTES:
        return None
    kind = "tfrecord" if _is_tfrecord(source, head) else detect(head)
    if kind not in _NAMES:
        return None
    name, advice = _NAMES[kind]
    if kind == "text":
        if source.name.endswith((".idx", ".lst")):
            advice = "give the .rec file, not its index or list"
        if source.name.endswith((".csv", ".tsv", ".txt")):
            advice = f"if it is a list of images, run 'recordkit pack {quoted(source.name)} PREFIX'"
        name += f" that begins with {head[:_N_QUOTED].decode('utf-8', 'replace')!r}"
    return OtherFormat(kind, name, advice or None)


def open_records(path: str | Path) -> ByteSource:
    """Open the source of a .rec file, or of bytes that may be a damaged one.

    Raises
    ------
    NotFoundError
        The file does not exist.
    OSError
        The file cannot be opened.
    FormatError
        `path` is a pipe or a device, or a file that is recognized as another format. The error names what it is, and
        what to do with it.
    """
    try:
        source = open_source(path)
    except FileNotFoundError as error:
        if isinstance(error, RecordkitError):  # of a registered source, which says more
            raise
        raise not_found(path, "a .rec file", suffix=".rec") from None
    try:
        other = _other_format_of(source)
    except BaseException:
        source.close()
        raise
    if other:
        source.close()
        raise FormatError(path=source.name, expected="a .rec file", got=other.name, advice=other.advice)
    return source


def _is_tfrecord(source: ByteSource, head: bytes) -> bool:
    """Return whether two records in TensorFlow's frames follow each other, or one is the whole file."""
    size = source.size
    length = int.from_bytes(head[:8], "little")
    end = length + _TFRECORD_FRAME_BYTES
    if not length or end > size:
        return False
    next_length = int.from_bytes(source.pread(8, end), "little")
    return end == size or 0 < next_length <= size - end - _TFRECORD_FRAME_BYTES
