"""Following the advices about files that are no .rec file, and about records that are no images."""

import pickle
import tarfile
from pathlib import Path

import pytest
from advice.walk import advice, commands, text_of

import recordkit as rk
from recordkit.recordio import MXRecordIO


def test_an_archive_is_unpacked_and_packed(photos, fails, works):
    with tarfile.open("photos.tar", "w") as archive:
        archive.add("photos")
    error = fails("info", "photos.tar")
    advice("formats/signatures.py", "unpack it; if it has images, pack them with 'recordkit pack'", error)
    with tarfile.open("photos.tar") as archive:
        archive.extractall("unpacked", filter="data")
    works("pack", "unpacked/photos", "out")
    works("info", "out.rec")


def test_an_image_is_packed_in_a_folder(photos, fails, works):
    error = fails("verify", "photos/cat/0.jpg")
    advice("formats/signatures.py", "'recordkit pack' packs folders and lists of images", error)
    works("pack", "photos", "out")
    works("verify", "out.rec")
    error = fails("pack", "photos/cat/0.jpg", "b")
    advice("sources/__init__.py", "give the folder that has a folder of images for each class", error)
    (folder,) = advice("sources/__init__.py", ", such as {}", error)
    works("pack", folder, "b")


@pytest.mark.parametrize(("command", "name"), [("import", "cats"), ("pack", "cats"), ("pack", "cats.rec")])
def test_a_packed_dataset_that_is_imported_or_packed(photos, fails, works, command, name):
    works("pack", "photos", "cats")
    error = fails(command, name, "copy")
    advice(
        "dataset/packed_sets.py",
        "'recordkit merge {} NEW' copies it, and 'recordkit export {} FOLDER' writes its images as files",
        error,
    )
    for command in commands(error):
        works(*command)
    assert Path("NEW.rec").read_bytes() == Path("cats.rec").read_bytes() and any(Path("FOLDER").iterdir())


def test_a_manifest_that_is_packed(photos, fails, works):
    works("pack", "photos", "cats", "--shards", "2")
    for name in ("cats", "cats.manifest.json"):
        error = fails("pack", name, "copy")
        for command in commands(error):
            assert command[1] == "cats.manifest.json"
    works(*commands(error)[0])
    assert len(rk.RecordDataset("NEW.rec")) == 4


def test_lists_that_are_imported(photos, fails, works):
    rows = [(f"{name}/{number}.jpg", label) for label, name in enumerate(("cat", "dog")) for number in range(2)]
    Path("new.csv").write_text("image,label\n" + "".join(f"{path},{label}\n" for path, label in rows))
    (command,) = commands(fails("import", "new.csv", "out"))
    assert command[:3] == ["pack", "new.csv", "PREFIX"] and "--columns" in command
    works(*command)
    works("list", "photos", "photos/a")
    error = fails("import", "photos/a.lst", "out")
    advice("interop/conversions.py", "'{}' reads a list", error)
    works(*commands(error)[0])
    assert len(rk.RecordDataset("PREFIX.rec")) == 4


def test_folders_and_ubyte_files_that_are_imported(photos, tiny_mnist, fails, works):
    photos.rename("images")
    Path("my photos").mkdir()
    Path("images").rename("my photos/images")
    Path("my photos/masks").mkdir()
    Path("my photos/masks/0.jpg").write_bytes(Path("my photos/images/cat/0.jpg").read_bytes())
    error = fails("import", "my photos", "out")
    assert 'give "my photos/images" or "my photos/masks" alone, or --class-from first' in error
    advice("cli/commands/import_.py", "'recordkit pack {}' has these options", error)
    works(*commands(error)[0], "--class-from", "first")
    error = fails("import", tiny_mnist, "digits")
    advice("cli/commands/import_.py", "'recordkit pack {}' encodes them", error)
    works(*commands(error)[0])
    assert Path("digits_train.rec").exists()


def test_a_verification_set_is_described_and_packed(photos, fails, works):
    image = Path("photos/cat/0.jpg").read_bytes()
    Path("lfw.bin").write_bytes(pickle.dumps(([image] * 4, [True, False])))
    advice(
        "formats/signatures.py",
        "if it is a verification set of InsightFace, 'recordkit info' describes it, and 'recordkit import' packs it",
        fails("verify", "lfw.bin"),
    )
    works("info", "lfw.bin")
    works("import", "lfw.bin", "out")


def test_plain_bytes_are_read_by_mxrecordio(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with MXRecordIO("texts.rec", "w") as writer:
        writer.write(b"record_0")
    error = text_of(lambda: rk.RecordDataset("texts.rec"))
    advice("dataset/contents.py", "recordkit.recordio.MXRecordIO reads them", error)
    with MXRecordIO("texts.rec", "r") as reader:
        assert reader.read() == b"record_0"
