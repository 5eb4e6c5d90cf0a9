"""Opening files, and replacing a file in one step."""

import io
import os
import socket

import pytest

from recordkit.errors import FormatError
from recordkit.formats import files
from recordkit.formats.files import not_found, open_file, read_file


@pytest.mark.parametrize(
    ("name", "suffix", "advice"),
    [
        ("out/fotos.rec", ".rec", "did you mean out/photos.rec?"),
        ("out/fotos.lst", ".lst", "out has no .lst file"),
        ("out/x.rec", ".rec", "out has photos.rec, photos_2.rec, z0.rec, z1.rec, z2.rec and 6 more"),
        ("owt/photos.rec", ".rec", "did you mean out/photos.rec?"),
        ("owt/x.rec", ".rec", "did you mean out?"),
        ("none/of/these/x.rec", ".rec", "there is no folder none"),
        ("out.rec", ".rec", "out is a folder; if it has images, 'recordkit pack out PREFIX' packs them"),
        ("out.lst", ".lst", "out is a folder"),
        ("x.rec", ".rec", "the current folder has no .rec file"),
        ("x", "", None),
        ("photos/x.rec", ".rec", "there is no folder photos"),
    ],
)
def test_a_missing_path_is_compared_with_the_names_beside_it(tmp_path, monkeypatch, name, suffix, advice):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    for file in ("photos.rec", "photos.idx", "photos_2.rec", *(f"z{n}.rec" for n in range(9))):
        (tmp_path / "out" / file).touch()
    error = not_found(name, "a file", suffix=suffix)
    assert (error.path, error.expected, error.got) == (name, "a file", "nothing of that name")
    assert error.advice == advice


def test_the_sets_that_a_pack_wrote_at_a_prefix_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a_test.rec", "a_train.rec", "a_val.rec", "ab.rec", "s_0.rec", "s_1.rec", "s.manifest.json"):
        (tmp_path / name).touch()
    advice = not_found("a.rec", "a .rec file", suffix=".rec").advice
    assert advice == "did you mean a_test.rec or a_train.rec or a_val.rec?"
    assert not_found("s.rec", "a .rec file", suffix=".rec").advice == "did you mean s?"


def test_a_link_to_nothing_is_not_advised_in_place_of_itself(tmp_path):
    (tmp_path / "a.rec").symlink_to("gone.rec")
    assert not_found(tmp_path / "a.rec", "a .rec file", suffix=".rec").advice == f"{tmp_path} has no .rec file"


def test_the_advice_of_a_caller_comes_first(tmp_path):
    (tmp_path / "b.idx").touch()
    assert not_found(tmp_path / "a.idx", "an .idx file", suffix=".idx", advice="make it").advice == "make it"


@pytest.mark.parametrize("opens", [open_file, lambda path: read_file(path, max_bytes=100)])
@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device", "socket"])
def test_nothing_but_a_regular_file_is_opened(tmp_path, monkeypatch, opens, kind):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    path = "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = "/dev/zero"
    elif kind == "link to a device":
        os.symlink("/dev/zero", path)
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
    with pytest.raises(FormatError, match="expected a file, got a pipe or device"):
        opens(path)


def test_a_name_that_becomes_a_pipe_after_a_look_at_it_does_not_block(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.touch()
    as_it_was = os.stat(path)
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(os, "stat", lambda *_args, **_options: as_it_was)
    with pytest.raises(FormatError, match="a pipe or device"):
        open_file(path)


@pytest.mark.parametrize("opens", [open_file, read_file])
def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path, opens):
    path = tmp_path / "x"
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FormatError) as caught:
        opens(path, max_bytes=1 << 20, what="a list of classes", advice="make it shorter")
    assert str(caught.value) == (
        f"{path}: expected a list of classes of at most 1048576 bytes, got 1099511627776 bytes; make it shorter"
    )


def test_a_file_that_grows_is_read_up_to_the_limit(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(bytes(100))
    assert read_file(path, max_bytes=100) == bytes(100)
    monkeypatch.setattr(files, "open_file", lambda path, **_options: io.FileIO(path))
    with pytest.raises(FormatError, match="expected a file of at most 99 bytes, got more"):
        read_file(path, max_bytes=99)


def test_a_folder_is_reported_as_such(tmp_path):
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)
