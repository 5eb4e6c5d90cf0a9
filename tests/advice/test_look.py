"""Following the advices of `recordkit view` and `recordkit stats`."""

from pathlib import Path

import pytest
from advice.walk import advice
from images import picture, save, write

import recordkit as rk
from recordkit.errors import PlanError
from recordkit.recordio import MXRecordIO
from recordkit.upkeep import Choice
from recordkit.upkeep.selection import Selection


@pytest.fixture
def rec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(Path("many.rec"), [save(picture(), "PNG")] * 300)


def test_records_that_are_no_images(tmp_path, monkeypatch, fails):
    monkeypatch.chdir(tmp_path)
    write(Path("arrays.rec"), [b"\x93NUMPY\x01\x00" + bytes(40)] * 3)
    for command in ("stats", "view"):
        error = fails(command, "arrays.rec")
        advice("upkeep/look/opening.py", "recordkit.recordio.MXRecordIO reads them", error)
    reader = MXRecordIO("arrays.rec", "r")
    assert reader.read()
    reader.close()


def test_a_sheet_or_page_that_is_too_large(rec, fails, works):
    error = fails("view", rec, "sheet.png", "--side", "1024", "-n", "300")
    advice("upkeep/look/sheet.py", "show fewer images, or give a smaller `side`", error)
    error = fails("view", rec, "--html", "page.html", "--side", "1024", "-n", "300")
    advice("upkeep/look/view.py", "show fewer images, or give a smaller `side`", error)
    for output in (["sheet.png"], ["--html", "page.html"]):
        works("view", rec, *output, "--side", "1024", "-n", "4")
        works("view", rec, *output, "--side", "32", "-n", "300")


def test_more_images_than_a_view_shows(rec):
    with pytest.raises(PlanError) as error:
        Choice(n=5000)
    advice("upkeep/look/view.py", "select by `keys`, `labels` or `classes` to see others", str(error.value))
    with rk.RecordDataset(rec) as dataset:
        assert Choice(selection=Selection(keys="250:")).choose(dataset)[1] == 50


def test_a_sheet_over_a_file_of_the_dataset(tmp_path, monkeypatch, fails, works):
    monkeypatch.chdir(tmp_path)
    write(Path("records.png"), [save(picture(), "PNG")])
    before = Path("records.png").read_bytes()
    error = fails("view", "records.png", "records.png")
    advice("upkeep/look/destination.py", "give a name that no file of the dataset has", error)
    assert Path("records.png").read_bytes() == before
    works("view", "records.png", "sheet.png")
