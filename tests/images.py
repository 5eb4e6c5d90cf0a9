"""Small images in every supported format, written with Pillow or byte by byte, and .rec files of them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from recordkit.formats import irheader
from recordkit.formats.frame import RecordWriter

EXIF_ORIENTATION = 0x0112
# PNG's colour types, each with its number of samples per pixel and its bit depths.
COLOR_TYPES = {0: (1, (1, 2, 4, 8, 16)), 2: (3, (8, 16)), 3: (1, (1, 2, 4, 8)), 4: (2, (8, 16)), 6: (4, (8, 16))}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def pixels(height=24, width=33, channels=3):
    """Return a smooth image with four different corners, so that every flip and rotation changes it."""
    y, x = np.mgrid[:height, :width]
    planes = (x * 200 // width, y * 220 // height, (x + 2 * y) * 80 // (width + height), 255 - x * 150 // width)
    return np.stack(planes[:channels], 2).astype(np.uint8)


def noise(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def picture(image=None, mode=None):
    """Convert pixels to a Pillow image."""
    image = pixels() if image is None else image
    converted = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else np.ascontiguousarray(image))
    return converted.convert(mode) if mode else converted


def save(image, encoding, **options):
    file = io.BytesIO()
    image.save(file, encoding, **options)
    return file.getvalue()


def exif(orientation):
    block = Image.Exif()
    block[EXIF_ORIENTATION] = orientation
    return block


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(samples, color_type):
    """Return a PNG of 16-bit samples of shape (H, W, C). Pillow cannot write these in colour."""
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    chunks = png_chunk(b"IHDR", head) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def any_png(rng, color, depth, *, width, height, interlaced=False, transparency=False, extra=()):
    """Return a PNG with random pixels and row filters, and with its data in two chunks. `extra` chunks follow IHDR."""
    n_samples = COLOR_TYPES[color][0]
    rows = bytearray()
    for left, top, step_x, step_y in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        pass_width, pass_height = -(-(width - left) // step_x), -(-(height - top) // step_y)
        if pass_width > 0 and pass_height > 0:
            n_bytes = -(-pass_width * n_samples * depth // 8)
            for _ in range(pass_height):
                rows += bytes([rng.integers(5)]) + rng.integers(0, 256, n_bytes, np.uint8).tobytes()
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, color, 0, 0, interlaced])
    chunks = [png_chunk(b"IHDR", head), *extra, png_chunk(b"tEXt", b"Title\0any")]
    if color == 3:
        chunks.append(png_chunk(b"PLTE", rng.integers(0, 256, 3 << depth, np.uint8).tobytes()))
    if transparency:
        n_bytes = {0: 2, 2: 6, 3: max(1 << depth >> 1, 1)}[color]
        chunks.append(png_chunk(b"tRNS", rng.integers(0, 256, n_bytes, np.uint8).tobytes()))
    data = zlib.compress(bytes(rows))
    chunks += [png_chunk(b"IDAT", data[:7]), png_chunk(b"IDAT", data[7:]), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def huge_png(width=60_000, height=60_000):
    """Return the header of an enormous PNG with very little pixel data."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = png_chunk(b"IHDR", head) + png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def huge_jpeg(width=60_000, height=60_000):
    """Return a small JPEG whose frame header has another size."""
    data = bytearray(save(picture(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def sampled_jpeg(horizontal, vertical, columns, rows):
    """Return a noise JPEG with the given luma sampling factors (chroma has 1) and number of MCU columns and rows.

    Pillow cannot write such files, so this puts another frame header around the blocks of a gray JPEG.
    """
    n_blocks = horizontal * vertical + 2
    gray = bytearray(save(picture(noise(8 * columns * rows, 8 * n_blocks, 1)), "JPEG"))
    frame, scan = gray.index(b"\xff\xc0"), gray.index(b"\xff\xda")
    size = struct.pack(">HH", 8 * vertical * rows, 8 * horizontal * columns)
    luma = bytes([1, 16 * horizontal + vertical, 0])
    gray[scan : scan + 10] = bytes.fromhex("ffda000c 03 0100 0200 0300 003f00")
    gray[frame : frame + 13] = bytes.fromhex("ffc0001108") + size + b"\3" + luma + bytes.fromhex("021100 031100")
    return bytes(gray)


def many_scans(n, side=8):
    """Return a correct progressive JPEG of gray pixels with n scans, at most 400; each takes 17 bytes or a few more."""
    n_blocks = (side // 8) ** 2
    frame = bytes.fromhex("ffc2000b08") + struct.pack(">HH", side, side) + bytes.fromhex("01011100")
    table = bytes.fromhex("ffc40014 00 01") + bytes(16)  # of DC: no difference, in 1 bit
    ends = bytes.fromhex("ffc40022 10 000000 0f") + bytes(12) + bytes(range(0, 0xF0, 16))  # of AC: 15 runs, in 4 bits
    data = bytes.fromhex("ffda0008010100000000") + _bits("0" * n_blocks)
    zeros = ""
    while n_blocks:
        run = min(n_blocks, 32_767)
        size = run.bit_length() - 1
        zeros += f"{size:04b}" + (f"{run - (1 << size):0{size}b}" if size else "")
        n_blocks -= run
    # Each coefficient has a first scan of its higher bits, and one for each of its 6 lower bits.
    scans = [(k, bit + 1 if bit < 6 else 0, bit) for k in range(1, 64) for bit in range(6, -1, -1)][: n - 1]
    for k, high, low in scans:
        data += bytes.fromhex("ffda00080101 00") + bytes([k, k, high << 4 | low]) + _bits(zeros)
    return b"\xff\xd8" + bytes.fromhex("ffdb004300") + bytes([1]) * 64 + frame + table + ends + data + b"\xff\xd9"


def _bits(bits):
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


def animation(encoding):
    first, second = pixels(12, 10), noise(12, 10)
    options = {"lossless": True} if encoding == "WEBP" else {}
    return save(picture(first), encoding, save_all=True, append_images=[picture(second)], **options)


def every_format():
    """Return a small valid file of each format, by name."""
    small = picture(pixels(9, 11))
    palette = small.quantize(8)
    return {
        "jpg": save(small, "JPEG"),
        "jpg progressive": save(small, "JPEG", progressive=True),
        "jpg gray": save(small.convert("L"), "JPEG"),
        "jpg cmyk": save(small.convert("CMYK"), "JPEG"),
        "jpg exif": save(small, "JPEG", exif=exif(6)),
        "jpg restarts": save(small, "JPEG", restart_marker_blocks=1),
        "png": save(small, "PNG"),
        "png exif": save(small, "PNG", exif=exif(3)),
        "png rgba": save(picture(pixels(9, 11, 4)), "PNG"),
        "png palette": save(palette, "PNG", transparency=bytes(range(8))),
        "png 1 bit": save(small.convert("1"), "PNG"),
        "png 16 bit": png(pixels(9, 11, 1).astype(np.uint16) * 257, 0),
        "apng": animation("PNG"),
        "bmp": save(small, "BMP"),
        "bmp palette": save(palette, "BMP"),
        "gif": animation("GIF"),
        "tiff": save(small, "TIFF"),
        "tiff deflate": save(small, "TIFF", compression="tiff_adobe_deflate"),
        "webp": save(small, "WEBP"),
        "webp animated": animation("WEBP"),
        "raw gray": b"P5\n4 3\n255\n" + bytes(range(12)),
        "raw rgb": b"P6\n2 2\n255\n" + bytes(range(12)),
    }


def write(path, payloads, labels=None):
    """Write a .rec and an .idx file of encoded images, and return the path of the .rec."""
    with open(path, "wb") as file, open(path.with_suffix(".idx"), "w") as index:
        writer = RecordWriter(file)
        for key, payload in enumerate(payloads):
            label = float(key % 10) if labels is None else labels[key]
            offset = writer.write(irheader.pack(irheader.IRHeader(label, key), payload))
            index.write(f"{key}\t{offset}\n")
    return path
