"""Write the seeds of the fuzz corpora: small files of each kind. Run it again after a kind was added.

A corpus has these and inputs that showed a bug, each named after it. The many others that a fuzzer finds stay in .envs.

Usage: python tests/fuzz/make_corpus.py
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import numpy as np  # noqa: E402
from images import COLOR_TYPES, any_png, every_format, png_chunk  # noqa: E402

from recordkit.formats.frame import MAGIC_BYTES, pack  # noqa: E402
from recordkit.formats.irheader import IRHeader  # noqa: E402
from recordkit.formats.irheader import pack as pack_header  # noqa: E402

# Steps of the target `load`, up to three for a seed: kind, height, width, filter, and the parameters of the kind.
RESIZE, MIDDLE, CROP, RESIZED = [0, 9, 0, 1], [1, 5, 7, 0], [2, 6, 5, 0], [3, 8, 9, 1, 20, 150, 40, 90]
SIZE_CROP, SIZE_MIDDLE, FLIP, BORDER = [4, 7, 6, 1, 3, 5], [5, 5, 5, 0, 2, 6], [6, 0, 0, 0, 255], [7, 0, 0, 0, 3, 99]
WARP = [8, 0, 0, 0, 100, 140, 120, 140, 120, 160, 110, 130, 50, 0]
STEPS = [[], [RESIZE, CROP, FLIP], [RESIZED, FLIP, BORDER], [MIDDLE, WARP], [FLIP, WARP, RESIZE]]
STEPS += [[SIZE_CROP, BORDER, CROP], [SIZE_MIDDLE, FLIP], [BORDER, MIDDLE, RESIZE]]


def images():
    """Yield target, name and content of the seeds that are encoded images."""
    for order, (name, payload) in enumerate(every_format().items()):
        kind, file = name.split()[0], name.replace(" ", "-")
        if kind not in ("jpg", "png", "raw"):
            continue
        yield {"jpg": "jpeg"}.get(kind, kind), file, payload
        yield "pack", file, b"\x41\x14\x20" + payload
        for number in (order % len(STEPS), (order + 3) % len(STEPS)):
            steps = STEPS[number]
            head = bytes([len(steps) << 6 | 9 * number % 64, number]) + b"".join(map(bytes, steps))
            yield "load", f"{file}-{number}", head + pack_header(IRHeader(1.0, number), payload)
        for number in range(3 if kind == "jpg" else 0):
            yield "part", f"{file}-{number}", bytes([60 * number, 40, 90, 70, number]) + payload


def seeds():
    """Yield target, name and content of all seeds."""
    records = [b"", b"abc", MAGIC_BYTES * 2 + b"x" + MAGIC_BYTES, bytes(40)]
    yield "frame", "records", b"".join(piece for record in records for piece in pack(record))
    yield "frame", "cut", b"".join(pack(bytes(30)))[:20]
    for number, record in enumerate(records):
        yield "write", str(number), record
    payloads = [payload for name, payload in every_format().items() if name.split()[0] in ("jpg", "png", "raw")]
    headed = [
        pack_header(IRHeader(label, key), image)
        for key, (label, image) in enumerate(
            zip((1.0, (0.5, 2.0), (7.0,), float("nan")), payloads[:2] + [MAGIC_BYTES * 3, b""], strict=True)
        )
    ]
    content = b"".join(piece for record in headed for piece in pack(record))
    for order in range(0, 256, 37):
        yield "copy", str(order), bytes([order]) + content
    yield "check", "records", content
    yield "check", "cut", content[3:-5]
    yield "heads", "here", content[:300]
    yield "heads", "next-block", bytes([255]) + content[:300]
    yield "idx", "plain", b"0\t0\n1\t48\n"
    yield "idx", "odd", b" 7  9 \r\n\n18446744073709551615\t1\nx"
    yield "exif", "little", bytes.fromhex("49492a00080000000100120103000100000006000000")
    yield "exif", "big", bytes.fromhex("4d4d002a0000000800010112000300000001000300000000")
    for number in range(4):
        yield "resize", str(number), np.random.default_rng(number).bytes(40)
    for number in range(12):
        yield "colors", str(number), bytes([64 * (number % 4) + number % 3]) + np.random.default_rng(number).bytes(300)
        yield "huffman", str(number), np.random.default_rng(number).bytes(300)
        yield "png-rows", str(number), bytes([7, 5, number, number, number, 9]) + bytes(range(5)) * 30
    # Rows of chroma whose length is odd: valgrind without JSIMD_FORCENONE=1 wrongly calls their pixels undefined.
    yield "huffman", "luma-2x3-odd-width", bytes([1, 10, 34, 9]) + np.random.default_rng(0).bytes(296)
    yield from images()
    yield "jpeg", "empty", b""
    for color, (_, depths) in COLOR_TYPES.items():
        for depth in depths:
            options = {"width": 7, "height": 5, "interlaced": depth % 3 == 2, "extra": [png_chunk(b"gAMA", bytes(4))]}
            image = any_png(np.random.default_rng(depth), color, depth, **options)
            yield "png", f"{color}-{depth}", image


if __name__ == "__main__":
    for target, name, content in seeds():
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
