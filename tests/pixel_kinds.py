"""Small files of every kind of JPEG, PNG and BMP, for the comparison with MXNet's decoder.

A kind is one or more files for which the two decoders are expected to agree or to differ in the same way. Files that no
writer at hand can write are made by changing bytes of others.
"""

import functools
import itertools
import struct
import zlib

import numpy as np
from images import COLOR_TYPES, any_png, exif, noise, picture, pixels, png_chunk, sampled_jpeg, save
from PIL import ImageCms

SIZES = [(24, 33), (9, 17), (1, 1)]  # height and width
# 16 x 16 gray pixels with arithmetic coding, written by libjpeg.
ARITHMETIC_JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d1a1c"
    "1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc9000b080010001001011100ffcc000600101005ffda00080101"
    "00003f00ff00b2f130a6e03fcaa81f9f04dbdef224f980ffd9"
)
# 8 x 8 gray pixels of 128: each difference is 0 and takes one zero bit.
LOSSLESS_JPEG = (
    bytes.fromhex("ffd8 ffc3000b080008000801011100 ffc40014000100000000000000000000000000000000 ffda0008010100010000")
    + bytes(8)
    + bytes.fromhex("ffd9")
)
PNG_NAMES = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGB with alpha"}


def contents():
    """Return the pixels of the files of a kind: smooth and random ones, of several sizes."""
    return [make(height, width) for height, width in SIZES for make in (pixels, noise)]


def jpegs(mode=None, **options):
    return [save(picture(image, mode), "JPEG", **options) for image in contents()]


def sampled(horizontal, vertical):
    """Return a JPEG of 32 x 32 random pixels with the given luma sampling factors."""
    return sampled_jpeg(horizontal, vertical, 4 // horizontal, 4 // vertical)


def with_adobe(payload, transform):
    """Change or insert the marker of Adobe, which tells how colours are stored."""
    if b"Adobe\0" in payload:
        offset = payload.index(b"Adobe\0") + 11
        return payload[:offset] + bytes([transform]) + payload[offset + 1 :]
    return payload[:2] + bytes.fromhex("ffee000e") + b"Adobe\0" + bytes(5) + bytes([transform]) + payload[2:]


def without_segments(payload, marker):
    """Remove the segments with a marker that precede the first scan."""
    result, offset = payload[:2], 2
    while payload[offset + 1] != 0xDA:
        end = offset + 2 + int.from_bytes(payload[offset + 2 : offset + 4], "big")
        result += b"" if payload[offset + 1] == marker else payload[offset:end]
        offset = end
    return result + payload[offset:]


def with_frame(payload, offset, value):
    """Change a byte of the frame header: 1 the kind, 4 the precision, 9 the number of components."""
    frame = next(n for n in range(len(payload)) if payload[n : n + 2] in (b"\xff\xc0", b"\xff\xc2")) + offset
    return payload[:frame] + bytes([value]) + payload[frame + 1 :]


def turned(encoding):
    """Return files with all EXIF orientations."""
    return [save(picture(pixels(24, 33)), encoding, exif=exif(number)) for number in range(2, 9)]


def jpeg_kinds():
    """Return the kinds of JPEG by name."""
    whole, colour_profile = jpegs()[1], ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    end, second = len(whole) - 2, picture(noise(5, 4))
    return {
        "4:4:4, 4:2:2, 4:2:0": [*jpegs(subsampling=0), *jpegs(subsampling=1), *jpegs(subsampling=2)],
        "4:4:0": [sampled(1, 2)],
        "4:1:1, 4:1:0 and the like": [sampled(4, 1), sampled(4, 2), sampled(2, 4), sampled(1, 4)],
        "gray": jpegs("L"),
        "progressive": jpegs(progressive=True),
        "optimized, quality 1 and 100": [*jpegs(optimize=True), *jpegs(quality=1), *jpegs(quality=100)],
        "restart markers": [*jpegs(restart_marker_blocks=1), *jpegs(progressive=True, restart_marker_rows=1)],
        "Adobe RGB": jpegs(keep_rgb=True, quality=95),
        "Adobe YCC": [with_adobe(file, 1) for file in jpegs()],
        "CMYK": jpegs("CMYK", quality=95),
        "YCCK": [with_adobe(file, 2) for file in jpegs("CMYK", quality=95)],
        "CMYK without Adobe's marker": [without_segments(file, 0xEE) for file in jpegs("CMYK", quality=95)],
        "MPO": [save(picture(image), "MPO", save_all=True, append_images=[second]) for image in contents()],
        "EXIF orientation": [without_segments(file, 0xE0) for file in turned("JPEG")],
        "EXIF orientation after JFIF": turned("JPEG"),
        "colour profile (ICC), comment": jpegs(icc_profile=colour_profile, comment=b"made by hand"),
        "no DHT (a frame of MJPEG)": [without_segments(file, 0xC4) for file in jpegs()],
        "bytes after EOI": [whole + b"\0" * 40, whole + whole],
        "bytes before EOI": [whole[:end] + bytes(40) + whole[end:]],
        "no EOI": [whole[:end]],
        "truncated": [whole[:-200]],
        "truncated, progressive": [jpegs(progressive=True)[1][:-60]],
        "truncated, then EOI": [whole[:-200] + b"\xff\xd9"],
        "two SOI": [whole[:2] + whole],
        "fill bytes before a marker": [whole[:2] + b"\xff\xff" + whole[2:]],
        "arithmetic coding": [ARITHMETIC_JPEG],
        "lossless": [LOSSLESS_JPEG],
        "12 bits": [with_frame(whole, 4, 12)],
        "two components": [with_frame(whole, 9, 2)],
    }


def pngs(color, *, depths=None, transparency=False, extra=(), change=None):
    """Return PNGs of a colour type, of all depths and sizes, interlaced and not."""
    result = []
    for depth, interlaced in itertools.product(depths or COLOR_TYPES[color][1], (False, True)):
        for height, width in SIZES:
            file = any_png(
                np.random.default_rng(depth), color, depth, width=width, height=height, interlaced=interlaced,
                transparency=transparency, extra=extra,
            )  # fmt: skip
            result.append(change(file) if change else file)
    return result


def damaged(kind, content=b"\0\0\xb1\x8f"):
    """Return a chunk with a wrong CRC."""
    return png_chunk(kind, content)[:-4] + b"\1\2\3\4"


def every_colour(**options):
    return [file for color in COLOR_TYPES for file in pngs(color, depths=(8,), **options)]


def with_iccp(name="sRGB"):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()
    return png_chunk(b"iCCP", name.encode() + b"\0\0" + zlib.compress(profile))


def png_kinds():
    """Return the kinds of PNG by name."""
    gamma, chromaticities = png_chunk(b"gAMA", struct.pack(">I", 45455)), png_chunk(
        b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    )  # fmt: skip
    linear = png_chunk(b"gAMA", struct.pack(">I", 100000))
    whole = pngs(2, depths=(8,))[0]
    data = whole.index(b"IDAT")
    end = len(whole) - 12
    return {
        **{f"{PNG_NAMES[color]}, {' '.join(map(str, depths))} bits, interlaced or not": pngs(color)
           for color, (_, depths) in COLOR_TYPES.items()},
        **{f"{PNG_NAMES[color]} with tRNS": pngs(color, transparency=True) for color in (0, 2, 3)},
        "gAMA 1/2.2": every_colour(extra=[gamma]),
        "sRGB": every_colour(extra=[png_chunk(b"sRGB", b"\0")]),
        "pHYs": every_colour(extra=[png_chunk(b"pHYs", bytes(9))]),
        "sBIT": [file for color, (n, _) in COLOR_TYPES.items()
                 for file in pngs(color, depths=(8,), extra=[png_chunk(b"sBIT", b"\5" * (3 if color == 3 else n))])],
        "gAMA 1 (linear)": every_colour(extra=[linear]),
        "cHRM": every_colour(extra=[gamma, chromaticities]),
        "iCCP": every_colour(extra=[with_iccp()]),
        "eXIf orientation": turned("PNG"),
        "ancillary chunk with a wrong CRC": [
            file for kind in (b"tEXt", b"gAMA", b"tRNS", b"eXIf", b"pHYs")
            for file in every_colour(extra=[damaged(kind)])
        ],
        "ancillary chunk that is too short": [
            file for kind in (b"gAMA", b"cHRM", b"pHYs", b"sRGB") for file in every_colour(extra=[png_chunk(kind, b"")])
        ],
        "wrong CRC of IHDR": [whole[:32] + b"\0" + whole[33:]],
        "wrong CRC of IDAT": [whole[: data + 11] + b"\1\2\3\4" + whole[data + 15 :]],
        "truncated": [whole[: len(whole) // 2]],
        "no IEND": [whole[:end]],
        "bytes after IEND": [whole + b"\n"],
        "animated (APNG)": [save(picture(image), "PNG", save_all=True, append_images=[picture(noise(24, 33))])
                            for image in contents()[:2]],
    }  # fmt: skip


def bmp(rows, bits, *, height, width, palette=b"", compression=0, masks=b""):
    """Return a BMP of rows that are already encoded."""
    offset = 54 + len(masks) + len(palette)
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(rows), 0, 0, len(palette) // 4, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) + head + masks + palette + rows


def bmp_kinds():
    """Return the kinds of BMP by name."""
    rng = np.random.default_rng(0)
    bytes_of = lambda n: rng.integers(0, 256, n, np.uint8).tobytes()  # noqa: E731 (short)
    palette = bytes_of(4 * 256)
    rle = b"".join(bytes([4, value, 4, value + 1, 0, 0]) for value in range(5)) + b"\0\1"
    masks_565 = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    return {
        "24 bits": [save(picture(image), "BMP") for image in contents()],
        "8, 4 and 1 bits with a palette": [
            bmp(bytes_of(8 * 5), 8, height=5, width=8, palette=palette),
            bmp(bytes_of(4 * 5), 4, height=5, width=8, palette=palette[:64]),
            bmp(bytes_of(4 * 5), 1, height=5, width=8, palette=palette[:8]),
        ],
        "8 bits gray": [save(picture(image, "L"), "BMP") for image in contents()],
        "8 bits RLE": [bmp(rle, 8, height=5, width=8, palette=palette, compression=1)],
        "32 bits": [bmp(bytes_of(4 * 8 * 5), 32, height=5, width=8), save(picture(pixels(9, 5, 4)), "BMP")],
        "16 bits, 5-5-5": [bmp(bytes_of(2 * 8 * 5), 16, height=5, width=8)],
        "16 bits, 5-6-5": [bmp(bytes_of(2 * 8 * 5), 16, height=5, width=8, compression=3, masks=masks_565)],
        "rows from top to bottom": [bmp(bytes_of(3 * 8 * 5), 24, height=-5, width=8)],
        "truncated": [save(picture(), "BMP")[:-99]],
    }


def other_kinds():
    """Return the kinds of other formats by name."""
    return {
        "TIFF": [
            save(picture(image), "TIFF", **options)
            for image in contents()
            for options in ({}, {"compression": "tiff_lzw"})
        ],
        "GIF, WebP": [save(picture(), name) for name in ("GIF", "WEBP")],
        "raw (Netpbm)": [b"P6\n2 2\n255\n" + bytes(range(12))],
    }


@functools.cache
def every_kind():
    """Return the files of each kind, by format and name."""
    groups = {"JPEG": jpeg_kinds(), "PNG": png_kinds(), "BMP": bmp_kinds(), "other formats": other_kinds()}
    return {(group, name): files for group, kinds in groups.items() for name, files in kinds.items()}
