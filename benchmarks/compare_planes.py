"""What does a pack by planes change beside one of RGB pixels? This shows bytes, PSNR and levels of the planes.

Usage: python benchmarks/compare_planes.py --photos DIR [--resize N] [--json FILE]

Method: all JPEGs of the folder are packed with --resize 256 --quality 95, by planes and as RGB (`--exact`), with both
engines.

1. Bytes of all payloads, and their PSNR: each is decoded and compared with the photo that Pillow decodes, and resizes
   with the same filter, unencoded. The Python engine's RGB differs from it by its encoding alone.
2. Differences of planes in levels. The packs are repeated with quality 100, whose encoding changes a plane by up to 2
   levels, as a row of its own shows. Chroma is compared as it is stored, in half size: a decoder that makes an image of
   half the size does not change it. The Python engine's planes are compared before their encoding, too.

It needs the native engine. It does not show other filters or sizes, nor what a network makes of the differences.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _run import write
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

import recordkit as rk
from recordkit import codec
from recordkit.sources import ListSource
from recordkit.transforms import Resize

WAYS = {
    (engine, exact): f"{engine}, {'RGB' if exact else 'planes'}"
    for exact in (False, True)
    for engine in ("native", "python")
}
Planes = Sequence[NDArray[np.int16]]
"""Y, and Cb and Cr in half size."""


def pack_photos(photos: Sequence[Path], scratch: Path, plan: rk.PackPlan, engine: str) -> list[bytes]:
    """Return the payloads of a pack, in the order of the photos."""
    folder = photos[0].parent
    (scratch / "photos.lst").write_text("".join(f"{key}\t0\t{path.name}\n" for key, path in enumerate(photos)))
    rk.pack(ListSource(scratch / "photos.lst", folder), scratch / "packed", plan=plan, engine=engine)
    with rk.RecordDataset(scratch / "packed") as dataset:
        return [bytes(sample.payload) for sample in dataset]


def psnr_db(image: NDArray[np.uint8], expected: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio of an image."""
    squares = (image.astype(np.float64) - expected) ** 2
    return float(10 * np.log10(255**2 / max(squares.mean(), 1e-9)))


def resized_by_pillow(photo: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the RGB pixels of a photo after Pillow's resize, which averages where it shrinks."""
    return np.asarray(Image.fromarray(codec.decode(photo)).resize(size, Image.Resampling.BILINEAR))


def stored_planes(payload: bytes) -> Planes:
    """Return the planes of a JPEG with chroma of half size."""
    return [_decoded(payload, 1)[0], *_decoded(payload, 2)[1:]]


def _decoded(payload: bytes, reduction: int) -> NDArray[np.int16]:
    picture = Image.open(io.BytesIO(payload))
    picture.draft("YCbCr", (picture.width // reduction, picture.height // reduction))
    return np.moveaxis(np.asarray(picture).astype(np.int16), 2, 0)


def halved(plane: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return the means of 2 x 2 samples as a JPEG encoder rounds them, down and up in turn."""
    height, width = plane.shape
    padded = np.pad(plane.astype(np.int16), ((0, height % 2), (0, width % 2)), "edge")
    sums = padded[::2, ::2] + padded[::2, 1::2] + padded[1::2, ::2] + padded[1::2, 1::2]
    return (sums + 1 + np.arange(sums.shape[1]) % 2) >> 2


def unencoded_planes(photo: bytes, side: int) -> Planes | None:
    """Return the Python engine's planes before they are encoded; None if a photo is not stored as luma and chroma."""
    image = codec.decode_ycbcr(photo)
    if image is None:
        return None
    y, *chroma = np.moveaxis(Resize(side)(image), 2, 0)
    return [y.astype(np.int16), *map(halved, chroma)]


def kind_of(photo: bytes) -> str:
    """Return how a photo stores its chroma. The native engine may let the decoder halve chroma of full size."""
    picture = Image.open(io.BytesIO(photo))
    if picture.mode != "RGB":
        return "no chroma"
    return "chroma of full size" if JpegImagePlugin.get_sampling(picture) == 0 else "chroma of half size"


def compare_outputs(photos: Sequence[bytes], packs: Mapping[str, Sequence[bytes]]) -> list[dict[str, Any]]:
    """Return bytes and PSNR of each way, by the kind of the photos."""
    kinds = [kind_of(photo) for photo in photos]
    rows = []
    for way, payloads in packs.items():
        images = [codec.decode(payload) for payload in payloads]
        pairs = zip(images, photos, strict=True)
        values = [psnr_db(image, resized_by_pillow(photo, image.shape[1::-1])) for image, photo in pairs]
        for kind in sorted(set(kinds)):
            numbers = [number for number, each in enumerate(kinds) if each == kind]
            of_kind = [values[number] for number in numbers]
            n_bytes = sum(len(payloads[number]) for number in numbers)
            row = {"way": way, "photos": kind, "n": len(numbers), "bytes": n_bytes}
            rows.append(row | {"psnr_db": float(np.mean(of_kind)), "lowest_psnr_db": min(of_kind)})
            print(
                f"{way:16} {len(numbers):5} with {kind}:{n_bytes:14,} bytes, {np.mean(of_kind):.2f} dB, "
                f"lowest {min(of_kind):.2f} dB"
            )
    return rows


def differences(photos: Sequence[bytes], packs: Mapping[str, Sequence[bytes]], side: int) -> list[dict[str, Any]]:
    """Return the differences of planes between ways, by the sampling of the photos, of the worst photo each."""
    facts: dict[tuple[str, str], list[list[tuple[float, float, float]]]] = {}
    for n, photo in enumerate(photos):
        unencoded = unencoded_planes(photo, side)
        if unencoded is None:
            continue
        stored = {way: stored_planes(payloads[n]) for way, payloads in packs.items()}
        for title, one, other in (
            ("planes, native and Python", stored["native, planes"], unencoded),
            ("encoding alone", stored["python, planes"], unencoded),
            ("RGB, native and Python", stored["native, RGB"], stored["python, RGB"]),
            ("native, planes and RGB", stored["native, planes"], stored["native, RGB"]),
            ("Python, planes and RGB", stored["python, planes"], stored["python, RGB"]),
        ):
            levels = [np.abs(first - second) for first, second in zip(one, other, strict=True)]
            values = [(plane.mean(), np.percentile(plane, 99.9), plane.max()) for plane in levels]
            facts.setdefault((kind_of(photo), title), []).append(values)
    rows: list[dict[str, Any]] = []
    for (group, title), per_photo in sorted(facts.items()):
        array = np.array(per_photo)  # photo, plane, statistic
        row = {"photos": group, "n": len(array), "between": title, "mean": array[:, :, 0].mean(0).tolist()}
        names = ("worst_mean", "worst_p999", "worst_max")
        rows.append(row | dict(zip(names, array.max(0).T.tolist(), strict=True)))
        cells = [
            ", ".join(f"{value:.{2 * (number < 2)}f}" for value in rows[-1][name])
            for number, name in enumerate(("mean", *names))
        ]
        print(f"{group}, {title:28} mean {cells[0]}; worst mean {cells[1]}; p99.9 {cells[2]}; most {cells[3]}")
    return rows


def main() -> None:
    """Pack the photos, print both tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, metavar="DIR", required=True)
    parser.add_argument("--resize", type=int, default=256)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    paths = sorted(path.resolve() for path in options.photos.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
    photos = [path.read_bytes() for path in paths]
    packs = {}
    with tempfile.TemporaryDirectory() as scratch:
        for quality in (95, 100):
            for (engine, exact), way in WAYS.items():
                plan = rk.PackPlan(resize=options.resize, encoding="jpg", quality=quality, exact=exact)
                packs[quality, way] = pack_photos(paths, Path(scratch), plan, engine)
    print(f"{len(photos)} photos")
    outputs = compare_outputs(photos, {way: packs[95, way] for way in WAYS.values()})
    planes = differences(photos, {way: packs[100, way] for way in WAYS.values()}, options.resize)
    write(options.json, [{"n": len(photos), "resize": options.resize, "outputs": outputs, "differences": planes}])


if __name__ == "__main__":
    main()
