"""Seeded data for benchmarks: photo-like JPEGs, digit-like images, records of random bytes.

Usage: python benchmarks/data.py FOLDER

The program writes FOLDER/photos.rec, .idx, .lst and the images in FOLDER/images.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import recordkit as rk
from recordkit import codec
from recordkit.formats import idx, irheader
from recordkit.formats.frame import RecordWriter
from recordkit.sources import ListSource
from recordkit.transforms.resize import resize_to

# A JPEG of 256 x 341 pixels and this quality has about 35 kB, as photos of ImageNet packed at 256 pixels have.
_QUALITY = 92
# Number of different photos; the list names each in five rows.
_N_PHOTOS = 200


def photo(seed: int, height: int = 256, width: int = 341) -> NDArray[np.uint8]:
    """Return an image with detail at every scale, as photographs have.

    Each octave is enlarged noise; finer octaves are fainter.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for side, strength in ((3, 90), (8, 60), (24, 35), (64, 20), (160, 12)):
        coarse = rng.integers(0, 256, (side, side * width // height, 3), np.uint8)
        total += (resize_to(coarse, height, width, "cubic").astype(np.float32) - 128) * (strength / 128)
    return np.clip(total + 128 + rng.normal(0, 4, total.shape), 0, 255).astype(np.uint8)


def digits(n: int) -> NDArray[np.uint8]:
    """Return images of 28 x 28 with a few strokes, shape (n, 28, 28)."""
    rng = np.random.default_rng(0)
    images = np.zeros((n, 28, 28), np.uint8)
    for image in images:
        for _ in range(3):
            x, y = np.linspace(rng.integers(4, 24, 2), rng.integers(4, 24, 2), 40).T.astype(int)
            image[y, x] = image[y + 1, x] = rng.integers(128, 256)
    return images


def write_records(prefix: Path, records: Iterable[bytes]) -> Path:
    """Write PREFIX.rec and PREFIX.idx; return the path of the .rec file."""
    path = prefix.with_suffix(".rec")
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(record) for record in records]
    prefix.with_suffix(".idx").write_bytes(idx.lines(range(len(offsets)), offsets))
    return path


def write_images(prefix: Path, payloads: list[bytes]) -> Path:
    """Write image records of ten classes."""
    headers = (irheader.IRHeader(float(key % 10), key) for key in range(len(payloads)))
    return write_records(prefix, map(irheader.pack, headers, payloads))


def small_records(prefix: Path, n: int) -> Path:
    """Write records of 800 bytes: an image header and random bytes."""
    rng = np.random.default_rng(0)
    return write_images(prefix, [rng.bytes(776) for _ in range(n)])


def main() -> None:
    """Make images/ in a folder, and pack it as photos.rec beside it."""
    folder = Path(sys.argv[1])
    photos = folder / "images"
    photos.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(1000):
        name = f"{number % _N_PHOTOS:03d}.jpg"
        if not (photos / name).exists():
            (photos / name).write_bytes(codec.encode(photo(number), "jpg", quality=_QUALITY))
        rows.append(f"{number}\t{number % 10}\t{name}\n")
    (folder / "photos.lst").write_text("".join(rows))
    rk.pack(ListSource(folder / "photos.lst", photos), folder / "photos")


if __name__ == "__main__":
    main()
