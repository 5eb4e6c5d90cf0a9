"""Binary Netpbm images of other programs: comments, maximums and tuple types; those of recordkit are in test_codec."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from recordkit import codec
from recordkit.errors import ImageError
from recordkit.formats import netpbm


def pam(depth, maximum, samples, *lines):
    head = b"P7\n%bWIDTH 2\nHEIGHT 1\nDEPTH %d\nMAXVAL %d\nENDHDR\n" % (b"".join(lines), depth, maximum)
    return head + samples


@pytest.mark.parametrize(
    ("payload", "samples"),
    [
        (b"P5\n# a comment\n2 1\n# one more\n255\n\x07\x08", [[7], [8]]),
        (b"P5#a\n2#b\r1#c\n255#d\n\x07\x08", [[7], [8]]),
        (b"P5 2 1 1\n\x00\x01", [[0], [255]]),
        (b"P5 2 1 15\n\x07\xff", [[119], [255]]),
        (b"P5 2 1 4095\n\x00\x00\x0f\xff", [[0], [255]]),
        (b"P5 2 1 65535\n\x01\xff\xff\x00", [[1], [255]]),
        (b"P6 1 1 100\n\x00\x32\x64", [[0, 128, 255]]),
        (b"P6 1 1 65535\n\x01\xff\x02\x00\xff\x01", [[1, 2, 255]]),
        (pam(1, 255, b"\x07\x08", b"TUPLTYPE GRAYSCALE\n"), [[7], [8]]),
        (pam(1, 1, b"\x00\x01", b"# a comment\nTUPLTYPE BLACKANDWHITE\n"), [[0], [255]]),
        (pam(2, 255, b"\x07\x80\x08\x81"), [[7, 7, 7, 128], [8, 8, 8, 129]]),
        (pam(3, 255, bytes(range(6)), b"\n"), [[0, 1, 2], [3, 4, 5]]),
        (pam(4, 65535, bytes(range(16))), [[0, 2, 4, 6], [8, 10, 12, 14]]),
    ],
)
def test_samples_of_every_kind(payload, samples):
    for buffer in (payload, memoryview(payload)):
        assert netpbm.unpack(buffer).tolist() == [samples]
    assert codec.decode(payload, channels="keep").tolist() == [samples]


@pytest.mark.parametrize("maximum", [1, 15, 99, 254, 255])
@pytest.mark.parametrize("magic", [b"P5", b"P6"])
def test_bytes_are_scaled_as_pillow_scales_them(magic, maximum):
    samples = np.arange(maximum + 1, dtype=np.uint8)
    if magic == b"P6":
        samples = np.repeat(samples, 3)
    payload = b"%b\n%d 1\n%d\n%b" % (magic, maximum + 1, maximum, samples.tobytes())
    with Image.open(io.BytesIO(payload)) as picture:
        expected = np.asarray(picture).reshape(1, maximum + 1, -1)
    assert np.array_equal(netpbm.unpack(payload), expected)


@pytest.mark.parametrize(
    "payload",
    [b"P5 2 1 0\n\0\0", b"P5 2 1 65536\n" + bytes(4), pam(0, 255, b""), pam(5, 255, bytes(10)), pam(1, 0, b"\0\0")],
)
def test_other_depths_and_maximums_are_refused(payload):
    with pytest.raises(ImageError, match="expected a P5, P6 or P7 header with a maximum of 1 to 65535"):
        netpbm.unpack(payload)


@pytest.mark.parametrize("filling", [b" ", b"\n", b"#\n", b"#"])
@pytest.mark.parametrize("magic", [b"P5", b"P7", b"P7\n"])
def test_a_long_header_is_refused_at_once(magic, filling):
    payload = magic + filling * 1_000_000
    begin = time.process_time()
    with pytest.raises(ImageError, match="expected a P5, P6 or P7 header"):
        netpbm.unpack(payload)
    assert time.process_time() - begin < 1
