"""PNG in a core without libdeflate: zlib gives the same pixels, refuses the same files and writes correct files."""

import ctypes
import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from images import every_format, noise, pixels, png_chunk

from recordkit import native
from recordkit.codec import decode

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "recordkit/native/src"
PNGS = {name: payload for name, payload in every_format().items() if payload.startswith(b"\x89PNG")}


@pytest.fixture(scope="module")
def by_zlib(tmp_path_factory):
    """Compile png.cpp with zlib, as setup.py does without libdeflate.h."""
    compiler = os.environ.get("CXX", "g++")
    library = tmp_path_factory.mktemp("zlib") / "png.so"
    files = [SOURCES / name for name in ("png.cpp", "deflate_zlib.cpp", "orient.cpp")]
    if shutil.which(compiler) is None:
        pytest.skip("no C++ compiler is here")
    probe = subprocess.run([compiler, "-E", "-xc++", "-"], input=b"#include <zlib.h>", capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("zlib.h is not here")
    options = ["-std=c++17", "-O0", "-shared", "-fPIC", f"-I{SOURCES}"]
    program = Path(__file__).with_name("png_by_zlib.cpp")
    subprocess.run([compiler, *options, program, *files, "-lz", "-o", library], check=True)
    return ctypes.CDLL(str(library))


def decode_by_zlib(library, payload):
    """Return the pixels as stored, or None if the file is left to the reference engine."""
    shape, out = (ctypes.c_uint32 * 3)(), np.empty(1 << 20, np.uint8)
    pointer = out.ctypes.data_as(ctypes.c_void_p)
    if not library.decode(payload, ctypes.c_size_t(len(payload)), shape, pointer, ctypes.c_size_t(out.size)):
        return None
    height, width, channels = shape
    return out[: height * width * channels].reshape(height, width, channels)


def encode_by_zlib(library, image, level):
    """Return the PNG file of an image."""
    image, out = np.ascontiguousarray(image), np.empty(1 << 20, np.uint8)
    library.encode.restype = ctypes.c_size_t
    image_pointer, out_pointer = (array.ctypes.data_as(ctypes.c_void_p) for array in (image, out))
    shape = (ctypes.c_uint32 * 3)(*image.shape)
    size = library.encode(image_pointer, shape, level, out_pointer, ctypes.c_size_t(out.size))
    return out[:size].tobytes()


def decode_by_core(payload):
    """Return what the compiled core makes of a file: raw pixels with a header, or None."""
    core = native.load().Transcoder(channels=0, crop=False, filter="none", side=0, encoding="raw", quality=95)
    return core([payload])[0]


def png_of(stream, height=3, width=2):
    """Return a PNG of RGB pixels with this compressed data."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", stream) + png_chunk(b"IEND", b"")


ROWS = bytes(3 * (1 + 2 * 3))
STREAM = zlib.compress(ROWS)
DAMAGED = {
    "cut": STREAM[:-1],
    "cut to its header": STREAM[:2],
    "no bytes": b"",
    "more bytes after its end": STREAM + b"\0",
    "too few pixels": zlib.compress(ROWS[:-1]),
    "too many pixels": zlib.compress(ROWS + b"\0"),
    "another checksum": STREAM[:-1] + bytes([STREAM[-1] ^ 1]),
    "another header": b"\x79" + STREAM[1:],
    "a preset dictionary": b"\x78\xf9" + bytes(4) + STREAM[2:],
    "raw deflate": STREAM[2:-4],
    "gzip": bytes.fromhex("1f8b08000000000000ff") + STREAM[2:],
    "a bad block": STREAM[:2] + b"\x07" + STREAM[3:],
}


def test_the_other_library_is_compiled(by_zlib):
    by_zlib.library.restype = ctypes.c_char_p
    assert by_zlib.library() == b"zlib"


@pytest.mark.parametrize("name", PNGS)
def test_pixels_are_those_of_the_reference_engine(by_zlib, name):
    got = decode_by_zlib(by_zlib, PNGS[name])
    if got is None:  # left to the reference engine, as by libdeflate
        assert name in ("png exif", "apng")
    else:
        assert np.array_equal(got, decode(PNGS[name], channels="keep"))


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_streams_are_refused_by_both(by_zlib, require_native, what):
    assert decode_by_zlib(by_zlib, png_of(STREAM)) is not None and decode_by_core(png_of(STREAM)) is not None
    payload = png_of(DAMAGED[what])
    assert decode_by_zlib(by_zlib, payload) is None
    assert decode_by_core(payload) is None


def test_a_decoder_that_refused_a_file_decodes_the_next(by_zlib):
    assert decode_by_zlib(by_zlib, png_of(DAMAGED["cut"])) is None
    assert np.array_equal(decode_by_zlib(by_zlib, PNGS["png"]), decode(PNGS["png"]))


@pytest.mark.parametrize("level", range(10))
@pytest.mark.parametrize(
    "image", [pixels(40, 50), noise(100, 90), pixels(3, 5, 1), noise(60, 60, 4)], ids=lambda image: str(image.shape)
)
def test_files_that_it_writes_decode_to_their_pixels(by_zlib, image, level):
    assert np.array_equal(decode(encode_by_zlib(by_zlib, image, level), channels="keep"), image)


def test_the_highest_level_writes_a_smaller_file_than_the_lowest(by_zlib):
    sizes = [len(encode_by_zlib(by_zlib, pixels(100, 100), level)) for level in (0, 1, 9)]
    assert sizes[0] > 30_000 > 3 * sizes[1] and sizes[1] > sizes[2]
