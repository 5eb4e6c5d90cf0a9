"""Compare the pixels of every kind of image with MXNet's, and write the tables of docs/reference/pixels.md.

Usage: python tests/pixel_matrix.py
"""

import sys
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import numpy as np  # noqa: E402
from images import write  # noqa: E402
from pixel_kinds import every_kind  # noqa: E402

from recordkit import codec  # noqa: E402
from recordkit.errors import ImageError  # noqa: E402
from recordkit.interop import mxnet  # noqa: E402

LINEAR_LIGHT = "MXNet's libpng computes gray in linear light"
PAGE = HERE.parent / "docs" / "reference" / "pixels.md"
# Reasons of the differences, by format and kind.
REMARKS = {
    ("JPEG", "4:4:0"): "other rounding of chroma between two rows",
    ("JPEG", "CMYK"): "other rounding in the conversion to RGB",
    ("JPEG", "YCCK"): "other rounding in the conversion to RGB",
    ("JPEG", "CMYK without Adobe's marker"): "other rounding in the conversion to RGB",
    ("JPEG", "EXIF orientation after JFIF"): "`imdecode` turns a file only if EXIF is its first segment",
    ("JPEG", "no EOI"): "without the marker a whole file looks truncated",
    ("JPEG", "truncated"): "MXNet fills the missing part with gray",
    ("JPEG", "truncated, then EOI"): "both fill the missing part with gray",
    ("JPEG", "12 bits"): "`imdecode` returns pixels that are not of the file",
    ("JPEG", "two components"): "`imdecode` returns pixels that are not of the file",
    ("PNG", "gAMA 1/2.2"): LINEAR_LIGHT,
    ("PNG", "sRGB"): LINEAR_LIGHT,
    ("PNG", "cHRM"): LINEAR_LIGHT,
    ("PNG", "eXIf orientation"): "recordkit turns the file upright, as OpenCV 4.11 does",
    ("PNG", "wrong CRC of IHDR"): "`imdecode` returns pixels that are not of the file",
    ("PNG", "wrong CRC of IDAT"): "recordkit relies on the checksum inside the compressed data",
    ("PNG", "no IEND"): "the pixels are whole",
    ("BMP", "16 bits, 5-5-5"): "MXNet fills the low bits with zeros: white is 248, 248, 248",
    ("BMP", "16 bits, 5-6-5"): "MXNet fills the low bits with zeros: white is 248, 252, 248",
}
BEGIN, END = "<!-- pixels -->", "<!-- end of pixels -->"
HEAD = "| kind | colour | gray | `imdecode` | remark |\n| --- | --- | --- | --- | --- |\n"


def decode(payload, channels):
    try:
        return codec.decode(payload, channels=channels)
    except ImageError:
        return None


def decode_by_image_iter(mx, payload):
    """Decode to RGB with mx.image.imdecode, which ImageIter uses; None if it refuses the file."""
    try:
        return mx.image.imdecode(payload).asnumpy()
    except (mx.MXNetError, TypeError):
        return None


def decode_by_record_iter(mx, folder, payloads, channels, size):
    """Decode files of one size with MXNet's ImageRecordIter; None for a file that it refuses."""
    path = write(folder / "images.rec", payloads)
    options = {"data_shape": (channels, *size), "batch_size": len(payloads), "preprocess_threads": 1, "verbose": False}
    try:
        (batch,) = mx.io.ImageRecordIter(path_imgrec=str(path), **options)
        return list(batch.data[0].asnumpy().transpose(0, 2, 3, 1))
    except mx.MXNetError:  # it does not say which file it refuses
        if len(payloads) == 1:
            return [None]
        halves = payloads[: len(payloads) // 2], payloads[len(payloads) // 2 :]
        return [image for half in halves for image in decode_by_record_iter(mx, folder, half, channels, size)]


def record_iter_images(mx, folder, payloads, images, likely):
    """Return each file as MXNet's ImageRecordIter decodes it to the size of `images`; None if it refuses the file.

    Files that it probably reads share an iterator, because one takes long to make.
    """
    results, by_size = [None] * len(payloads), defaultdict(list)
    for row, image in enumerate(images):
        size = (24, 33) if image is None else image.shape[:2]
        by_size[size, None if likely[row] else row].append(row)
    for (size, _), rows in by_size.items():
        channels = next((images[row].shape[2] for row in rows if images[row] is not None), 3)
        decoded = decode_by_record_iter(mx, folder, [payloads[row] for row in rows], channels, size)
        for row, image in zip(rows, decoded, strict=True):
            results[row] = image
    return results


def largest_gap(image, other):
    return int(np.abs(image.astype(int) - other.astype(int)).max()) if image.shape == other.shape else 255


def outcome(image, as_stored, other, other_as_stored):
    """Return the largest difference of two decoders, or which of them refuses the file or does not turn it upright."""
    if image is None or other is None:
        refusing = "both refuse" if other is None else "recordkit refuses"
        return refusing if image is None else "MXNet refuses"
    if as_stored is not None and largest_gap(as_stored, other_as_stored) <= 2:
        return "not turned"
    return str(largest_gap(image, other))


def outcomes(mx, folder, payloads, channels, by_imdecode):
    """Return the outcome of each file with ImageRecordIter, and with imdecode if the channels are 3."""
    images = [decode(payload, channels) for payload in payloads]
    stored = [None] * len(payloads)  # only of files that are turned
    for row, payload in enumerate(payloads):
        if codec.orientation(payload) != 1:
            stored[row] = codec.to_channels(codec.decode(payload, channels="keep"), channels)
    likely = [image is not None and other is not None for image, other in zip(images, by_imdecode, strict=True)]
    by_iter = record_iter_images(mx, folder, payloads, images, likely)
    turned = [row for row, image in enumerate(stored) if image is not None]
    unturned = record_iter_images(
        mx, folder, [payloads[row] for row in turned], [stored[row] for row in turned], [True] * len(turned)
    )
    as_stored = dict(zip(turned, unturned, strict=True))
    compared = zip(images, stored, by_iter, [as_stored.get(row) for row in range(len(payloads))], strict=True)
    with_imdecode = zip(images, stored, by_imdecode, by_imdecode, strict=True) if channels == 3 else ()
    return [outcome(*case) for case in compared], [outcome(*case) for case in with_imdecode]


def cell(results):
    """Return the outcomes of a kind's files in one text: the largest difference, then the other outcomes."""
    texts = set(results)
    gaps = [int(text) for text in texts if text.isdigit()]
    return "; ".join([*([str(max(gaps))] if gaps else []), *sorted(text for text in texts if not text.isdigit())])


def measure(mx):
    """Return the cells of each kind's row: colour, gray and imdecode."""
    files_by_kind = every_kind()
    payloads = [payload for files in files_by_kind.values() for payload in files]
    by_imdecode = [decode_by_image_iter(mx, payload) for payload in payloads]
    with tempfile.TemporaryDirectory() as folder:
        colour, with_imdecode = outcomes(mx, Path(folder), payloads, 3, by_imdecode)
        gray, _ = outcomes(mx, Path(folder), payloads, 1, by_imdecode)
    rows, begin = {}, 0
    for kind, files in files_by_kind.items():
        part = slice(begin, begin + len(files))
        rows[kind] = [cell(results[part]) for results in (colour, gray, with_imdecode)]
        begin += len(files)
    return rows


def tables(mx):
    """Return the text of the tables, one for each format."""
    rows_by_format = defaultdict(list)
    for (name, kind), cells in measure(mx).items():
        remark = f"{REMARKS[name, kind]} |" if (name, kind) in REMARKS else "|"
        rows_by_format[name].append(f"| {' | '.join([kind, *cells])} | {remark}\n")
    titles = {name: f"## {name[0].upper()}{name[1:]}" for name in rows_by_format}
    return "\n".join(f"{titles[name]}\n\n{HEAD}{''.join(rows)}" for name, rows in rows_by_format.items())


def replaced(page, text):
    """Return the page with the text between its two marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{text}{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(replaced(PAGE.read_text(), tables(mxnet.load())))
