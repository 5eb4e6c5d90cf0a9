"""Folders and files that programs made, and files of other suffixes: left out and named, except by im2rec."""

import pytest
from sources.folders import make, rows

from recordkit.errors import SourceError
from recordkit.sources import EXTENSIONS, FolderSource, ZeroLabelSource, open_source

JPEG = bytes.fromhex("ffd8ffe0")


def names(source):
    return [name for _, _, name in rows(source)]


@pytest.mark.parametrize(
    "folder",
    [".ipynb_checkpoints", "__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "#recycle"],
)
def test_a_folder_that_a_program_made_is_no_class(tmp_path, folder):
    make(tmp_path, "cat/1.jpg", f"cat/{folder}/1-checkpoint.jpg", f"{folder}/dog/1.jpg", "dog/1.jpg")
    source = open_source(tmp_path)
    assert source.classes == {"cat": 0, "dog": 1} and names(source) == ["cat/1.jpg", "dog/1.jpg"]
    assert source.notes == [f"{tmp_path}: left out what other programs made: {folder} (2 folders)"]


def test_hidden_files_are_no_images(tmp_path):
    make(tmp_path, "cat/1.jpg", "cat/._1.jpg", "dog/1.jpg", "dog/._1.jpg", "dog/.DS_Store")
    source = open_source(tmp_path)
    assert names(source) == ["cat/1.jpg", "dog/1.jpg"]
    assert source.notes == [f"{tmp_path}: left out what other programs made: ._1.jpg and 1 other hidden file"]


def test_a_hidden_folder_without_images_needs_no_note(tmp_path):
    assert open_source(make(tmp_path, "cat/1.jpg", ".git/config", "dog/1.jpg", "Thumbs.db")).notes == []


def test_flat_folders_and_templates_leave_them_out_too(tmp_path):
    make(tmp_path, "000000_5.jpg", "._000000_5.jpg", ".cache/7.jpg")
    assert names(open_source(tmp_path)) == ["000000_5.jpg"]
    make(tmp_path / "tree", "cat/1.jpg", "cat/._1.jpg", "__MACOSX/2.jpg")
    assert names(open_source(tmp_path / "tree", label_from="{class}/{key}")) == ["cat/1.jpg"]


@pytest.mark.parametrize("folder", ["thumbs", "Thumbnails"])
def test_a_folder_called_thumbs_is_left_out_if_it_holds_copies(tmp_path, folder):
    make(tmp_path, "cat/1.jpg", f"cat/{folder}/1.jpg", f"{folder}/cat/1.jpg", "dog/1.jpg")
    assert names(open_source(tmp_path)) == ["cat/1.jpg", "dog/1.jpg"]
    make(tmp_path / "hands", f"{folder}/1.jpg", "fists/1.jpg")
    assert set(open_source(tmp_path / "hands").classes) == {folder, "fists"}


def test_as_in_im2rec_they_are_images_and_a_note_names_them(tmp_path):
    make(tmp_path, ".h/.1.jpg", "a/.2.png", "a/.jpg")
    source = FolderSource(tmp_path, keep_tool_files=True)
    assert names(source) == [".h/.1.jpg", "a/.2.png"]  # ".jpg" is a name without a suffix
    assert source.notes == [
        f"{tmp_path}: other programs made .h, .1.jpg and 1 other hidden file; they count as images, as in im2rec, and "
        "'recordkit list' leaves them out"
    ]
    flat = ZeroLabelSource(make(tmp_path / "flat", "b.jpg", ".a.png"), [".jpg", ".png"])
    assert names(flat) == [".a.png", "b.jpg"]


def test_all_formats_that_recordkit_reads_are_images(tmp_path):
    make(tmp_path, *(f"a/{number}{suffix}" for number, suffix in enumerate(EXTENSIONS)), "b/1.JFIF")
    assert len(open_source(tmp_path)) == len(EXTENSIONS) + 1
    assert {".ppm", ".webp", ".tif", ".gif", ".jpe", ".mpo", ".jfif"} < set(EXTENSIONS)


@pytest.mark.parametrize(
    ("files", "got"),
    [
        ({"a/1.heic": b"", "a/2.txt": b"", "b/3.heic": b""}, "got only 2 .heic, 1 .txt; recordkit reads JPEG, PNG,"),
        ({"a/1.img": JPEG, "a/1.txt": b"a cat"}, "got only 1 .img, 1 .txt; extensions .img reads those that are"),
        (
            {"a/1": JPEG},
            "got only 1 without a suffix; these files are images without a suffix: give them one, such as .jpg",
        ),
        ({"__MACOSX/a/._1.jpg": b""}, "got none, and __MACOSX, which other programs made"),
    ],
)
def test_a_folder_without_images_says_what_it_has(tmp_path, files, got):
    for name, content in files.items():
        make(tmp_path, name)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path)
    assert f"expected images, {got}" in str(caught.value)


def test_the_suffix_that_the_error_names_reads_the_images(tmp_path):
    make(tmp_path, "a/1.img")
    (tmp_path / "a/1.img").write_bytes(JPEG)
    assert len(open_source(tmp_path, extensions=[".img"])) == 1


def test_ubyte_files_among_images_are_named(tmp_path):
    source = FolderSource(make(tmp_path, "cat/1.png", "raw/train-images-idx3-ubyte.gz", "raw/train-labels-idx1-ubyte"))
    assert source.notes[1] == (
        f"{tmp_path}: image files are packed, ubyte files are not: raw/train-images-idx3-ubyte.gz, "
        "raw/train-labels-idx1-ubyte"
    )


def test_ignored_files_that_are_images_are_named_with_the_option_that_takes_them(tmp_path):
    make(tmp_path, "cat/1.jpg_large", "cat/2.jpg", "dog/1.PNG", "dog/2.txt", content=JPEG)
    (tmp_path / "dog/2.txt").write_text("no image")
    (note,) = open_source(tmp_path).notes
    assert note == (
        f"{tmp_path}: ignored 2 files of other suffixes (1 .jpg_large, 1 .txt); there are images among them, which "
        "'recordkit pack --exts .jpg,.jpg_large,.png' takes"
    )
    source = open_source(tmp_path, extensions=[".jpg", ".jpg_large", ".png"])
    assert names(source) == ["cat/1.jpg_large", "cat/2.jpg", "dog/1.PNG"]


def test_ignored_images_without_a_suffix_are_named(tmp_path):
    make(tmp_path, "cat/1.jpg", "cat/2", "dog/1.jpg", content=JPEG)
    (note,) = open_source(tmp_path).notes
    assert note.endswith("(1 without a suffix); some without a suffix are images: give them one, such as .jpg")
