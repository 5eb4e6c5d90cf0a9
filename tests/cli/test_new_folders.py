"""Every command makes the folders of what it writes, when it writes; a command that fails before leaves none."""

import gzip
import shutil
from pathlib import Path

import pytest

import recordkit as rk

WRITERS = [
    "pack photos new/out/a",
    "list photos new/out/a",
    "import photos new/out/a",
    "fetch mnist new/out --from copies --any-checksum",
    "export old.rec new/out/folder",
    "export old.rec new/out/tar --to webdataset",
    "merge old.rec other.rec new/out/a --renumber",
    "split old.rec new/out/a --ratios train=0.5,val=0.5",
    "subset old.rec new/out/a --first 2",
    "shuffle old.rec new/out/a",
    "relabel old.rec new/out/a --map 0=5",
    "repair old.rec new/out/a",
    "view old.rec new/out/sheet.png",
    "view old.rec --html new/out/page.html",
]
FAILURES = [
    "pack broken new/out/a",
    "pack photos new/out/a --on-error raise --resize 8 --memory 1",
    "list notes.txt new/out/a",
    "import broken new/out/a",
    "fetch mnist new/out --from photos",
    "export old.rec new/out/a --name {nothing}",
    "subset old.rec new/out/a --keys 999",
    "view notes.txt new/out/sheet.png",
]


@pytest.fixture(autouse=True)
def _folder(tiny_folder, tiny_mnist, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_folder, "broken")
    for path in Path("broken").rglob("*.jpg"):
        path.write_text("no image")
    Path("notes.txt").touch()
    shutil.copytree(tiny_mnist, "copies")
    for path in Path("copies").glob("train-*"):
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
    rk.pack("photos", "old")
    rk.pack("photos", "other")


@pytest.mark.parametrize("words", WRITERS)
def test_missing_folders_are_made(cli, words):
    code, _, error = cli(*words.split())
    assert code == 0, error
    assert any(path.is_file() for path in Path("new/out").rglob("*"))


@pytest.mark.parametrize("words", FAILURES)
def test_a_command_that_fails_makes_no_folder(cli, words):
    code, _, _ = cli(*words.split())
    assert code and not Path("new").exists()


@pytest.mark.parametrize("words", ["--list --recursive new/out/a photos", "old.lst photos new/out/a.rec"])
def test_im2rec_makes_them_too(im2rec, words):
    code, _, error = im2rec(*words.split())
    assert code == 0, error
    assert list(Path("new/out").iterdir())
