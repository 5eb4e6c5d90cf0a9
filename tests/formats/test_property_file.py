"""The file property beside InsightFace's train.rec."""

import os

import pytest

from recordkit.errors import FormatError
from recordkit.formats.insightface.property_file import MAX_BYTES, FaceProperty, read


@pytest.mark.parametrize(
    "text", ["93431,112,96\n", "93431,112,96", " 93431, 112 ,96 \r\n5179510\nshuffled\n2020-01-01\n"]
)
def test_the_first_line_is_read(tmp_path, text):
    path = tmp_path / "property"
    path.write_text(text)
    assert read(path) == FaceProperty(93431, 112, 96)


def test_what_is_packed_is_read(tmp_path):
    path = tmp_path / "property"
    path.write_bytes(FaceProperty(2**32 - 1, 112, 96).pack())
    assert read(path) == FaceProperty(2**32 - 1, 112, 96)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\n", b"1,2", b"1,2,3,4", b"-1,112,112", b"a,112,112", b"1.5,112,112", b",,", "\u0661,112,112".encode(),
        b"9" * 4000, b"99999999999,1,1", b"4294967296,1,1", b"\xff\x00\x1b[2J,1,1", bytes(100),
    ],
)  # fmt: skip
def test_another_first_line_is_an_error(tmp_path, content):
    path = tmp_path / "property"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"property: line 1: expected CLASSES,HEIGHT,WIDTH, got '"):
        read(path)


def test_a_large_file_and_a_pipe_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "property"
    path.write_bytes(b"1,112,112\n" * MAX_BYTES)
    with pytest.raises(FormatError):
        read(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FormatError):
        read(path)
