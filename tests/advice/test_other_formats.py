"""Following the advices about files that are no .rec file, and about records that are no images."""

import pickle
import tarfile
from pathlib import Path

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


def test_a_dataset_of_recordkit_that_is_imported(photos, fails, works):
    works("pack", "photos", "cats")
    error = fails("import", "cats", "copy")
    advice(
        "interop/conversions.py",
        "'recordkit merge {} NEW' copies it, and 'recordkit export {} FOLDER' writes its images as files",
        error,
    )
    for command in commands(error):
        works(*command)
    assert Path("NEW.rec").read_bytes() == Path("cats.rec").read_bytes() and any(Path("FOLDER").iterdir())


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
