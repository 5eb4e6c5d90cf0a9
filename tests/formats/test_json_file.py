"""Reading JSON files that anybody may have written."""

import pytest

from recordkit.errors import FormatError
from recordkit.formats import json_file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.json"


@pytest.mark.parametrize("text", ['{"a": [1, -2.5, "x", null]}', '\ufeff{"a": 1}', "[]", f'{{"a": {"9" * 1000}}}'])
def test_json_is_read(text, path):
    path.write_text(text, encoding="utf-8")
    json_file.read(path, "class names")


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "Expecting value"),
        (b"\xff", "'utf-8' codec"),
        (b"[" * 1_000_000, "one nested too deeply"),
        (b'{"b":' * 100_000, "one nested too deeply"),
        (b"9" * 1_000_000, "a number of 1000000 digits"),
        (b'{"cat": 0, "dog": 1, "cat": 2}', "the key 'cat' twice"),
        (b"PK\x03\x04", "Expecting value"),
    ],
)
def test_other_content_is_an_error(content, got, path):
    path.write_bytes(content)
    with pytest.raises(FormatError, match=f"a.json: expected class names, got {got}.*; pack again"):
        json_file.read(path, "class names", advice="pack again")


def test_a_large_file_is_not_read(path):
    path.write_bytes(b"{}" + bytes(99))
    with pytest.raises(FormatError, match="expected class names of at most 100 bytes, got 101 bytes"):
        json_file.read(path, "class names", max_bytes=100)


@pytest.mark.parametrize(("text", "kind"), [("[1]", "list"), ("null", "NoneType"), ("1", "int")])
def test_an_object_is_no_list(text, kind, path):
    path.write_text(text)
    with pytest.raises(FormatError, match=f"expected a commit, got a JSON {kind}"):
        json_file.read_object(path, "a commit")
