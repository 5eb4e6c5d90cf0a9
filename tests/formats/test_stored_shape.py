"""Tests of recordkit.formats.images.stored_shape."""

import pytest
from pixel_kinds import every_kind

from recordkit import codec
from recordkit.errors import ImageError
from recordkit.formats.images import stored_shape


def decoded_shape(payload):
    try:
        return codec.decode(payload, channels="keep").shape
    except ImageError:
        return None


def test_the_header_tells_the_shape_that_decoding_gives():
    files = [(kind, payload) for kind, payloads in every_kind().items() for payload in payloads]
    shapes = [
        (kind, stored_shape.read(payload, codec.sniff(payload)), decoded_shape(payload)) for kind, payload in files
    ]
    assert [each for each in shapes if each[1] is not None and each[2] is not None and each[1] != each[2]] == []
    assert sum(read is not None for _, read, _ in shapes) > 200


@pytest.mark.parametrize("payload", [b"", b"hello", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"])
def test_no_shape_without_a_header(payload):
    assert stored_shape.read(payload, codec.sniff(payload)) is None
