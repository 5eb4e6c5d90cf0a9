"""Following the advices of `recordkit export`."""

import errno
from pathlib import Path

import pytest
from advice.walk import advice
from images import picture, save, write

import recordkit as rk
from recordkit.interop.folder import write as folder_write

CLASS = "{class}/{key}"


@pytest.fixture
def rec(photos):
    rk.pack("photos", "out")
    return "out.rec"


@pytest.fixture
def without_classes(photos):
    return write(Path("plain.rec"), [save(picture(), "PNG")] * 3, [0.0, 1.5, 1.5])


def test_a_name_with_a_wrong_suffix(rec, fails, works):
    error = fails("export", rec, "files", "--name", "{key}.png")
    (suffix,) = advice("interop/folder/names.py", "leave {} out of `name`, because images are not re-encoded", error)
    suffix = suffix.split()[0]
    works("export", rec, "files", "--name", "{key}.png".removesuffix(suffix))
    assert Path("files/0.jpg").exists()


def test_a_name_with_a_class_where_there_is_none(rec, without_classes, fails, works):
    error = fails("export", without_classes, "files", "--name", CLASS)
    advice("interop/folder/names.py", "use {label} instead of {class} in `name`", error)
    works("export", without_classes, "files", "--name", CLASS.replace("{class}", "{label}"))
    # a label without a name, and two names of one label; here the default name has {class}
    for number, classes in enumerate(('{"cat": 0}', '{"cat": 0, "tom": 0, "dog": 1}')):
        Path("out.json").write_text(f'{{"classes": {classes}}}')
        error = fails("export", rec, f"files {number}")
        advice("interop/folder/names.py", "use {label} instead of {class} in `name`", error)
        works("export", rec, f"files {number}", "--name", "{label}/{key}")


def test_a_class_name_that_cannot_be_a_folder(rec, fails, works):
    Path("out.json").write_text('{"classes": {"../cat": 0, "dog": 1}}')
    error = fails("export", rec, "files")
    advice("formats/name_template.py", "use {label} instead of {class} in `name`", error)
    works("export", rec, "files", "--name", "{label}/{key}")
    Path("out.json").write_text('{"classes": {"cats/tom": 0, "dog": 1}}')
    error = fails("export", rec, "more files", "--name", "{class}_{key}")
    advice("formats/name_template.py", "use a folder per class in `name`, {class}/{key}", error)
    works("export", rec, "more files", "--name", "{class}/{key}")


def test_a_label_that_is_not_whole(without_classes, fails, works):
    error = fails("export", without_classes, "files", "--name", "{key}_{label:03d}")
    advice("formats/name_template.py", "use {label} alone in `name`", error)
    works("export", without_classes, "files", "--name", "{key}_{label}")


def test_a_name_for_two_images(rec, fails, works):
    advice("interop/folder/write.py", "add _{key} to `name`", fails("export", rec, "files", "--name", "{class}"))
    works("export", rec, "files", "--name", "{class}_{key}")


def test_nothing_was_written(rec, fails, monkeypatch):
    def full(_path, _content):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = set(Path().rglob("*"))
    with monkeypatch.context() as patch:
        patch.setattr(folder_write, "_write_file", full)
        advice("interop/folder/write.py", "nothing was written", fails("export", rec, "files"))
    Path("photos.lst").write_text("0\t0\tcat/9.jpg\n1\t0\tcat/1.jpg\n")
    before.add(Path("photos.lst"))
    error = fails("export", "photos.lst", "files", "--root", "photos")
    advice("interop/export/samples.py", "nothing was written", error)
    assert set(Path().rglob("*")) == before


@pytest.mark.parametrize("suffix", [".tar", ".zip", ".tar.gz"])
def test_the_name_of_an_archive(photos, fails, works, suffix):
    error = fails("export", photos, f"new{suffix}")
    advice(
        "interop/conversions.py", "leave out {}, and give `format_name=webdataset` for a folder of .tar files", error
    )
    assert not Path(f"new{suffix}").exists()
    works("export", photos, "new", "--to", "webdataset")
    assert Path("new/train-000000.tar").is_file()
    works("export", photos, "files")
    assert Path("files/cat").is_dir()
