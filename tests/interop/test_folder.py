"""Folders of images: their files, packs of them, and failures, which leave nothing."""

import csv
import io
import json
import os
import re

import numpy as np
import pytest
from interop.records import image, write_records

import recordkit as rk
from recordkit import codec
from recordkit.errors import FormatError, PlanError, PublishError, SourceError
from recordkit.interop.folder import write, write_folder
from recordkit.sources import ListSource, open_source, read_classes
from recordkit.sources.records import RecordSource

LOSSLESS = rk.PackPlan(shuffle=False)


def files_in(folder):
    """Return the content of every file below a folder, by its path."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def check_same(prefix, other, suffixes=(".rec", ".idx")):
    for suffix in suffixes:
        assert prefix.with_name(prefix.name + suffix).read_bytes() == other.with_name(other.name + suffix).read_bytes()


# Files and names.


def test_the_names_are_those_of_the_tutorials_and_the_bytes_are_the_payloads(tmp_path):
    payloads = [image(1), image(2)]
    dataset = write_records(tmp_path / "a", [(7, 5.0, payloads[0]), (3, -2.0, payloads[1])])
    report = write_folder(dataset, tmp_path / "digits", name="{key:06d}_{label}.png")
    assert files_in(tmp_path / "digits") == {"000007_5.png": payloads[0], "000003_-2.png": payloads[1]}
    assert (tmp_path / "digits.lst").read_text() == "7\t5.000000\t000007_5.png\n3\t-2.000000\t000003_-2.png\n"
    assert not (tmp_path / "digits.classes.json").exists()
    (done,) = report.sets
    assert (done.path, done.name, done.list_path) == (
        tmp_path / "digits", "{key:06d}_{label}.png", tmp_path / "digits.lst"
    )  # fmt: skip
    assert (report.n_images, done.n_bytes, done.notes) == (2, sum(map(len, payloads)), ())


def test_classes_become_folders_and_a_class_map(tmp_path):
    classes = {".": 0, "cat": 1, "bird/owl": 2}
    records = [(0, 0.0, image()), (1, 1.0, image()), (2, 2.0, image())]
    write_folder(write_records(tmp_path / "a", records, classes), tmp_path / "photos")
    assert sorted(files_in(tmp_path / "photos")) == ["000000.png", "bird/owl/000002.png", "cat/000001.png"]
    assert read_classes(tmp_path / "photos.classes.json") == classes


def test_an_empty_class_map_counts_as_none(tmp_path):
    write_folder(write_records(tmp_path / "a", [(0, 5.0, image())], {}), tmp_path / "b")
    assert list(files_in(tmp_path / "b")) == ["000000_5.png"]
    assert len(open_source(tmp_path / "b.lst", root=tmp_path / "b")) == 1


def test_without_class_names_the_default_has_the_label_and_as_many_digits_as_the_largest_key_needs(tmp_path):
    dataset = write_records(tmp_path / "a", [(0, 5.0, image()), (12345678, 0.0, image())])
    report = write_folder(dataset, tmp_path / "b")
    assert sorted(files_in(tmp_path / "b")) == ["00000000_5.png", "12345678_0.png"]
    assert report.sets[0].name == "{key:08d}_{label}"


def test_images_get_the_suffix_of_their_format(tmp_path):
    rgba = codec.encode(np.zeros((2, 2, 4), np.uint8), "raw")
    payloads = [image(), image(0, "jpg"), image(0, "raw", 1), image(0, "raw"), rgba, b"BM rest", b"GIF89a"]
    records = [(key, 0.0, payload) for key, payload in enumerate(payloads)]
    write_folder(write_records(tmp_path / "a", records), tmp_path / "b", name="{key}")
    assert sorted(files_in(tmp_path / "b")) == ["0.png", "1.jpg", "2.pgm", "3.ppm", "4.pam", "5.bmp", "6.gif"]


@pytest.mark.parametrize("suffix", [".jpeg", ".JPG"])
def test_a_format_may_have_another_of_its_suffixes(tmp_path, suffix):
    write_folder(write_records(tmp_path / "a", [(0, 0.0, image(0, "jpg"))]), tmp_path / "b", name="{key}" + suffix)
    assert list(files_in(tmp_path / "b")) == [f"0{suffix}"]


def test_bytes_of_an_unknown_format_keep_a_suffix_that_is_given(tmp_path):
    dataset = write_records(tmp_path / "a", [(0, 0.0, b"\0\0\0 ftypavif")])
    write_folder(dataset, tmp_path / "b", name="{key}.avif")
    assert files_in(tmp_path / "b") == {"0.avif": b"\0\0\0 ftypavif"}
    for name in ("{key}", "{key}.png"):
        with pytest.raises(
            SourceError, match=r"a\.rec: sample 0: key 0: expected an image, got bytes of an unknown format"
        ):
            write_folder(dataset, tmp_path / "c", name=name)


@pytest.mark.parametrize(
    ("name", "suffix"), [("{key}", "png"), ("{key}.png", "png"), ("{key}.pgm", "pgm"), ("{key}.PNM", "PNM")]
)
def test_ubyte_files_become_png_or_netpbm_in_a_folder_for_each_set(tmp_path, tiny_mnist, name, suffix):
    sources = open_source(tiny_mnist)
    report = write_folder(sources, tmp_path / "digits", name=name)
    assert sorted(os.listdir(tmp_path / "digits")) == ["test", "test.lst", "train", "train.lst"]
    assert [(done.path.name, done.n_images) for done in report.sets] == [("train", 20), ("test", 6)]
    for part, source in sources.items():
        entries = source.entries(range(len(source)))
        for entry, pixels in zip(entries, source.contents(entries), strict=True):
            payload = (tmp_path / "digits" / part / f"{entry.key}.{suffix}").read_bytes()
            assert np.array_equal(codec.decode(payload, channels="keep"), pixels)
        rows = ListSource(tmp_path / "digits" / f"{part}.lst", tmp_path / "digits" / part).entries(range(len(source)))
        assert [(row.key, row.labels) for row in rows] == [(entry.key, entry.labels) for entry in entries]


def test_an_identity_of_a_face_dataset_is_no_image(tmp_path):
    records = [
        (1, [0.0], image(1)),
        (2, [1.0], image(2)),
        (0, [3.0, 5.0], b""),
        (3, [1.0, 2.0], b""),
        (4, [2.0, 3.0], b""),
    ]
    write_folder(write_records(tmp_path / "a", records), tmp_path / "b")
    assert sorted(files_in(tmp_path / "b")) == ["000001_0.png", "000002_1.png"]


def test_a_folder_or_list_is_a_source_too(tmp_path, tiny_folder):
    write_folder(open_source(tiny_folder), tmp_path / "flat", name="{key}_{class}")
    assert (tmp_path / "flat/11_owl.jpg").read_bytes() == (tiny_folder / "owl/3.jpg").read_bytes()
    write_folder(open_source(tmp_path / "flat.lst", root=tmp_path / "flat"), tmp_path / "tree", name="{class}/{key}")
    assert len(files_in(tmp_path / "tree/cat")) == 4


@pytest.mark.parametrize("threads", [1, 3])
def test_the_list_has_the_order_of_the_source_with_any_number_of_threads(tmp_path, threads):
    keys = np.random.default_rng(0).permutation(1000).tolist()
    dataset = write_records(tmp_path / "a", [(key, key % 7, image()) for key in keys])
    progress = []
    write_folder(dataset, tmp_path / "b", threads=threads, progress=progress.append)
    assert [int(line.split("\t")[0]) for line in (tmp_path / "b.lst").read_text().splitlines()] == keys
    assert len(files_in(tmp_path / "b")) == sum(progress) == 1000


# There and back.


def test_a_set_of_files_comes_back_byte_for_byte(tmp_path, tiny_folder, engine):
    rk.pack(tiny_folder, tmp_path / "a", engine=engine)
    with rk.RecordDataset(tmp_path / "a") as dataset:
        write_folder(dataset, tmp_path / "tree")
        write_folder(dataset, tmp_path / "flat", name="{key:03d}_{class}")
        write_folder(dataset, tmp_path / "digits", name="{key:06d}_{label}.jpg")
    sources = {
        "folder": open_source(tmp_path / "tree"),
        "template": open_source(tmp_path / "tree", label_from="{class}/{key}"),
        "list": open_source(tmp_path / "tree.lst", root=tmp_path / "tree"),
        "flat-template": open_source(tmp_path / "flat", label_from="{key:03d}_{class}"),
        "flat-list": open_source(tmp_path / "flat.lst", root=tmp_path / "flat"),
        "digits-folder": open_source(tmp_path / "digits"),
        "digits-template": open_source(tmp_path / "digits", label_from="{key:06d}_{label}.jpg"),
    }
    for name, source in sources.items():
        rk.pack(source, tmp_path / name, engine=engine)
        check_same(tmp_path / "a", tmp_path / name)
        with rk.RecordDataset(tmp_path / name) as dataset:
            assert dataset.classes == (None if "digits" in name else {"cat": 0, "dog": 1, "owl": 2})


def test_ubyte_files_come_back_as_a_pack_of_them(tmp_path, tiny_mnist, engine):
    rk.pack(tiny_mnist, tmp_path / "a")  # the folder is encoded by the engine that is there
    write_folder(open_source(tiny_mnist), tmp_path / "digits")
    for part in ("train", "test"):
        folder = tmp_path / "digits" / part
        rk.pack(open_source(f"{folder}.lst", root=folder), tmp_path / f"b_{part}", engine=engine)
        named = open_source(folder, label_from="{key:06d}_{label}")
        rk.pack(named, tmp_path / f"c_{part}", plan=LOSSLESS, engine=engine)
        for again in ("b", "c"):
            check_same(tmp_path / f"a_{part}", tmp_path / f"{again}_{part}")


@pytest.mark.parametrize(
    ("rows", "plan"),
    [
        (["0\t0.1\t-3\t1e-07\tcat/0.jpg", "9\t16777216\tcat/1.jpg", "4\t2.5\t0\tdog/0.jpg"], rk.PackPlan()),
        (["7\t17186135\t-9007199254740993\tcat/0.jpg", "3\t5\t6\tdog/1.jpg"], rk.PackPlan(exact_labels=True)),
        (["7\t17186135\tcat/0.jpg", "3\t5\tdog/1.jpg"], rk.PackPlan(exact_labels=True)),
    ],
    ids=["fractions-of-several-widths", "exact-labels", "one-exact-label"],
)
def test_labels_of_every_kind_come_back(tmp_path, tiny_folder, engine, rows, plan):
    (tmp_path / "a.lst").write_text("".join(f"{row}\n" for row in rows))
    rk.pack(open_source(tmp_path / "a.lst", root=tiny_folder), tmp_path / "a", plan=plan, engine=engine)
    with rk.RecordDataset(tmp_path / "a") as dataset:
        report = write_folder(dataset, tmp_path / "b")
    rk.pack(open_source(tmp_path / "b.lst", root=tmp_path / "b"), tmp_path / "c", plan=plan, engine=engine)
    check_same(
        tmp_path / "a", tmp_path / "c", (".rec", ".idx", ".labels.npy") if plan.exact_labels else (".rec", ".idx")
    )
    several = "names have the first of up to " in str(report.sets[0].notes)
    assert several == (rows[0].count("\t") > 2)


def test_a_fraction_is_written_with_the_fewest_digits_that_float32_needs(tmp_path):
    write_folder(write_records(tmp_path / "a", [(0, 0.1, image())]), tmp_path / "b", name="{key}_{label}")
    assert list(files_in(tmp_path / "b")) == ["0_0.1.png"]
    assert open_source(tmp_path / "b", label_from="{key}_{label}").labels([0]) == [(0.1,)]


@pytest.mark.parametrize("classes", [{"dog": 0, "cat": 1}, {"cat": 1, "dog": 2}])
def test_a_note_says_that_a_pack_of_the_folder_alone_would_number_classes_anew(tmp_path, classes):
    records = [(0, float(classes["dog"]), image()), (1, float(classes["cat"]), image())]
    report = write_folder(write_records(tmp_path / "a", records, classes), tmp_path / "b")
    (note,) = report.sets[0].notes
    assert "would number the classes anew" in note and str(tmp_path / "b.lst") in note
    assert open_source(tmp_path / "b.lst", root=tmp_path / "b").classes == classes
    labels = open_source(tmp_path / "b", classes=read_classes(tmp_path / "b.classes.json")).labels([0, 1])
    assert labels == [(classes["cat"],), (classes["dog"],)]


@pytest.mark.parametrize(
    ("name", "labels", "is_noted"),
    [
        ("{label}/{key}", range(10), False),
        ("{label}/{key}", range(11), True),  # the folder 10 comes before the folder 2
        ("{label:02d}/{key}", range(11), False),
        ("{label}/{key}", (5, 7), True),
        ("set/{key}_{label}", (0, 1), True),  # one folder, one class
        ("{key:06d}_{label}", (5, 7), False),
    ],
)
def test_a_note_says_that_folders_named_by_labels_would_get_other_labels(tmp_path, name, labels, is_noted):
    dataset = write_records(tmp_path / "a", [(label, float(label), image()) for label in labels])
    (done,) = write_folder(dataset, tmp_path / "b", name=name).sets
    packed = sorted(open_source(tmp_path / "b").labels(range(len(labels))))
    names_say_labels = packed == [(label,) for label in labels]
    assert bool(done.notes) == is_noted and (is_noted or names_say_labels)


def test_real_digits_come_back(tmp_path, real_data):
    test_set = {"test": open_source(real_data / "mnist")["test"]}
    rk.pack(test_set, tmp_path / "a")
    with rk.RecordDataset(tmp_path / "a_test") as dataset:
        write_folder(dataset, tmp_path / "digits", name="{key:06d}_{label}.png")
    rk.pack(open_source(tmp_path / "digits", label_from="{key:06d}_{label}.png"), tmp_path / "b", plan=LOSSLESS)
    check_same(tmp_path / "a_test", tmp_path / "b")


# Refusals, after which nothing is left.


@pytest.mark.parametrize(
    ("name", "error", "problem"),
    [
        (
            "{key}.jpg",
            PlanError,
            "a.rec: sample 0: name: key 0: expected the suffix .png of this image, got .jpg; leave .jpg out",
        ),
        ("{label}", PlanError, "name: expected a name of its own for each image, got '5.png' twice; add _{key}"),
        ("{class}/{key}", PlanError, "name: {class} needs class names, and there are none; use {label} instead"),
        ("{key", PlanError, "name: expected a template such as {key:06d}_{label}.png, got '{key'"),
        ("../{key}", PlanError, "name: expected a path below the folder"),
        ("a" * 300 + "{key}", PublishError, "File name too long; nothing was written"),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path, name, error, problem):
    dataset = write_records(tmp_path / "a", [(0, 5.0, image()), (1, 5.0, image())])
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(error, match=re.escape(problem)):
        write_folder(dataset, tmp_path / "b", name=name)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("class_name", ["..", "../x", "/tmp/x", "a//b", "a\0", "a\tb", ""])
def test_a_class_name_that_leads_elsewhere_is_refused(tmp_path, class_name):
    dataset = write_records(tmp_path / "a", [(0, 0.0, image())], {class_name: 0})
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(
        SourceError, match=r"a\.rec: sample 0: key 0: expected a class name that can be part of a path below"
    ):
        write_folder(dataset, tmp_path / "b")
    assert sorted(os.listdir(tmp_path)) == before
    write_folder(dataset, tmp_path / "b", name="{key}_{label}")  # the advice
    assert read_classes(tmp_path / "b.classes.json") == {class_name: 0} if class_name else True


@pytest.mark.parametrize(
    ("records", "classes", "problem"),
    [
        ([(4, 7.0, image())], {"cat": 0}, "key 4: expected a label with a class name, got 7.0; use {label} instead"),
        ([(4, 0.0, image())], {"cat": 0, "kitten": 0}, "one class name for each label, got 'cat' and 'kitten' for 0"),
        ([(4, float("nan"), image())], None, "key 4: expected a finite label, which a list can hold, got nan"),
        ([(4, [1.0, float("inf")], image())], None, "key 4: expected a finite label, which a list can hold, got inf"),
        ([(4, 0.0, b"")], None, "key 4: expected an image, got 0 bytes"),
        ([], None, "expected samples to export, got none"),
    ],
)
def test_a_record_that_cannot_be_written_is_refused(tmp_path, records, classes, problem):
    dataset = write_records(tmp_path / "a", records, classes)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(SourceError, match=re.escape(problem)):
        write_folder(dataset, tmp_path / "b")
    assert sorted(os.listdir(tmp_path)) == before


def test_a_damaged_record_ends_the_export(tmp_path):
    dataset = write_records(tmp_path / "a", [(key, 0.0, image()) for key in range(9)])
    offset = int(dataset.offsets[4])
    with open(tmp_path / "a.rec", "r+b") as file:
        file.seek(offset)
        file.write(b"damage")
    with pytest.raises(FormatError, match=rf"a\.rec: byte {offset}: "):
        write_folder(dataset, tmp_path / "b")
    assert not list(tmp_path.glob("*b*"))


def test_an_image_of_a_list_that_is_missing_ends_the_export(tmp_path, tiny_folder):
    (tmp_path / "a.lst").write_text("0\t0\tcat/0.jpg\n1\t0\tcat/missing.jpg\n")
    with pytest.raises(SourceError, match=r"cat/missing\.jpg: key 1: No such file or directory; nothing was written"):
        write_folder(open_source(tmp_path / "a.lst", root=tiny_folder), tmp_path / "b")


def test_a_source_with_bad_images_is_refused(tmp_path):
    for name in ("1_5.png", "x.png"):
        (tmp_path / "flat" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "flat" / name).write_bytes(image())
    with pytest.raises(SourceError, match=r"^1 image cannot be used; the first: x\.png: expected a label in the name"):
        write_folder(open_source(tmp_path / "flat"), tmp_path / "b")


def test_a_folder_with_files_is_left_alone(tmp_path):
    dataset = write_records(tmp_path / "a", [(0, 0.0, image())])
    (tmp_path / "b").mkdir()
    (tmp_path / "b/mine").touch()
    with pytest.raises(
        PublishError, match="b: expected no file, or an empty folder, got a folder with files; choose another"
    ):
        write_folder(dataset, tmp_path / "b")
    assert os.listdir(tmp_path / "b") == ["mine"]


@pytest.mark.parametrize("name", ["b.lst", "b.classes.json"])
def test_a_list_or_class_map_in_the_way_is_left_alone(tmp_path, name):
    dataset = write_records(tmp_path / "a", [(0, 0.0, image())])
    (tmp_path / name).write_text("mine")
    with pytest.raises(
        PublishError, match=rf"b: expected no file, got {name}; choose another name, or replace it with overwrite=True"
    ):
        write_folder(dataset, tmp_path / "b")
    assert (tmp_path / name).read_text() == "mine" and not (tmp_path / "b").exists()


def test_all_that_is_in_the_way_is_named_at_once(tmp_path):
    dataset = write_records(tmp_path / "a", [(0, 0.0, image())])
    write_folder(dataset, tmp_path / "b")
    (tmp_path / "b.classes.json").touch()
    with pytest.raises(PublishError, match=r"got b, b\.lst, b\.classes\.json; choose another name, or replace it"):
        write_folder(dataset, tmp_path / "b")


def test_an_old_export_is_replaced_as_a_whole_on_request(tmp_path):
    dataset = write_records(tmp_path / "a", [(0, 0.0, image())])
    write_folder(dataset, tmp_path / "b")
    for name in ("b/mine.txt", "b.classes.json"):
        (tmp_path / name).write_text("mine")
    preview = write_folder(dataset, tmp_path / "b", overwrite=True, dry_run=True)
    assert [path.name for path in preview.replaced] == ["b", "b.lst", "b.classes.json"]
    assert (tmp_path / "b/mine.txt").exists()
    report = write_folder(dataset, tmp_path / "b", overwrite=True)
    assert report.replaced == preview.replaced and os.listdir(tmp_path / "b") == ["000000_0.png"]
    assert not (tmp_path / "b.classes.json").exists() and not list(tmp_path.glob(".*"))


def test_neither_an_input_nor_the_working_folder_is_replaced(tmp_path, monkeypatch):
    (tmp_path / "b/sub").mkdir(parents=True)
    dataset = write_records(tmp_path / "b/sub/a", [(0, 0.0, image())])
    with pytest.raises(PublishError, match="b: expected no file, got the folder of a file that is read; choose"):
        write_folder(dataset, tmp_path / "b", overwrite=True)
    (tmp_path / "c/sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "c/sub")
    with pytest.raises(PublishError, match="c: expected no file, got the folder in which this program works"):
        write_folder(dataset, tmp_path / "c", overwrite=True)
    assert (tmp_path / "b/sub/a.rec").exists() and (tmp_path / "c/sub").exists()


@pytest.mark.parametrize("suffix", [".lst", ".classes.json"])
def test_the_list_of_the_set_that_is_read_is_not_replaced(tmp_path, suffix):
    dataset = write_records(tmp_path / "a", [(0, 0.0, image())])
    (tmp_path / f"a{suffix}").write_text("mine")
    with pytest.raises(PublishError, match=f"a{suffix}: expected no file, got the file that is read; choose another"):
        write_folder(dataset, tmp_path / "a", overwrite=True)
    assert (tmp_path / f"a{suffix}").read_text() == "mine" and not (tmp_path / "a").exists()


@pytest.mark.parametrize("kind", ["folder", "list", "list of absolute paths"])
def test_a_folder_of_the_images_that_are_read_is_not_replaced(tmp_path, tiny_folder, kind):
    source = open_source(tiny_folder)
    if kind != "folder":
        names = [entry.name for entry in source.entries(range(len(source)))]
        names = names if kind == "list" else [str(tiny_folder / name) for name in names]
        (tmp_path / "a.lst").write_text("".join(f"{key}\t0\t{name}\n" for key, name in enumerate(names)))
        root = tiny_folder if kind == "list" else ""
        source = open_source(tmp_path / "a.lst", root=root)
    before = list(files_in(tiny_folder))
    with pytest.raises(PublishError, match="cat: expected no file, got the folder of a file that is read; choose"):
        write_folder(source, tiny_folder / "cat", overwrite=True)
    assert list(files_in(tiny_folder)) == before
    (tiny_folder / "old").mkdir()
    (tiny_folder / "old/mine.txt").touch()
    write_folder(source, tiny_folder / "old", overwrite=True)


def test_an_empty_folder_is_filled_and_missing_folders_are_made(tmp_path):
    dataset = write_records(tmp_path / "a", [(0, 0.0, image())])
    (tmp_path / "b").mkdir()
    write_folder(dataset, tmp_path / "b")
    write_folder(dataset, tmp_path / "new" / "deep" / "c")
    assert list(files_in(tmp_path / "b")) == list(files_in(tmp_path / "new/deep/c")) == ["000000_0.png"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_export_leaves_nothing(tmp_path, monkeypatch, error):
    dataset = write_records(tmp_path / "a", [(key, 0.0, image()) for key in range(500)])
    before = sorted(os.listdir(tmp_path))
    write_file = write._write_file

    def fail(path, content):
        if "000400" in path:
            raise error
        write_file(path, content)

    monkeypatch.setattr(write, "_write_file", fail)
    with pytest.raises((KeyboardInterrupt, PublishError), match="^$|No space left on device; nothing was written"):
        write_folder(dataset, tmp_path / "b")
    assert sorted(os.listdir(tmp_path)) == before


def test_the_report_is_json(tmp_path):
    dataset = write_records(tmp_path / "a", [(0, 0.0, image())], {"cat": 0})
    report = write_folder(dataset, tmp_path / "b")
    assert json.loads(json.dumps(report.as_json()))["sets"] == [
        {
            "path": str(tmp_path / "b"),
            "name": "{class}/{key:06d}",
            "list_path": str(tmp_path / "b.lst"),
            "classes_path": str(tmp_path / "b.classes.json"),
            "metadata_path": None,
            "n_images": 1,
            "n_bytes": len(image()),
            "notes": [],
        }
    ]


def test_a_disk_that_takes_a_part_of_a_write_gets_the_rest(tmp_path, monkeypatch):
    class PartialFile(io.FileIO):
        def write(self, content):
            return super().write(bytes(content)[:3])

    monkeypatch.setattr(write, "open", lambda path, mode, buffering: PartialFile(path, mode), raising=False)
    write._write_file(str(tmp_path / "new" / "a.png"), b"eight by")
    assert (tmp_path / "new/a.png").read_bytes() == b"eight by"


def test_metadata_has_every_label_and_the_class_of_each_image(tmp_path):
    records = [(7, [1.0, 0.5], image()), (9, 4.0, image()), (2**63, [1.0, 2.0], image())]
    dataset = write_records(tmp_path / "a", records, {"cat, grey": 1, "dog": 4})
    (done,) = write_folder(dataset, tmp_path / "b", name="{class}/{key}", metadata=True).sets
    with open(done.metadata_path, newline="") as file:
        assert list(csv.reader(file)) == [
            ["file_name", "key", "label", "label1", "class"],
            ["cat, grey/7.png", "7", "1", "0.5", "cat, grey"],
            ["dog/9.png", "9", "4", "", "dog"],
            [f"cat, grey/{2**63}.png", str(2**63), "1", "2", "cat, grey"],
        ]
    assert done.metadata_path == tmp_path / "b" / "metadata.csv"


def test_each_split_has_its_metadata_which_a_pack_of_the_folder_leaves_alone(tmp_path):
    with write_records(tmp_path / "a", [(0, 0.0, image()), (1, 1.0, image())], {"cat": 0, "dog": 1}) as dataset:
        sources = {"train": RecordSource(dataset), "test": RecordSource(dataset)}
        write_folder(sources, tmp_path / "b", metadata=True)
    assert {path.parent.name for path in (tmp_path / "b").rglob("metadata.csv")} == {"train", "test"}
    report = rk.pack(open_source(tmp_path / "b"), tmp_path / "c", plan=LOSSLESS)
    assert report.ok and report.n_packed == 4
