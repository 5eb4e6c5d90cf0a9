"""Views: which samples are shown, and what a sheet shows of any image."""

import json
import re
from pathlib import Path

import images
import numpy as np
import pytest
from PIL import Image

from recordkit import RecordDataset, codec
from recordkit.errors import FormatError, PlanError
from recordkit.upkeep import Choice, write_page, write_sheet
from recordkit.upkeep.look.choice import choose_samples
from recordkit.upkeep.look.letters import Letters
from recordkit.upkeep.selection import Selection

PNG = codec.encode(images.pixels(), "png")


def chosen(path, n, seed=0):
    with RecordDataset(path) as dataset:
        return choose_samples(dataset, np.arange(len(dataset)), n, seed=seed).tolist()


def test_a_rare_label_is_shown_before_the_second_of_a_frequent_one(tmp_path):
    path = images.write(tmp_path / "a.rec", [PNG] * 50, labels=[float(n == 30) * 7 for n in range(50)])
    for seed in range(5):
        first, rare = chosen(path, 2, seed)
        assert rare == 30 and first != 30
    assert len({tuple(chosen(path, 2, seed)) for seed in range(5)}) > 1


def test_labels_share_the_sheet_and_are_sorted(tmp_path):
    path = images.write(tmp_path / "a.rec", [PNG] * 40, labels=[float(n % 4) for n in range(40)])
    rows = chosen(path, 12)
    assert [row % 4 for row in rows] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert rows == sorted(rows, key=lambda row: (row % 4, row)) and len(set(rows)) == 12


def test_more_labels_than_places_are_drawn(tmp_path):
    path = images.write(tmp_path / "a.rec", [PNG] * 30, labels=[*map(float, range(28)), float("nan"), float("nan")])
    assert len(set(chosen(path, 5))) == 5 and max(chosen(path, 5)) > 5


def test_few_samples_are_all_shown(tmp_path):
    path = images.write(tmp_path / "a.rec", [PNG] * 3, labels=[2.0, 1.0, 2.0])
    assert chosen(path, 9) == [1, 0, 2]


def test_a_selection_is_shown(tmp_path):
    path = images.write(tmp_path / "a.rec", [PNG] * 30)
    report = write_sheet(path, tmp_path / "s.png", Choice(selection=Selection(labels=[3, 7])))
    assert (report.n_shown, report.n_selected, report.n_samples) == (6, 6, 30)


def test_a_view_says_of_how_many_selected_samples(tmp_path, cli):
    path = images.write(tmp_path / "a.rec", [PNG] * 30)
    options = ("view", path, tmp_path / "s.png", "--html", tmp_path / "p.html", "--label", "3,7", "-n", 4)
    code, out, _ = cli(*map(str, options))
    assert code == 0 and out.count(": 4 of 6 selected samples, of 30, ") == 2
    assert "; 4 of 6 selected samples, of 30 shown" in (tmp_path / "p.html").read_text()
    out = cli(*map(str, options), "--json")[1]
    assert [json.loads(line)["n_selected"] for line in out.splitlines()] == [6, 6]


@pytest.mark.parametrize("output", [("a.rec",), ("--html", "a.idx"), ("--html", "s.png"), ("p.html",), ("notes",)])
def test_a_view_overwrites_no_file_of_another_kind(tmp_path, cli, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    images.write(tmp_path / "a.rec", [PNG] * 3)
    Path(output[-1]).exists() or Path(output[-1]).write_text("mine")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    code, _, err = cli("view", "a.rec", *output)
    assert code == 2 and re.search(r"(SHEET|--html): expected a name that ends in [.](png|html or .htm), got", err)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_both_outputs_are_checked_before_one_is_written(tmp_path, cli):
    path = images.write(tmp_path / "a.rec", [PNG] * 3)
    assert cli("view", str(path), str(tmp_path / "s.txt"), "--html", str(tmp_path / "p.html"))[0] == 2
    assert not (tmp_path / "p.html").exists()


def test_an_existing_sheet_is_replaced_and_not_a_file_in_the_place_of_its_folder(tmp_path, cli):
    path = images.write(tmp_path / "a.rec", [PNG] * 3)
    (tmp_path / "s.PNG").write_text("old")
    assert cli("view", str(path), str(tmp_path / "s.PNG"))[0] == 0
    assert (tmp_path / "s.PNG").read_bytes().startswith(b"\x89PNG")
    code, _, err = cli("view", str(path), str(tmp_path / "s.PNG" / "s.png"))
    assert code == 1 and "s.PNG: expected a folder, got a file; choose another folder" in err


def test_a_sheet_has_a_cell_for_each_image(tmp_path):
    white = codec.encode(np.full((4, 4, 3), (0, 0, 255), np.uint8), "png")
    path = images.write(tmp_path / "a.rec", [white] * 5)
    report = write_sheet(path, tmp_path / "s.png", side=64, columns=3)
    sheet = Image.open(tmp_path / "s.png")
    assert sheet.size == (12 + 3 * 76, 34 + 2 * (64 + 32 + 12) + 12)
    blue = (np.asarray(sheet) == (0, 0, 255)).all(2).sum()
    assert blue == 5 * 64 * 64, "4 pixels are enlarged 16 times"
    assert (report.n_shown, report.problems, report.n_bytes) == (5, [], (tmp_path / "s.png").stat().st_size)


@pytest.mark.parametrize("size", [(1, 1), (3000, 3), (2, 4000)])
def test_extreme_shapes_are_letterboxed(tmp_path, size):
    red = codec.encode(np.full((size[1], size[0], 3), (255, 0, 0), np.uint8), "png")
    write_sheet(images.write(tmp_path / "a.rec", [red]), tmp_path / "s.png", side=64)
    is_red = (np.asarray(Image.open(tmp_path / "s.png")) == (255, 0, 0)).all(2)
    height, width = np.ptp(np.argwhere(is_red), 0) + 1
    assert (width, height) == {(1, 1): (64, 64), (3000, 3): (64, 1), (2, 4000): (1, 64)}[size]


def test_a_broken_image_is_drawn_as_such_and_reported(tmp_path, cli):
    path = images.write(tmp_path / "a.rec", [PNG, PNG[:60]])
    code, out, err = cli("view", str(path), str(tmp_path / "s.png"), "--html", str(tmp_path / "p.html"))
    assert code == 1 and "2 of 2 samples" in out and "1 do not decode" in out
    assert err.count("key 1: expected an image, got 60 bytes that do not decode") == 1
    assert (np.asarray(Image.open(tmp_path / "s.png")) == (178, 34, 34)).all(2).sum() > 300
    assert "does not decode: expected an image" in (tmp_path / "p.html").read_text()


def test_a_damaged_record_is_drawn_as_broken(tmp_path):
    path = images.write(tmp_path / "a.rec", [PNG] * 60)
    content = bytearray(path.read_bytes())
    with RecordDataset(path) as dataset:
        offset = int(dataset.offsets[30])
    content[offset + 8 : offset + 12] = b"\xff\xff\xff\x7f"  # the number of labels
    path.write_bytes(content)
    with pytest.raises(FormatError, match="a.rec: byte"):
        write_sheet(path, tmp_path / "s.png")
    assert not (tmp_path / "s.png").exists()


def test_only_the_images_shown_are_read(tmp_path, monkeypatch):
    path = images.write(tmp_path / "a.rec", [PNG] * 500)
    read = []
    original = RecordDataset._read_one
    monkeypatch.setattr(RecordDataset, "_read_one", lambda self, row: read.append(row) or original(self, row))
    write_page(path, tmp_path / "p.html", Choice(n=7))
    assert len(read) == 7


def test_several_files_are_one_view(tmp_path):
    for number in range(2):
        images.write(tmp_path / f"a_{number}.rec", [PNG] * 2)
    assert write_sheet(str(tmp_path / "a_*.rec"), tmp_path / "s.png").n_shown == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"choice": (0,)}, "n: expected 1 to 2000, got 0"),
        ({"side": 8}, "side: expected 16 to 1024, got 8"),
        ({"columns": 0}, "columns: expected at least 1, got 0"),
        ({"side": 1024, "choice": (500,)}, "n: expected a sheet of at most 89478485 pixels"),
    ],
)
def test_a_view_that_is_too_large_or_empty_is_refused(tmp_path, options, message):
    path = images.write(tmp_path / "a.rec", [PNG] * 500)
    with pytest.raises(PlanError, match=message):
        write_sheet(path, tmp_path / "s.png", Choice(*options.pop("choice", ())), **options)


def test_a_page_that_is_too_large_is_refused(tmp_path):
    path = images.write(tmp_path / "a.rec", [PNG] * 200)
    with pytest.raises(PlanError, match="n: expected at most 125 images of 1024 pixels, got 200; show fewer"):
        write_page(path, tmp_path / "p.html", side=1024)


def test_other_records_are_one_error(tmp_path):
    path = images.write(tmp_path / "a.rec", [b"\x93NUMPY\x01\x00" + b"x" * 40] * 3)
    with pytest.raises(FormatError, match="expected images, got 3 records of npy"):
        write_sheet(path, tmp_path / "s.png")


def test_the_command_writes_a_sheet_of_the_name_of_the_file(tmp_path, cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = images.write(tmp_path / "a.rec", [PNG] * 20)
    code, out, err = cli("view", str(path), "--label", "3", "--keys", "0:10", "--json")
    assert code == 0 and json.loads(out)["n_shown"] == 1 and (tmp_path / "a.png").exists(), err


@pytest.mark.parametrize(
    "text", ["cat", "Stra\u00dfe", "\u732b", "\u0643\u0644\u0628", "\U0001f408", "a\u202eb\x1b[31m"]
)
def test_any_name_is_drawn_without_empty_boxes(text):
    shown, font = Letters(12).fit(text, 400)
    missing = bytes(font.getmask("\U0010fffe"))
    assert shown and all(bytes(font.getmask(letter)) != missing for letter in shown)
    assert "\u202e" not in shown and "\x1b" not in shown


def test_a_long_name_ends_with_dots():
    shown, font = Letters(12).fit("a long name of a class" * 20, 128)
    assert shown.endswith("...") and font.getlength(shown) <= 128
