"""Folders of images: classes numbered as im2rec does."""

import errno
import os

import pytest
from conftest import content
from sources.folders import make, rows

from recordkit.errors import ImageError, NotFoundError, SourceError
from recordkit.sample import BadEntry
from recordkit.sources import FolderSource, ZeroLabelSource, open_file_names


def names(source):
    return [name for _, _, name in rows(source)]


def test_folders_are_numbered_in_the_order_of_the_walk(tmp_path):
    source = FolderSource(make(tmp_path, "b/1.jpg", "a/2.png", "a/1.jpeg", "c/x.jpg"))
    assert rows(source) == [
        (0, (0,), "a/1.jpeg"),
        (1, (0,), "a/2.png"),
        (2, (1,), "b/1.jpg"),
        (3, (2,), "c/x.jpg"),
    ]
    assert source.classes == {"a": 0, "b": 1, "c": 2}


def test_nested_folders_are_classes_of_their_own_and_files_come_before_sub_folders(tmp_path):
    source = FolderSource(make(tmp_path, "a/z.jpg", "a/b/1.jpg", "a/b/c/1.jpg", "d/e/1.jpg"))
    assert names(source) == ["a/z.jpg", "a/b/1.jpg", "a/b/c/1.jpg", "d/e/1.jpg"]
    assert source.classes == {"a": 0, "a/b": 1, "a/b/c": 2, "d/e": 3}


def test_images_in_the_root_are_a_class_called_dot_and_come_first(tmp_path):
    source = FolderSource(make(tmp_path, "a/1.jpg", "z.jpg"))
    assert rows(source) == [(0, (0,), "z.jpg"), (1, (1,), "a/1.jpg")]
    assert source.classes == {".": 0, "a": 1}


def test_folders_without_images_of_their_own_get_no_number(tmp_path):
    make(tmp_path, "b/notes.txt", "c/1.jpg")
    (tmp_path / "a").mkdir()
    assert FolderSource(tmp_path).classes == {"c": 0}


def test_the_order_is_by_code_point(tmp_path):
    source = FolderSource(make(tmp_path, *(f"k/{name}.jpg" for name in ("2", "10", "B", "a", "é", "_"))))
    assert names(source) == [f"k/{name}.jpg" for name in ("10", "2", "B", "_", "a", "é")]
    source = FolderSource(make(tmp_path / "x", "10/1.jpg", "2/1.jpg", "Z/1.jpg", "a/1.jpg"))
    assert list(source.classes) == ["10", "2", "Z", "a"]


def test_suffixes_are_compared_in_lower_case(tmp_path):
    make(tmp_path, "a/1.JPG", "a/2.Jpeg", "a/3.PNG", "a/4.bmp", "a/5.jpg.txt", "a/6")
    assert names(FolderSource(tmp_path)) == ["a/1.JPG", "a/2.Jpeg", "a/3.PNG", "a/4.bmp"]
    assert names(FolderSource(tmp_path, extensions=[".BMP"])) == ["a/4.bmp"]


def test_links_to_folders_are_followed(tmp_path):
    make(tmp_path, "elsewhere/1.jpg")
    root = make(tmp_path / "root", "a/1.jpg")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    assert names(FolderSource(root)) == ["a/1.jpg", "b/1.jpg"]


def test_links_in_a_circle_are_walked_once(tmp_path):
    make(tmp_path, "a/b/1.jpg", "c/2.jpg")
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to(tmp_path / "a")
    (tmp_path / "c/a").symlink_to(tmp_path / "a")
    image_names = names(FolderSource(tmp_path))
    # A link to a folder in another branch is followed; a link to a folder that contains it is not.
    assert image_names == ["a/b/1.jpg", "c/2.jpg", "c/a/b/1.jpg"]


def test_a_broken_link_or_pipe_is_bad_and_gets_no_key(tmp_path):
    make(tmp_path, "a/1.jpg", "a/z.jpg")
    (tmp_path / "a/folder.jpg").mkdir()
    (tmp_path / "a/gone.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "a/pipe.jpg")
    for source, begin in ((FolderSource(tmp_path), "a/"), (ZeroLabelSource(tmp_path / "a", [".jpg"]), "")):
        assert [(key, name) for key, _, name in rows(source)] == [(0, f"{begin}1.jpg"), (1, f"{begin}z.jpg")]
        assert source.bad == [
            BadEntry(f"{begin}gone.jpg", "No such file or directory"),
            BadEntry(f"{begin}pipe.jpg", "expected a regular file, got a folder, pipe or device"),
        ]


def test_a_folder_that_cannot_be_read_ends_the_walk(tmp_path, monkeypatch):
    make(tmp_path, "a/1.jpg", "b/1.jpg", "c/1.jpg")
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("/b"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(PermissionError) as caught:
        FolderSource(tmp_path)
    assert caught.value.filename == str(tmp_path / "b")


def test_a_folder_without_a_usable_image_is_not_a_class_and_makes_a_note(tmp_path):
    make(tmp_path, "a/1.jpg", "c/1.jpg")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/gone.jpg").symlink_to("nowhere")
    source = FolderSource(tmp_path)
    assert source.classes == {"a": 0, "c": 1}
    assert source.notes[0] == (
        f"{tmp_path}: folders without a usable image are not classes, as in im2rec, and the classes after them have "
        "lower numbers: b"
    )


def test_files_of_other_suffixes_are_counted_except_hidden_files(tmp_path):
    make(tmp_path, "a/1.jpg", "a/2.heic", "a/3.HEIC", "b/4.avif", "a/.DS_Store", "a/Thumbs.db", "a/README")
    note, empty = FolderSource(tmp_path).notes
    assert empty.endswith("lower numbers: b")
    assert note == f"{tmp_path}: ignored 4 files of other suffixes (2 .heic, 1 without, 1 .avif)"
    assert "ignored 3 files of other suffixes" in ZeroLabelSource(tmp_path / "a", [".jpg"]).notes[0]
    assert FolderSource(make(tmp_path / "clean", "a/1.jpg")).notes == []


def test_images_beside_the_class_folders_are_a_class_and_make_a_note(tmp_path):
    (note,) = FolderSource(make(tmp_path, "a/1.jpg", "z.jpg", "y.jpg")).notes
    assert "2 images beside the class folders form a class of their own, '.'" in note
    assert FolderSource(make(tmp_path / "flat", "z.jpg")).notes == []


def test_names_that_are_not_utf_8_are_kept(tmp_path):
    make(tmp_path, os.fsdecode(b"caf\xe9/\xff.jpg"))
    source = FolderSource(tmp_path)
    assert os.fsencode(source.entries([0])[0].name) == b"caf\xe9/\xff.jpg"
    assert content(source, 0) == b"content of caf\xe9/\xff.jpg"


@pytest.mark.parametrize("mark", ["\t", "\n", "\r"])
def test_a_name_that_a_list_cannot_hold_is_left_out_and_keeps_its_key(tmp_path, mark):
    source = FolderSource(make(tmp_path, f"a/1{mark}.jpg", "a/2.jpg"))
    assert rows(source) == [(1, (0,), "a/2.jpg")]
    (bad,) = source.bad
    assert bad.name == f"a/1{mark}.jpg" and "a .lst row cannot hold it" in bad.reason


def test_content_is_the_files_bytes(tmp_path):
    source = FolderSource(make(tmp_path, "a/1.jpg"))
    assert content(source, 0) == b"content of a/1.jpg" and source.pixels is False and source.order == "walked"


def test_the_content_of_a_removed_file_is_an_error(tmp_path):
    source = FolderSource(make(tmp_path, "a/1.jpg"))
    (tmp_path / "a/1.jpg").unlink()
    with pytest.raises(ImageError, match="No such file or directory"):
        content(source, 0)


@pytest.mark.parametrize("kind", [FolderSource, open_file_names])
def test_a_root_that_is_not_a_folder_is_refused(tmp_path, kind):
    make(tmp_path, "file.jpg")
    with pytest.raises(NotFoundError, match="missing: expected a folder of images, got nothing of that name"):
        kind(tmp_path / "missing")
    with pytest.raises(SourceError, match=r"file\.jpg: expected a folder of images, got a file"):
        kind(tmp_path / "file.jpg")


def test_a_class_map_decides_the_labels(tmp_path):
    classes = {"cat": 4, "dog": 7, "horse": 9}
    source = FolderSource(make(tmp_path, "dog/1.jpg", "horse/1.jpg"), classes=classes)
    assert [label for _, (label,), _ in rows(source)] == [7, 9]
    assert source.classes == classes


def test_a_folder_that_the_class_map_does_not_name_is_refused(tmp_path):
    make(tmp_path, "cat/1.jpg", "bird/1.jpg")
    with pytest.raises(SourceError, match="expected one of the 1 names in classes, got folder 'bird'; add it to them"):
        FolderSource(tmp_path, classes={"cat": 0})


def test_an_empty_folder_is_an_empty_source(tmp_path):
    assert len(FolderSource(tmp_path)) == len(open_file_names(tmp_path)) == 0
