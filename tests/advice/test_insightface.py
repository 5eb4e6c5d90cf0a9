"""Following the advices of exports to InsightFace's formats."""

from pathlib import Path

import numpy as np
import pytest
from advice.walk import advice
from images import picture, save, write

from recordkit import codec


@pytest.fixture
def people(photos):
    """Photos of one size, as face_files.py wants them."""
    for path in Path("photos").rglob("*.jpg"):
        path.write_bytes(codec.encode(np.zeros((112, 112, 3), np.uint8), "jpg"))


def test_a_label_that_is_no_identity(tmp_path, monkeypatch, fails, works):
    monkeypatch.chdir(tmp_path)
    rec = write(Path("a.rec"), [save(picture(), "PNG")] * 2, [0.0, -1.0])
    error = fails("export", rec, "faces", "--to", "insightface")
    advice("interop/insightface/arrangement.py", "'recordkit relabel' gives images other labels", error)
    works("relabel", rec, "b", "--map", "-1=1")
    works("export", "b.rec", "faces", "--to", "insightface")


def test_numbers_without_an_image(tmp_path, monkeypatch, works, cli):
    monkeypatch.chdir(tmp_path)
    rec = write(Path("a.rec"), [save(picture(), "PNG")] * 2, [3.0, 3.0])
    code, out, note = cli("export", rec, "faces", "--to", "insightface")
    assert code == 0 and "1 identity, 4 classes" in out
    advice(
        "interop/insightface/arrangement.py",
        "'recordkit relabel' gives images the numbers that are free",
        note,
    )
    works("relabel", rec, "b", "--map", "3=0")
    code, out, note = cli("export", "b.rec", "new", "--to", "insightface")
    assert code == 0 and "1 identity, 1 class" in out and "no image" not in note


@pytest.mark.parametrize("kind", ["png", "gif"])  # of another size, and of another format
def test_images_for_training_code(people, fails, works, kind):
    Path("photos/cat/0.jpg").unlink()
    Path(f"photos/cat/0.{kind}").write_bytes(save(picture(), kind.upper()))
    error = fails("export", "photos", "faces", "--to", "insightface")
    advice(
        "interop/insightface/face_files.py",
        "pack the images first, scaled and cropped to one size, and export the pack",
        error,
    )
    works("pack", "photos", "aligned", "--resize", "112", "--center-crop")
    works("export", "aligned.rec", "faces", "--to", "insightface")


def test_a_verification_set_needs_pairs_and_a_new_name(people, fails, works):
    error = fails("export", "photos", "lfw.bin")
    advice(
        "interop/insightface/pairs.py",
        "pack a list with the number of a pair and 1 or 0 before each path",
        error,
    )
    rows = [(0, 0, 1, "cat/0.jpg"), (1, 0, 1, "cat/1.jpg"), (2, 1, 0, "cat/0.jpg"), (3, 1, 0, "dog/0.jpg")]
    Path("lfw.lst").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    works("pack", "lfw.lst", "out", "--root", "photos")
    works("export", "out.rec", "lfw.bin")
    error = fails("export", "out.rec", "lfw.bin")
    advice("storage/refusals.py", "choose another name, or replace it with `overwrite=True`", error)
    works("export", "out.rec", "other.bin")
    assert Path("lfw.bin").read_bytes() == Path("other.bin").read_bytes()


def test_several_sets_are_exported_one_by_one(people, fails, works):
    Path("sets").mkdir()
    for name in ("train", "val"):
        Path("photos").joinpath("cat").parent.rename(f"sets/{name}") if name == "val" else works("pack", "photos", "x")
    works("export", "sets/val", "sets/train")
    error = fails("export", "sets", "faces", "--to", "insightface")
    advice("interop/export/samples.py", "export them one by one", error)
    works("export", "sets/train", "faces", "--to", "insightface")


def test_an_import_onto_the_set_that_is_read(people, fails, works):
    works("export", "photos", "faces", "--to", "insightface")
    error = fails("import", "faces", "faces/train")
    advice("storage/refusals.py", "choose another name", error)
    works("import", "faces", "people")
