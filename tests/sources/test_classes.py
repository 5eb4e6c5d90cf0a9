"""Class maps in their several forms, and the class map beside a list."""

import json

import pytest

from recordkit.errors import FormatError, NotFoundError
from recordkit.sources import read_classes
from recordkit.sources.classes import find_classes


@pytest.mark.parametrize(
    "content",
    [
        "cat\ndog\n",
        "\ufeffcat\r\ndog\r\n",
        " cat \ndog\n\n",
        '["cat", "dog"]',
        '{"cat": 0, "dog": 1}',
        json.dumps({"format": 1, "classes": {"cat": 0, "dog": 1}}),
        json.dumps({"classes": ["cat", "dog"]}),
    ],
)
def test_a_class_map_has_several_forms(tmp_path, content):
    (tmp_path / "classes").write_text(content, encoding="utf-8", newline="")
    assert read_classes(tmp_path / "classes") == {"cat": 0, "dog": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected class names, got none"),
        (b"{}", "expected class names, got none"),
        (b'{"cat": 0.5}', "expected a class name and a whole number each"),
        (b'{"cat": true}', "expected a class name and a whole number each"),
        (b'{"cat": ', "the class names cannot be read: Expecting value"),
        (b"\xff\xfe\x00", "the class names cannot be read: 'utf-8' codec can't decode"),
        (b"cat\n\ndog", "expected class names, got a blank one [(]number 1[)]"),
        (b"\ncat\ndog", "expected class names, got a blank one [(]number 0[)]"),
        (b"[" * 100_000, "the class names cannot be read: one nested too deeply"),
        (b'{"cat": 0, "cat": 1}', "the class names cannot be read: the key 'cat' twice"),
        (bytes(1 << 24) + b"x", "expected class names of at most 16777216 bytes, got 16777217 bytes"),
        (b'["cat", "cat"]', "expected each class name once, got 'cat' again"),
        (b"cat\ndog\ncat\n", "expected each class name once, got 'cat' again"),
        (b'{"format": 1, "classes": null}', "expected a class name and a whole number each"),
    ],
)
def test_other_content_is_refused(tmp_path, content, message):
    (tmp_path / "classes").write_bytes(content)
    with pytest.raises(FormatError, match=f"classes: .*{message}"):
        read_classes(tmp_path / "classes")


def test_a_class_map_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(
        NotFoundError,
        match="none: expected a file with a class name per line, or the .json of a pack",
    ):
        read_classes(tmp_path / "none")


@pytest.mark.parametrize("name", ["a", "a_train", "a_0", "a_12_val"])
def test_the_class_map_beside_a_list_is_found_by_the_prefix_of_the_list(tmp_path, name):
    assert find_classes(tmp_path / f"{name}.lst") is None
    (tmp_path / "a.classes.json").write_text('{"classes": {"cat": 3}}')
    assert find_classes(tmp_path / f"{name}.lst") == {"cat": 3}
