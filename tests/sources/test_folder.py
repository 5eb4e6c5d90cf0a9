"""Folders of images: classes numbered as im2rec does."""

import errno
import os

import pytest
from conftest import content
from sources.folders import make, open_file_names, rows

from recordkit.errors import ImageError, NotFoundError, PlanError, SourceError
from recordkit.sample import BadEntry
from recordkit.sources import FolderSource, ZeroLabelSource, open_source


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


@pytest.mark.parametrize(
    ("names", "label_from"),
    [
        (["a/{}.jpg", "b/{}.jpg"], None),
        (["train/a/{}.jpg", "test/a/{}.jpg"], None),
        (["{:06d}_1.jpg"], None),
        (["{}_1.jpg", "below/{}.jpg"], r"_(\d)"),
        (["a/{}.jpg", "b/c/{}.jpg"], "^(.)/"),
    ],
)
def test_each_folder_is_walked_once_with_progress(tmp_path, monkeypatch, names, label_from):
    for name in names:
        make(tmp_path, *(name.format(number) for number in range(3)))
    folders = [str(path) for path in (tmp_path, *tmp_path.rglob("*")) if path.is_dir()]
    monkeypatch.setattr("recordkit.sources.image_tree._N_PER_PROGRESS", 3)
    walked, reports, scandir = [], [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: walked.append(str(path)) or scandir(path))
    open_source(tmp_path, label_from=label_from, progress=reports.append)
    assert sorted(path for path in walked if path.startswith(str(tmp_path))) == sorted(folders)
    assert reports == [3] * len(names)
    assert open_source(tmp_path, label_from=label_from)


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
    assert note == f"{tmp_path}: ignored 4 files of other suffixes (2 .heic, 1 without a suffix, 1 .avif)"
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


def classes_of(root, *names, **arguments):
    return open_source(make(root, *names), **arguments).classes


def refusal(root, *names, **arguments):
    with pytest.raises(SourceError) as caught:
        open_source(make(root, *names), **arguments)
    return str(caught.value).replace(f"{root.parent}/", "")


def test_the_class_is_the_first_folder_and_a_note_names_those_below(tmp_path):
    source = open_source(make(tmp_path, "cat/2019/1.jpg", "cat/2020/2.jpg", "dog/3.jpg"))
    assert rows(source) == [(0, (0,), "cat/2019/1.jpg"), (1, (0,), "cat/2020/2.jpg"), (2, (1,), "dog/3.jpg")]
    assert source.notes == [
        f"{tmp_path}: cat/2019 and 1 more folder belong to the class of the first folder in the path; "
        "'recordkit pack --class-from last' takes the last one, and --class-from path makes each a class of its own"
    ]
    assert open_source(tmp_path, class_from="first").notes == []


@pytest.mark.parametrize(
    ("class_from", "classes"),
    [
        ("first", {"a": 0, "b": 1}),
        ("last", {"x": 0, "y": 1}),
        ("path", {"a/x": 0, "a/y": 1, "b/x": 2}),
    ],
)
def test_class_from_chooses_the_folder(tmp_path, class_from, classes):
    assert classes_of(tmp_path, "a/x/1.jpg", "a/y/2.jpg", "b/x/3.jpg", class_from=class_from) == classes


def test_classes_of_a_folder_are_numbered_by_name_as_in_image_folder_and_keyed_as_in_im2rec(tmp_path):
    names = [f"{name}/{number}.jpg" for name in ("b", "a-b", "a", "Z", "10", "2", "\u00e9") for number in range(2)]
    source = open_source(make(tmp_path, *names))
    assert source.classes == {name: number for number, name in enumerate(sorted(os.listdir(tmp_path)))}
    assert rows(source) == rows(FolderSource(tmp_path))


def test_an_empty_class_folder_keeps_its_number(tmp_path):
    make(tmp_path, "cat/1.jpg", "owl/1.jpg", "notes/read.txt")
    (tmp_path / "dog/2019").mkdir(parents=True)
    (tmp_path / "fox").mkdir()
    (tmp_path / "fox/gone.jpg").symlink_to("nowhere")
    source = open_source(tmp_path)
    assert source.classes == {"cat": 0, "dog": 1, "fox": 2, "owl": 3}
    assert rows(source)[1] == (1, (3,), "owl/1.jpg")
    assert [note.removeprefix(f"{tmp_path}: ") for note in source.notes[1:]] == [
        "folders without images are no classes and are left out: notes",
        "2 classes have no images; they keep their numbers: dog (1), fox (2)",
    ]
    assert [bad.name for bad in source.bad] == ["fox/gone.jpg"]
    assert open_source(tmp_path, class_from="last").classes == {"2019": 0, "cat": 1, "fox": 2, "owl": 3}
    assert open_source(tmp_path, class_from="path").classes == {"cat": 0, "owl": 1}


def test_images_beside_the_class_folders_are_refused(tmp_path):
    names = ("cat/1.jpg", "dog/1.jpg", "x.jpg", "y.jpg")
    problem = (
        'R: 2 images beside the class folders, in none of them; move these images, or give class_from="path", which '
        "makes a class of them as im2rec does"
    )
    for class_from in (None, "first", "last"):
        assert refusal(tmp_path / "R", *names, class_from=class_from) == problem
    assert classes_of(tmp_path / "R", class_from="path") == {".": 0, "cat": 1, "dog": 2}


@pytest.mark.parametrize(
    ("names", "error"),
    [
        (
            ("JPEGImages/1.jpg", "SegmentationClass/1.png", "Annotations/1.xml"),
            "R: 'JPEGImages', 'SegmentationClass' do not look like classes; give R/JPEGImages or R/SegmentationClass "
            'alone, or class_from="first" if they are classes',
        ),
        (
            ("images/0_1.jpg", "annotations/list.txt"),
            "R: 'images' does not look like a class; give R/images alone, or class_from=\"first\" if it is a class",
        ),
        (
            ("101_Categories/a/1.jpg", "101_Categories/b/1.jpg", "Annotations/1.mat"),
            "R: all images are below one folder, '101_Categories', which has folders of its own; give R/101_Categories "
            'alone if these are the classes, or class_from="first" for one class',
        ),
        (
            ("cat/1.jpg", "masks/1.png"),
            "R: 'masks' does not look like a class; move it out of R, or give class_from=\"first\" if it is a class",
        ),
        (
            ("cat/1.jpg", "cat/masks/1.png", "dog/images/1.jpg"),
            "R: 'cat/masks' does not look like images of its class; move it away, or give class_from=\"first\", "
            "which packs "
            "all images",
        ),
        (
            ("fold1/cat/1.jpg", "fold2/cat/1.jpg", "fold2/dog/1.jpg"),
            "R: 'fold1', 'fold2' look like parts of one dataset, not like classes; give class_from=\"last\", for the "
            'folders in them as classes, or class_from="first" if they are classes',
        ),
        (
            ("images_1/a.jpg", "images_2/b.jpg"),
            "R: 'images_1', 'images_2' do not look like classes; give R/images_1 or R/images_2 alone, or "
            'class_from="first" if they are classes',
        ),
        (
            ("web/cat/1.jpg", "web/dog/1.jpg", "cam/cat/1.jpg", "cam/dog/1.jpg"),
            "R: 'cam', 'web' have the same folders in them (cat, dog), and either may be the classes; give "
            'class_from="first" for the former, class_from="last" for the latter, or R/cam alone',
        ),
        (
            ("cat/1.jpg", "dog/1.jpg", "more/2/cat/1.jpg", "more/2/dog/1.jpg"),
            "R: 'more' has folders of the same names as those beside it: cat, dog; move R/more away if it is a copy or "
            'another set, or give class_from="last" for one class of each name, or class_from="first" if it is a class',
        ),
    ],
    ids=["voc", "pets", "caltech", "masks", "inner masks", "folds", "parts", "cameras", "copy"],
)
def test_folders_that_are_hardly_classes_are_refused_and_the_advice_helps(tmp_path, names, error):
    root = tmp_path / "R"
    assert refusal(root, *names) == error
    assert len(open_source(root, class_from="first")) > 0
    assert len(open_source(root, class_from="last")) > 0
    if "101" in error:
        assert classes_of(root / "101_Categories") == {"a": 0, "b": 1}


@pytest.mark.parametrize(
    "names",
    [
        ("cat/2019/1.jpg", "cat/2020/1.jpg", "dog/2019/1.jpg", "dog/2020/1.jpg"),
        ("cat/day/1.jpg", "cat/night/1.jpg", "dog/day/1.jpg", "dog/night/1.jpg"),
        ("cat/images/1.jpg", "dog/images/1.jpg"),
        ("run/video1/1.jpg", "run/video2/1.jpg", "jump/video1/1.jpg", "jump/video2/1.jpg"),
        ("person1/1.jpg", "person2/1.jpg"),
        ("label_0/1.jpg", "label_1/1.jpg"),
        ("mask/1.jpg", "no_mask/1.jpg"),
        ("Mask/1.jpg", "Non Mask/1.jpg"),
        ("painting/1.jpg", "photo/1.jpg"),
    ],
    ids=["years", "conditions", "images", "videos", "numbers", "labels", "mask", "non mask", "photo"],
)
def test_folders_of_the_same_names_that_are_hardly_classes_are_no_doubt(tmp_path, names):
    assert list(classes_of(tmp_path, *names)) == sorted({name.split("/")[0] for name in names})


def test_a_single_class_makes_a_note(tmp_path):
    source = open_source(make(tmp_path, "cat/1.jpg"))
    assert source.classes == {"cat": 0} and source.notes == [f"{tmp_path}: all images are of one class, 'cat'"]


def test_class_from_needs_folders(tmp_path):
    with pytest.raises(PlanError, match="class_from: images directly in the folder have no class folder; leave it out"):
        open_source(make(tmp_path, "0_1.jpg"), class_from="last")
    assert classes_of(tmp_path, class_from="path") == {".": 0}


def test_images_in_folders_below_labels_in_names_are_named(tmp_path):
    source = open_source(make(tmp_path, "0_7.jpg", "more/1_3.jpg"), label_from=r"_(\d)")
    assert len(source) == 1 and source.notes == [f"{tmp_path}: left out the images in folders below it: more"]


def test_images_called_like_masks_of_others_are_named(tmp_path):
    make(tmp_path, "a/x (1).png", "a/x (1)_mask.png", "a/x (1)_mask_1.png", "b/mask.png", "b/y_mask.png", "b/y.txt")
    source = open_source(tmp_path)
    assert len(source) == 5
    assert source.notes[1] == (
        f"{tmp_path}: 2 images are called like masks of others, such as a/x (1)_mask.png beside a/x (1).png, and are "
        "packed too"
    )
    assert len(open_source(make(tmp_path / "c", "b/mask.png", "b/y_mask.png", "a/1.png")).notes) == 0
