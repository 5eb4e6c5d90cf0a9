"""How fast does Ray Data read images with recordkit? Beside a Loader, and beside Ray's own readers of the same images.

Usage: python benchmarks/compare_ray_reading.py [--images N] [--cpus N] [--repeats N] [--json FILE]

Method: photo-like JPEGs of 256 x 341 are written as a .rec file, as a folder of ten classes, and as four tar shards.
Each case is a program that starts Ray with this number of CPUs, reads an epoch that does not count, and times another;
all programs run in turn, round after round.

It needs recordkit[cluster] and the native engine. It does not show several machines, an object store, or the time that
Ray takes to start.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from _run import compare_commands, write
from data import photo, write_images

from recordkit import RecordDataset, codec
from recordkit.interop import webdataset

READ = [sys.executable, str(Path(__file__).parent / "_ray.py")]
ARRAYS = {
    "Loader": "loader",
    "cluster.read and Decode": "decode",
    "ray.data.read_images": "read_images",
    "ray.data.read_webdataset": "read_webdataset",
}
ENCODED = {
    "cluster.read": "encoded_records",
    "ray.data.read_binary_files": "encoded_files",
    "ray.data.read_webdataset": "encoded_tar",
}
_N_SHARDS = 4
# Number of different photos, which are repeated, because each takes long to make.
_N_PHOTOS = 200


def write_photos(folder: Path, n: int) -> None:
    """Write `n` images as records, as files and as tar shards."""
    photos = [codec.encode(photo(seed), "jpg", quality=92) for seed in range(min(n, _N_PHOTOS))]
    payloads = [photos[number % len(photos)] for number in range(n)]
    for number, payload in enumerate(payloads):
        path = folder / "photos" / str(number % 10) / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    write_images(folder / "photos", payloads)
    with RecordDataset(folder / "photos.rec") as dataset:
        n_bytes = sum(map(len, payloads)) // _N_SHARDS
        webdataset.write_webdataset(dataset, folder / "tar", shard_bytes=n_bytes)


def main() -> None:
    """Make the files and time all cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder, options.images)
        facts = [
            compare_commands(
                title,
                {case: [*READ, program, name, str(options.cpus)] for case, program in cases.items()},
                "img/s",
                rounds=options.repeats,
                threads=options.cpus,
            )
            for title, cases in (("decoded images in batches", ARRAYS), ("encoded images in batches", ENCODED))
        ]
    write(options.json, facts)


if __name__ == "__main__":
    main()
