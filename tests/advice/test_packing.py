"""Following the advices of packing, and of the file formats that it writes."""

import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest
from advice.walk import advice, commands, text_of
from images import picture, save
from peaks import flat_image, noise

import recordkit as rk
from recordkit import recordio
from recordkit.formats import ubyte
from recordkit.storage import locks
from recordkit.storage.locks import lock_folder
from recordkit.storage.staging import Staging


def files():
    return {str(path) for path in Path().rglob("*")}


def write_list(*rows):
    Path("cats.lst").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))


def test_a_resize_that_enlarges(photos, works):
    (size, _) = advice(
        "cli/commands/pack.py",
        ": --resize {} enlarges smaller ones, such as the first, of {}; is that needed?",
        works("pack", photos, "out", "--resize", 72),
    )
    assert size == "72" and "larger than its images" not in works("pack", photos, "out")


def test_exact_labels(photos, fails, works):
    write_list((0, 2**24 + 1, "cat/0.jpg"))
    arguments = ("pack", "cats.lst", "out", "--root", "photos")
    error = fails(*arguments)
    advice("packing/label_check.py", "keep such labels with `exact_labels=True`", error)
    works(*arguments, re.search(r"--exact-labels", error)[0])
    assert rk.RecordDataset("out").labels.tolist() == [2**24 + 1]
    source = rk.open_source("cats.lst", root="photos")
    advice("packing/label_check.py", "keep such labels with `exact_labels=True`", lambda: rk.pack(source, "out"))
    assert rk.pack(source, "out", plan=rk.PackPlan(exact_labels=True)).n_packed == 1


def test_several_labels_of_qmnist(tmp_path, monkeypatch, works):
    monkeypatch.chdir(tmp_path)
    Path("qmnist").mkdir()
    labels = np.zeros((3, 8), np.int32)
    for name, array in (("images-idx3-ubyte", np.zeros((3, 4, 4), np.uint8)), ("labels-idx2-int", labels)):
        Path(f"qmnist/qmnist-test-{name}").write_bytes(ubyte.pack(array))
    text = works("pack", "qmnist", "all")
    advice(
        "packing/label_check.py",
        "all {} labels of each image are packed; in QMNIST the first is the class, and "
        "'recordkit pack --labels first' packs it alone",
        text,
    )
    ((command, *options),) = commands(text)
    works(command, "qmnist", "first", *options)
    assert rk.RecordDataset("first_test").labels.tolist() == [0, 0, 0]


def test_a_prefix_has_no_suffix(photos, fails, works):
    error = fails("pack", "photos", "out.rec")
    advice("storage/names.py", "leave out its suffix", error)
    works("pack", "photos", Path("out.rec").stem)


def test_nothing_was_written(photos, fails):
    for path in photos.rglob("*.jpg"):
        path.write_bytes(b"no image")
    before = files()
    advice("packing/steps.py", "nothing was written", fails("pack", "photos", "out"))
    assert files() == before


def test_a_file_larger_than_the_memory(photos, fails, works):
    image = noise(700)  # 1.5 MB
    (photos / "cat" / "0.jpg").write_bytes(image)
    error = fails("pack", "photos", "out", "--memory", "1M")
    advice("packing/piece.py", "give a memory of 8 times its size", error)
    works("pack", "photos", "out", "--memory", 8 * len(image))


def test_an_image_larger_than_the_memory(photos, fails, works):
    (photos / "cat" / "0.jpg").write_bytes(flat_image("png", 1500))
    arguments = ("pack", "photos", "out", "--resize", 8, "--memory")
    (size,) = re.findall(r"give a memory of (\d+M)", fails(*arguments, "1M"))[:1]
    works(*arguments, size)


def test_a_filter_needs_a_resize(photos, fails, works):
    arguments = ("pack", "photos", "out", "--filter", "area")
    advice("packing/plan.py", "set `resize` too", fails(*arguments))
    works(*arguments, "--resize", 8)


def test_raw_images_have_no_quality(photos, fails, works):
    advice("packing/plan.py", "leave it out", fails("pack", "photos", "out", "--encoding", "raw", "--quality", 5))
    works("pack", "photos", "out", "--encoding", "raw")


def test_a_plan_is_made_by_its_class(photos):
    advice("packing/plan.py", "PackPlan(...) makes one", text_of(lambda: rk.pack("photos", "out", plan={"seed": 3})))
    assert rk.pack("photos", "out", plan=rk.PackPlan(seed=3)).ok


def test_an_empty_split(photos, fails, works):
    error = fails("pack", "photos", "out", "--val-ratio", 0.4, "--test-ratio", 0.6)
    advice("packing/planned_sets.py", "change the ratios or the number of `shards`", error)
    works("pack", "photos", "out", "--val-ratio", 0.5)
    error = fails("pack", "photos", "out", "--val-ratio", 0.5, "--shards", 3)
    advice("packing/planned_sets.py", "change the ratios or the number of `shards`", error)
    works("pack", "photos", "out", "--val-ratio", 0.5, "--shards", 2)


def test_a_test_split_of_the_source(tiny_mnist, monkeypatch, fails, works):
    monkeypatch.chdir(tiny_mnist.parent)
    error = fails("pack", "mnist", "out", "--test-ratio", 0.5)
    advice("packing/planned_sets.py", "leave it out", error)
    works("pack", "mnist", "out")


def test_a_list_made_by_hand_is_not_replaced(photos, fails, works):
    Path("pets.lst").write_text("0\t5\tcat/0.jpg\n")
    error = fails("pack", "photos", "pets")
    advice("packing/replaced_set.py", "pack that list itself, or {}", error)
    advice("storage/refusals.py", "choose another name, or replace it with `overwrite=True`", error)
    works("pack", re.match(r"recordkit: (.*?):", error)[1], "pets", "--root", "photos")
    assert rk.RecordDataset("pets").labels.tolist() == [5]
    works("pack", "photos", "other")
    Path("pets.lst").rename("mine.lst")
    works("pack", "photos", "pets")
    Path("new.labels.npy").write_text("mine")
    error = fails("pack", "photos", "new")
    works("pack", "photos", "new", re.search(r"replace it with (--overwrite)$", error)[1])
    assert not Path("new.labels.npy").exists()


def test_a_list_made_by_hand_is_not_replaced_by_im2rec(photos, im2rec):
    Path("old.lst").write_text("0\t5\tcat/0.jpg\n")
    Path("new.labels.npy").write_text("mine")
    code, _, text = im2rec("old.lst", "photos", "new.rec")
    assert code == 1
    advice("storage/refusals.py", "move it away or choose another name", text)
    Path("new.labels.npy").unlink()
    assert im2rec("old.lst", "photos", "new.rec")[0] == 0


def test_on_error_raise(photos, fails):
    (photos / "cat" / "0.jpg").write_bytes(b"no image")
    error = fails("pack", "photos", "out", "--on-error", "raise")
    advice("packing/writer.py", "nothing was packed, because `on_error` is 'raise'", error)
    assert not list(Path().glob("out*"))
    fails("pack", "photos", "out", "--on-error", "report")  # 3 of 4 are packed, which is a failure of its own kind
    assert len(rk.RecordDataset("out")) == 3


def test_a_full_disk_publishes_nothing(photos, fails, monkeypatch):
    def write(_file, _piece, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = files()
    with monkeypatch.context() as patch:
        patch.setattr("recordkit.storage.set_files._HashingFile.write", write)
        assert "nothing was published" in fails("pack", "photos", "out")
    assert files() == before


def test_a_prefix_that_cannot_be_one(photos, fails, works):
    Path("file").touch()
    advice("storage/staging.py", "choose another folder", fails("pack", "photos", "file/out"))
    works("pack", "photos", "out")
    (prefix,) = advice("storage/staging.py", "add a name, as in {}", fails("pack", "photos", "photos/"))
    works("pack", "photos", prefix)
    assert Path("photos/train.rec").exists()
    Path("new.rec").mkdir()
    advice("storage/staging.py", "rename it", fails("pack", "photos", "new"))
    Path("new.rec").rename("folder")
    works("pack", "photos", "new")


def test_an_export_to_a_folder_with_files(photos, fails, works):
    works("pack", "photos", "out")
    error = fails("export", "out.rec", "photos")
    advice("storage/refusals.py", "choose another name, or replace it with `overwrite=True`", error)
    works("export", "out.rec", "another")
    Path("another/mine.txt").touch()
    works("export", "out.rec", "another", re.search(r"--overwrite", fails("export", "out.rec", "another"))[0])
    assert not Path("another/mine.txt").exists()


def test_the_file_of_a_user_in_a_staging_folder(photos, fails, works):
    Path(".out.staging").mkdir()
    Path(".out.staging/note.txt").touch()
    error = fails("pack", "photos", "out")
    advice("storage/claim.py", "move it away", error)
    Path(re.match(r"recordkit: (.*?):", error)[1]).rename("note.txt")
    works("pack", "photos", "out")


def test_two_packs_to_one_prefix(photos, fails, works):
    with Staging(Path("out")):
        advice("storage/claim.py", "wait until it ends", fails("pack", "photos", "out"))
    works("pack", "photos", "out")


def test_a_lock_file_of_a_killed_process(photos, fails, works, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    Path(".out.staging").mkdir()
    Path(".out.staging.lock").touch()
    (lock,) = advice("storage/claim.py", ", or remove {} if it was killed", fails("pack", "photos", "out"))
    Path(lock).unlink()
    works("pack", "photos", "out")
    monkeypatch.setattr(locks, "_MAX_WAIT_S", 0.0)
    Path(".recordkit.lock").touch()
    with pytest.raises(TimeoutError) as caught:
        lock_folder(Path(), wait=True)
    advice(
        "storage/locks.py",
        "another process has held this lock for a minute; remove it if that process was killed",
        str(caught.value),
    )
    Path(caught.value.filename).unlink()
    lock_folder(Path(), wait=True).release()


def test_the_staging_folder_of_another_user(photos, fails, works, monkeypatch):
    Path(".out.staging").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("recordkit.storage.claim.own_user", lambda: (os.geteuid() + 1,))
        patch.setattr("recordkit.storage.claim._owner_of_new_files", lambda _lock: os.geteuid() + 1)
        error = fails("pack", "photos", "out")
        advice(
            "storage/claim.py",
            "choose another prefix, or let that user pack to this one or remove the folder",
            error,
        )
    works("pack", "photos", "out")  # as that user


@pytest.mark.parametrize("content", ["{", '{"classes": 3}'])
def test_a_damaged_description(photos, fails, works, content):
    works("pack", "photos", "out")
    Path("out.json").write_text(content)
    advice("storage/fileset.py", "remove it, or pack again to another prefix", fails("info", "out.rec"))
    works("pack", "photos", "other")
    works("info", "other.rec")
    Path("out.json").unlink()
    works("info", "out.rec")


def test_a_wrong_index(photos, works):
    works("pack", "photos", "out")
    Path("out.idx").unlink()
    advice("storage/fileset.py", "run 'recordkit reindex {}'{}", lambda: rk.RecordDataset("out.rec"))
    error = text_of(lambda: recordio.MXIndexedRecordIO("other.idx", "out.rec", "r"))
    assert error.endswith(", which writes out.idx")
    (command,) = commands(error)
    works(*command)
    recordio.MXIndexedRecordIO("out.idx", "out.rec", "r").close()


def test_a_damaged_record_in_a_folder_with_a_blank_in_its_name(photos, fails):
    Path("my sets").mkdir()
    rk.pack("photos", "my sets/out")
    dataset = rk.RecordDataset("my sets/out.rec")
    offset = int(dataset.offsets[1])
    with open("my sets/out.rec", "r+b") as file:
        file.seek(offset)
        file.write(bytes(8))
    error = text_of(lambda: dataset[1])
    advice("formats/frame.py", "run 'recordkit verify {}'", error)
    (command,) = commands(error)
    assert f"my sets/out.rec: byte {offset}" in fails(*command)


def test_an_image_of_another_format(photos, fails, works):
    for number in range(2):
        Path(f"photos/cat/new{number}.png").write_bytes(save(picture(), "JPEG2000"))
    error = fails("pack", "photos", "out")
    advice("packing/python.py", "'recordkit pack --decoder {} --encoding jpg' decodes it", error)
    assert "got JPEG 2000" in fails("pack", "photos", "out", "--encoding", "png")
    ((command, *options),) = dict.fromkeys(map(tuple, commands(error)))
    works(command, "photos", "out", *options)
    without_pixels = fails(command, "photos", "out", *options[:2])
    advice("packing/plan.py", "set `encoding` too, for example to jpg", without_pixels)
    works(command, "photos", "out", *options[:2], re.search(r"--encoding", without_pixels)[0], "jpg")
