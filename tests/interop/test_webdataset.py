"""WebDataset: the bytes of the shards, their way back, and archives of others."""

import io
import json
import tarfile

import numpy as np
import pytest
from interop.records import image, write_records

import recordkit as rk
from recordkit.errors import FormatError, NotFoundError, PublishError, SourceError
from recordkit.interop.webdataset import read_webdataset, write_webdataset

COPY = rk.PackPlan(shuffle=False)


def write_tar(path, members):
    """Write an archive as another program would: with the module of Python."""
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def check_same(prefix, other, suffixes=(".rec", ".idx")):
    for suffix in suffixes:
        assert prefix.with_suffix(suffix).read_bytes() == other.with_suffix(suffix).read_bytes()


def test_the_members_of_a_sample_are_neighbours_and_the_bytes_never_differ(tmp_path):
    payloads = [image(1), image(2, "jpg")]
    with write_records(tmp_path / "a", [(7, 4.0, payloads[0]), (3, 0.0, payloads[1])]) as dataset:
        write_webdataset(dataset, tmp_path / "b")
        write_webdataset(dataset, tmp_path / "c")
    with tarfile.open(tmp_path / "b/train-000000.tar") as archive:
        members = [(member.name, archive.extractfile(member).read()) for member in archive]
        assert {(m.mtime, m.uid, m.uname, m.mode) for m in archive.getmembers()} == {(0, 0, "", 0o644)}
    assert members == [
        ("000007.png", payloads[0]), ("000007.cls", b"4"), ("000003.jpg", payloads[1]), ("000003.cls", b"0")
    ]  # fmt: skip
    names = ("train-000000.tar", "_info.json")
    assert [(tmp_path / "b" / name).read_bytes() for name in names] == [
        (tmp_path / "c" / name).read_bytes() for name in names
    ]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([4.0, 0.0, 2.0], {"owl": 0, "cat/tom": 2, "ä": 4}),
     ([0.1, -2.0, 1e30], None), ([1e30, 2.0, -(2.0**63)], None), ([[1.0, 0.5], [2.0, 3.0], [0.0, 1.0, 2.0]], None)],
    ids=["classes", "fractions", "large", "ragged"],
)  # fmt: skip
def test_keys_labels_classes_and_bytes_come_back(tmp_path, labels, classes):
    records = [(key, label, image(key % 200)) for key, label in zip((2**40, 7, 0), labels, strict=True)]
    with write_records(tmp_path / "a", records, classes) as dataset:
        write_webdataset(dataset, tmp_path / "b", shard_bytes=2048)
        assert len(list((tmp_path / "b").glob("*.tar"))) == 3
        source = read_webdataset(tmp_path / "b")
        assert source.classes == classes and source.notes == []
        rk.pack(source, tmp_path / "c", plan=COPY)
    check_same(tmp_path / "a", tmp_path / "c")


def test_exact_labels_come_back(tmp_path):
    labels = [2**53 + 1, -(2**62), 5]
    write_tar(tmp_path / "a.tar", [(f"{n}.{suffix}", content) for n, label in enumerate(labels) for suffix, content in
              (("png", image(n)), ("cls", b"%d" % label))])  # fmt: skip
    plan = rk.PackPlan(shuffle=False, exact_labels=True)
    rk.pack(read_webdataset(tmp_path / "a.tar"), tmp_path / "b", plan=plan)
    with rk.RecordDataset(tmp_path / "b") as dataset:
        write_webdataset(dataset, tmp_path / "c")
    rk.pack(read_webdataset(tmp_path / "c"), tmp_path / "d", plan=plan)
    assert np.load(tmp_path / "d.labels.npy").tolist() == labels
    check_same(tmp_path / "b", tmp_path / "d")


def test_splits_are_those_of_info_or_of_the_names(cli, tiny_mnist, tmp_path):
    cli("pack", tiny_mnist, tmp_path / "a")
    assert cli("export", tiny_mnist, tmp_path / "b", "--to", "webdataset")[0] == 0
    assert cli("import", tmp_path / "b", tmp_path / "c")[0] == 0
    check_same(tmp_path / "a_train", tmp_path / "c_train")
    (tmp_path / "b/_info.json").unlink()
    assert {name: len(each) for name, each in read_webdataset(tmp_path / "b").items()} == {"test": 6, "train": 20}
    assert len(read_webdataset(tmp_path / "b" / "train-*.tar")) == 20


def test_shard_10_comes_after_shard_9(tmp_path):
    for number in (10, 9):
        write_tar(tmp_path / f"a-{number}.tar", [(f"{number}.png", image(1)), (f"{number}.cls", b"0")])
    for path in (tmp_path, tmp_path / "a-*.tar"):
        assert [entry.key for entry in read_webdataset(path).entries([0, 1])] == [9, 10]


def test_info_is_that_of_timm(tmp_path):
    with write_records(tmp_path / "a", [(n, 0.0, image(n)) for n in range(5)], {"cat": 0}) as dataset:
        report = write_webdataset(dataset, tmp_path / "b", shard_bytes="5K")
    assert json.loads((tmp_path / "b/_info.json").read_text())["splits"]["train"] == {
        "name": "train",
        "num_samples": 5,
        "filenames": [f"train-00000{n}.tar" for n in range(3)],
        "shard_lengths": [2, 2, 1],
        "classes": {"cat": 0},
    }
    assert report.sets[0].files == tuple(f"train-00000{n}.tar" for n in range(3))


def test_a_label_that_json_cannot_hold_is_refused_by_a_dry_run_too(tmp_path):
    records = [(3, 0.0, image()), (4, float("nan"), image())]
    with write_records(tmp_path / "a", records) as dataset, pytest.raises(SourceError, match=r"key 4: .* finite label"):
        write_webdataset(dataset, tmp_path / "b", dry_run=True)


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "..", "", "x\0y", "x" * 300])
def test_no_split_of_info_leads_out_of_a_folder(tmp_path, name):
    with write_records(tmp_path / "a", [(0, 1.0, image())]) as dataset:
        write_webdataset(dataset, tmp_path / "b")
    splits = json.loads((tmp_path / "b/_info.json").read_text())["splits"]
    (tmp_path / "b/_info.json").write_text(json.dumps({"splits": {name: splits["train"], "ok": splits["train"]}}))
    with pytest.raises(FormatError, match=r"names of splits without folders"):
        read_webdataset(tmp_path / "b")
    if name:
        source = read_webdataset(tmp_path / "b/train-000000.tar")
        with pytest.raises(SourceError, match=r"part of a file name"):
            write_webdataset({name: source, "ok": source}, tmp_path / "new/c")
        assert not (tmp_path / "new").exists()


def test_what_cls_cannot_hold_is_noted_first_and_a_dry_run_writes_nothing(tmp_path):
    notes = []
    with write_records(tmp_path / "a", [(0, [1.0, 2.0], image())]) as dataset:
        report = write_webdataset(dataset, tmp_path / "b", dry_run=True, on_note=notes.append)
    assert notes == [f"{tmp_path / 'b'}: samples have up to 2 labels, which .cls cannot hold; they are in KEY.json, "
                     "the field labels"]  # fmt: skip
    assert report.dry_run and not (tmp_path / "b").exists()


def test_archives_of_others_are_read(tmp_path):
    write_tar(tmp_path / "a.tar", [
        ("./x/n01_1.JPEG", image(1, "jpg")), ("./x/n01_1.json", b'{"label": 3, "caption": "a"}'),
        ("./y/n02.b.png", image(2)), ("./y/n02.cls", b"5\n"), ("README", b"text"),
    ])  # fmt: skip
    with pytest.raises(FormatError, match=r"b.tar: byte \d+: expected an image in the sample ./y/n02"):
        read_webdataset(write_tar(tmp_path / "b.tar", [("./y/n02.txt", b""), ("./y/n02.cls", b"5")]))
    source = read_webdataset(tmp_path / "a.tar")
    assert source.entries([0, 1]) == [(0, (3,), "./x/n01_1.JPEG"), (1, (5,), "./y/n02.b.png")]
    assert "so the keys are 0 to n - 1" in source.notes[0]
    assert source.contents(source.entries([1, 0])) == [image(2), image(1, "jpg")]
    with pytest.raises(FormatError, match="expected a number or numbers in the field caption of"):
        read_webdataset(tmp_path / "a.tar", label_column="caption")


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ([("1.jpg", b"j")], "expected a label of 1, as .cls or .json, got .jpg"),
        ([("1.jpg", b"j"), ("1.png", b"p"), ("1.cls", b"1")], "expected one image in the sample 1, got .jpg, .png"),
        ([("1.jpg", b"j"), ("1.jpg", b"j")], "expected 1.jpg once, got it again"),
        ([("1.jpg", b"j"), ("1.cls", b"cat")], "expected a whole number in 1.cls, got b'cat'"),
        ([("1.jpg", b"j"), ("1.json", b"[")], "expected JSON in 1.json"),
        ([("1.jpg", b"j"), ("1.json", b'{"y": 1}')], "label of 1.json, got y; name the field with label_column"),
        ([("1.jpg", b"j"), ("1.cls", b"9" * 20)], "1: the label does not fit"),
    ],
)  # fmt: skip
def test_samples_without_one_image_and_a_label_are_one_line(tmp_path, members, problem):
    write_tar(tmp_path / "a.tar", members)
    with pytest.raises(FormatError) as caught:
        read_webdataset(tmp_path / "a.tar")
    assert str(tmp_path / "a.tar") in str(caught.value) and problem in str(caught.value)


def test_a_missing_shard_another_number_of_samples_and_a_changed_file_are_errors(tmp_path):
    with write_records(tmp_path / "a", [(n, 0.0, image(n)) for n in range(4)]) as dataset:
        write_webdataset(dataset, tmp_path / "b", shard_bytes="5K")
    source = read_webdataset(tmp_path / "b")
    (tmp_path / "b/train-000001.tar").write_bytes((tmp_path / "b/train-000000.tar").read_bytes() + bytes(512))
    with pytest.raises(FormatError, match="expected the file that was opened, got one that has changed since"):
        source.contents(source.entries([3]))
    info = json.loads((tmp_path / "b/_info.json").read_text())
    info["splits"]["train"]["shard_lengths"] = [2, 1]
    (tmp_path / "b/_info.json").write_text(json.dumps(info))
    with pytest.raises(SourceError, match="expected shards of 'train' with the `shard_lengths`|shard_lengths"):
        read_webdataset(tmp_path / "b")
    (tmp_path / "b/train-000000.tar").unlink()
    with pytest.raises(NotFoundError, match="expected a tar archive"):
        read_webdataset(tmp_path / "b")
    info["splits"]["train"]["filenames"] = ["../a.tar"]
    (tmp_path / "b/_info.json").write_text(json.dumps(info))
    with pytest.raises(FormatError, match="without folders"):
        read_webdataset(tmp_path / "b")


def test_a_folder_with_files_is_refused(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/x").touch()
    with write_records(tmp_path / "a", [(0, 0.0, image())]) as dataset:
        for dry_run in (True, False):
            with pytest.raises(PublishError, match="expected no file, or an empty folder"):
                write_webdataset(dataset, tmp_path / "b", dry_run=dry_run)
        with pytest.raises(SourceError, match=r"c.rec: sample 0: key 1: expected an image"):
            write_webdataset(write_records(tmp_path / "c", [(1, 0.0, b"text")]), tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_an_archive_without_an_end_is_noted(cli, tmp_path):
    write_tar(tmp_path / "a.tar", [(f"{n}.{kind}", content) for n in range(3) for kind, content in
              (("png", image(n)), ("cls", b"%d" % n))])  # fmt: skip
    size = -(-len(image(2)) // 512) * 512 + 3 * 512
    content = (tmp_path / "a.tar").read_bytes().rstrip(b"\0")
    content += bytes(-len(content) % 512)
    for cut, n in ((content, 3), (content[:-size], 2), (content[:-500], 3)):  # the last cut is in the padding
        (tmp_path / "a.tar").write_bytes(cut)
        source = read_webdataset(tmp_path / "a.tar")
        note = f"{tmp_path / 'a.tar'}: the archive has no end, two blocks of zeros; was it cut short?"
        assert (len(source), source.notes) == (n, [note])
    (tmp_path / "a.tar").write_bytes(content[:-size])
    code, _, error = cli("import", tmp_path / "a.tar", tmp_path / "b")
    assert code == 0 and note in error


@pytest.mark.parametrize("pattern", ["train-000000.tar", "train-0000*.tar", "*.tar"])
def test_class_names_are_read_beside_a_file_or_a_pattern(tmp_path, pattern):
    with write_records(tmp_path / "a", [(n, 0.0, image(n)) for n in range(4)], {"owl": 0}) as dataset:
        write_webdataset(dataset, tmp_path / "b", shard_bytes="5K")
    assert read_webdataset(tmp_path / "b" / pattern).classes == {"owl": 0}
    info = json.loads((tmp_path / "b/_info.json").read_text())
    info["splits"]["train"]["classes"] = ["owl"]
    (tmp_path / "b/_info.json").write_text(json.dumps(info))
    with pytest.raises(FormatError, match="expected a label for each of the classes of 'train'"):
        read_webdataset(tmp_path / "b" / pattern)
    (tmp_path / "b/_info.json").write_text("{}")  # of another program
    assert read_webdataset(tmp_path / "b" / pattern).classes is None


def test_a_folder_without_archives_says_so(cli, tmp_path):
    (tmp_path / "b").mkdir()
    code, _, error = cli("import", tmp_path / "b", tmp_path / "a", "--from", "webdataset")
    assert code == 1 and f"{tmp_path / 'b'}: expected a tar archive, got a folder without .tar files" in error
